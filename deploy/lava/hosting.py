"""All processes of a Lava graph as threads of one operating-system process.

Lava gives each of its processes one of the system's. Those of a lowered network, some eighty, spend
a step waking each other, each with work for a fraction of a millisecond; as threads that take turns
they do so in a fraction of the time, and a graph starts without eighty copies of the worker.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lava.magma.compiler.builders.runtimeservice_builder import RuntimeServiceBuilder
from lava.magma.compiler.channels.interfaces import ChannelType
from lava.magma.compiler.channels.pypychannel import PyPyChannel
from lava.magma.runtime.message_infrastructure import factory
from lava.magma.runtime.message_infrastructure.multiprocessing import (
    MultiProcessing,
    SystemProcess,
)

from kipuka.deploy.lava.shortcuts import new_transfer
from kipuka.deploy.lava.turns import Channel, Turns

SWITCH_INTERVAL_S = 10.0
"""Seconds that a thread may compute while others are ready: all wait for its messages anyway."""

WITH_RUNTIME = ("runtime_to_service", "service_to_runtime")
"""Names of channels that lead out of the process."""

Actor = tuple[Callable[..., None], dict[str, Any]]
"""Function that builds and starts one of Lava's processes, or its service, and the arguments."""


@contextlib.contextmanager
def ending_worker() -> Iterator[None]:
    """Print an error and end the worker that started this process.

    Lava keeps the error for later, while all others wait for ever for the messages of this process.
    """
    try:
        yield
    except Exception:
        traceback.print_exc()
        os.kill(os.getppid(), signal.SIGTERM)


def _run(target: Callable[..., None], settings: dict[str, Any]) -> None:
    with ending_worker():
        target(**settings)


def host(turns: Turns, actors: Sequence[Actor]) -> None:
    """Run actors to their end, each in a thread of this process."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    turns.run([functools.partial(_run, *actor) for actor in actors])


class HostedProcesses(MultiProcessing):  # type: ignore[misc]
    """Lava's infrastructure with one process for all actors of a graph, its service the last."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[Actor] = []

    def start(self) -> None:
        """Start the manager of shared memory."""
        super().start()
        new_transfer()
        self.turns = Turns()

    def build_actor(
        self, target_fn: Callable[..., None], builder: Any, exception_q: Any = None
    ) -> None:
        """Note an actor; with the service, which Lava builds last, start all of them."""
        self._waiting.append((target_fn, {"builder": builder, "exception_q": exception_q}))
        if isinstance(builder, RuntimeServiceBuilder):
            process = SystemProcess(target=host, args=(self.turns, self._waiting))
            process.start()
            self._actors.append(process)
            self._waiting = []

    def channel_class(self, channel_type: ChannelType) -> Any:
        """Return what makes a channel: within the process, or between it and the runtime."""
        made = super().channel_class(channel_type)
        return functools.partial(self._channel, made) if made is PyPyChannel else made

    def _channel(self, made: Any, infrastructure: Any, name: str, *given: Any) -> Any:
        if not any(part in name for part in WITH_RUNTIME):
            return Channel(infrastructure, name, *given)
        channel = made(infrastructure, name, *given)
        channel.dst_port.turns = self.turns
        return channel


def host_processes_together() -> None:
    """Let graphs that are built from now on in this process have one process of the system's."""
    factory.MultiProcessing = HostedProcesses
