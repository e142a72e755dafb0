"""Processes that end together: the kernel ends a child with its parent, and whole sessions end.

Needed because Lava's processes wait for each other's messages without a time limit: one that loses
its partner would wait for ever, and hold its shared memory.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

SET_PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG`` of Linux, ``prctl(2)``."""

TRACKER = "multiprocessing.resource_tracker"
"""Python's process that removes shared memory when all others are gone."""

STATE, EXIT_STATUS = 0, 49
"""Places in ``/proc/N/stat`` behind the name, ``proc(5)``."""

GONE = ("Z", "X")
"""States of processes that have ended."""

SIGNAL_BITS = 0x7F
"""Part of an exit status that holds the signal, ``wait(2)``."""

END_LIMIT_S = 10.0
"""Seconds that the members of a session get to end with their parent."""

POLL_S = 0.02


def die_with_parent(parent: int | None = None) -> None:
    """Let the kernel kill this process when the one that started it ends.

    Parameters
    ----------
    parent : int, optional
        Process that must be the parent still; one that has ended before this call is noticed.
    """
    if hasattr(libc := ctypes.CDLL(None), "prctl"):
        libc.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def session_members(session: int) -> dict[int, str]:
    """Command lines of the processes of a session that still run, by their numbers."""
    return {
        number: command for number, fields, command in _listed(session) if fields[STATE] not in GONE
    }


def killed_members(session: int) -> dict[int, str]:
    """Signals that ended processes of a session, by their numbers, until someone asks for them.

    Lava waits for messages of such a process for ever.
    """
    ends = {
        number: int(fields[EXIT_STATUS]) & SIGNAL_BITS
        for number, fields, _ in _listed(session)
        if fields[STATE] in GONE
    }
    return {number: signal.Signals(end).name for number, end in ends.items() if end}


def end_session(session: int) -> None:
    """Kill the first process of a session, and see to it that all others end too.

    They have asked the kernel to end them with their parent. The tracker of shared memory is
    waited for, because it is the one that removes what the others held.
    """
    _kill(session)
    deadline = time.monotonic() + END_LIMIT_S
    while members := session_members(session):
        if time.monotonic() > deadline:
            for member in members:
                _kill(member)
            return
        time.sleep(POLL_S)
        # What was forked in the moment of death may not have asked yet.
        for member, command in session_members(session).items():
            if TRACKER not in command:
                _kill(member)


def _listed(session: int) -> Iterator[tuple[int, list[str], str]]:
    """Number, fields of ``/proc/N/stat`` and command line of all processes of a session."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            # Asked first, for there may be hundreds of others.
            if os.getsid(int(folder.name)) == session:
                # The name in parentheses may hold anything, also blanks.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                yield int(folder.name), fields, command.decode(errors="replace")
        except OSError:
            continue  # It has just ended.


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
