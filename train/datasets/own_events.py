"""One's own recordings, as events or arrays, checked and laid on one grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.operands import as_numbers, whole_number
from kipuka.errors import KipukaError
from kipuka.train.datasets.events import (
    BIN_MS_MIN,
    STEPS_MAX,
    US_PER_MS,
    US_PER_S,
    Binning,
    bin_events,
    check_room,
)
from kipuka.train.datasets.recordings import TEST, TRAIN, EventGrid, Recordings
from kipuka.train.datasets.splits import DataOptions

BIN_MS = 10.0
"""Width of a step if nothing is said, that of the data sets with a name."""

TIME_MAX_US = 1e300
"""Times beyond are as good as this one: far more steps than there may be."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """Events of some samples before they are laid on a grid.

    Attributes
    ----------
    where : str
        What they are called in messages.
    samples : sequence of (times, units)
        Seconds as floating-point numbers, or microseconds as integers; with `n_steps`, steps.
    labels : int64 array (samples,)
    groups : int64 or text array (samples,) or None
    parts : int64 array (samples,)
    shape : tuple of int
        Units, or channels, height and width; empty if that is not known.
    n_steps : int or None
    classes : tuple of str
    n_bytes : int
        Of the files that they come from; 0 if they come from none.
    labelled : bool
        Whether labels are known; they are 0 otherwise.
    """

    where: str
    samples: Sequence[tuple[np.ndarray, np.ndarray]]
    labels: np.ndarray
    groups: np.ndarray | None
    parts: np.ndarray
    shape: tuple[int, ...] = ()
    n_steps: int | None = None
    classes: tuple[str, ...] = ()
    n_bytes: int = 0
    labelled: bool = True


def recorded_events(
    samples: Iterable[tuple[Any, Any]],
    labels: Any,
    groups: Any,
    parts: Any,
    shape: int | tuple[int, ...],
    n_steps: int | None,
    where: str,
) -> Recorded:
    """Check events given in Python; see `kipuka.train.datasets.Dataset.from_events`.

    Raises
    ------
    KipukaError
        If labels, groups or parts do not fit the samples, or these are no pairs.
    """
    pairs = [(_row(times, where), _row(units, where)) for times, units in _pairs(samples, where)]
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    shape = tuple(whole_number(n, 1, fixed.NEURONS_MAX, f"{where}, shape") for n in sizes)
    if n_steps is not None:
        n_steps = whole_number(n_steps, 1, STEPS_MAX, f"{where}, steps")
    return Recorded(
        where, pairs, *described(len(pairs), labels, groups, parts, where), shape, n_steps
    )


def _pairs(samples: Any, where: str) -> Iterator[tuple[Any, Any]]:
    """Times and units of each sample."""
    several = isinstance(samples, Iterable) and not isinstance(samples, str | Mapping)
    for number, one in enumerate(samples if several else [samples]):
        if not several or not isinstance(one, tuple | list) or len(one) != 2:
            raise _events_refused(
                f"{where}, sample {number}",
                "a pair of times and units for each sample",
                f"{type(one).__name__}",
            )
        yield one[0], one[1]


def _row(values: Any, where: str) -> np.ndarray:
    """Times or units of a sample, which may have none."""
    nothing = isinstance(values, list | tuple) and not values
    return np.zeros(0, np.int64) if nothing else as_numbers(values, where)


def recordings_of_arrays(
    spikes: Any, labels: Any, groups: Any, parts: Any, classes: Sequence[str], name: str
) -> Recordings:
    """Check arrays of spikes; see `kipuka.train.datasets.Dataset.from_arrays`.

    Raises
    ------
    KipukaError
        If they have other values than 0 and 1 or another number of axes.
    """
    array = as_numbers(spikes, name)
    if array.ndim not in (3, 5) or 0 in array.shape or array.dtype.kind not in "biuf":
        raise _refused(
            "the spikes are no samples of a data set",
            name,
            "numbers [samples, units, time] or [samples, channels, height, width, time], none 0",
            f"shape {array.shape}, {array.dtype}",
            "put samples first and time last",
        )
    # A byte of a bool array may hold any number; what is not 0 is a spike.
    array = array.view(np.uint8) != 0 if array.dtype.kind == "b" else array
    wrong = (array != 0) & (array != 1)
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise _refused(
            "the spikes have values that are not spikes",
            f"{name}, index {index}",
            "0 or 1",
            array[index],
            "bin events to at most one per step",
        )
    n, shape, n_steps = len(array), array.shape[1:-1], array.shape[-1]
    checked, own_groups, own_parts = described(n, labels, groups, parts, name)
    return Recordings(
        name,
        array.reshape(n, math.prod(shape), n_steps).astype(bool),
        checked,
        n_classes_of(checked, classes, name),
        own_groups,
        own_parts,
        shape if len(shape) > 1 else (),
        tuple(classes),
        0,
        0,
    )


def described(
    count: int, labels: Any, groups: Any, parts: Any, where: str
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Return labels, groups and parts of `count` samples as integers, once they are checked.

    Parameters
    ----------
    count : int
        Samples, which a file may only claim to have; nothing is made for them before the labels
        are found to be as many.
    labels, groups : array or None
    parts : array, or int for the same part of all, or None for training
    where : str
        Data, for messages.

    Raises
    ------
    KipukaError
        If one of them is no row of whole numbers, one for each sample, in its range.
    """
    largest = int(np.iinfo(np.int64).max)
    found = []
    for key, values in (("labels", labels), ("groups", groups)):
        found.append(None if values is None else _whole_row(values, count, largest, where, key))
    if found[0] is None:
        raise _refused(
            "the recordings have no classes",
            f"{where}, key labels",
            f"{count} whole numbers, the class of each sample",
            "nothing",
            "give labels; a network learns from them",
        )
    if parts is None or isinstance(parts, int):
        parts = np.full(count, parts or TRAIN)
    return found[0], found[1], _whole_row(parts, count, TEST, where, "parts")


