"""Scikit-learn's handwritten digits as spikes: a data set that needs no download."""

from __future__ import annotations

import numpy as np

from kipuka.errors import KipukaError
from kipuka.train.datasets.dataset import Dataset
from kipuka.train.datasets.splits import DataOptions, Split

STEPS_PER_ROW = 4
"""Steps for which a row of a digit is shown; as many brightness levels are told apart."""

SILENT_STEPS = 8
"""Steps after the last row in which the network can settle its answer."""


def load_digits(options: DataOptions) -> Dataset:
    """Scikit-learn's 8 x 8 handwritten digits, streamed row by row, top to bottom.

    Each of 8 input units watches one column. While a row is shown, a unit spikes in the first k of
    4 steps, k growing with the brightness of its pixel. No unit ever sees more than one pixel at a
    time, so telling digits apart takes memory. 1797 samples of 40 steps: 1357 for training, 200
    for validation, 240 for test.

    Parameters
    ----------
    options : DataOptions
        Its defaults: there are no files, no events and no channels to choose.

    Returns
    -------
    Dataset

    Raises
    ------
    KipukaError
        If an option is set.
    """
    for name in ("data_dir", "bin_ms", "steps", "channels"):
        if getattr(options, name) is not None:
            raise KipukaError(
                "the data set digits does not have this setting",
                where=f"setting {name}",
                limit="nothing: images come with scikit-learn, 8 columns in 40 steps",
                value=getattr(options, name),
                remedy="leave it out, or choose another data set",
            )
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
    train, validation, test = (Split(spikes[part], labels[part].astype(np.int64)) for part in parts)
    return Dataset("digits", 10, train, validation, test)
