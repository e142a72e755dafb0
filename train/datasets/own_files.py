"""One's own recordings in files: ``.npz`` of events, ``.h5`` in SHD's form, folders, tonic classes.

A ``.npz`` file is the one that `kipuka profile --data` takes: integers ``times`` (steps),
``units`` and ``n_steps``, for several samples ``samples``, and here ``labels``. It may say more:
``n_samples`` if some are silent, ``groups`` (speaker or session of each sample), ``parts`` (0
training, 1 validation, 2 test), and ``n_units`` or ``shape`` (channels, height, width), without
which there are as many units as the highest that spikes.

A ``.h5`` file has ``spikes/times`` (seconds), ``spikes/units`` and ``labels`` as Spiking Heidelberg
Digits have them, with any number of units and classes; ``extra/speaker`` and ``extra/keys`` (names
of the classes) may be left out, and ``n_units`` or ``shape`` may be there.

A folder holds either files ``train``, ``validation`` (or ``valid``) and ``test``, also at the end
of a longer name; or folders of these names; or a folder for each class with a ``.npz`` file for
each recording; or any other such files, whose samples have labels.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kipuka.convert.formats.guarded import hdf5
from kipuka.convert.formats.guarded.event_files import read_event_file
from kipuka.convert.formats.guarded.records import Record
from kipuka.errors import KipukaError
from kipuka.names import EVENT_FILES, HDF5_FILES
from kipuka.strangers import exists
from kipuka.train.datasets.events import stored_bytes
from kipuka.train.datasets.own_events import Recorded, described, laid_out, n_classes_of
from kipuka.train.datasets.recordings import TEST, TRAIN, VALIDATION, Recordings
from kipuka.train.datasets.splits import DataOptions

FILES_MAX = 1 << 17
"""Files of a folder, and recordings of one of them."""

PART_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
OWN_FILE = hdf5.Expected(
    "the recordings cannot be read",
    limit="a complete HDF5 file with spikes/times, spikes/units and labels",
    remedy="check how it was written; if it is packed by another filter, unpack it with h5repack",
)


def recordings_at(name: str, options: DataOptions) -> Recordings:
    """Read own data onto one grid.

    Parameters
    ----------
    name : str
        File, folder or ``module:Class``.
    options : DataOptions

    Raises
    ------
    KipukaError
        If there is nothing at that place, or what is there cannot be used.
    """
    path, title = Path(name), Path(name).name
    if ":" in name and not exists(path):
        from kipuka.train.datasets.own_tonic import recorded_class

        return laid_out(recorded_class(name, options), options, title, ())
    if options.data_dir is not None or options.download:
        raise KipukaError(
            "own data are where they are said to be",
            where="option data-dir" if options.data_dir is not None else "option download",
            limit="nothing besides the path",
            value=options.data_dir or options.download,
            remedy=f"leave it out; the data are {name}",
        )
    is_folder = exists(path) and path.is_dir()
    room = _Room(name)
    found = _folder(path, room) if is_folder else [_file(path, TRAIN, room)]
    return laid_out(_same_classes(found), options, title, ())


class _Room:
    """What all files together may hold: each alone may be mostly what packs to nothing.

    Parameters
    ----------
    where : str
        File or folder, for messages.
    """

    def __init__(self, where: str) -> None:
        self._where, self._count, self._n_bytes = where, 0, 0

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
                where=f"option data, {self._where}, up to {one.where}",
                limit=f"{limit} numbers, for files of {self._n_bytes} bytes",
                value=self._count,
                remedy="check how the files were made, or give fewer of them",
            )
        return one


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, in order, without hidden files.

    Raises
    ------
    KipukaError
        If it cannot be listed, has too many entries, or one leads to nothing.
    """
    try:
        found = sorted(itertools.islice(folder.iterdir(), FILES_MAX + 1))
    except OSError as error:
        raise _no_such_folder(folder, str(error.strerror)) from error
    if len(found) > FILES_MAX:
        raise _no_such_folder(folder, f"more than {FILES_MAX} entries")
    found = [entry for entry in found if not entry.name.startswith(".")]
    lost = [entry.name for entry in found if not exists(entry)]
    if lost:
        raise _no_such_folder(folder, f"{lost[0]}, which leads to nothing that can be reached")
    return found


def _folder(path: Path, room: _Room, part: int | None = None) -> list[Recorded]:
    """Recordings of a folder; see the text of this module.

    All of them are of the part `part` if the folder is named as one.
    """
    entries = _entries(path)
    files = [entry for entry in entries if entry.suffix in (*HDF5_FILES, *EVENT_FILES)]
    folders = [entry for entry in entries if entry.is_dir()]
    if bool(files) == bool(folders):
        value = f"{len(files)} files and {len(folders)} folders"
        raise _no_such_folder(path, value)
    named = [_part_of(entry) for entry in (files or folders)]
    are_parts = any(one is not None for one in named)
    if are_parts and (None in named or part is not None):
        stray = f"{(files or folders)[named.index(None)].name} beside" if None in named else "more"
        raise _no_such_folder(path, f"{stray} names of parts")
    left = [one for one in entries if one not in (files or folders)]
    if are_parts:
        _refuse_other_parts(path, left, named)
    if files:
        parts = [part or TRAIN if own is None else own for own in named]
        return [_file(file, own, room) for file, own in zip(files, parts, strict=True)]
    if not are_parts:
        return [_classes(path, folders, part or TRAIN, room)]
    return [
        one
        for folder, own in zip(folders, named, strict=True)
        for one in _folder(folder, room, own)
    ]


