"""Data sets as spikes: training, validation (which selects) and test (which selects nothing)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kipuka.errors import choose


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Attributes
    ----------
    spikes : bool array (samples, units, steps)
    labels : int64 array (samples,)
    """

    spikes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that is split once and for all, whatever the seed of a training run."""

    name: str
    n_classes: int
    train: Split
    validation: Split
    test: Split

    @property
    def n_units(self) -> int:
        """Input units."""
        return int(self.train.spikes.shape[1])

    @property
    def n_steps(self) -> int:
        """Steps of each sample."""
        return int(self.train.spikes.shape[2])


STEPS_PER_ROW = 4
"""Steps for which a row of a digit is shown; as many brightness levels are told apart."""

SILENT_STEPS = 8
"""Steps after the last row in which the network can settle its answer."""


def load_digits() -> Dataset:
    """Scikit-learn's 8 x 8 handwritten digits, streamed row by row, top to bottom.

    Each of 8 input units watches one column. While a row is shown, a unit spikes in the first k of
    4 steps, k growing with the brightness of its pixel. No unit ever sees more than one pixel at a
    time, so telling digits apart takes memory. 1797 samples of 40 steps: 1357 for training, 200
    for validation, 240 for test.

    Returns
    -------
    Dataset
    """
    from sklearn.datasets import load_digits as load

    images, labels = load(return_X_y=True)
    # Brightness 0..16 to 0..4 spikes.
    levels = np.rint(images.reshape(-1, 8, 8) * STEPS_PER_ROW / 16).astype(int)
    shown = np.arange(STEPS_PER_ROW) < levels[..., None]
    samples = len(labels)
    # (sample, row, column, step) to (sample, column, time).
    spikes = shown.transpose(0, 2, 1, 3).reshape(samples, 8, 8 * STEPS_PER_ROW)
    spikes = np.pad(spikes, ((0, 0), (0, 0), (0, SILENT_STEPS)))
    # A fixed shuffle, because neighbours in the original order come from the same writer.
    order = np.random.default_rng(0).permutation(samples)
    parts = np.split(order, [samples - 440, samples - 240])
    splits = [Split(spikes[part], labels[part].astype(np.int64)) for part in parts]
    return Dataset("digits", 10, *splits)


DATASETS: dict[str, Callable[[], Dataset]] = {"digits": load_digits}


def load_dataset(name: str) -> Dataset:
    """Load a data set by its name.

    Raises
    ------
    KipukaError
        If there is none of that name.
    """
    return choose(DATASETS, name, what="data set", where="option data")()
