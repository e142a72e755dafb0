"""What an HDF5 data set declares against what its file stores, found out without reading it."""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from kipuka.strangers import data_ranges

PACKERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
"""Filters whose memory is bounded here; others would load code that a file names."""

CHUNK_BYTES = 1 << 26
"""Bytes of a chunk, which HDF5 unpacks as a whole."""

DEFLATE_RATIO = 1032
"""Bytes that deflate can make of one byte, at most."""

CHECKSUM_BYTES = 4

WINDOW_BYTES, SEARCHED_BYTES, FREE_STEPS = 1 << 12, 1 << 20, 1 << 10

HEAP, HEAP_HEADER, HEAP_OBJECT = b"GCOL\x01\0\0\0", 16, struct.Struct("<H6xQ")
"""Begin of a collection of strings and sequences, the bytes before its first object, and an object.

Of an object: its number, 0 for free space, and its size, which of free space includes these fields.
"""


def endless_heap(file: BinaryIO) -> int | None:
    """Find a collection of strings or sequences that HDF5 would walk through without an end.

    HDF5 goes from object to object by their sizes and does not notice that one leads nowhere.
    Collections of a sound file do not overlap, so that all steps through all of them are no more
    than the file has room for.

    Returns
    -------
    int or None
        Where in the file such a collection begins, or one with which the steps get too many.
    """
    content = _Content(file)
    left = content.n_bytes // HEAP_OBJECT.size + FREE_STEPS
    for begin in content.places_of(HEAP):
        left -= _steps(content, begin, left)
        if left < 0:
            return begin
    return None


def _steps(content: _Content, begin: int, most: int) -> int:
    """Steps from object to object through a collection; more than `most` if they do not end."""
    size = int.from_bytes(content.read(begin + len(HEAP), HEAP_HEADER - len(HEAP)), "little")
    end = min(begin + size, content.size)
    place, steps = begin + HEAP_HEADER, 0
    while place + HEAP_OBJECT.size <= end:
        number, n_bytes = HEAP_OBJECT.unpack(content.read(place, HEAP_OBJECT.size))
        # Whole multiples of 8, in HDF5's own 64 bits.
        step = (HEAP_OBJECT.size + n_bytes + 7 & ~7) % (1 << 64) if number else n_bytes
        steps += 1
        if step == 0 or steps > most:
            return most + 1
        place += step
    return steps


class _Content:
    """Bytes of a file, of which only what it stores is read, and little at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._handle, self._ranges = file.fileno(), data_ranges(file)
        self._begin, self._window = 0, b""
        self.size = os.fstat(self._handle).st_size
        self.n_bytes = sum(end - begin for begin, end in self._ranges)

    def read(self, begin: int, count: int) -> bytes:
        """Return some bytes, fewer at the end of the file."""
        if not self._begin <= begin <= begin + count <= self._begin + len(self._window):
            self._begin, self._window = begin, os.pread(self._handle, WINDOW_BYTES, begin)
        return self._window[begin - self._begin :][:count]

    def places_of(self, word: bytes) -> Iterator[int]:
        """Places where a word stands; it may reach into a hole, whose bytes are zeros."""
        for low, high in self._ranges:
            for begin in range(low, high, SEARCHED_BYTES):
                piece = os.pread(self._handle, SEARCHED_BYTES + len(word) - 1, begin)
                found = piece.find(word)
                while found >= 0:
                    yield begin + found
                    found = piece.find(word, found + 1)


def declared_dtype(data: h5py.Dataset) -> np.dtype | None:
    """Type of a data set's elements; of strings of any length, that of what points to them."""
    try:
        dtype = data.dtype
    except (TypeError, ValueError):  # what numpy has no type for
        return None
    return np.dtype("S16") if h5py.check_string_dtype(dtype) and dtype.kind == "O" else dtype


