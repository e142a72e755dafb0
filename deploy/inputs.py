"""Spikes from and to `.npy` files in SLAYER's orientation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kipuka.convert.files import existing_file, replacing
from kipuka.convert.program import Program
from kipuka.errors import KipukaError


@dataclass(frozen=True, eq=False)
class SpikeInput:
    """Input spikes of a network.

    Attributes
    ----------
    spikes : bool array (samples, units, steps)
    batched : bool
        Whether the file had a leading batch axis, and results should have one.
    """

    spikes: np.ndarray
    batched: bool


def load_spikes(path: str | Path, program: Program) -> SpikeInput:
    """Read input spikes ``[batch,] units or channels x height x width, time`` from a `.npy` file.

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


def _checked(array: np.ndarray, program: Program, where: str) -> SpikeInput:
    shape = program.input_shape
    batched = array.ndim == len(shape) + 2
    fits = batched or array.ndim == len(shape) + 1
    if not fits or array.shape[-1 - len(shape) : -1] != shape or 0 in array.shape:
        expected = " x ".join(str(n) for n in shape)
        raise KipukaError(
            "the input does not fit the network",
            where=where,
            limit=f"shape [batch,] {expected}, time, none of them 0",
            value=f"shape {array.shape}",
            remedy="put time last and the network's input units before it",
        )
    values = np.asarray(array)
    wrong = (values != 0) & (values != 1)
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise KipukaError(
            "the input has values that are not spikes",
            where=f"{where}, index {index}",
            limit="0 or 1",
            value=values[index],
            remedy="bin events to at most one spike per unit and step",
        )
    n_samples = array.shape[0] if batched else 1
    spikes = values.astype(bool).reshape(n_samples, program.n_inputs, array.shape[-1])
    return SpikeInput(spikes, batched)


def save_spikes(path: str | Path, spikes: np.ndarray, batched: bool) -> None:
    """Write spikes (samples, units, steps) as uint8, without the batch axis if not `batched`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, (spikes if batched else spikes[0]).astype(np.uint8))