def _whole_row(values: Any, count: int, high: int, where: str, key: str) -> np.ndarray:
    row = np.asarray(values)
    fits = row.shape == (count,) and row.dtype.kind in "iu"
    outside = row[(row < 0) | (row > high)] if fits else row
    if not fits or outside.size:
        limit = f"from 0 to {high}" if high <= TEST else "from 0 on"
        raise _refused(
            f"the {key} do not fit the samples",
            f"{where}, key {key}",
            f"{count} whole numbers {limit}, one for each sample",
            f"{outside[0]}" if fits else f"shape {row.shape}, {row.dtype}",
            "give one for each sample"
            if row.dtype.kind not in "USO"
            else "number them: names, numbers = numpy.unique(given, return_inverse=True)",
        )
    return row.astype(np.int64)


def laid_out(
    found: Sequence[Recorded],
    options: DataOptions,
    name: str,
    classes: Sequence[str],
    trained: EventGrid | None = None,
) -> Recordings:
    """Lay recordings on one grid.

    Parameters
    ----------
    found : sequence of Recorded
        One or more, all with the same units.
    options : DataOptions
        `bin_ms`, `steps` and `channels`; None for 10 ms, as long as the longest sample, and all.
    name : str
    classes : sequence of str
        Names of the classes; those of the recordings if empty.
    trained : EventGrid, optional
        Of the recordings that a network was trained on: these have its units and as many steps,
        or more if they are longer.

    Raises
    ------
    KipukaError
        If recordings differ in shape or in what their times are, events lie outside of it, or the
        options do not fit.
    """
    shape, grid = _grid(found, options, name, trained)
    n_bytes = sum(one.n_bytes for one in found)
    if n_bytes:
        check_room(sum(len(one.labels) for one in found), grid, name, n_bytes)
    parts = [bin_events(_checked(one), len(one.labels), grid, one.where) for one in found]
    labels = np.concatenate([one.labels for one in found])
    classes = named_classes(classes, name) or found[0].classes
    return Recordings(
        name,
        np.concatenate([spikes for spikes, _, _ in parts]),
        labels,
        n_classes_of(labels, classes, name),
        joined_groups(found, name),
        np.concatenate([one.parts for one in found]),
        shape if len(shape) > 1 else (),
        classes,
        sum(events for _, events, _ in parts),
        sum(left_out for _, _, left_out in parts),
        EventGrid(shape, grid.steps, None if found[0].n_steps is not None else grid.bin_ms),
        all(one.labelled for one in found),
    )


