"""Arrays as the kernels take them: by where they lie."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from kipuka.deploy.fast.kernels import layout as at

CACHE_LINE = 64
"""Bytes that memory and caches exchange."""


class _Interface(ctypes.Structure):
    """What NumPy's array interface gives to C: see its documentation, `__array_struct__`."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("axes", ctypes.c_int),
        ("kind", ctypes.c_char),
        ("item_bytes", ctypes.c_int),
        ("flags", ctypes.c_int),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
    )


_pointer_in = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def aligned(size: int, dtype: np.dtype | type) -> np.ndarray:
    """Zeros that begin with a cache line, so that no vector lies in two.

    Where NumPy puts an array differs from run to run, and the time of a run with it.
    """
    n_bytes = size * np.dtype(dtype).itemsize
    room = np.zeros(n_bytes + CACHE_LINE, np.uint8)
    first = -address(room, np.uint8) % CACHE_LINE
    return room[first : first + n_bytes].view(dtype)


def address(array: np.ndarray, dtype: np.dtype | type) -> int:
    """Address of an array's first entry.

    A kernel believes what it is told, so that here is where a wrong array must be found out.

    Raises
    ------
    TypeError
        If the array has another type, or gaps.
    """
    if array.dtype != dtype or not array.flags.c_contiguous:
        raise TypeError(f"an array of {dtype} without gaps is needed, not of {array.dtype}")
    if array.dtype.names is not None:
        # NumPy would describe each field anew.
        array = array.view(np.uint8)
    # What the pointer leads to lives as long as the capsule.
    capsule = array.__array_struct__
    # `array.ctypes` says the same, and takes four times as long as all of this.
    return int(_Interface.from_address(_pointer_in(capsule, None)).data or 0)


def table_of(arrays: NamedTuple) -> np.ndarray:
    """Addresses and lengths of a `Network`, `Workspace` or `Recording`: int64 (arrays, `ENTRIES`).

    The arrays must outlive it.
    """
    numbers: list[int] = []
    for (dtype, axes), array in zip(_FIELDS[type(arrays)], arrays, strict=False):
        numbers += _entry(array, dtype, axes)
    return np.array(numbers, np.int64).reshape(-1, at.ENTRIES)


def tables_of(arrays: NamedTuple) -> np.ndarray:
    """Tables of samples that lie along the arrays' first axis: int64 (samples, arrays, `ENTRIES`).

    One look at the first sample tells where all others are.
    """
    first = table_of(type(arrays)(*(array[0] for array in arrays)))
    tables = np.repeat(first[np.newaxis], len(arrays[0]), axis=0)
    numbers = np.arange(len(tables))[:, np.newaxis]
    tables[:, :, 0] += numbers * [array.strides[0] for array in arrays]
    return tables


def put(table: np.ndarray, kind: type, name: str, array: np.ndarray) -> None:
    """Put another array in the place of one of a table."""
    row = _ROWS[kind][name]
    table[row] = _entry(array, *_FIELDS[kind][row])


def with_array(table: np.ndarray, kind: type, name: str, array: np.ndarray) -> np.ndarray:
    """Copy of a table with another array in the place of one."""
    changed = table.copy()
    put(changed, kind, name, array)
    return changed


def _entry(array: np.ndarray, dtype: np.dtype, axes: int) -> tuple[int, ...]:
    if axes == 0:
        return address(array, dtype), 0, 0
    return (address(array, dtype), *array.shape, 0)[: at.ENTRIES]


_FIELDS = {
    kind: tuple((dtype, at.WITH_LENGTHS[kind].get(name, 0)) for name, dtype in dtypes.items())
    for kind, dtypes in at.DTYPES.items()
}
"""Type of each array, and the axes whose lengths are told."""

_ROWS = {kind: {name: row for row, name in enumerate(dtypes)} for kind, dtypes in at.DTYPES.items()}
"""Where each array stands in a table."""
