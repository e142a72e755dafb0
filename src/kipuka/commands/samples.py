"""Networks and samples that the commands read: a file, a data set by name, golden vectors."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kipuka.convert.formats.net.file import load_golden
from kipuka.convert.formats.network import load_network
from kipuka.convert.program import Program, Reset
from kipuka.deploy.arrays import UNREADABLE, read_npz
from kipuka.deploy.inputs import load_inputs
from kipuka.errors import KipukaError

ARRAY_FILES = (".npy", ".npz")


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs, with their classes where these are known.

    Attributes
    ----------
    values : array (samples, units, steps)
    labels : int64 array (samples,) or None
    """

    values: np.ndarray
    labels: np.ndarray | None = None


def open_network(
    net: Path, *, clamp_delays: bool = False, reset: tuple[int, int] | None = None
) -> Program:
    """Load a network file; `reset` is (interval, offset) in steps and replaces the file's own."""
    program = load_network(net, clamp_delays=clamp_delays)
    return program if reset is None else dataclasses.replace(program, reset=Reset(*reset))


def samples_of(net: Path, program: Program, input_file: Path | None) -> np.ndarray:
    """Samples of an input file, or else of the network file's golden vectors."""
    if input_file is not None:
        return load_inputs(input_file, program).values
    golden = load_golden(net)
    if not golden:
        raise KipukaError(
            "there is no input to run on",
            where=str(net),
            limit="golden vectors in the file, or samples of your own",
            value="neither",
            remedy="give --data (kipuka profile) or --input X.npy",
        )
    lengths = [vector.input.shape for vector in golden]
    if len(set(lengths)) > 1:
        raise KipukaError(
            "the golden vectors cannot be run together",
            where=str(net),
            limit="units x steps, the same of all of them",
            value=", ".join(str(shape) for shape in sorted(set(lengths))),
            remedy="give samples of your own with --input or --data",
        )
    return np.stack([vector.input for vector in golden])


def labelled_samples(
    net: Path,
    program: Program,
    data: str | None,
    data_dir: Path | None = None,
    first: int | None = None,
) -> Samples:
    """Samples of an array file, of a data set's test part, or else of the golden vectors.

    Parameters
    ----------
    net : Path
    program : Program
    data : str or None
        Path of a ``.npy`` or ``.npz`` file, the latter perhaps with integers ``labels``; or the
        name of a data set, which is read as the network was trained on it.
    data_dir : Path, optional
        Folder with the data set's files.
    first : int, optional
        Take only so many.

    Raises
    ------
    KipukaError
        If the data are missing or do not fit the network.
    """
    if data is None:
        found = Samples(samples_of(net, program, None))
    elif Path(data).suffix in ARRAY_FILES:
        values = load_inputs(data, program).values
        found = Samples(values, _labels(Path(data), program, len(values)))
    else:
        found = _data_set(program, data, data_dir)
    labels = None if found.labels is None else found.labels[:first]
    return Samples(found.values[:first], labels)


def _labels(path: Path, program: Program, n_samples: int) -> np.ndarray | None:
    """Classes that a ``.npz`` file gives beside its events."""
    if path.suffix != ".npz":
        return None
    try:
        labels = read_npz(path, ("labels",)).get("labels")
    except UNREADABLE as error:
        raise _wrong_labels(path, program, n_samples, " ".join(str(error).split())) from error
    if labels is None:
        return None
    fits = labels.dtype.kind in "iu" and labels.shape == (n_samples,)
    if not fits or np.any(labels < 0) or np.any(labels >= program.n_classes):
        span = f", {labels.min()} to {labels.max()}" if labels.dtype.kind in "iu" else ""
        value = f"{labels.dtype} of shape {labels.shape}{span if labels.size else ''}"
        raise _wrong_labels(path, program, n_samples, value)
    return labels.astype(np.int64)


def _wrong_labels(path: Path, program: Program, n_samples: int, value: str) -> KipukaError:
    return KipukaError(
        "the labels do not fit the samples",
        where=f"{path}, array labels",
        limit=f"{n_samples} integers from 0 to {program.n_classes - 1}",
        value=value,
        remedy="give one class for each sample, or leave the labels out",
    )


def _data_set(program: Program, name: str, data_dir: Path | None) -> Samples:
    """Test part of a data set, in the bins and channels that the network was trained with.

    Where its files are only the command line says.
    """
    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.config import make_config
    from kipuka.train.runs.trainer import data_options

    trained = _trained(program)
    # What another data set was read with says nothing about this one.
    settings = trained if trained.get("data") == name else {"data": name}
    options = data_options(make_config(settings, "the network's metadata, key training"))
    folder = None if data_dir is None else str(data_dir)
    options = dataclasses.replace(options, data_dir=folder, download=False)
    test = load_dataset(name, options).test
    if test.spikes.shape[1] != program.n_inputs:
        raise KipukaError(
            "the data set does not fit the network",
            where=f"option data, {name}",
            limit=f"{program.n_inputs} inputs",
            value=f"{test.spikes.shape[1]} channels",
            remedy="profile a network that was trained on this data set, or give a .npz of events",
        )
    return Samples(test.spikes, test.labels)


def _trained(program: Program) -> dict[str, Any]:
    """Settings that a network was trained with, as its file says."""
    text = program.metadata.get("training", "{}")
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise KipukaError(
            "the metadata cannot be used",
            where="the network's metadata, key training",
            limit="settings of a training run, as a JSON object",
            value=text[:80],
            remedy="convert the run again, or give the samples as a file",
        )
    return settings