def _grid(
    found: Sequence[Recorded], options: DataOptions, name: str, trained: EventGrid | None
) -> tuple[tuple[int, ...], Binning]:
    """Shape of the units and the grid that all recordings are laid on; see `laid_out`."""
    shape = (
        _common_shape(found, name, options.channels)
        if trained is None
        else _same_shape(found, name, trained)
    )
    n_steps = 1 if trained is None else trained.n_steps
    n_units = math.prod(shape)
    if len(shape) > 1 and options.channels is not None:
        raise _refused(
            "images are not pooled",
            "setting channels",
            f"nothing: {' x '.join(map(str, shape))} units in places of their own",
            options.channels,
            "leave it out, and make the images smaller before",
        )
    if same_times(found, name):
        if options.bin_ms is not None:
            raise _refused(
                "the times are steps already",
                "setting bin_ms",
                "nothing: the data say in which step an event lies",
                options.bin_ms,
                "leave it out",
            )
        longest = max(n_steps, *(one.n_steps or 0 for one in found))
        if longest > STEPS_MAX:
            limit = f"{STEPS_MAX} steps"
            remedy = "write coarser steps, or cut the recording"
            raise _refused("a recording has too many steps", name, limit, longest, remedy)
        # Steps are counted like microseconds.
        return shape, Binning.of(
            replace(options, bin_ms=BIN_MS_MIN), Binning(BIN_MS_MIN, longest, n_units, n_units)
        )
    bin_ms = BIN_MS if options.bin_ms is None else options.bin_ms
    longest = options.steps or max(n_steps, _longest(found, bin_ms))
    default = Binning(bin_ms, longest, n_units, n_units)
    return shape, Binning.of(options, default)


