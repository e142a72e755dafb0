"""Who is watching, and the standard error that shows them how far long work is."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from kipuka.errors import printable

STDERR = Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(text: str) -> None:
    """Print a paragraph on standard error, on one line wherever that goes."""
    STDERR.print(Text(printable(text)), soft_wrap=True)


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
