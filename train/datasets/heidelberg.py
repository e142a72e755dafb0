"""Spiking Heidelberg Digits and Spiking Speech Commands (Cramer et al., 2020), in HDF5 files.

Each file holds ``spikes/times`` (seconds), ``spikes/units`` (0 to 699), ``labels`` and
``extra/speaker``. The default grid of 140 channels, pooled from 700, and steps of 10 ms is that of
DCLS-Delays (arXiv:2306.17670); 140 steps hold the longest sample.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from kipuka.errors import KipukaError
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

DEFAULT_GRID = Binning(bin_ms=10.0, steps=140, channels=140, recorded_channels=700)
ADDRESS = "https://zenkelab.org/datasets/"

SHD = Source("shd", "SHD", ("shd_train.h5", "shd_test.h5"), ADDRESS)
SSC = Source("ssc", "SSC", ("ssc_train.h5", "ssc_valid.h5", "ssc_test.h5"), ADDRESS)


class _File(NamedTuple):
    """Content of one file on the grid."""

    spikes: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    n_classes: int
    events: int
    left_out: int

    def part(self, chosen: np.ndarray | slice = slice(None)) -> Split:
        """Samples of a part, all if none are chosen, each with its speaker."""
        return Split(self.spikes[chosen], self.labels[chosen], self.speakers[chosen])


def load_shd(options: DataOptions) -> Dataset:
    """Spiking Heidelberg Digits, 20 classes, or any files in its format.

    SHD has no validation part: it is split off the training file, by default by speakers. The
    number of classes is that of the names in the file.

    Raises
    ------
    KipukaError
        If files are missing, damaged, or not in SHD's format.
    """
    grid = Binning.of(options, DEFAULT_GRID)
    files = find_files(SHD, options, _download_shd)

    def build() -> Dataset:
        train, test = (_read(path, grid) for path in files)
        where = str(files[0])
        inner, held = split_off_validation(train.labels, train.speakers, options.validation, where)
        parts = [train.part(chosen) for chosen in (inner, held)]
        parts.append(test.part())
        return _dataset("shd", [train, test], parts, [where, where, str(files[1])])

    return cached(SHD, files, (grid, options.validation), build)


def load_ssc(options: DataOptions) -> Dataset:
    """Spiking Speech Commands, 35 classes, with their own training, validation and test files.

    Raises
    ------
    KipukaError
        If files are missing, damaged, or not in SSC's format.
    """
    grid = Binning.of(options, DEFAULT_GRID)
    files = find_files(SSC, options, _download_ssc)

    def build() -> Dataset:
        read = [_read(path, grid) for path in files]
        parts = [file.part() for file in read]
        return _dataset("ssc", read, parts, [str(path) for path in files])

    return cached(SSC, files, grid, build)


def _dataset(name: str, files: list[_File], parts: list[Split], places: list[str]) -> Dataset:
    n_classes = files[0].n_classes
    for part, where, kind in zip(parts, places, ("training", "validation", "test"), strict=True):
        check_classes(part.labels, n_classes, f"{where}, {kind} part")
    events, left_out = (sum(getattr(file, key) for file in files) for key in ("events", "left_out"))
    train, validation, test = parts
    return Dataset(name, n_classes, train, validation, test, events, left_out)


def _read(path: Path, grid: Binning) -> _File:
    with opened(path) as file:
        extra, spikes = file.group("extra"), file.group("spikes")
        n_times, times = spikes.sequences("times", "f")
        n_units, units = spikes.sequences("units", "iu")
        labels, speakers = file.numbers("labels").ravel(), extra.numbers("speaker").ravel()
        counts = {"spikes/times": n_times, "spikes/units": n_units, "speakers": len(speakers)}
        for key, count in counts.items():
            if count != len(labels):
                raise KipukaError(
                    "the data file contradicts itself",
                    where=f"{path}, {key}",
                    limit=f"{len(labels)} samples, as many as labels",
                    value=count,
                    remedy="download it again",
                )
        n_classes = len(extra.texts("keys"))
        check_room(len(labels), grid, str(path), stored_bytes(path))
        binned = bin_events(zip(times, units, strict=True), len(labels), grid, str(path))
    return _File(binned[0], labels, numbered(speakers), n_classes, *binned[1:])


def _download_shd(folder: str) -> None:
    from tonic import datasets

    for train in (True, False):
        datasets.SHD(save_to=folder, train=train)


def _download_ssc(folder: str) -> None:
    from tonic import datasets

    for split in ("train", "valid", "test"):
        datasets.SSC(save_to=folder, split=split)
