"""What a person sees: tables and lines on stdout, progress on stderr.

Everything that is shown is text: names from files and options are neither markup nor formats, and
`kipuka.errors.printable` has spelled out what a terminal would obey.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest

from kipuka.commands.tables.layout import column_widths, folded
from kipuka.errors import printable
from kipuka.screen import STDERR, STDOUT, duration, say

GAP, RULE = 2, "─"
"""Spaces between the columns of a table, and what the line below its heads is made of."""

HANGING = "  "
"""What stands before the lines of a paragraph after its first."""

FIRST_LINE_S, LINE_EVERY_S = 10.0, 120.0
"""Work that is not watched on a terminal says how far it is after so long, then twice as late each
time, and at least so often."""


def print_line(text: str, *, wrap: bool = True, indent: int = 0) -> None:
    """Print one paragraph, moved to the right; on a terminal it is folded at the width.

    Lines after its first stand further to the right, so that paragraphs are told apart.
    """
    shown = printable(text)
    wraps = wrap and STDOUT.is_terminal
    room = max(STDOUT.width - indent, 1)
    if not wraps or len(shown) <= room:
        lines = [shown]
    else:
        lines = folded(shown, max(room - len(HANGING), 1))
    for number, line in enumerate(lines):
        margin = " " * indent + (HANGING if number else "")
        STDOUT.print(_plain(margin + line))
    STDOUT.after_paragraph = True


def print_next(*commands: Sequence[str], what: str = "next") -> None:
    """Say what one would type now, ready to be copied.

    Parameters
    ----------
    commands : sequences of str
        Words of each command.
    what : str
    """
    for number, words in enumerate(commands):
        margin = f"{what}: " if not number else " " * (len(what) + 2)
        print_line(margin + shlex.join(words), wrap=False)


def print_stage(text: str) -> None:
    """Say on stderr what is being done now."""
    print_progress(f"{text} ...")


def print_progress(text: str) -> None:
    """Say on stderr what was done, while more is still to be done."""
    say(text)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; cells that are numbers stand to the right, heads may have several lines.

    On a terminal it is as wide as that, and names are broken only where nothing else helps; in a
    file it is as wide as it has to be.
    """
    heads = ["\n".join(printable(line) for line in column.split("\n")) for column in columns]
    texts = [[printable(_cell(value)) for value in row] for row in rows]
    cells = [[head, *(row[index] for row in texts)] for index, head in enumerate(heads)]
    room = STDOUT.width - GAP * len(heads) if STDOUT.is_terminal else None
    widths = column_widths(cells, room)
    right = [
        all(isinstance(row[index], int | float) for row in rows) for index in range(len(heads))
    ]

    def line(parts: Sequence[str]) -> str:
        placed = (
            part.rjust(width) if number else part.ljust(width)
            for part, width, number in zip(parts, widths, right, strict=True)
        )
        return (" " * GAP).join(placed).rstrip()

    def block(row: Sequence[str]) -> list[str]:
        parts = [folded(cell, width) for cell, width in zip(row, widths, strict=True)]
        return [line(each) for each in zip_longest(*parts, fillvalue="")]

    rule = RULE * (sum(widths) + GAP * (len(widths) - 1))
    if STDOUT.after_paragraph:
        STDOUT.print()
    shown = printable(title)
    for each in folded(shown, STDOUT.width) if STDOUT.is_terminal else [shown]:
        STDOUT.print(each, bold=True)
    STDOUT.print()
    for each in (*block(heads), rule, *(part for row in texts for part in block(row))):
        STDOUT.print(_plain(each))
    STDOUT.print()
    STDOUT.after_paragraph = False


def _plain(line: str) -> str:
    """Put common spaces, which can be searched for, where narrow ones kept a line together."""
    return line.replace("\u00a0", " ").replace("\u202f", " ")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


class _Lines:
    """What a bar would show, as lines that come ever more rarely.

    Parameters
    ----------
    title, unit : str
    """

    def __init__(self, title: str, unit: str) -> None:
        self._title, self._unit = title, unit
        self._start_s = time.perf_counter()
        self._next_s = FIRST_LINE_S
        self._first: tuple[float, int] | None = None

    def advance(self, done: int, total: int) -> None:
        """Say how far the work is and how long it will take, if it is time to."""
        gone_s = time.perf_counter() - self._start_s
        if self._first is None:
            # Until here kernels were compiled or processes started, which happens once.
            self._first = gone_s, done
            if gone_s >= self._next_s:
                # How long the rest takes cannot be told before a while of it is done.
                self._next_s = gone_s + FIRST_LINE_S
        if gone_s < self._next_s or not 0 < done < total:
            return
        self._next_s = gone_s + min(gone_s, LINE_EVERY_S)
        text = f"{self._title}: {done:,} of {total:,} {self._unit}"
        first_s, first = self._first
        if done > first:
            left_s = (gone_s - first_s) / (done - first) * (total - done)
            text += f", {duration(left_s)} left"
        print_progress(text)


@contextmanager
def progress_bar(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Bar with rate and time left, or lines of it if stderr is no terminal, or a notebook's.

    Yields a function (done, total).
    """
    if not STDERR.draws:
        yield _Lines(title, unit).advance
        return
    from kipuka.commands.tables.bar import bar

    with bar(title, unit) as advance:
        yield advance
