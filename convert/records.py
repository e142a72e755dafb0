"""A checked view of an HDF5 group: every read knows where it is and every key must be read."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from kipuka.errors import KipukaError

MAX_ELEMENTS = 1 << 28
"""Elements that one array of a network file may have; checked before anything is allocated."""


class Record:
    """One HDF5 group with the path by which messages name it.

    Parameters
    ----------
    group : h5py.Group
    where : str
        File and group, as a user would say it.
    """

    def __init__(self, group: h5py.Group, where: str) -> None:
        self._group = group
        self._read: set[str] = set()
        self._groups: dict[str, Record] = {}
        self.where = where

    def keys(self) -> list[str]:
        """Names in the group."""
        return list(self._group)

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self._group

    def axes(self, key: str) -> int:
        """Number of axes of the array; 0 if there is no array of that name."""
        found = self._group.get(key)
        return found.ndim if isinstance(found, h5py.Dataset) else 0

    def group(self, key: str, where: str | None = None) -> Record:
        """Return the group below this one, called `where` in messages if that is given."""
        found = self._member(key, h5py.Group, "a group")
        return self._groups.setdefault(key, Record(found, where or f"{self.where}, key {key}"))

    def attribute(self, name: str, default: Any, key: str | None = None) -> Any:
        """Attribute of the group, or of the array `key` in it, or the default."""
        holder = self._group if key is None else self._group[key]
        return holder.attrs.get(name, default)

    def numbers(self, key: str) -> np.ndarray:
        """Whole numbers of any HDF5 number type as an int64 array.

        Raises
        ------
        KipukaError
            If the key is missing, not numeric, too large, or has fractions.
        """
        data = self._member(key, h5py.Dataset, "an array")
        where = f"{self.where}, key {key}"
        if data.dtype.kind not in "iufb" or data.size is None or data.size > MAX_ELEMENTS:
            raise KipukaError(
                "the array cannot be read",
                where=where,
                limit=f"numbers, at most {MAX_ELEMENTS} of them",
                value=f"shape {data.shape}, dtype {data.dtype}",
                remedy="export the network again",
            )
        values = np.asarray(data[()])
        whole = values.astype(np.int64) if np.all(np.isfinite(values)) else None
        if whole is None or not np.array_equal(whole, values):
            raise KipukaError(
                "the array has values that are not whole numbers",
                where=where,
                limit="integers in weight units, steps or 1/4096",
                value=f"{values.dtype}, for example {values.ravel()[_first_fraction(values)]}",
                remedy="quantize the network before exporting it",
            )
        return whole

    def int16(self, key: str) -> np.ndarray:
        """Whole numbers that must fit 16 bits."""
        values = self.numbers(key)
        narrow = values.astype(np.int16)
        if not np.array_equal(narrow, values):
            raise KipukaError(
                "the array has values beyond 16 bits",
                where=f"{self.where}, key {key}",
                limit="-32768 to 32767",
                value=f"{values.min()} to {values.max()}",
                remedy="export the network again, weights within 8 bits and delays within 62 steps",
            )
        return narrow

    def text(self, key: str) -> str:
        """Return a string, stored as a scalar or as a vector of one."""
        data = self._member(key, h5py.Dataset, "a string")
        value = np.asarray(data[()]).ravel() if data.size == 1 else np.zeros(0)
        text = value[0] if value.size else None
        if not isinstance(text, bytes | str):
            raise KipukaError(
                "the key is not a string",
                where=f"{self.where}, key {key}",
                limit="one ASCII string",
                value=f"shape {data.shape}, dtype {data.dtype}",
                remedy="export the network again",
            )
        return text.decode("ascii", "replace") if isinstance(text, bytes) else text

    def ignore(self, *keys: str) -> None:
        """Mark keys as known to have no effect on the integer network."""
        self._read.update(keys)

    def refuse_unread(self) -> None:
        """Refuse keys, here and below, that nothing has read: what is unknown is not dropped.

        Raises
        ------
        KipukaError
        """
        unread = sorted(set(self._group) - self._read)
        if unread:
            raise KipukaError(
                "the group has keys that Kipuka does not know",
                where=self.where,
                limit=f"keys {sorted(self._read)}",
                value=unread,
                remedy="remove the keys if they have no meaning for inference",
            )
        for group in self._groups.values():
            group.refuse_unread()

    def _member(self, key: str, kind: type, name: str) -> Any:
        self._read.add(key)
        found = self._group.get(key)
        if not isinstance(found, kind):
            raise KipukaError(
                f"the key is {'missing' if found is None else 'of the wrong kind'}",
                where=f"{self.where}, key {key}",
                limit=name,
                value="nothing" if found is None else type(found).__name__,
                remedy="export the network again",
            )
        return found


def _first_fraction(values: np.ndarray) -> int:
    flat = values.ravel()
    wrong = ~np.isfinite(flat)
    if not np.any(wrong):
        wrong = flat != np.trunc(flat)
    return int(np.argmax(wrong))
