"""N-TIDIGITS18: single spoken digits from a silicon cochlea (Anumula et al., 2018), in HDF5.

The file has for each of the parts ``train`` and ``test`` a list of sample names and one array of
times (seconds) and addresses (0 to 63) per name; what follows the last hyphen is what was said.
The literature has no one grid; the default keeps all 64 channels and takes steps of 10 ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kipuka.convert.formats.guarded.records import Record
from kipuka.train.datasets.dataset import Dataset
from kipuka.train.datasets.events import Binning, bin_events, check_room, stored_bytes
from kipuka.train.datasets.files import Source, cached, find_files, opened
from kipuka.train.datasets.splits import (
    DataOptions,
    Split,
    check_classes,
    numbered,
    split_off_validation,
)

DEFAULT_GRID = Binning(bin_ms=10.0, steps=200, channels=64, recorded_channels=64)
WORDS = "o123456789z"
"""Classes in tonic's order: the two ways to say nought stand first and last."""

SOURCE = Source(
    "ntidigits",
    "NTIDIGITS18",
    ("n-tidigits.hdf5",),
    "https://docs.google.com/document/d/1Uxe7GsKKXcy6SlDUX4hoJVAC0-UkH-8kr5UXp0Ndi1M",
)


def load_ntidigits(options: DataOptions) -> Dataset:
    """N-TIDIGITS18, single digits, 11 classes, with its own training and test parts.

    Validation is split off the training part, by default by speakers, who are what a sample's
    name says before its last two parts.

    Raises
    ------
    KipukaError
        If the file is missing, damaged, or not in the data set's format.
    """
    grid = Binning.of(options, DEFAULT_GRID)
    files = find_files(SOURCE, options, _download)

    def build() -> Dataset:
        spikes, labels, speakers, events, left_out = _read(files[0], "train", grid)
        test_spikes, test_labels, testers, test_events, test_left_out = _read(
            files[0], "test", grid
        )
        where = str(files[0])
        inner, held = split_off_validation(labels, speakers, options.validation, where)
        owners = numbered(speakers)
        train, held_out = (
            Split(spikes[chosen], labels[chosen], owners[chosen]) for chosen in (inner, held)
        )
        test = Split(test_spikes, test_labels, numbered(testers))
        for part, kind in ((train, "training"), (held_out, "validation"), (test, "test")):
            check_classes(part.labels, len(WORDS), f"{where}, {kind} part")
        counts = (events + test_events, left_out + test_left_out)
        return Dataset(SOURCE.name, len(WORDS), train, held_out, test, *counts)

    return cached(SOURCE, files, (grid, options.validation), build)


def _read(
    path: Path, part: str, grid: Binning
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int]:
    with opened(path) as file:
        names = file.texts(f"{part}_labels")
        single = [name for name in names if len(name.split("-")[-1]) == 1]
        labels = np.array([WORDS.find(name[-1]) for name in single], dtype=np.int64)
        speakers = np.array([name.rsplit("-", 2)[0] for name in single])
        check_room(len(single), grid, str(path), stored_bytes(path))
        samples = _samples(file, part, single)
        spikes, events, left_out = bin_events(samples, len(single), grid, f"{path}, {part}")
    return spikes, labels, speakers, events, left_out


def _samples(file: Record, part: str, names: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    times, addresses = file.group(f"{part}_timestamps"), file.group(f"{part}_addresses")
    for name in names:
        yield times.fractions(name), addresses.numbers(name).ravel()


def _download(folder: str) -> None:
    from tonic.datasets import NTIDIGITS18

    NTIDIGITS18(save_to=folder, train=True)
