"""Inputs from `.npy` files in SLAYER's orientation, and spikes to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kipuka.convert.files import existing_file, replacing
from kipuka.convert.program import Program
from kipuka.errors import KipukaError


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network takes.

    Attributes
    ----------
    values : array (samples, units, steps)
        Spikes as bool; for a network with an encoder, activations as int32.
    batched : bool
        Whether the file had a leading batch axis, and results should have one.
    """

    values: np.ndarray
    batched: bool


def load_inputs(path: str | Path, program: Program) -> Inputs:
    """Read ``[batch,] units or channels x height x width, time`` from a `.npy` file.

    Units in one row fit a network of any input shape. A network with an encoder takes real numbers,
    which the encoder turns into activations; any other takes spikes.

    Raises
    ------
    KipukaError
        If the file is missing or no numpy array, has another shape, or values besides 0 and 1.
    """
    path = existing_file(path, "input")
    try:
        # A memory map reads the header only, so that a wrong shape costs nothing.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise KipukaError(
            "the input is not an array",
            where=str(path),
            limit="a .npy file of numbers",
            value=" ".join(str(error).split()),
            remedy="write it with numpy.save",
        ) from error
    return _checked(array, program, str(path))


def _checked(array: np.ndarray, program: Program, where: str) -> Inputs:
    batched = _is_batched(array, program, where)
    values = np.asarray(array)
    wrong = ~np.isfinite(values) if program.encoder else (values != 0) & (values != 1)
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise KipukaError(
            "the input has values that are not " + ("numbers" if program.encoder else "spikes"),
            where=f"{where}, index {index}",
            limit="finite numbers" if program.encoder else "0 or 1",
            value=values[index],
            remedy="remove them" if program.encoder else "bin events to at most one per step",
        )
    n_samples = array.shape[0] if batched else 1
    values = values.reshape(n_samples, program.n_inputs, array.shape[-1])
    return Inputs(
        program.encoder.activation(values) if program.encoder else values.astype(bool), batched
    )


def _is_batched(array: np.ndarray, program: Program, where: str) -> bool:
    shapes = {program.input_shape, (program.n_inputs,)}
    if 0 not in array.shape:
        for shape in shapes:
            if array.shape[:-1] == shape:
                return False
            if array.shape[1:-1] == shape:
                return True
    expected = " or ".join(" x ".join(str(n) for n in shape) for shape in sorted(shapes, key=len))
    raise KipukaError(
        "the input does not fit the network",
        where=where,
        limit=f"shape [batch,] {expected}, time, none of them 0",
        value=f"shape {array.shape}",
        remedy="put time last and the network's input units before it",
    )


def save_spikes(path: str | Path, spikes: np.ndarray, batched: bool) -> None:
    """Write spikes (samples, units, steps) as uint8, without the batch axis if not `batched`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, (spikes if batched else spikes[0]).astype(np.uint8))
