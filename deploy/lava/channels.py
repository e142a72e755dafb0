"""Lava's channels without their threads: who waits for a message waits for its semaphore itself.

Lava gives each end of each channel a thread, so that a message wakes three: one that takes it in,
the process that wants it, and one at the sender that hears of it. Shared memory, semaphores, order
and what is computed stay Lava's own. These channels lead from Lava's runtime to the process in
which a graph runs, and back; `kipuka.deploy.lava.turns` has those within it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from lava.magma.compiler.channels import pypychannel

from kipuka.deploy.lava.turns import Turns, message_of

LAVA_INT32 = 4
"""What Lava writes for int32 where a channel comes from its C side."""


def _slots(port: Any) -> list[np.ndarray]:
    """Places of a channel in shared memory, one per message that it holds."""
    size = port._nbytes
    return [
        np.ndarray(port._shape, port._dtype, port._shm.buf[size * slot : size * (slot + 1)])
        for slot in range(port._size)
    ]


class SendPort(pypychannel.CspSendPort):  # type: ignore[misc]
    """Sending end that takes the receipts of its messages when it has no free place left."""

    _array: list[np.ndarray]
    _idx: int
    _n_free: int

    def start(self) -> None:
        """Map the shared memory."""
        self._array = _slots(self)
        self._n_free = self._size

    def probe(self) -> bool:
        """Tell whether a message can be sent without waiting."""
        if not self._n_free and self._ack.acquire(block=False):
            self._n_free = 1
        return self._n_free > 0

    def send(self, data: Any) -> None:
        """Send an array of the channel's shape; waits for a free place.

        Raises
        ------
        AssertionError
            For another shape, as Lava does.
        """
        data = message_of(data, self._shape)
        if not self.probe():
            self._ack.acquire()
            self._n_free = 1
        self._n_free -= 1
        self._array[self._idx][:] = data
        self._idx = (self._idx + 1) % self._size
        self._req.release()

    def join(self) -> None:
        """End the port; no thread has to be told."""
        self._done = True


class RecvPort(pypychannel.CspRecvPort):  # type: ignore[misc]
    """Receiving end that counts the messages which it has noticed and not yet taken."""

    _array: list[np.ndarray]
    _dtype: Any
    _idx: int
    _n_noticed: int
    turns: Turns | None = None
    """Of the actors of this process, which go on before it waits."""

    def start(self) -> None:
        """Map the shared memory."""
        if self._dtype == LAVA_INT32:
            self._dtype = np.int32
        self._array = _slots(self)
        self._n_noticed = 0

    def probe(self) -> bool:
        """Tell whether there is a message."""
        if not self._n_noticed and self._req.acquire(block=False):
            self._n_noticed = 1
        return self._n_noticed > 0

    def wait(self) -> None:
        """Wait for a message and leave it there."""
        if not self.probe():
            if self.turns is not None:
                self.turns.let_others()
            self._req.acquire()
            self._n_noticed = 1

    def peek(self) -> np.ndarray:
        """Copy the next message and leave it there."""
        self.wait()
        return self._array[self._idx].copy()

    def recv(self) -> np.ndarray:
        """Take the next message; waits for it."""
        message = self.peek()
        self._n_noticed -= 1
        self._idx = (self._idx + 1) % self._size
        self._ack.release()
        return message

    def join(self) -> None:
        """End the port; no thread has to be told."""
        self._done = True


def select(_: Any, *channel_actions: tuple[RecvPort, Callable[[], Any]]) -> Any:
    """Wait for a message of a channel and return the result of its action.

    Raises
    ------
    NotImplementedError
        For several channels, as processes with RefPorts have, of which none of ours is one.
    """
    if len(channel_actions) != 1:
        raise NotImplementedError("channels without threads are waited for one at a time")
    ((channel, action),) = channel_actions
    channel.wait()
    return action()


def use_no_threads() -> None:
    """Let graphs that are built from now on in this process have channels without threads."""
    pypychannel.CspSendPort, pypychannel.CspRecvPort = SendPort, RecvPort
    pypychannel.CspSelector.select = select
