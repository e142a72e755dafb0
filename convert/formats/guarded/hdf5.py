"""HDF5 files from strangers: the one place that opens them and decides what may be read.

Nothing is read that lies in another file, that is reached on two ways, or that takes more memory
than the size of the file answers for; all of that is known before anything is allocated. What a
file may hold is `convert.records`' matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kipuka.convert.formats.guarded.hdf5_storage import (
    declared_dtype,
    endless_heap,
    stored_completely,
)
from kipuka.errors import KipukaError
from kipuka.strangers import as_path, content_bytes
from kipuka.strangers import opened as opened_file

FREE_ELEMENTS, ELEMENTS_PER_BYTE = 1 << 24, 32
"""Numbers that any file may unfold to, and how many more for each of its bytes.

Compression is why they may be more than the bytes; 32 is what deflate makes of sparse spikes.
"""

ATTRIBUTE_BYTES = 1 << 16
"""Bytes of an attribute as it is stored; HDF5's own limit for attributes in an object's header."""


@dataclass(frozen=True)
class Expected:
    """What a file is meant to be, in the words of messages.

    Attributes
    ----------
    what : str
        What is wrong if it is not, such as ``the file is not a network``.
    limit, remedy : str
    """

    what: str
    limit: str
    remedy: str

    def refused(self, where: str, value: object) -> KipukaError:
        """Error for a file that is something else, or damaged."""
        return KipukaError(
            self.what, where=where, limit=self.limit, value=value, remedy=self.remedy
        )


class GuardedFile:
    """An open HDF5 file with what may still be read from it.

    Parameters
    ----------
    file : h5py.File
    path : Path
    n_bytes : int
        What the file stores; its holes are no content.
    expected : Expected
    """

    def __init__(self, file: h5py.File, path: Path, n_bytes: int, expected: Expected) -> None:
        self.root: h5py.Group = file
        self.remedy = expected.remedy
        self._path = path
        self._expected = expected
        self._n_bytes = n_bytes
        self._allowed = FREE_ELEMENTS + ELEMENTS_PER_BYTE * self._n_bytes
        self._spent = 0
        self._found_at: dict[tuple[int, int], str] = {}

    def names(self, group: h5py.Group, where: str) -> list[str]:
        """Names of the members of a group; one that is not UTF-8 as no member is named."""
        with self._reported(where):
            names: list[str | bytes] = list(group)
        return [n.decode("ascii", "backslashreplace") if isinstance(n, bytes) else n for n in names]

    def member(self, group: h5py.Group, name: str, where: str) -> h5py.Group | h5py.Dataset | None:
        """Member of a group; None if there is none of that name.

        Raises
        ------
        KipukaError
            If it is a link, stands under another name too, or keeps its numbers in another file.
        """
        if "/" in name or name in ("", ".", ".."):
            return None
        with self._reported(where):
            link = group.get(name, getlink=True)
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise self._refused(where, f"a {type(link).__name__}", "no soft or external links")
            found = group[name]
            about = h5py.h5o.get_info(found.id)
            place = f"{group.name}/{name}"
            first = self._found_at.setdefault((about.fileno, about.addr), place)
            if first != place:
                raise self._refused(where, f"the same as {first}", "each object under one name")
            if isinstance(found, h5py.Dataset) and _lies_elsewhere(found):
                limit = "numbers in this file, no external storage or virtual data sets"
                raise self._refused(where, "numbers in another file", limit)
            return found

    def array(self, data: h5py.Dataset, where: str) -> np.ndarray:
        """Return all of a data set of numbers or strings.

        Raises
        ------
        KipukaError
            If it is of another type, declares more than the file holds, or is too large.
        """
        with self._reported(where):
            dtype = self._dtype(data, where, "iufbS")
            shape = data.shape or ()
            count = math.prod(shape)
            self.spend(max(count, count * dtype.itemsize // 8), where, f"shape {shape}, {dtype}")
            lengths = stored_completely(self._path, data)
            if isinstance(lengths, str):
                raise self._refused(where, f"shape {shape}, {dtype}, {lengths}", _COMPLETE)
            self.spend(int(lengths.sum()) // 8, where, "long strings")
            # Strings of any length are bytes as well, as those of a fixed length are.
            return np.asarray(data[()], dtype=object if dtype.kind == "S" else None)

    def sequences(self, data: h5py.Dataset, where: str, kinds: str) -> Iterator[np.ndarray]:
        """Sequences of a data set of ragged rows, one after the other.

        Parameters
        ----------
        data : h5py.Dataset
        where : str
        kinds : str
            Kinds of numbers (`numpy.dtype.kind`) that they may be.

        Raises
        ------
        KipukaError
            As for `array`.
        """
        with self._reported(where):
            base = h5py.check_vlen_dtype(data.dtype) if len(data.shape or ()) == 1 else None
            if base is None or base.kind not in kinds:
                limit = f"a row of sequences of numbers of kind {kinds}"
                raise self._refused(where, f"shape {data.shape}, {data.dtype}", limit)
            count = data.shape[0]
            self.spend(count, where, f"{count} sequences")
            lengths = stored_completely(self._path, data)
            if isinstance(lengths, str):
                raise self._refused(where, f"{count} sequences, {lengths}", _COMPLETE)
            if int(lengths.sum()) * base.itemsize > self._n_bytes:
                value = f"sequences of {int(lengths.sum())} numbers in all"
                raise self._refused(where, value, "sequences within the file")
        piece = 256
        for begin in range(0, count, piece):
            with self._reported(where):
                rows = data[begin : begin + piece]
            yield from rows

    def attribute(self, holder: h5py.Group | h5py.Dataset, name: str, where: str) -> Any:
        """Return one number, as a numpy scalar, or one string.

        None if there is no such attribute, or it has no value.

        Raises
        ------
        KipukaError
            If it is more than one value, or neither number nor string.
        """
        with self._reported(where):
            if not h5py.h5a.exists(holder.id, name.encode()):
                return None
            stored = h5py.h5a.open(holder.id, name.encode())
            if stored.get_space().get_simple_extent_type() == h5py.h5s.NULL:
                return None
            n_bytes = stored.get_storage_size()
            if math.prod(stored.shape) != 1 or n_bytes > ATTRIBUTE_BYTES:
                limit = f"one value of at most {ATTRIBUTE_BYTES} bytes"
                raise self._refused(where, f"shape {stored.shape}, {n_bytes} bytes", limit)
            values = np.asarray(holder.attrs[name])
            # Of text not NumPy's own type, which h5py does not write.
            value = values.item() if values.dtype.kind in "OSU" else values.ravel()[0]
            value = value.decode() if isinstance(value, bytes) else value
            if not isinstance(value, str | np.number | np.bool_):
                raise self._refused(where, f"dtype {values.dtype}", "one number or one string")
            return value

    def spend(self, count: int, where: str, value: str) -> None:
        """Account for numbers that are about to be made from the file.

        Raises
        ------
        KipukaError
            If they are more than a file of this size can mean.
        """
        self._spent += count
        if self._spent > self._allowed:
            limit = f"{self._allowed} numbers in all, for a file of {self._n_bytes} bytes"
            raise self._refused(where, f"{value}, {self._spent} numbers so far", limit)

    def _dtype(self, data: h5py.Dataset, where: str, kinds: str) -> np.dtype:
        dtype = declared_dtype(data)
        if dtype is None or dtype.kind not in kinds or data.shape is None:
            found = f"shape {data.shape}, {dtype or 'no type that numpy has'}"
            raise self._refused(where, found, "numbers, or strings")
        return dtype

    def _refused(self, where: str, value: object, limit: str) -> KipukaError:
        return KipukaError(
            "the file holds what is not read from a stranger's file",
            where=where,
            limit=limit,
            value=value,
            remedy=self._expected.remedy,
        )

    @contextmanager
    def _reported(self, where: str) -> Iterator[None]:
        try:
            yield
        except KipukaError:
            raise
        except Exception as error:
            # h5py hands on what HDF5 finds damaged as any of a dozen types.
            value = " ".join(f"a damaged HDF5 file ({error})".split())
            raise self._expected.refused(where, value) from None


_COMPLETE = "as many numbers as the file holds, packed by deflate or not at all"


def _lies_elsewhere(data: h5py.Dataset) -> bool:
    properties = data.id.get_create_plist()
    return properties.get_layout() == h5py.h5d.VIRTUAL or (
        properties.get_layout() != h5py.h5d.CHUNKED and properties.get_external_count() > 0
    )


@contextmanager
def opened(path: str | Path, name: str, expected: Expected) -> Iterator[GuardedFile]:
    """Open a file for guarded reading.

    Parameters
    ----------
    path : str or Path
    name : str
        What the file is called in a message that it is not there.
    expected : Expected

    Raises
    ------
    KipukaError
        If it is missing, or no HDF5 file.
    """
    path = as_path(path)
    with opened_file(path, name) as stored:
        try:
            file = h5py.File(path, "r")
        except Exception:  # as in GuardedFile._reported
            value = "not an HDF5 file, or a truncated one"
            raise expected.refused(str(path), value) from None
        with file:
            if file.userblock_size:
                value = f"{file.userblock_size} bytes before the HDF5 part"
                raise expected.refused(str(path), value)
            endless = endless_heap(stored)
            if endless is not None:
                heap = f"its heap at byte {endless} has no end, or overlaps others"
                value = f"a damaged HDF5 file ({heap})"
                raise expected.refused(str(path), value)
            yield GuardedFile(file, path, content_bytes(stored), expected)
