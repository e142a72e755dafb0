"""How objects show themselves: in one line, and in a notebook as a small table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np

SHOWN_OF_MANY = 4
"""Parts of a tuple or mapping that an object's line names."""

FOLDED_FROM = 25
"""Rows from which on a table opens only when it is asked for."""


class Table(NamedTuple):
    """What a notebook shows below an object's line.

    Attributes
    ----------
    columns : sequence of str
    rows : sequence of sequences
        As many cells each as there are columns.
    notes : sequence of str
        Paragraphs below it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()


class Shown:
    """Base of objects that show themselves in one line, however large they are, and as a table."""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        # Found in the class itself, so that a dataclass does not write its own.
        if "__repr__" not in vars(cls):
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]

    def _line(self) -> str:
        """What the line says of the object, within parentheses behind its class's name.

        Of a dataclass that says nothing itself: its fields, arrays by type and shape.
        """
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return ", ".join(f"{name}={_short(getattr(self, name))}" for name in names)

    def _table(self) -> Table | None:
        """What a notebook shows; None for the line alone."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._line()})"

    def _repr_html_(self) -> str | None:
        table = self._table()
        return None if table is None else html_table(repr(self), *table)


def _short(value: object) -> str:
    """Return a value within its object's line."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} ({', '.join(map(str, value.shape))})"
    if isinstance(value, Mapping):
        return f"{{{_few([str(key) for key in value])}}}"
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return f"({_few([_short(one) for one in value])})"
    # An object within an object is named alone, if it is no handful of numbers.
    nested = isinstance(value, Shown) or is_dataclass(value)
    arrays = isinstance(value, tuple) and any(isinstance(one, np.ndarray) for one in value)
    return type(value).__name__ if nested or arrays else repr(value)


def _few(words: Sequence[str]) -> str:
    more = f" and {len(words) - SHOWN_OF_MANY} more" if len(words) > SHOWN_OF_MANY else ""
    return ", ".join(words[:SHOWN_OF_MANY]) + more


def html_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    notes: Sequence[str] = (),
) -> str:
    """Return a table as HTML; everything in it is text.

    Numbers are written in groups of three digits, and None as what nobody has published. Many rows
    are folded below the title.

    Parameters
    ----------
    title : str
    columns, rows, notes
        See `Table`.

    Examples
    --------
    >>> html_table("a < b", ["n"], [[3]])
    '<div>a &lt; b</div><table><tr><th>n</th></tr><tr><td>3</td></tr></table>'
    """

    def text(cell: object) -> str:
        if cell is None:
            return "not published"
        return f"{cell:,.15g}" if isinstance(cell, (int, float)) else str(cell)

    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(text(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    table = f"<table><tr>{head}</tr>{body}</table>"
    below = "".join(f"<div>{escape(note)}</div>" for note in notes)
    if len(rows) >= FOLDED_FROM:
        return f"<details><summary>{escape(title)}</summary>{table}{below}</details>"
    return f"<div>{escape(title)}</div>{table}{below}"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> counted(1, "chip"), counted(1200, "step")
    ('1 chip', '1,200 steps')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
