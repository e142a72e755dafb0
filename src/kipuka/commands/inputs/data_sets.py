"""Data sets that a network is run on, read as it was trained; its training data stay apart."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from kipuka.convert.program import Program
from kipuka.convert.training_facts import network_facts
from kipuka.names import DATASET_NAMES, is_own

if TYPE_CHECKING:
    from kipuka.train.datasets import Dataset


def trained_on(program: Program, data: str, data_dir: Path | None) -> Dataset | None:
    """Return a data set with a name, or own data, if the network was trained on it."""
    if data not in DATASET_NAMES and is_own(data):
        return own_data(program, data)
    if network_facts(program, "training").get("data") != data:
        return None
    return _named_data(program, data, data_dir)


def held_out(program: Program, data: str, data_dir: Path | None) -> Dataset | None:
    """Data set with a name, or own data that the network was trained on: for their test part.

    Parameters
    ----------
    program : Program
    data : str
    data_dir : Path or None
        Where the files of a data set with a name are, which only the command line says.

    Returns
    -------
    Dataset or None
        None of own data that it was not trained on: they have no part in the training.

    Raises
    ------
    KipukaError
        If the data are missing or do not fit the network.
    """
    if data not in DATASET_NAMES and is_own(data):
        return own_data(program, data)
    return _named_data(program, data, data_dir)


def _named_data(program: Program, data: str, data_dir: Path | None) -> Dataset:
    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.data_settings import check_units, options_of

    trained = network_facts(program, "training")
    # What another data set was read with says nothing about this one.
    same = trained.get("data") == data
    options = options_of(trained if same else {"data": data})
    folder = None if data_dir is None else str(data_dir)
    options = dataclasses.replace(options, data_dir=folder)
    dataset = load_dataset(data, options)
    check_units(dataset.n_units, program, data)
    return dataset


def own_data(program: Program, data: str) -> Dataset | None:
    """Own data if they are what the network was trained on, by their digest."""
    known = network_facts(program, "data")
    if known.get("name") != Path(data).name:
        return None
    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.data_settings import options_of

    dataset = load_dataset(data, options_of(network_facts(program, "training")))
    return dataset if dataset.digest == known.get("sha256") else None
