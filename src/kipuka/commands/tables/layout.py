"""Widths of a table's columns and lines of its cells, so that names stay whole where they can."""

from __future__ import annotations

import re
from collections.abc import Sequence

RANGE = r"\(?[+-]?\d[\d.,]* to [+-]?\d[^ ]*(?: %[^ ]*)? ?"
WORD = re.compile(rf"(?<![^ ])(?:{RANGE}|\(?\d[\d.,]* %[^ ]* ?)|[^ ]+ ?| +")
"""What stays in one line where there is room for it: a word, a range, or a number of percent."""

BREAK = re.compile(r"(?<=[ _/])|(?<=[,.-])(?!\d)")
"""Places where what is longer goes on in the next line: never within a number such as 1,000."""


def column_widths(columns: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Choose how wide each column is.

    Each gets what its longest word takes; what is left of the room goes, character by character,
    to the column whose cells would have most lines.

    Parameters
    ----------
    columns : sequence of sequences of str
        Cells of each column, its head among them; lines are divided by line breaks.
    room : int, optional
        Characters for all columns together; as many as are needed if not given.

    Examples
    --------
    >>> column_widths([["name", "energy.hop"], ["source", "a page of a book"]], 20)
    [10, 10]
    """
    longest = [max((len(line) for line in _lines(cells)), default=1) for cells in columns]
    if room is None or sum(longest) <= room:
        return longest
    for parts in (WORD.findall, _names_broken, _narrow):
        widths = [
            max((len(word.rstrip()) for line in _lines(cells) for word in parts(line)), default=1)
            for cells in columns
        ]
        if sum(widths) <= room:
            break
    else:
        return [max(1, width * room // sum(widths)) for width in widths]
    for _ in range(room - sum(widths)):
        need = [have / width for have, width in zip(longest, widths, strict=True)]
        widths[need.index(max(need))] += 1
    return widths


def folded(text: str, width: int) -> list[str]:
    """Divide a text into lines: between words, else within a name, else anywhere.

    Examples
    --------
    >>> folded("energy.synaptic_operation of Loihi", 18)
    ['energy.synaptic_', 'operation of Loihi']
    """
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in WORD.findall(paragraph):
            parts = [word] if len(word.rstrip()) <= width else BREAK.split(word)
            for part in parts:
                if len((line + part).rstrip()) > width:
                    lines += [line.rstrip()] if line else []
                    line = part
                    while len(line.rstrip()) > width:
                        lines.append(line[:width])
                        line = line[width:]
                else:
                    line += part
        lines.append(line.rstrip())
    return lines


def _names_broken(line: str) -> list[str]:
    """Parts that stay whole where long names do not fit."""
    words = WORD.findall(line)
    return [p for word in words for p in ([word] if re.match(RANGE, word) else BREAK.split(word))]


def _narrow(line: str) -> list[str]:
    """Parts that stay whole where ranges of numbers do not fit either."""
    return [part for word in line.split(" ") for part in BREAK.split(word)]


def _lines(cells: Sequence[str]) -> list[str]:
    return [line for cell in cells for line in cell.split("\n")]
