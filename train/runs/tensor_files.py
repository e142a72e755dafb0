"""Safetensors files from strangers: their header is checked before any tensor is made."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kipuka.strangers import content_bytes, opened

HEADER_BYTES = 1 << 24
LENGTH_BYTES = 8
FREE_BYTES, BYTES_PER_BYTE = 1 << 26, 64
"""Bytes that any file may read as, and how many for each that it stores: holes are no numbers."""

ITEM_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "I16": 2,
    "F16": 2,
    "I32": 4,
    "F32": 4,
    "I64": 8,
    "F64": 8,
}


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes
    ----------
    tensors : mapping of str to (str, tuple of int)
        Type, as safetensors names it, and shape of each tensor.
    metadata : mapping of str to str
    content_bytes : int
        What the file stores, without holes.
    """

    tensors: Mapping[str, tuple[str, tuple[int, ...]]]
    metadata: Mapping[str, str]
    content_bytes: int


def read_header(path: str | Path, name: str) -> Header:
    """Read and check the header.

    Parameters
    ----------
    path : str or Path
    name : str
        What the file is called in a message that it is not there.

    Raises
    ------
    KipukaError
        If the file is missing.
    ValueError
        If it is no safetensors file, is cut, or has tensors that do not fill it exactly.
    """
    with opened(path, name) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if length > min(HEADER_BYTES, n_bytes - LENGTH_BYTES):
            raise ValueError(f"a header of {length} bytes in a file of {n_bytes} bytes")
        text = file.read(length)
        stored = content_bytes(file)
        if n_bytes > FREE_BYTES + BYTES_PER_BYTE * stored:
            raise ValueError(f"{n_bytes} bytes of which {stored} are stored")
    try:
        entries = json.loads(text)
    except RecursionError:
        raise ValueError("a header that is nested too deeply") from None
    if not isinstance(entries, dict):
        raise ValueError("a header without names")
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("metadata that do not map words to text")
    tensors = {}
    end = 0
    for key, entry in sorted(entries.items(), key=lambda item: _begin(item[1])):
        tensors[key], end = _checked(key, entry, end)
    if end != n_bytes - LENGTH_BYTES - length:
        raise ValueError(f"tensors of {end} bytes in {n_bytes - LENGTH_BYTES - length} bytes")
    return Header(tensors, metadata, stored)


def _begin(entry: Any) -> int:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_count, offsets)):
        raise ValueError("a tensor without data_offsets")
    return int(offsets[0])


def _checked(key: str, entry: Any, begin: int) -> tuple[tuple[str, tuple[int, ...]], int]:
    kind, shape, offsets = entry.get("dtype"), entry.get("shape"), entry["data_offsets"]
    item_bytes = ITEM_BYTES.get(kind) if isinstance(kind, str) else None
    if item_bytes is None or not isinstance(shape, list) or not all(map(_is_count, shape)):
        raise ValueError(f"tensor {key} of dtype {kind} and shape {str(shape)[:80]}")
    end = begin + math.prod(shape) * item_bytes
    if offsets != [begin, end]:
        raise ValueError(f"tensor {key} of shape {str(shape)[:80]} at {offsets}")
    return (kind, tuple(shape)), end


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 48
