"""The one error type that users meet, in a leaf module that every folder may import."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import TypeVar
from unicodedata import category

Choice = TypeVar("Choice")

LONGEST = 2000
"""Characters of a part of a message."""


class KipukaError(Exception):
    """Something the user gave cannot be used; the message is one paragraph that says what to do.

    Parameters
    ----------
    what : str
        What is wrong, as a sentence without its full stop.
    where : str
        File, layer, neuron or key that is meant.
    limit : str
        What is allowed, with its unit.
    value : object
        What was found instead.
    remedy : str
        What the reader can do about it.
    """

    def __init__(self, what: str, *, where: str, limit: str, value: object, remedy: str) -> None:
        self.what = readable(what)
        self.where = readable(where)
        self.limit = readable(limit)
        self.value = value
        self.remedy = readable(remedy)
        self._shown = False
        super().__init__(
            f"{self.what}. Where: {self.where}. Limit: {self.limit}. Found: {readable(value)}. "
            f"What to do: {self.remedy}."
        )

    def _render_traceback_(self) -> list[str]:
        """Lines that IPython and notebooks show, by the name that they look for.

        At first the reader's own lines and the paragraph: how Kipuka found it out would bury both.
        Who asks for the same error again, with ``%tb``, gets all of it.
        """
        if self._shown:
            everything = traceback.format_exception(type(self), self, self.__traceback__)
            return "".join(everything).splitlines()
        self._shown = True
        frames = [
            (frame, line)
            for frame, line in traceback.walk_tb(self.__traceback__)
            if _package(frame.f_globals) != "IPython"
        ]
        own = takewhile(lambda place: _package(place[0].f_globals) != "kipuka", frames)
        lines = traceback.StackSummary.extract(own).format()
        return [
            "Traceback (most recent call last):",
            *"".join(lines).splitlines(),
            f"{type(self).__name__}: {self}",
            "(Lines within Kipuka: %tb or %debug.)",
        ]


def _package(names: Mapping[str, object]) -> str:
    """Top-level package of the module that has those global names."""
    return str(names.get("__name__", "")).partition(".")[0]


def readable(value: object) -> str:
    """Text of a value for a message: `printable`, and cut if it is very long."""
    try:
        text = str(value)
    except ValueError:  # an integer of more digits than Python writes
        text = "a number of thousands of digits"
    if not text:
        return "nothing"
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text)} characters)"
    return printable(text)


def printable(text: str) -> str:
    r"""Spell out what a terminal would obey or could not show: the one place that makes text safe.

    Names and values may come from a file. Control characters, line breaks, marks that turn the
    direction of writing and halves of characters are written as Python escapes; letters of all
    languages and spaces of all widths stay.

    Examples
    --------
    >>> printable("a\x1b[31m b")
    'a\\x1b[31m b'
    """
    return "".join(c if c.isprintable() or category(c) == "Zs" else ascii(c)[1:-1] for c in text)


def expect(value: object, kind: type, where: str, remedy: str) -> None:
    """Refuse an argument that is no object of its class.

    Parameters
    ----------
    value : object
    kind : type
    where : str
        Name of the argument.
    remedy : str
        How such an object is made.

    Raises
    ------
    KipukaError
        If it is none.
    """
    if not isinstance(value, kind):
        name = type(value).__name__
        raise KipukaError(
            f"the argument is no {kind.__name__}",
            where=where,
            limit=f"a {kind.__module__}.{kind.__name__}",
            value=f"{name} {value}" if isinstance(value, str) else name,
            remedy=remedy,
        )


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a question for the name that is spelled most like `name`, large or small; or nothing.

    Examples
    --------
    >>> nearest("Loihi2", ("loihi1", "loihi2"))
    'did you mean loihi2? '
    """
    small = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.lower(), small, 1)
    return f"did you mean {small[near[0]]}? " if near else ""


def choose(
    options: Mapping[str, Choice], name: str, what: str, where: str, otherwise: str = ""
) -> Choice:
    """Return what `name` stands for.

    Parameters
    ----------
    options : mapping of str to anything
    name : str
    what, where : str
        Kind of thing that is named, and where it was named, for the message.
    otherwise : str
        What else would do, for the message.

    Raises
    ------
    KipukaError
        If there is none of that name; the message lists those that there are, and names the one
        that is spelled most like it.
    """
    if not isinstance(name, str) or name not in options:
        raise KipukaError(
            f"the {what} is not known",
            where=where,
            limit=", ".join(sorted(options)),
            value=name,
            remedy=nearest(str(name), options) + f"choose one of the names in the limit{otherwise}",
        )
    return options[name]
