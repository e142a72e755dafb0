"""Files that list events: one reader for what trains a network and for what runs one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kipuka.convert.formats.guarded.arrays import UNREADABLE, npz_names, read_npz
from kipuka.display import counted
from kipuka.errors import KipukaError

COUNT_KEYS = ("n_samples", "n_units", "shape")
"""Arrays that have no other name."""

USUAL_NAMES = {
    "times": ("t", "ts", "time", "timestamp", "timestamps", "spike_times"),
    "units": ("ch", "channel", "channels", "unit", "x", "i", "ids", "neuron", "neurons", "addr"),
}
"""What others often call these arrays: proposed where they are missing, and never taken unasked."""

NAMES_SHOWN = 12


@dataclass(frozen=True)
class ArrayNames:
    """What the arrays of a file are called in it."""

    times: str = "times"
    units: str = "units"
    n_steps: str = "n_steps"
    samples: str = "samples"
    labels: str = "labels"
    groups: str = "groups"
    parts: str = "parts"


@dataclass(frozen=True, eq=False)
class EventFile:
    """Events of one or more samples, as the file has them.

    Attributes
    ----------
    times, units : array (events,)
        Time and unit of each event; times are steps if the file says how many there are.
    samples : int64 array (events,)
        Sample of each event.
    n_steps : int or None
        None if the file does not say: times are no steps.
    n_samples : int
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
    n_steps: int | None
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


def read_event_file(path: Path, names: ArrayNames | None = None) -> EventFile:
    """Read a ``.npz`` file of events: ``times``, ``units``, ``n_steps``, and the like.

    Whether events lie within units and steps is for whoever knows how many there are.

    Parameters
    ----------
    path : Path
    names : ArrayNames, optional
        What the file calls its arrays, if not so.

    Raises
    ------
    KipukaError
        If there is no such file, it lacks an array, or arrays do not fit each other.
    """
    wanted = {**asdict(names or ArrayNames()), **{key: key for key in COUNT_KEYS}}
    try:
        found = read_npz(path, tuple(dict.fromkeys(wanted.values())))
        arrays = {key: found[name] for key, name in wanted.items() if name in found}
        missing = [
            key
            for key, name in wanted.items()
            if key not in arrays and (key in USUAL_NAMES or key != name)
        ]
        if missing:
            raise _missing(path, missing, wanted, npz_names(path))
    except UNREADABLE as error:
        raise not_events(path, " ".join(str(error).split())) from None
    times, units = arrays["times"], arrays["units"]
    n_steps = _count(path, arrays, "n_steps") if "n_steps" in arrays else None
    samples = arrays.get("samples", np.zeros(times.shape, np.int64))
    # What numpy makes of an empty list are floats, which says nothing about what is not in it;
    # only times without a number of steps are seconds by their type.
    units, samples = (a if a.size else a.astype(np.int64) for a in (units, samples))
    if not times.size and n_steps is not None:
        times = times.astype(np.int64)
    shapes = {array.shape for array in (times, units, samples)}
    if len(shapes) > 1 or times.ndim != 1 or (n_steps is not None and n_steps < 1):
        said = "" if n_steps is None else f", {n_steps} steps"
        raise not_events(path, f"shapes {', '.join(map(str, sorted(shapes)))}{said}")
    if samples.dtype.kind not in "iu" or np.any(samples < 0):
        raise not_events(path, f"samples from {samples.min(initial=0)} on, {samples.dtype}")
    # Without numbers of samples there is one; with numbers, those that have an event.
    seen = int(samples.max(initial=-1)) + 1 if "samples" in arrays else 1
    n_samples = _sample_count(path, arrays, seen)
    if not n_samples:
        raise not_events(path, "no sample")
    return EventFile(
        times=times,
        units=units,
        samples=samples,
        n_steps=n_steps,
        n_samples=n_samples,
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
            raise not_events(path, f"events of {counted(seen, 'sample')}, n_samples {said}")
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


def _missing(
    path: Path, missing: Sequence[str], wanted: Mapping[str, str], there: Sequence[str]
) -> KipukaError:
    """Error that lists what a file has, and says how the arrays that are meant are named."""
    settings = []
    for key in missing:
        usual = [name for name in USUAL_NAMES.get(key, ()) if name in there]
        settings.append(f"--set arrays.{key}={usual[0] if usual else 'NAME'}")
    shown = ", ".join(there[:NAMES_SHOWN]) or "none"
    more = f" and {len(there) - NAMES_SHOWN} more" if len(there) > NAMES_SHOWN else ""
    lost = " and ".join(wanted[key] for key in missing)
    return not_events(
        path,
        f"no {lost} among the arrays {shown}{more}",
        f"say which arrays are meant (kipuka train {' '.join(settings)}, in Python the setting "
        f"arrays of TrainConfig), or {WRITTEN}",
    )


WRITTEN = "write it with numpy.savez(file, times=..., units=..., n_steps=...)"


def not_events(path: Path, value: str, remedy: str = WRITTEN) -> KipukaError:
    """Error that says how a file of events is written."""
    return KipukaError(
        "the input is no list of events",
        where=str(path),
        limit="integer arrays times, units and n_steps (at least 1), or times in seconds as "
        "floating-point numbers without n_steps; for a batch samples from 0 on, and n_samples if "
        "some are silent",
        value=value,
        remedy=remedy,
    )
