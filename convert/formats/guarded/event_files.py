"""Files that list events: one reader for what trains a network and for what runs one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kipuka.convert.formats.guarded.arrays import UNREADABLE, read_npz
from kipuka.errors import KipukaError

KEYS = ("times", "units", "n_steps", "samples", "n_samples", "labels", "groups", "parts")
SHAPE_KEYS = ("n_units", "shape")


@dataclass(frozen=True, eq=False)
class EventFile:
    """Events of one or more samples, as the file has them.

    Attributes
    ----------
    times, units : array (events,)
        Step and unit of each event.
    samples : int64 array (events,)
        Sample of each event.
    n_steps, n_samples : int
    batched : bool
        Whether the file speaks of several samples.
    labels, groups, parts : array (samples,) or None
        As they are in the file; whoever uses them checks them.
    shape : tuple of int
        Units, or channels, height and width; empty if the file does not say.
    """

    times: np.ndarray
    units: np.ndarray
    samples: np.ndarray
    n_steps: int
    n_samples: int
    batched: bool
    labels: np.ndarray | None
    groups: np.ndarray | None
    parts: np.ndarray | None
    shape: tuple[int, ...]

    def by_sample(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Times and units of each sample."""
        order = np.argsort(self.samples, kind="stable")
        ends = np.bincount(self.samples, minlength=self.n_samples).cumsum()[:-1]
        split = (np.split(array[order], ends) for array in (self.times, self.units))
        return list(zip(*split, strict=True))


def read_event_file(path: Path) -> EventFile:
    """Read a ``.npz`` file of events: ``times`` (steps), ``units``, ``n_steps``, and the like.

    Whether events lie within units and steps is for whoever knows how many there are.

    Raises
    ------
    KipukaError
        If there is no such file, it lacks an array, or arrays do not fit each other.
    """
    try:
        arrays = read_npz(path, (*KEYS, *SHAPE_KEYS))
    except UNREADABLE as error:
        raise not_events(path, " ".join(str(error).split())) from error
    missing = {"times", "units", "n_steps"} - arrays.keys()
    if missing:
        raise not_events(path, f"arrays {', '.join(sorted(arrays))}")
    times, units, n_steps = arrays["times"], arrays["units"], _count(path, arrays, "n_steps")
    samples = arrays.get("samples", np.zeros(times.shape, np.int64))
    shapes = {array.shape for array in (times, units, samples)}
    if len(shapes) > 1 or times.ndim != 1 or n_steps < 1:
        raise not_events(path, f"shapes {', '.join(map(str, sorted(shapes)))}, {n_steps} steps")
    if samples.dtype.kind not in "iu" or np.any(samples < 0):
        raise not_events(path, f"samples from {samples.min(initial=0)} on, {samples.dtype}")
    return EventFile(
        times=times,
        units=units,
        samples=samples,
        n_steps=n_steps,
        n_samples=_sample_count(path, arrays, int(samples.max(initial=0)) + 1),
        batched="samples" in arrays or "n_samples" in arrays,
        labels=arrays.get("labels"),
        groups=arrays.get("groups"),
        parts=arrays.get("parts"),
        shape=_shape(path, arrays),
    )


def _count(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> int:
    """One whole number of a file of events."""
    array = arrays[name]
    if array.size != 1 or array.dtype.kind not in "iu":
        raise not_events(path, f"{name} of shape {array.shape}, {array.dtype}")
    return int(array.item())


def _sample_count(path: Path, arrays: Mapping[str, np.ndarray], seen: int) -> int:
    """Samples of a file of events, of which `seen` are there for their events."""
    if "n_samples" in arrays:
        said = _count(path, arrays, "n_samples")
        if said < seen:
            raise not_events(path, f"events of {seen} samples, n_samples {said}")
        return said
    # Labels that are too few, or no row of numbers, are refused where they are used.
    several = "samples" in arrays and "labels" in arrays
    return max(seen, arrays["labels"].size) if several else seen


def _shape(path: Path, arrays: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    """Units, or channels, height and width, that the file says it has."""
    if "shape" not in arrays:
        return (_count(path, arrays, "n_units"),) if "n_units" in arrays else ()
    shape = arrays["shape"]
    if shape.dtype.kind not in "iu" or shape.ndim > 1 or shape.size not in (1, 3):
        raise not_events(path, f"shape of shape {shape.shape}, {shape.dtype}")
    return tuple(int(n) for n in shape.ravel())


def not_events(path: Path, value: str) -> KipukaError:
    """Error that says how a file of events is written."""
    return KipukaError(
        "the input is no list of events",
        where=str(path),
        limit="integer arrays times, units and n_steps (at least 1), for a batch samples from 0 "
        "on, and n_samples if some are silent",
        value=value,
        remedy="write it with numpy.savez(file, times=..., units=..., n_steps=...)",
    )
