"""Who is watching, and the standard streams that show them what there is to see.

What draws bars takes long to load, and is loaded where one is drawn.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from kipuka.errors import printable

BOLD, PLAIN = "\033[1m", "\033[0m"

WITHOUT_SIGNS = ("", "dumb", "unknown")
"""What terminals are called that have no bold letters."""


STARTED_BY_KERNEL = "JPY_PARENT_PID"
"""Environment variable of a notebook's kernel and of all that it starts."""


class Screen:
    """A standard stream as people see it, whatever stands in its place meanwhile.

    Parameters
    ----------
    name : str
        ``stdout`` or ``stderr``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._paragraph_on: TextIO | None = None

    @property
    def _stream(self) -> TextIO | None:
        stream: TextIO | None = getattr(sys, self._name)
        return stream

    @property
    def is_terminal(self) -> bool:
        """Whether it is a terminal that is open."""
        stream = self._stream
        return stream is not None and not stream.closed and stream.isatty()

    @property
    def draws(self) -> bool:
        """Whether a bar can be drawn: what a notebook's kernel has started writes into a cell.

        A cell is a terminal to what it starts, and keeps every state of a bar.
        """
        return self.is_terminal and STARTED_BY_KERNEL not in os.environ

    @property
    def width(self) -> int:
        """Characters in a line."""
        return shutil.get_terminal_size().columns

    @property
    def after_paragraph(self) -> bool:
        """Whether a paragraph stands last on it, from which a table keeps its distance."""
        return self._paragraph_on is not None and self._paragraph_on is self._stream

    @after_paragraph.setter
    def after_paragraph(self, is_so: bool) -> None:
        self._paragraph_on = self._stream if is_so else None

    def print(self, line: str = "", *, bold: bool = False) -> None:
        """Write a line at once."""
        stream = self._stream
        if stream is None:
            return
        if bold and self.is_terminal and os.environ.get("TERM", "") not in WITHOUT_SIGNS:
            line = f"{BOLD}{line}{PLAIN}"
        stream.write(f"{line}\n")
        stream.flush()


STDOUT, STDERR = Screen("stdout"), Screen("stderr")


def say(text: str) -> None:
    """Print a paragraph on standard error, on one line wherever that goes."""
    STDERR.print(printable(text))


def in_notebook() -> bool:
    """Whether standard error stands below the cell of a notebook."""
    return type(sys.stderr).__module__.startswith("ipykernel.")


def duration(seconds: float) -> str:
    """Return a time for people.

    Examples
    --------
    >>> duration(42.4), duration(312), duration(7322)
    ('42 s', '5 min 12 s', '2 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
