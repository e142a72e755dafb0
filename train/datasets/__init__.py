"""Data sets as spikes, with a name or one's own: training, validation and test part of each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from kipuka.errors import KipukaError
from kipuka.lazy import listing
from kipuka.names import check_data, is_own
from kipuka.strangers import as_path
from kipuka.train.datasets.dataset import Dataset
from kipuka.train.datasets.digits import load_digits
from kipuka.train.datasets.heidelberg import load_shd, load_ssc
from kipuka.train.datasets.ntidigits import load_ntidigits
from kipuka.train.datasets.own_files import recordings_at, refuse_file_options
from kipuka.train.datasets.splits import DataOptions, Split, Splits, given_options

__all__ = ["DATASETS", "DataOptions", "Dataset", "Split", "Splits", "load_dataset"]

__dir__ = listing(__all__)

DATASETS: dict[str, Callable[[DataOptions], Dataset]] = {
    "digits": load_digits,
    "ntidigits": load_ntidigits,
    "shd": load_shd,
    "ssc": load_ssc,
}


def load_dataset(name: str | Path, options: DataOptions | None = None) -> Dataset:
    """Load a data set by its name, or one's own recordings by where they are.

    Parameters
    ----------
    name : str or Path
        One of `DATASETS`; a ``.npz`` or ``.h5`` file, a folder of them, or ``module:Class`` of a
        tonic data set; see `kipuka.train.datasets.own_files`.
    options : DataOptions, optional

    Raises
    ------
    KipukaError
        If there is none of that name, its files are missing, damaged or of something else, or own
        recordings cannot be split.
    """
    options = given_options(options)
    as_path(name, "argument name")
    name = os.fspath(name)
    if name not in DATASETS and is_own(name):
        return Dataset.from_recordings(recordings_at(name, options), options)
    check_data(name)
    _refuse_own_options(name, options)
    return DATASETS[name](options)


def _refuse_own_options(name: str, options: DataOptions) -> None:
    """Refuse options that are for own data."""
    if options.splits != Splits():
        raise KipukaError(
            "the data set has parts of its own",
            where="settings splits",
            limit="nothing: it is split once and for all",
            value=options.splits,
            remedy=f"leave them out for {name}; they are for own data",
        )
    refuse_file_options(name, options)
