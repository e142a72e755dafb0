"""How data are read, as a run's settings or a network's file say; nothing here loads torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kipuka.convert.formats.guarded.event_files import ArrayNames
from kipuka.convert.program import Program
from kipuka.convert.training_facts import class_names, network_facts, unusable_facts
from kipuka.errors import KipukaError, expect
from kipuka.names import check_data
from kipuka.strangers import as_path
from kipuka.train.datasets import DataOptions, Dataset, Splits
from kipuka.train.datasets.dataset import DATASET_MADE
from kipuka.train.datasets.events import STEPS_MAX
from kipuka.train.datasets.own_files import recordings_at
from kipuka.train.datasets.recordings import EventGrid, Recordings
from kipuka.train.runs.config import TrainConfig, make_config


def expect_run(config: object, dataset: object | None) -> None:
    """Refuse settings and data of other classes; the data may be left out.

    Raises
    ------
    KipukaError
        If one of them is something else.
    """
    settings = "kipuka.train.TrainConfig(...) holds them, and load_config(path) reads them"
    expect(config, TrainConfig, "argument config", settings)
    if dataset is not None:
        expect(dataset, Dataset, "argument dataset", DATASET_MADE)


def data_options(config: TrainConfig) -> DataOptions:
    """Return the part of the settings that says how the data are read."""
    return DataOptions(
        data_dir=config.data_dir,
        bin_ms=config.bin_ms,
        steps=config.steps,
        channels=config.channels,
        validation=config.validation,
        download=config.download,
        splits=Splits(**config.splits.model_dump()),
        arrays=ArrayNames(**config.arrays.model_dump()),
        time_unit=config.time_unit,
        groups_from=config.groups_from,
    )


def read_as_trained(program: Program, recordings: str | Path) -> Recordings:
    """Read own recordings as a network's training read those that it learned from.

    Names of arrays, the width of a step, pooled channels and the names of the classes are those of
    the training; a recording that is shorter than those is silent at its end.

    Parameters
    ----------
    program : Program
        A network that `kipuka train` made of own recordings.
    recordings : path-like
        A ``.npz`` file of one recording or several, with labels or without, or whatever else
        `kipuka train` takes.

    Returns
    -------
    Recordings
        `spikes` (samples, units, steps), `classes`, and `labels` if `labelled`.

    Raises
    ------
    KipukaError
        If the recordings cannot be used or do not fit the network.
    """
    name = str(as_path(recordings, "argument recordings"))
    check_data(name)
    settings = network_facts(program, "training")
    # Groups are for drawing parts, and nothing is drawn here.
    options = dataclasses.replace(options_of(settings), groups_from=None)
    found = recordings_at(name, options, trained_grid(program), labelled=False)
    check_units(found.spikes.shape[1], program, name)
    found = _with_names(found, network_facts(program, "data").get("classes"), program, name)
    if found.n_classes > program.n_classes:
        raise KipukaError(
            "the recordings have more classes than the network",
            where=f"setting or option data, {name}",
            limit=f"{program.n_classes} classes",
            value=found.n_classes,
            remedy="give data with the classes that the network was trained on",
        )
    return found


def options_of(settings: dict[str, Any]) -> DataOptions:
    """Return how the settings in a network's file say that data are read, but not from where."""
    options = data_options(make_config(settings, "the network's metadata, key training"))
    return dataclasses.replace(options, data_dir=None, download=False)


def trained_grid(program: Program) -> EventGrid | None:
    """Return what the recordings that a network was trained on were laid on, if its file says."""
    known = network_facts(program, "recordings")
    if not known:
        return None
    shape, n_steps, bin_ms = (known.get(key) for key in ("shape", "n_steps", "bin_ms"))
    if (
        isinstance(shape, list)
        and len(shape) in (1, 3)
        and all(type(n) is int and n > 0 for n in shape)
        and type(n_steps) is int
        and 0 < n_steps <= STEPS_MAX
        and isinstance(bin_ms, int | float | None)
    ):
        return EventGrid(tuple(shape), n_steps, bin_ms)
    limit = f"shape of 1 or 3 whole numbers, n_steps from 1 to {STEPS_MAX}, bin_ms"
    raise unusable_facts("recordings", limit, known)


def _with_names(found: Recordings, known: Any, program: Program, name: str) -> Recordings:
    """Number the classes as the network does, by their names where both have any."""
    if not known or not found.classes:
        return dataclasses.replace(found, classes=class_names(program))
    names = class_names(program)
    strange = [one for one in found.classes if one not in names]
    if strange:
        raise KipukaError(
            "the recordings have a class that the network does not know",
            where=f"setting or option data, {name}",
            limit=", ".join(names),
            value=strange[0],
            remedy="give data with the classes that the network was trained on",
        )
    number = np.array([names.index(one) for one in found.classes])
    return dataclasses.replace(
        found, labels=number[found.labels], classes=names, n_classes=len(names)
    )


def check_units(n_units: int, program: Program, data: str) -> None:
    """Check that data have as many units as a network has inputs.

    Raises
    ------
    KipukaError
        If they have not.
    """
    if n_units != program.n_inputs:
        raise KipukaError(
            "the data set does not fit the network",
            where=f"setting or option data, {data}",
            limit=f"{program.n_inputs} inputs",
            value=f"{n_units} channels",
            remedy="take a network that was trained on this data set, or give a .npz of events",
        )
