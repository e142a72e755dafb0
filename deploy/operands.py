"""The door for inputs: what public functions take, made into arrays that an engine can trust."""

from __future__ import annotations

from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import Program
from kipuka.errors import KipukaError


def checked_inputs(program: Program, inputs: Any, where: str = "input") -> np.ndarray:
    """Return samples as the engines take them.

    Parameters
    ----------
    program : Program
    inputs : array, torch tensor, or sequence of arrays
        Samples x units (or channels x height x width) x steps: spikes as bool or as 0 and 1 of any
        type; for a Program with an encoder activations as integers.
    where : str
        For messages.

    Returns
    -------
    array (samples, units, steps)
        Bool, whose bytes are 0 or 1; for a Program with an encoder int32.

    Raises
    ------
    KipukaError
        If there is no sample, or shape, type or values do not fit the network.
    """
    array = _as_array(inputs, where)
    samples = _in_rows(program, array, where)
    return _activations(samples, where) if program.encoder else _spikes(samples, where)


def _as_array(inputs: Any, where: str) -> np.ndarray:
    if hasattr(inputs, "detach"):
        inputs = inputs.detach().cpu().numpy()
    if isinstance(inputs, list | tuple):
        parts = [_as_array(part, where) for part in inputs]
        if len({part.shape for part in parts}) > 1:
            shapes = sorted({part.shape for part in parts})
            raise _misfit(where, "samples of one shape", f"shapes {shapes[0]} and {shapes[1]}")
        inputs = np.stack(parts) if parts else np.zeros((0, 0, 0), bool)
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind not in "biuf":
        found = getattr(inputs, "dtype", type(inputs).__name__)
        raise _misfit(where, "an array of numbers, or a list of such arrays", found)
    return inputs


def _in_rows(program: Program, array: np.ndarray, where: str) -> np.ndarray:
    shapes = {program.input_shape, (program.n_inputs,)}
    if array.ndim < 3 or array.shape[1:-1] not in shapes or 0 in array.shape:
        listed = sorted(shapes, key=len)
        units = " or ".join(" x ".join(str(n) for n in shape) for shape in listed)
        raise _misfit(where, f"samples x {units} x steps, none of them 0", f"shape {array.shape}")
    return array.reshape(array.shape[0], program.n_inputs, array.shape[-1])


def _spikes(samples: np.ndarray, where: str) -> np.ndarray:
    if samples.dtype == np.bool_:
        # A view of other bytes may hold more than 0 and 1.
        return np.ascontiguousarray(samples).view(np.uint8) != 0
    wrong = (samples != 0) & (samples != 1)
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise _misfit(f"{where}, index {index}", "spikes: 0 or 1", samples[index])
    return samples != 0


def _activations(samples: np.ndarray, where: str) -> np.ndarray:
    if samples.dtype.kind not in "iu":
        limit = "int32 activations, because the network has an encoder"
        raise _misfit(where, limit, f"dtype {samples.dtype}", "use program.encoder.activation")
    if samples.dtype.itemsize > 4 or samples.dtype == np.uint32:
        low, high = int(samples.min()), int(samples.max())
        if low < -fixed.INT32_MAX or high > fixed.INT32_MAX:
            raise _misfit(where, f"magnitudes up to {fixed.INT32_MAX}", f"{low} to {high}")
    return samples.astype(np.int32)


def _misfit(
    where: str,
    limit: str,
    value: object,
    remedy: str = "put the samples first, time last, the network's input units between them",
) -> KipukaError:
    return KipukaError(
        "the input does not fit the network", where=where, limit=limit, value=value, remedy=remedy
    )
