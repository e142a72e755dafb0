"""The one error type that users meet, in a leaf module that every folder may import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Choice = TypeVar("Choice")


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
        self.what = what
        self.where = where
        self.limit = limit
        self.value = value
        self.remedy = remedy
        super().__init__(
            f"{what}. Where: {where}. Limit: {limit}. Found: {value}. What to do: {remedy}."
        )


def choose(options: Mapping[str, Choice], name: str, what: str, where: str) -> Choice:
    """Return what `name` stands for.

    Parameters
    ----------
    options : mapping of str to anything
    name : str
    what, where : str
        Kind of thing that is named, and where it was named, for the message.

    Raises
    ------
    KipukaError
        If there is none of that name; the message lists those that there are.
    """
    if name not in options:
        raise KipukaError(
            f"the {what} is not known",
            where=where,
            limit=", ".join(sorted(options)),
            value=name,
            remedy="choose one of the names in the limit",
        )
    return options[name]
