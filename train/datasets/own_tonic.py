"""Data sets as tonic has them: a class by its module and name, or objects that are there."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kipuka.errors import KipukaError
from kipuka.train.datasets.own_events import Recorded, described
from kipuka.train.datasets.recordings import TEST, TRAIN, VALIDATION
from kipuka.train.datasets.splits import DataOptions

SPLITS = {TRAIN: "train", VALIDATION: "valid", TEST: "test"}
"""What tonic calls the parts of data sets that have an argument ``split``."""

MICROSECONDS_MAX = int(np.iinfo(np.int64).max) >> 1
"""Largest time of an event, which 64 bits hold."""


def recorded_class(name: str, options: DataOptions) -> list[Recorded]:
    """Make the data sets of a class and take their events.

    Parameters
    ----------
    name : str
        ``package.module:Class`` or ``path/file.py:Class``. The module is run, as any import is.
    options : DataOptions
        `data_dir` is what the class gets as ``save_to``.

    Returns
    -------
    list of Recorded
        With the parts for which the class has an argument ``train`` or ``split``; otherwise one,
        from which parts are drawn.

    Raises
    ------
    KipukaError
        If there is no such module or class, or it cannot be made.
    """
    module_name, _, class_name = name.rpartition(":")
    try:
        kind = getattr(_module(module_name), class_name)
        accepted = inspect.signature(kind).parameters
    # A module of the user's own may raise anything.
    except Exception as error:
        raise _refused(name, "a module that can be imported, and a class in it", error) from error
    common = {"save_to": options.data_dir or "."} if "save_to" in accepted else {}
    wanted: dict[int, dict[str, object]] = {TRAIN: {}}
    if "train" in accepted:
        wanted = {TRAIN: {"train": True}, TEST: {"train": False}}
    elif "split" in accepted:
        wanted = {part: {"split": word} for part, word in SPLITS.items()}
    found = []
    for part, arguments in wanted.items():
        try:
            made = kind(**common, **arguments)
        except Exception as error:
            if part == VALIDATION:
                continue  # Not every data set with splits has this one.
            raise _refused(name, f"a data set from {inspect.signature(kind)}", error) from error
        found.append(recorded_tonic(made, part, name))
    return found


def recorded_tonic(data: Any, part: int, where: str) -> Recorded:
    """Take the events of a tonic data set; see `kipuka.train.datasets.Dataset.from_tonic`.

    Raises
    ------
    KipukaError
        If a sample is neither events nor frames.
    """
    size = tuple(int(n) for n in getattr(data, "sensor_size", None) or ())
    samples, labels, steps = [], [], []
    seen: set[tuple[int, ...]] = set()
    for number, (content, label) in enumerate(_contents(data, where)):
        array = np.asarray(content)
        place = f"{where}, sample {number}"
        if array.dtype.names and {"t", "x"} <= set(array.dtype.names):
            samples.append(_events(array, size, place))
        elif array.ndim == 4:
            samples.append(_frames(array))
            steps.append(len(array))
            size = (array.shape[3], array.shape[2], array.shape[1])
            seen.add(size)
        else:
            raise KipukaError(
                "a sample is no recording",
                where=place,
                limit="events with fields t and x, or frames [steps, channels, height, width]",
                value=f"{type(content).__name__}, shape {array.shape}, {array.dtype}",
                remedy="use the transforms of tonic that give one of them",
            )
        labels.append(label)
    if len(seen) > 1 or (steps and len(steps) < len(samples)):
        raise KipukaError(
            "the samples are not of one form",
            where=where,
            limit="events in all of them, or frames of one size",
            value=f"{len(steps)} of {len(samples)} samples as frames, of {len(seen)} sizes",
            remedy="use the same transforms of tonic for all samples",
        )
    row = np.array(labels)
    row = row.astype(np.int64) if row.dtype.kind in "b" else row
    in_order = described(len(samples), row, None, part, where)
    return Recorded(where, samples, *in_order, _shape(size), max(steps) if steps else None)


def _contents(data: Any, where: str) -> Iterator[tuple[Any, Any]]:
    """Content and label of each sample."""
    many = hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, str)
    for number in range(len(data) if many else 1):
        one = data[number] if many else data
        if not many or not isinstance(one, tuple | list) or len(one) < 2:
            raise KipukaError(
                "a sample is no recording",
                where=f"{where}, sample {number}",
                limit="a sequence of samples, each a pair of events or frames and a label",
                value=type(one).__name__,
                remedy="give a data set as those of tonic.datasets are",
            )
        yield one[0], one[1]


def _events(array: np.ndarray, size: tuple[int, ...], where: str) -> tuple[np.ndarray, np.ndarray]:
    """Times in microseconds and units of structured events."""
    if not size:
        raise KipukaError(
            "the sensor has no size",
            where=where,
            limit="an attribute sensor_size of the data set: width, height, channels",
            value="none",
            remedy="set it on the data set, such as sensor_size = (34, 34, 2)",
        )
    x = array["x"].astype(np.int64)
    width, height, channels = (*size, 1, 1)[:3]
    row, channel = np.zeros_like(x), np.zeros_like(x)
    if "y" in (array.dtype.names or ()) and height > 1:
        row = array["y"].astype(np.int64)
    if "p" in (array.dtype.names or ()) and channels > 1:
        channel = array["p"].astype(np.int64)
    beyond = (x < 0) | (x >= width) | (row < 0) | (row >= height)
    beyond |= (channel < 0) | (channel >= channels)
    if np.any(beyond):
        first = int(np.argmax(beyond))
        raise KipukaError(
            "an event lies outside of the sensor",
            where=where,
            limit=f"x, y, p below {width}, {height}, {channels}",
            value=f"{x[first]}, {row[first]}, {channel[first]}",
            remedy="give the data set the sensor_size that it has after its transforms",
        )
    return _whole_microseconds(array["t"], where), (channel * height + row) * width + x


def _whole_microseconds(times: np.ndarray, where: str) -> np.ndarray:
    """Times of tonic's, which are microseconds in whatever type: floats would be seconds here."""
    if times.dtype.kind != "f":
        return times
    inside = np.abs(times) <= MICROSECONDS_MAX
    if not inside.all():
        raise KipukaError(
            "an event has no time",
            where=where,
            limit=f"microseconds up to {MICROSECONDS_MAX}",
            value=float(times[int(np.argmin(inside))]),
            remedy="leave such events out",
        )
    return np.rint(times).astype(np.int64)


def _frames(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps and units of what is more than 0 in frames (steps, channels, height, width)."""
    steps, units = np.nonzero(array.reshape(len(array), -1) > 0)
    return steps, units


def _shape(size: tuple[int, ...]) -> tuple[int, ...]:
    width, height, channels = (*size, 1, 1)[:3]
    return (width,) if height == channels == 1 else (channels, height, width)


def _module(name: str) -> Any:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module at {name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _refused(name: str, limit: str, error: Exception) -> KipukaError:
    return KipukaError(
        "the class of a data set cannot be used",
        where=f"setting or option data, {name}",
        limit=limit,
        value=" ".join(f"{type(error).__name__}: {error}".split())[:300],
        remedy="write it like tonic.datasets:NMNIST or mydata.py:MyRecordings",
    )
