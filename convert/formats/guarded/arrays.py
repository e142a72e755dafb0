"""NumPy files from strangers: their headers are checked before any array is made."""

from __future__ import annotations

import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from kipuka.strangers import content_bytes, opened

FREE_ELEMENTS, ELEMENTS_PER_BYTE = 1 << 22, 32
"""Numbers that the arrays of a packed file may have in all, and how many more per byte of it."""

FREE_BYTES, BYTES_PER_BYTE = 1 << 26, 64
"""Bytes that an array may have in any file, and for each byte that is stored: holes are none."""

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
PACKERS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1
UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
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

    Values of a bool array come as uint8, as the file has them.

    Raises
    ------
    KipukaError
        If there is no such file.
    ValueError, OSError, EOFError, RuntimeError
        If it is none, is not of numbers, or declares another size than the file has.
    """
    with opened(path, "input") as file:
        shape, by_columns, dtype = _header(file)
        begin, size, stored = file.tell(), os.fstat(file.fileno()).st_size, content_bytes(file)
        if begin + math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"shape {shape} of {dtype} in a file of {size} bytes")
        if size > FREE_BYTES + BYTES_PER_BYTE * stored:
            raise ValueError(f"shape {shape} of {dtype} in a file that stores {stored} bytes")
        if 0 in shape:
            return np.zeros(shape, dtype)
        # A byte of a bool array may be any number; as one it is looked at like all others.
        plain = np.dtype(np.uint8) if dtype.kind == "b" else dtype
        return np.memmap(file, plain, "r", begin, shape, "F" if by_columns else "C")


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the arrays of those names that a `.npz` file has.

    Raises
    ------
    KipukaError
        If there is no such file.
    ValueError, OSError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error
        If it is none, or one of them is not of numbers, too large or cut.
    """
    arrays = {}
    with opened(path, "input") as file, zipfile.ZipFile(file) as archive:
        left = FREE_ELEMENTS + ELEMENTS_PER_BYTE * content_bytes(file)
        members = {member.filename: member for member in archive.infolist()}
        for name in names:
            member = members.get(f"{name}.npy")
            if member is None:
                continue
            if member.compress_type not in PACKERS or member.flag_bits & ENCRYPTED:
                raise ValueError(f"array {name} is encrypted or packed by another method")
            with archive.open(member) as packed:
                shape, _, dtype = _header(packed)
                left -= math.prod(shape)
                if len(shape) > 1:
                    raise ValueError(f"array {name} of shape {shape}, not one row")
                if left < 0:
                    raise ValueError(f"array {name} of shape {shape}, too large for its file")
                n_bytes = math.prod(shape) * dtype.itemsize
                content = packed.read(n_bytes + 1)
            if len(content) != n_bytes:
                raise ValueError(f"array {name} of shape {shape} is cut or goes on")
            arrays[name] = np.frombuffer(content, dtype).reshape(shape)
    return arrays


def npz_names(path: Path) -> list[str]:
    """Return the names of the arrays in a `.npz` file, in order, no array of which is read.

    Raises
    ------
    KipukaError, ValueError, OSError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile
        As `read_npz`.
    """
    with opened(path, "input") as file, zipfile.ZipFile(file) as archive:
        return sorted(name.removesuffix(".npy") for name in archive.namelist())


def write_npy(path: Path, array: np.ndarray) -> None:
    """Write an array as a `.npy` file.

    Raises
    ------
    OSError
        With its number, which numpy's own writing leaves out.
    """
    by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
    whole = array if by_columns else np.ascontiguousarray(array)
    with path.open("wb") as file:
        header = npy.header_data_from_array_1_0(whole)  # type: ignore[no-untyped-call, unused-ignore]
        npy.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call, unused-ignore]
        file.write(whole.T.data if by_columns else whole.data)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(file)  # type: ignore[no-untyped-call, unused-ignore]
    if version not in READERS:
        raise ValueError(f"format version {version}")
    with warnings.catch_warnings():
        # Headers of Python 2 are read with a warning that says nothing about the array.
        warnings.simplefilter("ignore")
        try:
            shape, by_columns, dtype = READERS[version](file)  # type: ignore[no-untyped-call, unused-ignore]
        # What numpy's parser lets through of a header that is no dictionary of its keys.
        except HEADER_ERRORS as error:
            raise ValueError(f"a header that cannot be read ({error})") from error
    if dtype.kind not in "biuf" or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"shape {shape} of {dtype}, not numbers")
    return shape, by_columns, dtype
