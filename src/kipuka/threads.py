"""Work on several threads that is waited for, whatever arrives meanwhile.

Ctrl-C is raised in the main thread between any two of its instructions, also while it waits. Were
others to go on then, they would write into arrays, in compiled code, while what they run in is
taken down. So work that was handed out is either taken back before a thread begins it, or waited
for before control leaves who handed it out, and what arrived is raised after that.

To make threads and to end them takes longer than many a kernel, and Ctrl-C is lost where it
arrives while Python clears away after one. Those that help with short work stay.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Task(Generic[T]):
    """Work for another thread.

    Parameters
    ----------
    work : callable ()

    Attributes
    ----------
    error : BaseException or None
        What the work ended with.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        # Whoever takes it out does it: nothing can come between the taking of two.
        self._work = [work]
        self._at_work, self._done = threading.Lock(), threading.Lock()
        self._done.acquire()
        self.error: BaseException | None = None

    def do(self) -> None:
        """Do the work, unless it was taken back."""
        with self._at_work:
            try:
                work = self._work.pop()
            except IndexError:
                return
            try:
                self._result = work()
            except BaseException as error:
                self.error = error
            finally:
                self._done.release()

    def result(self) -> T:
        """Wait for what the work gives, or raise what it ended with."""
        with self._done:
            pass
        if self.error is not None:
            raise self.error
        return self._result

    def take_back(self) -> None:
        """Let no thread begin it."""
        self._work.clear()

    def wait(self) -> None:
        """Return when no thread is at it."""
        with self._at_work:
            pass


def end(tasks: Iterable[Task[Any]]) -> None:
    """Let no thread begin any of the tasks, and return when none is at one of them.

    It stands in the outer one of two ``finally`` as well: Ctrl-C may arrive as the call begins.
    """
    try:
        for task in tasks:
            task.take_back()
        for task in tasks:
            task.wait()
    except BaseException:
        end(tasks)
        raise


class Helpers:
    """Threads that do tasks, those first that were given first."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Task[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        _ALL.append(self)

    def at_least(self, n_threads: int) -> None:
        """Have so many threads, or more."""
        with self._lock:
            for _ in range(n_threads - len(self._threads)):
                thread = threading.Thread(target=self._help, daemon=True)
                thread.start()
                self._threads.append(thread)

    def give(self, task: Task[Any]) -> None:
        """Let one of the threads do a task."""
        self._tasks.put(task)

    def dismiss(self) -> None:
        """Let the threads end when all tasks are done that they were given."""
        self._tasks.put(None)
        if self in _ALL:
            _ALL.remove(self)

    def join(self) -> None:
        """Wait until the threads that were dismissed have ended."""
        for thread in self._threads:
            thread.join()

    def _help(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.do()
            # Not to be held while this thread waits, and neither are the arrays in it.
            del task
        # For the next one.
        self._tasks.put(None)


_ALL: list[Helpers] = []
"""Whose threads have not been dismissed."""

_SHARED = Helpers()


def share_out(n_threads: int, pieces: Sequence[T], work_off: Callable[[Iterator[T]], None]) -> None:
    """Have threads work off pieces, this one among them, and return when no other is at it.

    Parameters
    ----------
    n_threads : int
        At most; others that are late find nothing left to do.
    pieces : sequence
        Each is given to whichever thread is free.
    work_off : callable (iterator of pieces)
        Called on each thread. After an error in one of them no other is given a piece.
    """
    if n_threads == 1 or len(pieces) <= 1:
        work_off(iter(pieces))
        return
    left = deque(pieces)

    def take_part() -> None:
        try:
            work_off(_taken(left))
        except BaseException:
            left.clear()
            raise

    tasks = [Task(take_part) for _ in range(min(n_threads, len(pieces)) - 1)]
    try:
        try:
            _SHARED.at_least(len(tasks))
            for task in tasks:
                _SHARED.give(task)
            take_part()
        finally:
            end(tasks)
    finally:
        end(tasks)
    for task in tasks:
        if task.error is not None:
            raise task.error


def _taken(left: deque[T]) -> Iterator[T]:
    """Take what is left, piece by piece."""
    while True:
        try:
            piece = left.popleft()
        except IndexError:
            return
        yield piece


def _forget() -> None:
    """Have no helpers: a process that was forked has none of its parent's threads."""
    global _SHARED
    _ALL.clear()
    _SHARED = Helpers()


def _dismiss_all() -> None:
    """Wait for all threads before what they run in is taken down."""
    for helpers in list(_ALL):
        helpers.dismiss()
        helpers.join()


os.register_at_fork(after_in_child=_forget)
atexit.register(_dismiss_all)