def stored_completely(path: Path, data: h5py.Dataset) -> np.ndarray | str:
    """Check that a file stores every element that a data set declares.

    Returns
    -------
    int64 array or str
        Lengths of the sequences or strings that the elements point to, empty if they are numbers;
        or, if something is not right, what it is.
    """
    properties = data.id.get_create_plist()
    layout = properties.get_layout()
    n_bytes = math.prod(data.shape) * data.id.get_type().get_size()
    points = data.dtype.kind == "O"
    if n_bytes == 0:
        return np.zeros(0, dtype=np.int64)
    if layout == h5py.h5d.CHUNKED:
        return _chunks(path, data, points)
    if layout != h5py.h5d.CONTIGUOUS:
        return "strings in an object's header" if points else np.zeros(0, dtype=np.int64)
    stored = data.id.get_storage_size()
    begin = data.id.get_offset()
    if begin is None or begin + stored > path.stat().st_size:
        return "no such numbers in the file"
    if not points:
        return np.zeros(0, dtype=np.int64) if stored >= n_bytes else "fewer bytes in the file"
    with path.open("rb") as file:
        file.seek(begin)
        return _lengths(file.read(stored), math.prod(data.shape))


def _chunks(path: Path, data: h5py.Dataset, points: bool) -> np.ndarray | str:
    properties = data.id.get_create_plist()
    filters = [properties.get_filter(n)[0] for n in range(properties.get_nfilters())]
    if set(filters) - set(PACKERS) or len(set(filters)) < len(filters):
        return f"filters {filters}"
    chunk = properties.get_chunk()
    n_bytes = math.prod(chunk) * data.id.get_type().get_size()
    needed = math.prod(-(-n // width) for n, width in zip(data.shape, chunk, strict=True))
    if n_bytes > CHUNK_BYTES or data.id.get_num_chunks() != needed:
        return f"{data.id.get_num_chunks()} of {needed} chunks, of {n_bytes} bytes each"
    found: list[h5py.h5d.StoreInfo] = []
    data.id.chunk_iter(found.append)
    lengths = []
    file_bytes = path.stat().st_size
    for one in found:
        if one.byte_offset is None or one.byte_offset + one.size > file_bytes:
            return "chunks beyond the end of the file"
        packed = [name for n, name in enumerate(filters) if not one.filter_mask >> n & 1]
        may_be_large = DEFLATE_RATIO * one.size > CHUNK_BYTES
        if points or (may_be_large and packed):
            content = _unpacked(path, one, packed, n_bytes)
            if content is not None and h5py.h5z.FILTER_SHUFFLE in packed:
                content = _unshuffled(content, math.prod(chunk))
            if content is None:
                return "a chunk that unpacks to more than its size"
            if points:
                lengths.append(_lengths(content, math.prod(chunk)))
    return np.concatenate(lengths) if lengths else np.zeros(0, dtype=np.int64)


def _unpacked(
    path: Path, one: h5py.h5d.StoreInfo, filters: list[int], n_bytes: int
) -> bytes | None:
    """Content of a chunk, its bytes still shuffled; None if they are not `n_bytes`."""
    with path.open("rb") as file:
        file.seek(one.byte_offset)
        content = file.read(one.size)
    for name in reversed(filters):
        if name == h5py.h5z.FILTER_FLETCHER32:
            content = content[:-CHECKSUM_BYTES]
        elif name == h5py.h5z.FILTER_DEFLATE:
            content = zlib.decompressobj().decompress(content, n_bytes + CHECKSUM_BYTES + 1)
    return content if len(content) == n_bytes else None


def _unshuffled(content: bytes, count: int) -> bytes:
    """Bytes in order that the shuffle filter has sorted by their place in an element."""
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, count).T.tobytes()


def _lengths(references: bytes, count: int) -> np.ndarray:
    """Lengths in front of the addresses of sequences."""
    rows = np.frombuffer(references, dtype=np.uint8).reshape(count, -1)
    return rows[:, :4].copy().view("<u4").ravel().astype(np.int64)
