"""NumPy files from strangers: their headers are checked before any array is made."""

from __future__ import annotations

import math
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

FREE_ELEMENTS, ELEMENTS_PER_BYTE = 1 << 22, 32
"""Numbers that the arrays of a packed file may have in all, and how many more per byte of it."""

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
PACKERS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1
UNREADABLE = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading damaged files raises; RuntimeError covers recursion and what zipfile lacks."""


HEADER_ERRORS = (
    TypeError,
    SyntaxError,
    AttributeError,
    LookupError,
    MemoryError,
    OverflowError,
    tokenize.TokenError,
)


def read_npy(path: Path) -> np.ndarray:
    """Return the array of a `.npy` file as a memory map.

    Raises
    ------
    ValueError, OSError, EOFError, RuntimeError
        If it is none, is not of numbers, or declares another size than the file has.
    """
    with path.open("rb") as file:
        shape, by_columns, dtype = _header(file)
        begin = file.tell()
    if begin + math.prod(shape) * dtype.itemsize != path.stat().st_size:
        raise ValueError(f"shape {shape} of {dtype} in a file of {path.stat().st_size} bytes")
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", begin, shape, "F" if by_columns else "C")


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the arrays of those names that a `.npz` file has.

    Raises
    ------
    ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error
        If it is none, or one of them is not of numbers, too large or cut.
    """
    left = FREE_ELEMENTS + ELEMENTS_PER_BYTE * path.stat().st_size
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        for name in names:
            member = members.get(f"{name}.npy")
            if member is None:
                continue
            if member.compress_type not in PACKERS or member.flag_bits & ENCRYPTED:
                raise ValueError(f"array {name} is encrypted or packed by another method")
            with archive.open(member) as file:
                shape, _, dtype = _header(file)
                left -= math.prod(shape)
                if left < 0 or len(shape) > 1:
                    raise ValueError(f"array {name} of shape {shape}, too large for its file")
                n_bytes = math.prod(shape) * dtype.itemsize
                content = file.read(n_bytes + 1)
            if len(content) != n_bytes:
                raise ValueError(f"array {name} of shape {shape} is cut or goes on")
            arrays[name] = np.frombuffer(content, dtype).reshape(shape)
    return arrays


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(file)  # type: ignore[no-untyped-call]
    if version not in READERS:
        raise ValueError(f"format version {version}")
    with warnings.catch_warnings():
        # Headers of Python 2 are read with a warning that says nothing about the array.
        warnings.simplefilter("ignore")
        try:
            shape, by_columns, dtype = READERS[version](file)  # type: ignore[no-untyped-call]
        # What numpy's parser lets through of a header that is no dictionary of its keys.
        except HEADER_ERRORS as error:
            raise ValueError(f"a header that cannot be read ({error})") from error
    if dtype.kind not in "biuf" or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"shape {shape} of {dtype}, not numbers")
    return shape, by_columns, dtype
