"""Data sets that a network is run on, read as it was trained; its training data stay apart."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kipuka.convert.program import Program
from kipuka.errors import KipukaError
from kipuka.names import DATASET_NAMES, is_own

if TYPE_CHECKING:
    from kipuka.train.datasets import DataOptions, Dataset
    from kipuka.train.datasets.recordings import Recordings


def trained_on(program: Program, data: str, data_dir: Path | None) -> Dataset | None:
    """Return a data set with a name, or own data, if the network was trained on it."""
    if data not in DATASET_NAMES and is_own(data):
        return own_data(program, data)
    if _known(program, "training").get("data") != data:
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

    trained = _known(program, "training")
    # What another data set was read with says nothing about this one.
    same = trained.get("data") == data
    options = _options(trained if same else {"data": data}, data_dir)
    dataset = load_dataset(data, options)
    _check_units(dataset.n_units, program, data)
    return dataset


def own_data(program: Program, data: str) -> Dataset | None:
    """Own data if they are what the network was trained on, by their digest."""
    known = _known(program, "data")
    if known.get("name") != Path(data).name:
        return None
    from kipuka.train.datasets import load_dataset

    dataset = load_dataset(data, _options(_known(program, "training"), None))
    return dataset if dataset.digest == known.get("sha256") else None


def all_recordings(program: Program, data: str, data_dir: Path | None) -> Recordings:
    """Own data, on the grid that the network was trained with.

    Raises
    ------
    KipukaError
        If they do not fit the network.
    """
    from kipuka.train.datasets.own_files import recordings_at

    found = recordings_at(data, _options(_known(program, "training"), data_dir))
    _check_units(found.spikes.shape[1], program, data)
    if found.n_classes > program.n_classes:
        raise KipukaError(
            "the recordings have more classes than the network",
            where=f"option data, {data}",
            limit=f"{program.n_classes} classes",
            value=found.n_classes,
            remedy="give data with the classes that the network was trained on",
        )
    return found


def _options(settings: dict[str, Any], data_dir: Path | None) -> DataOptions:
    from kipuka.train.runs.config import make_config
    from kipuka.train.runs.data_settings import data_options

    options = data_options(make_config(settings, "the network's metadata, key training"))
    folder = None if data_dir is None else str(data_dir)
    return dataclasses.replace(options, data_dir=folder, download=False)


def _check_units(n_units: int, program: Program, data: str) -> None:
    if n_units != program.n_inputs:
        raise KipukaError(
            "the data set does not fit the network",
            where=f"option data, {data}",
            limit=f"{program.n_inputs} inputs",
            value=f"{n_units} channels",
            remedy="profile a network that was trained on this data set, or give a .npz of events",
        )


def _known(program: Program, key: str) -> dict[str, Any]:
    """What a network's file says of its training: settings, or the data's name and digest."""
    text = program.metadata.get(key, "{}")
    try:
        known = json.loads(text)
    except (ValueError, RecursionError):
        known = None
    if not isinstance(known, dict):
        raise KipukaError(
            "the metadata cannot be used",
            where=f"the network's metadata, key {key}",
            limit="settings of a training run, as a JSON object",
            value=text[:80],
            remedy="convert the run again, or give the samples as a file",
        )
    return known
