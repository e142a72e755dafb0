"""Objects that own their arrays and compare by value."""

from __future__ import annotations

import dataclasses
import weakref
from typing import Any, TypeVar

import numpy as np

from kipuka.display import Shown

Owner = TypeVar("Owner")

_OWNED: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()
"""Arrays that `owned` has made: nobody outside ever held them writable."""


class ByValue(Shown):
    """Base of frozen dataclasses with arrays: equal if all fields are, down to dtype and shape.

    Objects that compare equal have the same hash, which looks at shapes and not at every value.
    """

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        if type(other) is not type(self):
            return NotImplemented
        return all(_equal(a, b) for a, b in zip(_fields(self), _fields(other), strict=True))

    def __hash__(self) -> int:
        return hash((type(self), *map(_summary, _fields(self))))

    def __copy__(self: Owner) -> Owner:
        return self


def owned(value: Any) -> Any:
    """Return an array, or a structure of dataclasses, tuples and arrays, that owns its memory.

    Arrays are copied, unless this function made them; the copies are contiguous and read-only.
    """
    if isinstance(value, np.ndarray):
        if _OWNED.get(id(value)) is value and not value.flags.writeable:
            return value
        mine = np.array(value, order="C")
        mine.setflags(write=False)
        _OWNED[id(mine)] = mine
        return mine
    if isinstance(value, tuple):
        items = [owned(item) for item in value]
        if all(a is b for a, b in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, ByValue):
        names = [field.name for field in dataclasses.fields(value)]  # type: ignore[arg-type]
        kept = {name: owned(getattr(value, name)) for name in names}
        if all(kept[name] is getattr(value, name) for name in names):
            return value
        copy: ByValue = object.__new__(type(value))
        for name in names:
            object.__setattr__(copy, name, kept[name])
        return copy
    return value


def _fields(value: Any) -> list[Any]:
    return [getattr(value, field.name) for field in dataclasses.fields(value)]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a is b or (a.dtype == b.dtype and np.array_equal(a, b))
    if isinstance(a, tuple) and isinstance(b, tuple):
        same = type(a) is type(b) and len(a) == len(b)
        return same and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _summary(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape
    if isinstance(value, tuple):
        return tuple(_summary(item) for item in value)
    return hash(value) if isinstance(value, ByValue | str | int) else type(value).__name__
