"""Inputs from `.npy` files in SLAYER's orientation or `.npz` files of events; spikes to files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kipuka.convert.formats.guarded.arrays import UNREADABLE, read_npy, write_npy
from kipuka.convert.formats.guarded.event_files import WRITTEN, not_events, read_event_file
from kipuka.convert.operands import as_numbers, checked_inputs
from kipuka.convert.program import Program
from kipuka.deploy.fast.input_events import Events, windows
from kipuka.errors import KipukaError
from kipuka.files import replacing
from kipuka.strangers import as_path

MAX_ENTRIES = 1 << 28
"""Samples x units x steps that a list of events may be laid out on, a byte each."""

FREE_STATES, STATES_PER_EVENT = 1 << 26, 1 << 14
"""Samples x neurons x steps that any list of events may ask for, and more for each event."""


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
    which the encoder turns into activations; any other takes spikes. A `.npz` file lists spikes
    instead: integer arrays ``times`` (steps) and ``units``, ``n_steps``, and for a batch
    ``samples``, the sample of each spike. Samples without a spike count if ``n_samples`` or
    ``labels``, one for each sample, say that they are there.

    Parameters
    ----------
    path : str or path
    program : Program
        The network that the samples are for.

    Returns
    -------
    Inputs
        `array` (samples, units, steps), and whether the file had a batch axis.

    Raises
    ------
    KipukaError
        If the file is missing or holds no numpy arrays, another shape, values besides 0 and 1, or
        an event outside the network or the run.
    """
    path = as_path(path)
    if path.suffix == ".npz":
        return _listed(path, program)
    try:
        # A memory map reads the header only, so that a wrong shape costs nothing.
        array = read_npy(path)
    except UNREADABLE as error:
        raise KipukaError(
            "the input is not an array",
            where=str(path),
            limit="a .npy file of numbers",
            value=" ".join(str(error).split()),
            remedy="write it with numpy.save",
        ) from None
    return _checked(array, program, str(path))


def _checked(array: np.ndarray, program: Program, where: str) -> Inputs:
    batched = _is_batched(array, program, where)
    values = np.asarray(array)
    if program.encoder is not None:
        values = program.encoder.activation(values, where)
    else:
        _refuse_other_than_spikes(values, where)
    samples = values if batched else values[np.newaxis]
    return Inputs(checked_inputs(program, samples, where), batched)


def _refuse_other_than_spikes(values: np.ndarray, where: str) -> None:
    wrong = (values != 0) & (values != 1)
    if np.any(wrong) and values.dtype != np.bool_:
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise KipukaError(
            "the input has values that are not spikes",
            where=f"{where}, index {index}",
            limit="0 or 1",
            value=values[index],
            remedy="bin events to at most one per step",
        )


def _listed(path: Path, program: Program) -> Inputs:
    """Spikes of a file of events."""
    if program.encoder:
        raise not_events(path, "events, but the network has an encoder and takes numbers")
    file = read_event_file(path)
    times, units, samples = file.times, file.units, file.samples
    n_steps, n_samples = file.n_steps, file.n_samples
    if n_steps is None:
        raise not_events(
            path,
            f"no n_steps, and times of {times.dtype}",
            f"divide the times into the network's steps: {WRITTEN}",
        )
    if n_samples * program.n_inputs * n_steps > MAX_ENTRIES:
        size = f"{n_samples} samples x {program.n_inputs} units x {n_steps} steps"
        raise not_events(path, f"{size}, of which {MAX_ENTRIES} entries fit")
    n_neurons = sum(layer.n_neurons for layer in program.layers)
    if n_samples * n_neurons * n_steps > FREE_STATES + STATES_PER_EVENT * times.size:
        size = f"{n_samples} samples x {n_neurons} neurons x {n_steps} steps"
        raise not_events(path, f"{times.size} events in {size}, which is next to nothing")
    _check_events(path, program, times, units, n_steps, samples)
    spikes = np.zeros((n_samples, program.n_inputs, n_steps), bool)
    spikes[samples, units, times] = True
    if np.count_nonzero(spikes) != times.size:
        entries = np.ravel_multi_index((samples, units, times), spikes.shape)
        order = np.argsort(entries, kind="stable")
        doubled = order[1:][np.diff(entries[order]) == 0]
        _refuse_sample(path, program, times, units, n_steps, samples, int(samples[doubled[0]]))
    return Inputs(spikes, file.batched)


def _check_events(
    path: Path,
    program: Program,
    times: np.ndarray,
    units: np.ndarray,
    n_steps: int,
    samples: np.ndarray,
) -> None:
    whole = times.dtype.kind in "iu" and units.dtype.kind in "iu"
    outside = (times < 0) | (times >= n_steps) | (units < 0) | (units >= program.n_inputs)
    if not whole or outside.any():
        first = int(samples[np.argmax(outside)]) if samples.size else 0
        _refuse_sample(path, program, times, units, n_steps, samples, first)


def _refuse_sample(
    path: Path,
    program: Program,
    times: np.ndarray,
    units: np.ndarray,
    n_steps: int,
    samples: np.ndarray,
    number: int,
) -> None:
    """Let the simulator's own check name the event of that sample that cannot be."""
    own = samples == number
    for _ in windows(program, Events(times[own], units[own], n_steps), f"{path}, sample {number}"):
        pass


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
    """Write spikes (samples, units, steps) as uint8, without the batch axis if not `batched`.

    Payloads of graded spikes, and encoded inputs, stay int32.

    Parameters
    ----------
    path : str or path
    spikes : bool or int32 array (samples, units, steps)
    batched : bool

    Raises
    ------
    KipukaError
        If they are no array of samples, or the file cannot be written.
    """
    array = as_numbers(spikes, "spikes")
    if array.ndim != 3 or array.dtype.kind not in "biu" or (not batched and not len(array)):
        raise KipukaError(
            "the spikes cannot be saved",
            where=str(path),
            limit="bools or integers, samples x units x steps, at least one sample",
            value=f"shape {array.shape}, {array.dtype}",
            remedy="give one layer of a trace, such as trace.layers[-1].spikes",
        )
    written = array if batched else array[0]
    with replacing(path) as temporary:
        # Any byte of a bool array is a spike; the order in memory stays.
        plain = written.view(np.uint8) != 0 if written.dtype == np.bool_ else written
        write_npy(temporary, plain.astype(np.uint8) if plain.dtype == np.bool_ else plain)
