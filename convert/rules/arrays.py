"""What a Program is made of, before any design rule looks at values: plain arrays and shapes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.convert.program import Program

ARRAY, WHOLE = "np.ndarray", "int"
"""How fields that hold arrays, and whole numbers, are annotated."""


def check_parts(program: Program) -> None:
    """Check that arrays are numpy's, numbers and shapes whole, and metadata text.

    Raises
    ------
    KipukaError
        Naming the first that is not.
    """
    _check_shape(program.input_shape, "input_shape")
    for position, layer in enumerate(program.layers):
        _check_shape(layer.shape, f"layer at position {position}, shape")
        for name, value in layer.neuron._asdict().items():
            _check_array(value, f"layer at position {position}, neuron, {name}")
    parts = (program.layers, program.readout, program.encoder, program.reset)
    for kind, where, value in _fields(parts, "program"):
        if kind == ARRAY:
            _check_array(value, where)
        elif kind == WHOLE:
            _check_whole(value, where)
    _check_metadata(program.metadata)


def _fields(value: Any, where: str) -> Iterator[tuple[str, str, Any]]:
    """Annotation, place and value of every field of the parts, here and below."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            own, place = getattr(value, field.name), f"{type(value).__name__}, {field.name}"
            yield str(field.type), place, own
            yield from _fields(own, place)
    elif type(value) in (tuple, list):
        for one in value:
            yield from _fields(one, where)


def _check_array(value: Any, where: str) -> None:
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        return
    raise KipukaError(
        "parts_are_arrays: a network is made of numpy arrays",
        where=where,
        limit="a numpy array, without a mask",
        value=type(value).__name__,
        remedy="use numpy.asarray(values, dtype) with the type that the part has",
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _check_whole(value: Any, where: str) -> None:
    if not _is_whole(value):
        raise KipukaError(
            "parts_are_arrays: a number of the network is no whole one",
            where=where,
            limit="an integer",
            value=repr(value),
            remedy="give an integer of Python or numpy",
        )


def _check_metadata(metadata: Any) -> None:
    words = metadata.items() if isinstance(metadata, Mapping) else [(metadata, None)]
    odd = [pair for pair in words if not all(isinstance(word, str) for word in pair)]
    if odd:
        raise KipukaError(
            "parts_are_arrays: the metadata are no words",
            where="metadata",
            limit="a mapping of text to text",
            value=repr(odd[0]),
            remedy="write other values as text, for example with json.dumps",
        )


def _check_shape(shape: Any, where: str) -> None:
    if not (isinstance(shape, tuple | list) and all(map(_is_whole, shape))):
        raise KipukaError(
            "parts_are_arrays: a shape is a row of whole numbers",
            where=where,
            limit="(units,) or (channels, height, width)",
            value=repr(shape),
            remedy="give a tuple of integers",
        )
