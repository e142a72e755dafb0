"""A checked view of an HDF5 group: every read knows where it is and every key must be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from kipuka.convert.formats.guarded.hdf5 import GuardedFile
from kipuka.errors import KipukaError


class Record:
    """One HDF5 group with the path by which messages name it.

    A data set without a value (HDF5's null data space), as some exporters write for what they do
    not say, is no key.

    Parameters
    ----------
    file : GuardedFile
        The file, through which everything is read.
    group : h5py.Group
    where : str
        File and group, as a user would say it.
    """

    def __init__(self, file: GuardedFile, group: h5py.Group, where: str) -> None:
        self._file = file
        self._group = group
        self._read: set[str] = set()
        self._groups: dict[str, Record] = {}
        self.where = where

    def keys(self) -> list[str]:
        """Names in the group."""
        return self._file.names(self._group, self.where)

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        return self._found(key) is not None

    def axes(self, key: str) -> int:
        """Number of axes of the array; 0 if there is no array of that name."""
        found = self._found(key)
        return len(found.shape or ()) if isinstance(found, h5py.Dataset) else 0

    def group(self, key: str, where: str | None = None) -> Record:
        """Return the group below this one, called `where` in messages if that is given."""
        found = self._member(key, h5py.Group, "a group")
        return self._groups.setdefault(key, Record(self._file, found, where or self._place(key)))

    def whole_attribute(self, name: str, default: int, key: str | None = None) -> int:
        """Attribute of the group, or of the array `key` in it, or the default.

        Raises
        ------
        KipukaError
            If it is no whole number.
        """
        value = self._attribute(name, key)
        if value is None:
            return default
        if isinstance(value, str) or not np.isfinite(value) or value != np.trunc(value):
            raise self._strange_attribute(name, key, "a whole number", value)
        return int(value)

    def text_attribute(self, name: str, default: str) -> str:
        """Attribute of the group, or the default.

        Raises
        ------
        KipukaError
            If it is no string.
        """
        value = self._attribute(name, None)
        if value is not None and not isinstance(value, str):
            raise self._strange_attribute(name, None, "a string", value)
        return default if value is None else value

    def spend(self, count: int, key: str) -> None:
        """Account for numbers that are made from what the key says; see `GuardedFile.spend`."""
        self._file.spend(count, self._place(key), f"{count} numbers made from it")

    def numbers(self, key: str) -> np.ndarray:
        """Whole numbers of any HDF5 number type as an int64 array.

        Raises
        ------
        KipukaError
            If the key is missing, not numeric, too large, or has fractions.
        """
        values = self._array(key, "an array")
        if values.dtype.kind not in "iufb":
            raise KipukaError(
                "the array cannot be read",
                where=self._place(key),
                limit="numbers",
                value=f"shape {values.shape}, dtype {values.dtype}",
                remedy=self._file.remedy,
            )
        if values.dtype.kind in "ib":
            return values.astype(np.int64)
        # Float64 has no integer above the last int64, and none but integers beyond 2^53.
        inside = np.isfinite(values) & (np.abs(values) < _BEYOND_INT64)
        whole = values.astype(np.int64) if np.all(inside) else None
        if whole is None or not np.array_equal(whole, values):
            raise KipukaError(
                "the array has values that are not whole numbers",
                where=self._place(key),
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
                where=self._place(key),
                limit="-32768 to 32767",
                value=f"{values.min()} to {values.max()}",
                remedy="export the network again, weights within 8 bits and delays within 62 steps",
            )
        return narrow

    def text(self, key: str) -> str:
        """Return a string, stored as a scalar or as a vector of one."""
        texts = self.texts(key, "a string")
        if len(texts) != 1:
            raise self._no_strings(key, "one ASCII string", f"{len(texts)} strings")
        return texts[0]

    def texts(self, key: str, name: str = "strings") -> list[str]:
        """Return strings in a row."""
        values = self._array(key, name).ravel()
        if values.dtype.kind not in "SO":
            raise self._no_strings(key, "ASCII strings", f"dtype {values.dtype}")
        return [value.decode("ascii", "replace") for value in values.tolist()]

    def sequences(self, key: str, kinds: str) -> tuple[int, Iterator[np.ndarray]]:
        """Return the number of sequences of numbers of those kinds, and the sequences."""
        data = self._member(key, h5py.Dataset, "an array of sequences")
        count = data.shape[0] if data.shape else 0
        return count, self._file.sequences(data, self._place(key), kinds)

    def fractions(self, key: str) -> np.ndarray:
        """Return numbers as they are, in a row.

        Raises
        ------
        KipukaError
            If the key is missing, or no row of numbers.
        """
        values = self._array(key, "an array")
        if values.dtype.kind not in "iuf" or values.ndim != 1:
            raise KipukaError(
                "the array cannot be read",
                where=self._place(key),
                limit="numbers in a row",
                value=f"shape {values.shape}, dtype {values.dtype}",
                remedy="check how the file was made, or download it again",
            )
        return values

    def ignore(self, *keys: str) -> None:
        """Mark keys as known to have no effect on the integer network."""
        self._read.update(keys)

    def refuse_unread(self) -> None:
        """Refuse keys, here and below, that nothing has read: what is unknown is not dropped.

        Raises
        ------
        KipukaError
        """
        unread = sorted(key for key in set(self.keys()) - self._read if not self._is_null(key))
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

    def _found(self, key: str) -> h5py.Group | h5py.Dataset | None:
        """Return what stands under a key; None if that is nothing, or has no value."""
        found = self._file.member(self._group, key, self._place(key))
        return None if _has_no_value(found) else found

    def _is_null(self, key: str) -> bool:
        return _has_no_value(self._file.member(self._group, key, self._place(key)))

    def _member(self, key: str, kind: type, name: str) -> Any:
        self._read.add(key)
        found = self._found(key)
        if not isinstance(found, kind):
            raise KipukaError(
                f"the key is {'missing' if found is None else 'of the wrong kind'}",
                where=self._place(key),
                limit=name,
                value="nothing" if found is None else type(found).__name__,
                remedy=self._file.remedy,
            )
        return found

    def _array(self, key: str, name: str) -> np.ndarray:
        return self._file.array(self._member(key, h5py.Dataset, name), self._place(key))

    def _attribute(self, name: str, key: str | None) -> Any:
        holder = self._group if key is None else self._member(key, h5py.Dataset, "an array")
        return self._file.attribute(holder, name, self._attribute_place(name, key))

    def _attribute_place(self, name: str, key: str | None) -> str:
        return f"{self.where if key is None else self._place(key)}, attribute {name}"

    def _place(self, key: str) -> str:
        return f"{self.where}, key {key}"

    def _strange_attribute(
        self, name: str, key: str | None, limit: str, value: object
    ) -> KipukaError:
        return KipukaError(
            "the attribute cannot be used",
            where=self._attribute_place(name, key),
            limit=limit,
            value=value,
            remedy=self._file.remedy,
        )

    def _no_strings(self, key: str, limit: str, value: str) -> KipukaError:
        return KipukaError(
            "the key is not a string",
            where=self._place(key),
            limit=limit,
            value=value,
            remedy=self._file.remedy,
        )


def _has_no_value(found: h5py.Group | h5py.Dataset | None) -> bool:
    return isinstance(found, h5py.Dataset) and found.shape is None


_BEYOND_INT64 = np.float64(1 << 63)


def _first_fraction(values: np.ndarray) -> int:
    flat = values.ravel()
    wrong = ~np.isfinite(flat)
    if not np.any(wrong):
        wrong = flat != np.trunc(flat)
    return int(np.argmax(wrong))
