"""The door for operands: what public functions take, made into what an engine can trust."""

from __future__ import annotations

import operator
from array import array
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import Program, expect_program
from kipuka.errors import KipukaError

MAX_STEPS = (1 << 31) - 1
"""Steps of a run."""

NUMBERS = "biuf"
"""Kinds of numpy's types that hold bools, integers and floats."""

TO_NUMPY = "convert it to a dense numpy array of numbers first"


def checked_inputs(program: Program, inputs: Any, where: str = "input") -> np.ndarray:
    """Return samples as the engines take them.

    Parameters
    ----------
    program : Program
    inputs : array, torch tensor, or sequence of arrays
        Samples x units (or channels x height x width) x steps: spikes as bool or as 0 and 1 of any
        type; for a Program with an encoder activations as integers. See `as_numbers`.
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
    expect_program(program)
    samples = _in_rows(program, as_numbers(inputs, where), where)
    return as_activations(samples, where) if program.encoder else as_spikes(samples, where)


def as_numbers(inputs: Any, where: str) -> np.ndarray:
    """Return a numpy array of bools, integers or floats in the byte order of the machine.

    Parameters
    ----------
    inputs : object
        A numpy array; a list or tuple of arrays of one shape; a torch tensor on any device, with or
        without gradients; a buffer; any object that numpy takes for an array without copying it
        from another device.
    where : str
        For messages.

    Raises
    ------
    KipukaError
        If there are no such numbers in it: sparse, masked, structured, complex, text, objects.
    """
    # What nearly all calls bring, one for each sample of a run, needs no look at its container.
    if type(inputs) is np.ndarray and inputs.dtype.kind in NUMBERS and inputs.dtype.isnative:
        return inputs
    if hasattr(inputs, "detach"):
        inputs = _of_tensor(inputs, where)
    if isinstance(inputs, list | tuple) and not _flat(inputs):
        parts = [as_numbers(part, where) for part in inputs]
        if len({part.shape for part in parts}) > 1:
            shapes = sorted({part.shape for part in parts})
            raise _misfit(where, "samples of one shape", f"shapes {shapes[0]} and {shapes[1]}")
        return np.stack(parts) if parts else np.zeros((0, 0, 0), bool)
    if np.any(getattr(inputs, "mask", False)):
        raise _misfit(where, "an array without a mask", "masked values", "use inputs.filled(0)")
    numbers = _of_object(inputs, where)
    if numbers.dtype.kind not in NUMBERS:
        kind = type(inputs).__name__
        found = numbers.dtype if isinstance(inputs, np.ndarray) else f"{kind} of {numbers.dtype}"
        raise _misfit(where, "an array of numbers, or a list of such arrays", found, TO_NUMPY)
    return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)


def _flat(inputs: Any) -> bool:
    """Whether a sequence holds plain numbers."""
    return bool(inputs) and all(isinstance(one, int | float | np.generic) for one in inputs)


def _of_tensor(tensor: Any, where: str) -> Any:
    """Numpy array of a torch tensor."""
    if str(getattr(tensor, "layout", "torch.strided")) != "torch.strided":
        raise _misfit(where, "a dense tensor", tensor.layout, "use inputs.to_dense()")
    try:
        tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
        # Numpy has no type of 16 bits with the exponent of 32.
        return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        found = " ".join(str(error).split())
        raise _misfit(where, "a tensor that numpy can read", found, TO_NUMPY) from error


def _of_object(inputs: Any, where: str) -> np.ndarray:
    known = isinstance(inputs, np.ndarray | memoryview | bytearray | array | list | tuple)
    if not known and not hasattr(inputs, "__array__"):
        found = type(inputs).__name__
        limit = "an array of numbers, or a list of such arrays"
        raise _misfit(where, limit, found, _remedy_of(inputs))
    try:
        return np.asarray(inputs)
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        found = f"{type(inputs).__name__}: {' '.join(str(error).split())}"
        raise _misfit(where, "an array that numpy can read", found, _remedy_of(inputs)) from error


def _remedy_of(inputs: Any) -> str:
    """What makes numpy arrays of the containers that others have."""
    for name in ("toarray", "todense", "get", "to_numpy", "numpy"):
        if hasattr(inputs, name) and not isinstance(inputs, dict):
            return f"use inputs.{name}(), which gives a numpy array"
    return TO_NUMPY


def _in_rows(program: Program, array: np.ndarray, where: str) -> np.ndarray:
    shapes = {program.input_shape, (program.n_inputs,)}
    if array.ndim < 3 or array.shape[1:-1] not in shapes or 0 in array.shape:
        listed = sorted(shapes, key=len)
        units = " or ".join(" x ".join(str(n) for n in shape) for shape in listed)
        raise _misfit(where, f"samples x {units} x steps, none of them 0", f"shape {array.shape}")
    return array.reshape(array.shape[0], program.n_inputs, array.shape[-1])


def as_spikes(samples: np.ndarray, where: str) -> np.ndarray:
    """Return spikes as bools whose bytes are 0 or 1.

    Raises
    ------
    KipukaError
        If a number is neither 0 nor 1.
    """
    if samples.dtype == np.bool_:
        # A view of other bytes may hold more than 0 and 1.
        return np.ascontiguousarray(samples).view(np.uint8).reshape(samples.shape) != 0
    wrong = (samples != 0) & (samples != 1)
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        at, remedy = f"{where}, index {index}", "bin events to at most one per unit and step"
        raise _misfit(at, "spikes: 0 or 1", samples[index], remedy)
    return samples != 0


def as_activations(samples: np.ndarray, where: str) -> np.ndarray:
    """Return activations as int32.

    Raises
    ------
    KipukaError
        If they are no integers, or have more bits.
    """
    if samples.dtype.kind not in "iu":
        limit = "int32 activations, because the network has an encoder"
        raise _misfit(where, limit, f"dtype {samples.dtype}", "use program.encoder.activation")
    if samples.size and not np.can_cast(samples.dtype, np.int32):
        low, high = int(samples.min()), int(samples.max())
        if low < -fixed.INT32_MAX or high > fixed.INT32_MAX:
            raise _misfit(where, f"magnitudes up to {fixed.INT32_MAX}", f"{low} to {high}")
    return samples.astype(np.int32)


def presented(program: Program, spikes: np.ndarray) -> np.ndarray:
    """Return samples of a data set of spikes as a network takes them.

    Parameters
    ----------
    program : Program
    spikes : bool array (samples, units, steps)

    Returns
    -------
    bool or int32 array (samples, units, steps)
        Of a network with an encoder the activation of values that are 1 where there is a spike.
    """
    if program.encoder is None:
        return spikes
    return program.encoder.activation(spikes)


def whole_number(value: Any, low: int, high: int, where: str) -> int:
    """Return an integer argument as Python's own.

    Parameters
    ----------
    value : int or integer of numpy
    low, high : int
        Limits, both allowed.
    where : str
        Name of the argument, for the message.

    Raises
    ------
    KipukaError
        If it is no integer (a bool is none), or outside.
    """
    try:
        found = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        found = None
    if found is None or not low <= found <= high:
        raise KipukaError(
            "an argument is no whole number in its range",
            where=where,
            limit=f"an integer from {low} to {high}",
            value=f"{value!r}",
            remedy="pass such an integer, or leave the argument out",
        )
    return found


def axes_are_crossed(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether both shapes have several axes, and not the same: each value would be another unit's.

    Axes of length 1 do not count.
    """
    axes = [tuple(k for k in shape if k != 1) for shape in (found, wanted)]
    return min(len(one) for one in axes) > 1 and axes[0] != axes[1]


def truth_value(value: Any, where: str) -> bool:
    """Return an argument that is true or false as Python's own bool.

    Raises
    ------
    KipukaError
        If it is something else, which may count for more than once.
    """
    if not isinstance(value, bool | np.bool_):
        raise KipukaError(
            "an argument is neither true nor false",
            where=where,
            limit="True or False",
            value=repr(value),
            remedy="pass one of them, or leave the argument out",
        )
    return bool(value)


def real_number(value: Any) -> float | None:
    """Return a finite number as Python's own float, or None for anything else, bools among it."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if np.isfinite(found) else None


def _misfit(
    where: str,
    limit: str,
    value: object,
    remedy: str = "put the samples first, time last, the network's input units between them",
) -> KipukaError:
    return KipukaError(
        "the input does not fit the network", where=where, limit=limit, value=value, remedy=remedy
    )
