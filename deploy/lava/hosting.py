"""All processes of a Lava graph as threads of one operating-system process.

Lava gives each of its processes one of the system's. Those of a lowered network, some eighty, spend
a step waking each other, each with work for a fraction of a millisecond; as threads they wake each
other in half the time, and a graph starts without eighty copies of the worker.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lava.magma.compiler.builders.runtimeservice_builder import RuntimeServiceBuilder
from lava.magma.runtime.message_infrastructure import factory
from lava.magma.runtime.message_infrastructure.multiprocessing import (
    MultiProcessing,
    SystemProcess,
)

from kipuka.deploy.lava.shortcuts import new_transfer

SWITCH_INTERVAL_S = 10.0
"""Seconds that a thread may compute while others are ready: all wait for its messages anyway."""

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


def host(actors: Sequence[Actor]) -> None:
    """Run actors to their end, each in a thread of this process."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    threads = [threading.Thread(target=_run, args=actor) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class HostedProcesses(MultiProcessing):  # type: ignore[misc]
    """Lava's infrastructure with one process for all actors of a graph, its service the last."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[Actor] = []

    def start(self) -> None:
        """Start the manager of shared memory."""
        super().start()
        new_transfer()

    def build_actor(
        self, target_fn: Callable[..., None], builder: Any, exception_q: Any = None
    ) -> None:
        """Note an actor; with the service, which Lava builds last, start all of them."""
        self._waiting.append((target_fn, {"builder": builder, "exception_q": exception_q}))
        if isinstance(builder, RuntimeServiceBuilder):
            process = SystemProcess(target=host, args=(self._waiting,))
            process.start()
            self._actors.append(process)
            self._waiting = []


def host_processes_together() -> None:
    """Let graphs that are built from now on in this process have one process of the system's."""
    factory.MultiProcessing = HostedProcesses
