"""Lava's processes as threads of one process: one acts at a time, until it has to wait for another.

They wait for each other's messages far more often than they compute. Threads that are all awake
contend for Python's lock with each message; here who has to wait wakes one that can go on, in the
order in which they became able to, and all others sleep. What is computed, and from which messages,
stays Lava's own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from lava.magma.compiler.channels import pypychannel
from lava.utils.sparse import find
from scipy.sparse import csr_matrix


class Turns:
    """Whose turn it is among the actors of one process.

    An actor sleeps on a lock of its own, by which others know it.
    """

    def __init__(self) -> None:
        self._ready: deque[threading.Lock] = deque()
        self._running: threading.Lock | None = None

    def run(self, actors: Sequence[Callable[[], None]]) -> None:
        """Run actors to their end, each in a thread of this process, beginning with the first."""
        locks = [threading.Lock() for _ in actors]
        threads = [
            threading.Thread(target=self._act, args=given)
            for given in zip(actors, locks, strict=True)
        ]
        for lock, thread in zip(locks, threads, strict=True):
            lock.acquire()
            self._ready.append(lock)
            thread.start()
        self._wake_next()
        for thread in threads:
            thread.join()

    def _act(self, actor: Callable[[], None], lock: threading.Lock) -> None:
        lock.acquire()
        actor()
        self._wake_next()

    def _wake_next(self) -> None:
        # With none that is ready, all sleep for ever, as they do in Lava.
        self._running = self._ready.popleft() if self._ready else None
        if self._running is not None:
            self._running.release()

    def _sleep(self) -> None:
        lock = self._running
        self._wake_next()
        if lock is not None:
            lock.acquire()

    def wait(self, waiting: list[threading.Lock]) -> None:
        """Sleep until another actor calls `ready` with the same list."""
        if self._running is not None:
            waiting.append(self._running)
        self._sleep()

    def ready(self, waiting: list[threading.Lock]) -> None:
        """Let who sleeps there go on, after all that are ready now."""
        if waiting:
            self._ready.extend(waiting)
            waiting.clear()

    def let_others(self) -> None:
        """Go on when no other actor can, because all sleep until something comes from outside."""
        while self._ready and self._running is not None:
            self._ready.append(self._running)
            self._sleep()


class _Messages:
    """What both ends of a channel between actors of one process share."""

    def __init__(self, turns: Turns, places: int) -> None:
        self.turns, self.places = turns, places
        self.sent: deque[np.ndarray] = deque()
        self.receiver: list[threading.Lock] = []
        self.sender: list[threading.Lock] = []


def message_of(data: Any, shape: Any) -> np.ndarray:
    """Numbers that a channel of a shape takes from what is sent.

    Raises
    ------
    AssertionError
        For another shape, as Lava does.
    """
    if data.shape != shape:
        raise AssertionError(f"{data.shape=} {shape=} Mismatch")
    found: np.ndarray = find(data, explicit_zeros=True)[2] if isinstance(data, csr_matrix) else data
    return found


class _End:
    """What both ends of a channel are."""

    def __init__(self, name: str, shape: Any, dtype: Any, messages: _Messages) -> None:
        self._name, self._shape, self._dtype = name, shape, dtype
        self._size, self._messages = messages.places, messages

    def start(self) -> None:
        """Do nothing; there is nothing to map."""

    def join(self) -> None:
        """Do nothing; there is nothing to end."""


class Sender(_End, pypychannel.CspSendPort):  # type: ignore[misc]
    """Sending end of a channel between actors of one process."""

    def probe(self) -> bool:
        """Tell whether a message can be sent without waiting."""
        return len(self._messages.sent) < self._messages.places

    def send(self, data: Any) -> None:
        """Send a copy of an array of the channel's shape; waits for a free place.

        Raises
        ------
        AssertionError
            For another shape, as Lava does.
        """
        data, own = message_of(data, self._shape), self._messages
        while len(own.sent) >= own.places:
            own.turns.wait(own.sender)
        own.sent.append(data.astype(self._dtype))
        own.turns.ready(own.receiver)


class Receiver(_End, pypychannel.CspRecvPort):  # type: ignore[misc]
    """Receiving end of a channel between actors of one process."""

    def probe(self) -> bool:
        """Tell whether there is a message."""
        return bool(self._messages.sent)

    def wait(self) -> None:
        """Wait for a message and leave it there."""
        own = self._messages
        while not own.sent:
            own.turns.wait(own.receiver)

    def peek(self) -> np.ndarray:
        """Copy the next message and leave it there."""
        self.wait()
        return self._messages.sent[0].copy()

    def recv(self) -> np.ndarray:
        """Take the next message; waits for it."""
        self.wait()
        own = self._messages
        message = own.sent.popleft()
        own.turns.ready(own.sender)
        return message


class Channel:
    """A channel between actors of one process, with the ends that Lava asks for."""

    def __init__(
        self,
        infrastructure: Any,
        src_name: str,
        dst_name: str,
        shape: Any,
        dtype: Any,
        size: int,
        *_: Any,
    ) -> None:
        messages = _Messages(infrastructure.turns, size)
        self.src_port = Sender(src_name, shape, dtype, messages)
        self.dst_port = Receiver(dst_name, shape, dtype, messages)
