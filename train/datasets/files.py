"""The files of a data set: where they are looked for, how they are opened, what is cached."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kipuka.convert.formats.guarded import hdf5
from kipuka.convert.formats.guarded.records import Record
from kipuka.errors import KipukaError
from kipuka.files import replacing
from kipuka.strangers import exists, inside
from kipuka.train.datasets.dataset import Dataset
from kipuka.train.datasets.events import BYTES_PER_BYTE, FREE_BYTES
from kipuka.train.datasets.splits import DataOptions, Split, check_classes
from kipuka.train.runs.tensor_files import Header, read_header

DATA_FILE = hdf5.Expected(
    "the data file cannot be read",
    limit="a complete HDF5 file of this data set",
    remedy="download it again; if it is packed by another filter, unpack it with h5repack -f NONE",
)
CACHE_FOLDER, CACHE_VERSION = ".kipuka", 3
PARTS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes
    ----------
    name : str
        As users write it.
    tonic_class : str
        Class of `tonic.datasets`, which is also the folder that tonic puts the files in.
    files : tuple of str
    address : str
        Where to download them by hand.
    """

    name: str
    tonic_class: str
    files: tuple[str, ...]
    address: str


def find_files(
    source: Source, options: DataOptions, download: Callable[[str], object]
) -> list[Path]:
    """Paths of a data set's files in the data folder, or in tonic's folder within it.

    Raises
    ------
    KipukaError
        If one is missing: what to download and where to put it.
    """
    folder = Path(options.data_dir or ".")
    if options.data_dir is not None and options.download:
        _download(source, folder, download)
    found = []
    for name in source.files:
        places = [folder / name, folder / source.tonic_class / name]
        there = [place for place in places if options.data_dir is not None and exists(place)]
        if not there:
            raise _missing(source, options.data_dir, name)
        found.append(there[0])
    return found


def _missing(source: Source, data_dir: str | None, name: str) -> KipukaError:
    folder = data_dir or "DIR"
    return KipukaError(
        f"the data set {source.name} is not there",
        where=f"setting data_dir, option data-dir, {folder}"
        if data_dir
        else "setting data_dir, option data-dir",
        limit=f"a folder with {', '.join(source.files)}",
        value=f"no {name}" if data_dir else "no folder given",
        remedy=f"download {', '.join(source.files)} from {source.address} and put them, unpacked, "
        f"into {folder}, or let tonic do it with download=True (--download)",
    )


def _download(source: Source, folder: Path, download: Callable[[str], object]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        download(str(folder))
    except Exception as error:  # tonic lets through whatever its connection raises
        raise KipukaError(
            f"the data set {source.name} cannot be downloaded",
            where=str(folder),
            limit=f"a connection to {source.address} and room on the disk",
            value=" ".join(f"{type(error).__name__}: {error}".split())[:300],
            remedy=f"download {', '.join(source.files)} by hand and put them, unpacked, there",
        ) from error


@contextmanager
def opened(path: Path) -> Iterator[Record]:
    """Open an HDF5 file for reading.

    Raises
    ------
    KipukaError
        If it is damaged or lacks something that is read from it.
    """
    with hdf5.opened(path, "data file", DATA_FILE) as file:
        yield Record(file, file.root, str(path))


def cached(
    source: Source, files: list[Path], settings: object, build: Callable[[], Dataset]
) -> Dataset:
    """Return the data set that `build` makes, from the cache beside its files if it is there.

    The cache is keyed by the settings and by size and time of the files. Where the folder may not
    be written to, there is none; that it is marked so counts for the superuser too. So it is where
    a link stands in the cache's place.

    Parameters
    ----------
    source : Source
    files : list of Path
    settings : dataclass
        All that the result depends on.
    build : callable
    """
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    key = json.dumps([CACHE_VERSION, source.name, repr(settings), stats])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    name = f"{source.name}-{digest}.safetensors"
    try:
        path = inside(inside(files[0].parent, CACHE_FOLDER, is_folder=True), name)
    except KipukaError:
        return build()
    stored = _load(path)
    if stored is not None:
        return stored
    dataset = build()
    if not path.parent.parent.stat().st_mode & stat.S_IWUSR:
        return dataset
    with contextlib.suppress(OSError, KipukaError):
        path.parent.mkdir(exist_ok=True)
        _save(path, dataset)
    return dataset


def _save(path: Path, dataset: Dataset) -> None:
    from safetensors.numpy import save

    facts = {
        key: getattr(dataset, key) for key in ("name", "n_classes", "events", "events_left_out")
    }
    arrays = {}
    for part in PARTS:
        split: Split = getattr(dataset, part)
        arrays[f"{part}.spikes"] = np.packbits(split.spikes, axis=-1)
        arrays[f"{part}.labels"] = split.labels
        if split.groups is not None:
            arrays[f"{part}.groups"] = split.groups
    with replacing(path) as temporary:
        steps = {"n_steps": dataset.n_steps}
        # Written here, so that a full disk is an OSError.
        temporary.write_bytes(save(arrays, {"dataset": json.dumps({**facts, **steps})}))


def _load(path: Path) -> Dataset | None:
    from safetensors import SafetensorError, safe_open

    if not exists(path):
        return None
    try:
        header = read_header(path, "cache")
        facts = json.loads(header.metadata["dataset"])
        counts = [facts[key] for key in ("n_classes", "events", "events_left_out", "n_steps")]
        if not isinstance(facts["name"], str) or not all(type(n) is int and n >= 0 for n in counts):
            return None
        with safe_open(path, "np") as file:
            train, validation, test = (_stored_split(header, file, p, facts) for p in PARTS)
    except (
        SafetensorError,
        OSError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
        KipukaError,
    ):
        return None  # Damaged: what it held is made again from the files.
    if len({split.spikes.shape[1] for split in (train, validation, test)}) > 1:
        return None
    n_classes, events, left_out, _ = counts
    return Dataset(facts["name"], n_classes, train, validation, test, events, left_out)


def _stored_split(header: Header, file: Any, part: str, facts: dict[str, Any]) -> Split:
    """One part of a stored data set.

    Raises
    ------
    ValueError, KipukaError
        If its arrays do not fit each other.
    """
    kinds, shapes = zip(*(header.tensors[f"{part}.{k}"] for k in ("spikes", "labels")), strict=True)
    (n_samples, _, n_packed), n_steps = shapes[0], facts["n_steps"]
    if kinds != ("U8", "I64") or shapes[1] != (n_samples,) or n_packed != -(-n_steps // 8):
        raise ValueError(f"{part} has {kinds} of {shapes}")
    if math.prod(shapes[0]) * 8 > FREE_BYTES + BYTES_PER_BYTE * header.content_bytes:
        raise ValueError(f"{part} has {shapes[0]} in {header.content_bytes} bytes")
    labels = file.get_tensor(f"{part}.labels")
    groups = None
    if f"{part}.groups" in header.tensors:
        if header.tensors[f"{part}.groups"] != ("I64", (n_samples,)):
            raise ValueError(f"{part} has groups {header.tensors[f'{part}.groups']}")
        groups = file.get_tensor(f"{part}.groups")
    check_classes(labels, facts["n_classes"], part)
    packed = file.get_tensor(f"{part}.spikes")
    return Split(np.unpackbits(packed, axis=-1, count=n_steps).astype(bool), labels, groups)
