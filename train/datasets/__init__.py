"""Data sets as spikes, by name: training, validation and test part of each."""

from __future__ import annotations

from collections.abc import Callable

from kipuka.errors import choose
from kipuka.train.datasets.digits import load_digits
from kipuka.train.datasets.heidelberg import load_shd, load_ssc
from kipuka.train.datasets.ntidigits import load_ntidigits
from kipuka.train.datasets.splits import DataOptions, Dataset, Split

__all__ = ["DATASETS", "DataOptions", "Dataset", "Split", "load_dataset"]

DATASETS: dict[str, Callable[[DataOptions], Dataset]] = {
    "digits": load_digits,
    "ntidigits": load_ntidigits,
    "shd": load_shd,
    "ssc": load_ssc,
}


def load_dataset(name: str, options: DataOptions | None = None) -> Dataset:
    """Load a data set by its name.

    Parameters
    ----------
    name : str
    options : DataOptions, optional

    Raises
    ------
    KipukaError
        If there is none of that name, or its files are missing, damaged or of something else.
    """
    load = choose(DATASETS, name, what="data set", where="option data")
    return load(options or DataOptions())