def _refuse_other_parts(path: Path, left: Sequence[Path], named: Sequence[int | None]) -> None:
    """Refuse to pass over what is named as a part that is not there otherwise."""
    for entry in left:
        if _part_of(entry) not in (None, *named):
            raise _no_such_folder(path, f"{entry.name}, a part in no known form")


def _part_of(path: Path) -> int | None:
    """Part that a name ends in, such as ``shd_train.h5``."""
    return PART_NAMES.get(re.split(r"[_\-. ]", path.stem.lower())[-1])


def _classes(path: Path, folders: Sequence[Path], part: int, room: _Room) -> Recorded:
    """Recordings in a folder for each class."""
    files = [(number, file) for number, folder in enumerate(folders) for file in _events_in(folder)]
    ones = [_file(file, part, room, label=number) for number, file in files]
    known = [one.groups for one in ones if one.groups is not None]
    shapes = {one.shape for one in ones}
    if len(shapes) > 1:
        raise _no_such_folder(path, f"recordings of {len(shapes)} shapes")
    return Recorded(
        str(path),
        [pair for one in ones for pair in one.samples],
        np.concatenate([one.labels for one in ones]),
        np.concatenate(known) if len(known) == len(ones) else None,
        np.concatenate([one.parts for one in ones]),
        shapes.pop(),
        max(one.n_steps or 0 for one in ones),
        tuple(folder.name for folder in folders),
        sum(one.n_bytes for one in ones),
    )


def _events_in(folder: Path) -> list[Path]:
    """Recordings of a class; notes may lie beside them, and nothing that could be meant."""
    entries = _entries(folder)
    files = [file for file in entries if file.suffix in EVENT_FILES]
    others = [one.name for one in entries if one.suffix in HDF5_FILES or one.is_dir()]
    if not files or others:
        value = f"{others[0]} in a class" if others else "0 files of a class"
        raise _no_such_folder(folder, value)
    return files


def _file(path: Path, part: int, room: _Room, label: int | None = None) -> Recorded:
    """Recordings of one file; all of them are of the class `label` if it is given."""
    if path.suffix in EVENT_FILES:
        return room.take(_event_file(path, part, label))
    if path.suffix in HDF5_FILES:
        return room.take(_hdf5_file(path, part))
    raise KipukaError(
        "the recordings are in no known form",
        where=f"option data, {path}",
        limit=f"a folder, {', '.join((*EVENT_FILES, *HDF5_FILES))}, or module:Class",
        value=path.suffix or "no suffix",
        remedy="write them as events in a .npz file",
    )


def _event_file(path: Path, part: int, label: int | None) -> Recorded:
    file = read_event_file(path)
    labels = file.labels
    if label is not None:
        if labels is not None or file.n_samples > FILES_MAX:
            value = "labels of its own" if labels is not None else f"{file.n_samples} samples"
            raise _no_such_folder(path.parent, f"{path.name} with {value}")
        labels = np.full(file.n_samples, label)
    parts = part if file.parts is None else file.parts
    # Before the events are sorted: the file is as large as its labels are many.
    in_order = described(file.n_samples, labels, file.groups, parts, str(path))
    return Recorded(
        str(path),
        file.by_sample(),
        *in_order,
        shape=file.shape,
        n_steps=file.n_steps,
        n_bytes=stored_bytes(path),
    )


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


def _same_classes(found: Sequence[Recorded]) -> list[Recorded]:
    """Number the classes alike in all recordings, by their names where they have any."""
    # In the order of the training part.
    in_order = sorted(found, key=lambda one: int(one.parts.min(initial=TEST)))
    names = tuple(dict.fromkeys(name for one in in_order for name in one.classes))
    if all(one.classes in (names, ()) for one in found):
        return list(found)
    same = []
    for one in found:
        if not one.classes:
            raise KipukaError(
                "some recordings name their classes and others do not",
                where=one.where,
                limit=f"names of classes in all of them, such as {', '.join(names[:3])}",
                value="none",
                remedy="name them everywhere or nowhere",
            )
        n_classes_of(one.labels, one.classes, one.where)
        number = np.array([names.index(name) for name in one.classes])
        same.append(dataclasses.replace(one, labels=number[one.labels], classes=names))
    return same


def _no_such_folder(path: Path, value: str) -> KipukaError:
    return KipukaError(
        "the folder is no data set",
        where=f"option data, {path}",
        limit="files or folders named train, validation and test; or a folder for each class with "
        "a .npz file for each recording; or files with labels",
        value=value,
        remedy="arrange the recordings in one of these ways, or write one .npz file",
    )