def _longest(found: Sequence[Recorded], bin_ms: float) -> int:
    """Steps of the longest sample."""
    last_us = 0
    for one in found:
        for times, _ in one.samples:
            if times.size and times.dtype.kind in "iu":
                last_us = max(last_us, int(times.max()))
            elif times.size and np.isfinite(times).all():
                # The largest numbers have no microseconds that are finite.
                last_us = max(last_us, round(min(float(times.max()) * US_PER_S, TIME_MAX_US)))
    if not bin_ms >= BIN_MS_MIN:
        return 1  # The grid says what is wrong with that.
    steps = int(last_us // (Fraction(str(float(bin_ms))) * US_PER_MS)) + 1
    if steps > STEPS_MAX:
        raise _refused(
            "a recording is too long for steps of that width",
            "setting bin_ms",
            f"{STEPS_MAX} steps",
            f"{last_us / US_PER_S:g} s in steps of {bin_ms:g} ms",
            "set the number of steps, or longer ones",
        )
    return steps


def _same_shape(found: Sequence[Recorded], name: str, trained: EventGrid) -> tuple[int, ...]:
    """Shape that a network was trained on, which is that of recordings that say none."""
    for one in found:
        if one.shape not in ((), trained.shape):
            raise _refused(
                "the recordings' shape does not fit the network",
                f"setting or option data, {one.where}",
                f"{' x '.join(map(str, trained.shape))} inputs, as it was trained on",
                " x ".join(map(str, one.shape)),
                "give recordings like those that the network was trained on",
            )
    return trained.shape


def _common_shape(found: Sequence[Recorded], name: str, channels: int | None) -> tuple[int, ...]:
    """Shape that the recordings say, or as many units as the highest that has an event.

    Where that many cannot be pooled in equal groups, and some more can, the last of which were
    silent in all recordings, then these.
    """
    said = {one.shape for one in found if one.shape}
    if len(said) > 1 or any(len(s) not in (1, 3) or min(s) < 1 for s in said):
        raise _refused(
            "the recordings do not have one shape",
            name,
            "the same units, or channels x height x width, in all of them",
            ", ".join(" x ".join(map(str, s)) for s in sorted(said)),
            "write them with the same n_units or shape",
        )
    if said:
        return said.pop()
    units = [own for one in found for _, own in one.samples]
    highest = [int(own.max()) for own in units if own.size and own.dtype.kind in "iu"]
    n_units = max([0, *highest]) + 1
    if channels is not None and 0 < channels < n_units:
        together = -(-n_units // channels)
        if n_units > (channels - 1) * together:
            n_units = channels * together
    return (n_units,)


def _checked(one: Recorded) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Samples whose arrays are of numbers; times that are steps lie within them."""
    for number, (times, units) in enumerate(one.samples):
        where = f"{one.where}, sample {number}"
        whole = one.n_steps is not None
        kinds = "iu" if whole else "iuf"
        if times.ndim != 1 or (times.dtype.kind not in kinds and times.size):
            limit = "whole steps in a row" if whole else "seconds or whole microseconds in a row"
            raise _events_refused(where, limit, f"times of shape {times.shape}, {times.dtype}")
        if units.ndim != 1 or (units.dtype.kind not in "iu" and units.size):
            found = f"units of shape {units.shape}, {units.dtype}"
            raise _events_refused(where, "whole numbers of units in a row", found)
        last = (one.n_steps or 0) - 1
        if whole and times.size and not 0 <= int(times.min()) <= int(times.max()) <= last:
            span = f"steps {times.min()} to {times.max()}"
            raise _events_refused(where, f"steps from 0 to {last}", span)
        yield times if times.size else times.astype(np.int64), units.astype(np.int64)


def joined_groups(found: Sequence[Recorded], where: str) -> np.ndarray | None:
    """Return the group of each sample of all recordings; None if there are no groups.

    Only training samples are drawn from, so that recordings without any need no groups.

    Raises
    ------
    KipukaError
        If some recordings have groups and others do not: persons would be mixed unseen.
    """
    needed = [one for one in found if np.any(one.parts == TRAIN)] or list(found)
    without = [one for one in needed if one.groups is None]
    if len(without) == len(needed):
        return None
    if without:
        raise _refused(
            "some recordings have a group and others do not",
            f"{where}, {without[0].where}",
            "groups for all recordings that parts are drawn from",
            f"{len(without)} of {len(needed)} without",
            "give each its group, or none and draw single samples",
        )
    kind = next(one.groups.dtype for one in needed if one.groups is not None)
    return np.concatenate(
        [np.zeros(len(one.labels), kind) if one.groups is None else one.groups for one in found]
    )


def same_times(found: Sequence[Recorded], where: str) -> bool:
    """Return whether times are steps, in all recordings or in none.

    Raises
    ------
    KipukaError
        If they are in some.
    """
    in_steps = {one.n_steps is not None for one in found}
    if in_steps == {True, False}:
        raise _refused(
            "the recordings do not have the same times",
            where,
            "steps in all of them, or seconds",
            f"steps in {next(one.where for one in found if one.n_steps is not None)} alone",
            "write them in one form",
        )
    return in_steps == {True}


def named_classes(classes: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the names of classes; none if there are none.

    Raises
    ------
    KipukaError
        If they are no texts, or two of them the same: files keep classes apart by their names.
    """
    known = isinstance(classes, Sequence) and not isinstance(classes, str)
    texts = known and all(isinstance(one, str) and one for one in classes)
    if not texts or len(set(classes)) < len(classes):
        raise _refused(
            "the names of the classes are none",
            f"{where}, classes",
            "a list of texts, no two of them the same",
            repr(classes),
            "name every class, or leave the names out",
        )
    return tuple(classes)


def n_classes_of(labels: np.ndarray, classes: Sequence[str], where: str) -> int:
    """Return the number of classes: as many as have names, or as the labels tell.

    Raises
    ------
    KipukaError
        If a label has no name where others have, or two classes have the same.
    """
    classes = named_classes(classes, where)
    highest = int(labels.max(initial=-1))
    if classes and highest >= len(classes):
        raise _refused(
            "a label is not one of the classes",
            f"{where}, key labels",
            f"0 to {len(classes) - 1}, for the classes {', '.join(classes)}",
            highest,
            "name every class, or none",
        )
    return len(classes) or highest + 1


def _events_refused(where: str, limit: str, value: str) -> KipukaError:
    return _refused("the events cannot be used", where, limit, value, "check how they were written")


def _refused(what: str, where: str, limit: str, value: object, remedy: str) -> KipukaError:
    return KipukaError(what, where=where, limit=limit, value=value, remedy=remedy)
