"""Recordings in single files: ``.npz`` of events, ``.h5`` in SHD's form; see `own_files`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from kipuka.convert.formats.guarded import hdf5
from kipuka.convert.formats.guarded.event_files import ArrayNames, EventFile, read_event_file
from kipuka.convert.formats.guarded.records import Record
from kipuka.errors import KipukaError
from kipuka.names import EVENT_FILES, HDF5_FILES
from kipuka.train.datasets.events import stored_bytes
from kipuka.train.datasets.group_names import group_of, group_pattern
from kipuka.train.datasets.own_events import Recorded, described
from kipuka.train.datasets.splits import DataOptions, TimeUnit

FILES_MAX = 1 << 17
"""Files of a folder, and recordings of one of them."""

PER_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000}
OWN_FILE = hdf5.Expected(
    "the recordings cannot be read",
    limit="a complete HDF5 file with spikes/times, spikes/units and labels",
    remedy="check how it was written; if it is packed by another filter, unpack it with h5repack",
)


class Reading:
    """How files are read, and what all of them together may hold.

    Each file alone may be mostly what packs to nothing.

    Parameters
    ----------
    where : str
        File or folder, for messages.
    options : DataOptions
    labelled : bool
        Whether ``.npz`` files must have labels.

    Raises
    ------
    KipukaError
        If the pattern of the groups' names cannot be used.
    """

    def __init__(self, where: str, options: DataOptions, *, labelled: bool = True) -> None:
        self.options, self.labelled = options, labelled
        self._where, self._count, self._n_bytes = where, 0, 0
        pattern = options.groups_from
        self._pattern = None if pattern is None else group_pattern(pattern)

    def grouped(self, one: Recorded, path: Path) -> Recorded:
        """Put all samples of a file in the group that its name tells, if names tell groups.

        Raises
        ------
        KipukaError
            If the name tells none, or the file gives groups as well.
        """
        if self._pattern is None:
            return one
        if one.groups is not None:
            raise KipukaError(
                "groups are given twice",
                where=str(path),
                limit="groups in the files, or from their names",
                value=f"both, with groups_from={self._pattern.pattern}",
                remedy="leave groups_from out",
            )
        name = group_of(path.stem, self._pattern, str(path))
        return dataclasses.replace(one, groups=np.full(len(one.labels), name))

    def take(self, one: Recorded) -> Recorded:
        """Account for the events of a file and return them.

        Raises
        ------
        KipukaError
            If they are too many for what the files so far store.
        """
        self._count += sum(times.size + units.size for times, units in one.samples)
        self._n_bytes += one.n_bytes
        limit = hdf5.FREE_ELEMENTS + hdf5.ELEMENTS_PER_BYTE * self._n_bytes
        if self._count > limit:
            raise KipukaError(
                "the recordings unfold to more than their files can mean",
                where=f"setting or option data, {self._where}, up to {one.where}",
                limit=f"{limit} numbers, for files of {self._n_bytes} bytes",
                value=self._count,
                remedy="check how the files were made, or give fewer of them",
            )
        return one


def read_file(path: Path, part: int, reading: Reading, label: int | None = None) -> Recorded:
    """Return the recordings of one file.

    Parameters
    ----------
    path : Path
    part : int
        Part that they are of if the file does not say.
    reading : Reading
    label : int, optional
        Class of all of them; the file then has no labels.

    Raises
    ------
    KipukaError
        If the file is in no known form, or what it holds cannot be used.
    """
    if path.suffix in EVENT_FILES:
        return _read(path, _event_file(path, part, reading, label), reading)
    if path.suffix in HDF5_FILES:
        _refuse_options(path, reading.options)
        return _read(path, _hdf5_file(path, part), reading)
    raise KipukaError(
        "the recordings are in no known form",
        where=f"setting or option data, {path}",
        limit=f"a folder, {', '.join((*EVENT_FILES, *HDF5_FILES))}, or module:Class",
        value=path.suffix or "no suffix",
        remedy="write them as events in a .npz file",
    )


def _read(path: Path, one: Recorded, reading: Reading) -> Recorded:
    """Account for the recordings of a file, and group them."""
    return reading.grouped(reading.take(one), path)


def _refuse_options(path: Path, options: DataOptions) -> None:
    """Refuse options that are for lists of events in ``.npz`` files."""
    for name, value in (("arrays", options.arrays), ("time_unit", options.time_unit)):
        if value not in (None, ArrayNames()):
            raise _refused(
                "the option is for .npz files",
                f"setting {name}, {path}",
                "nothing: the form of the file says it",
                value,
                "leave it out",
            )


def _event_file(path: Path, part: int, reading: Reading, label: int | None) -> Recorded:
    file = read_event_file(path, reading.options.arrays)
    labels = file.labels
    if label is not None:
        if labels is not None or file.n_samples > FILES_MAX:
            value = "labels of its own" if labels is not None else f"{file.n_samples} samples"
            raise no_such_folder(path.parent, f"{path.name} with {value}")
        labels = np.full(file.n_samples, label)
    known = reading.labelled or labels is not None
    if not known and file.n_samples <= FILES_MAX:
        labels = np.zeros(file.n_samples, np.int64)
    groups, parts = file.groups, part if file.parts is None else file.parts
    if groups is not None and groups.ndim == 0 and file.n_samples == 1:
        groups = groups.reshape(1)
    # Before the events are sorted: the file is as large as its labels are many.
    in_order = described(file.n_samples, labels, groups, parts, str(path))
    return Recorded(
        str(path),
        _timed(file, reading.options.time_unit, str(path)).by_sample(),
        *in_order,
        shape=file.shape,
        n_steps=file.n_steps,
        n_bytes=stored_bytes(path),
        labelled=known,
    )


def _timed(file: EventFile, unit: TimeUnit | None, where: str) -> EventFile:
    """Return the file with times in steps, seconds as floating-point numbers or microseconds.

    Raises
    ------
    KipukaError
        If nothing says what its times are, or two things do.
    """
    times, kind = file.times, file.times.dtype.kind
    if file.n_steps is not None and (unit is not None or (kind == "f" and times.size)):
        said = f"time_unit={unit}" if unit else f"times of {times.dtype}, which are seconds"
        raise _refused(
            "the file counts steps, and its times are none",
            f"{where}, array n_steps",
            "integer times with n_steps, or times in seconds without",
            f"n_steps {file.n_steps}, {said}",
            "leave n_steps out and divide by bin_ms (steps cuts), or write whole steps",
        )
    if file.n_steps is None and unit is None and kind in "iu" and times.size:
        raise _refused(
            "nothing says what the times are",
            f"{where}, array times",
            "n_steps beside times in steps, seconds as floating-point numbers, or a time_unit",
            f"times of {times.dtype} from {times.min()} to {times.max()}, without n_steps",
            "say it with the setting time_unit, --set time_unit=us (or ms, s); or write n_steps",
        )
    if kind not in "iuf" or unit is None or (unit == "us" and kind in "iu"):
        return file
    return dataclasses.replace(file, times=times.astype(np.float64) / PER_SECOND[unit])


def _hdf5_file(path: Path, part: int) -> Recorded:
    with hdf5.opened(path, "recordings", OWN_FILE) as opened:
        file = Record(opened, opened.root, str(path))
        spikes = file.group("spikes")
        n_times, times = spikes.sequences("times", "f")
        n_units, units = spikes.sequences("units", "iu")
        if n_times != n_units:
            raise KipukaError(
                "the recordings contradict themselves",
                where=f"{path}, spikes",
                limit=f"{n_times} samples in times and in units",
                value=n_units,
                remedy=OWN_FILE.remedy,
            )
        samples = list(zip(times, units, strict=True))
        groups, classes = None, tuple[str, ...]()
        if file.has("extra"):
            extra = file.group("extra")
            groups = extra.numbers("speaker").ravel() if extra.has("speaker") else None
            classes = tuple(extra.texts("keys")) if extra.has("keys") else ()
        labels = file.numbers("labels").ravel()
        shape: tuple[int, ...] = ()
        for key in ("n_units", "shape"):
            shape = tuple(file.numbers(key).ravel().tolist()) if file.has(key) else shape
    in_order = described(n_times, labels, groups, part, str(path))
    return Recorded(
        str(path), samples, *in_order, shape=shape, classes=classes, n_bytes=stored_bytes(path)
    )


def no_such_folder(path: Path, value: str) -> KipukaError:
    """Error that says how a folder of recordings is arranged."""
    return KipukaError(
        "the folder is no data set",
        where=f"setting or option data, {path}",
        limit="files or folders named train, validation and test; or a folder for each class with "
        "a .npz file for each recording; or files with labels",
        value=value,
        remedy="arrange the recordings in one of these ways, or write one .npz file",
    )


def _refused(what: str, where: str, limit: str, value: object, remedy: str) -> KipukaError:
    return KipukaError(what, where=where, limit=limit, value=value, remedy=remedy)
