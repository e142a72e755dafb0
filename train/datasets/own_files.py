"""One's own recordings in files: ``.npz`` of events, ``.h5`` in SHD's form, folders, tonic classes.

A ``.npz`` file has ``units`` and ``times``: integers and ``n_steps`` if they are steps, otherwise
seconds as floating-point numbers, or what `DataOptions.time_unit` says. For several samples it has
``samples``, and beside other files than those of a class ``labels``. It may say more: ``n_samples``
if some are silent, ``groups`` (speaker or session of each sample), ``parts`` (0 training, 1
validation, 2 test), and ``n_units`` or ``shape`` (channels, height, width), without which there are
as many units as the highest that spikes. `DataOptions.arrays` says if the arrays have other names.

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

from kipuka.errors import KipukaError
from kipuka.names import EVENT_FILES, HDF5_FILES, check_data
from kipuka.strangers import exists
from kipuka.train.datasets.own_events import (
    Recorded,
    joined_groups,
    laid_out,
    n_classes_of,
    same_times,
)
from kipuka.train.datasets.recording_files import FILES_MAX, Reading, no_such_folder, read_file
from kipuka.train.datasets.recordings import TEST, TRAIN, VALIDATION, EventGrid, Recordings
from kipuka.train.datasets.splits import DataOptions

PART_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
    "testing": TEST,
}


def recordings_at(
    name: str,
    options: DataOptions,
    trained: EventGrid | None = None,
    *,
    labelled: bool = True,
) -> Recordings:
    """Read own data onto one grid.

    Parameters
    ----------
    name : str
        File, folder or ``module:Class``.
    options : DataOptions
    trained : EventGrid, optional
        Of the recordings that a network was trained on, which these are like.
    labelled : bool
        Whether recordings in ``.npz`` files must have labels.

    Raises
    ------
    KipukaError
        If there is nothing at that place, or what is there cannot be used.
    """
    path, title = Path(name), Path(name).name
    if ":" in name and not exists(path):
        refuse_file_options(name, options)
        from kipuka.train.datasets.own_tonic import recorded_class

        return laid_out(recorded_class(name, options), options, title, (), trained)
    if options.data_dir is not None or options.download:
        raise KipukaError(
            "own data are where they are said to be",
            where="setting data_dir, option data-dir"
            if options.data_dir is not None
            else "setting or option download",
            limit="nothing besides the path",
            value=options.data_dir or options.download,
            remedy=f"leave it out; the data are {name}",
        )
    check_data(name)
    is_folder = exists(path) and path.is_dir()
    reading = Reading(name, options, labelled=labelled)
    found = _folder(path, reading) if is_folder else [read_file(path, TRAIN, reading)]
    return laid_out(_same_classes(found), options, title, (), trained)


def refuse_file_options(name: str, options: DataOptions) -> None:
    """Refuse options that are for own recordings in files.

    Raises
    ------
    KipukaError
        If one is given.
    """
    for key in ("arrays", "time_unit", "groups_from"):
        value = getattr(options, key)
        if value != getattr(DataOptions(), key):
            raise KipukaError(
                "the option is for recordings in files",
                where=f"setting {key}",
                limit="nothing: it is for files that anyone may have written",
                value=value,
                remedy=f"leave it out for {name}",
            )


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
        raise no_such_folder(folder, str(error.strerror)) from None
    if len(found) > FILES_MAX:
        raise no_such_folder(folder, f"more than {FILES_MAX} entries")
    found = [entry for entry in found if not entry.name.startswith(".")]
    lost = [entry.name for entry in found if not exists(entry)]
    if lost:
        raise no_such_folder(folder, f"{lost[0]}, which leads to nothing that can be reached")
    return found


def _folder(path: Path, reading: Reading, part: int | None = None) -> list[Recorded]:
    """Recordings of a folder; see the text of this module.

    All of them are of the part `part` if the folder is named as one.
    """
    entries = _entries(path)
    files = [entry for entry in entries if entry.suffix in (*HDF5_FILES, *EVENT_FILES)]
    folders = [entry for entry in entries if entry.is_dir()]
    if bool(files) == bool(folders):
        value = f"{len(files)} files and {len(folders)} folders"
        raise no_such_folder(path, value)
    named = [_part_of(entry) for entry in (files or folders)]
    are_parts = any(one is not None for one in named)
    if are_parts and (None in named or part is not None):
        stray = f"{(files or folders)[named.index(None)].name} beside" if None in named else "more"
        raise no_such_folder(path, f"{stray} names of parts")
    left = [one for one in entries if one not in (files or folders)]
    if are_parts:
        _refuse_other_parts(path, left, named)
    if files:
        parts = [part or TRAIN if own is None else own for own in named]
        return [read_file(file, own, reading) for file, own in zip(files, parts, strict=True)]
    if not are_parts:
        return [_classes(path, folders, part or TRAIN, reading)]
    return [
        one
        for folder, own in zip(folders, named, strict=True)
        for one in _folder(folder, reading, own)
    ]


def _refuse_other_parts(path: Path, left: Sequence[Path], named: Sequence[int | None]) -> None:
    """Refuse to pass over what is named as a part that is not there otherwise."""
    for entry in left:
        if _part_of(entry) not in (None, *named):
            raise no_such_folder(path, f"{entry.name}, a part in no known form")


def _part_of(path: Path) -> int | None:
    """Part that a name ends in, such as ``shd_train.h5``."""
    return PART_NAMES.get(re.split(r"[_\-. ]", path.stem.lower())[-1])


def _classes(path: Path, folders: Sequence[Path], part: int, reading: Reading) -> Recorded:
    """Recordings in a folder for each class."""
    files = [(number, file) for number, folder in enumerate(folders) for file in _events_in(folder)]
    ones = [read_file(file, part, reading, label=number) for number, file in files]
    shapes = {one.shape for one in ones}
    if len(shapes) > 1:
        raise no_such_folder(path, f"recordings of {len(shapes)} shapes")
    in_steps = same_times(ones, str(path))
    return Recorded(
        str(path),
        [pair for one in ones for pair in one.samples],
        np.concatenate([one.labels for one in ones]),
        joined_groups(ones, str(path)),
        np.concatenate([one.parts for one in ones]),
        shapes.pop(),
        max(one.n_steps or 0 for one in ones) if in_steps else None,
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
        raise no_such_folder(folder, value)
    return files


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
