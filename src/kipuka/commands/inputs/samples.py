"""Networks and samples that the commands read: a file, a data set by name, golden vectors."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kipuka.commands.inputs.nir import is_nir
from kipuka.convert.formats.guarded.event_files import read_event_file
from kipuka.convert.formats.net.file import load_golden
from kipuka.convert.formats.network import load_network
from kipuka.convert.operands import presented
from kipuka.convert.program import Program, Reset
from kipuka.deploy.inputs import Inputs, load_inputs
from kipuka.errors import KipukaError
from kipuka.lava_door import TRAINING, missing
from kipuka.names import check_data

ARRAY_FILES = (".npy", ".npz")


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs, with their classes where these are known.

    Attributes
    ----------
    values : array (samples, units, steps)
    labels : int64 array (samples,) or None
    source : str
        Where they come from, in words.
    groups : array (samples,) or None
        Person, session or the like that each comes from; None if nobody knows.
    """

    values: np.ndarray
    labels: np.ndarray | None = None
    source: str = ""
    groups: np.ndarray | None = None

    def first(self, n: int | None) -> Samples:
        """Take only the first `n`, and say so; None takes all."""
        if n is None or n >= len(self.values):
            return self
        labels = None if self.labels is None else self.labels[:n]
        source = f"first {n:,} of {len(self.values):,} samples, {self.source}"
        groups = None if self.groups is None else self.groups[:n]
        return Samples(self.values[:n], labels, source, groups)


def open_network(
    net: Path, *, clamp_delays: bool = False, reset: tuple[int, int] | None = None
) -> Program:
    """Load a network file; `reset` is (interval, offset) in steps and replaces the file's own."""
    if is_nir(net):
        raise KipukaError(
            "the command takes networks in integers",
            where=str(net),
            limit="a network file (.net)",
            value="a NIR graph in floats",
            remedy="convert it first: kipuka convert model.nir --dt SECONDS --output model.net",
        )
    program = load_network(net, clamp_delays=clamp_delays)
    return program if reset is None else dataclasses.replace(program, reset=Reset(*reset))


def golden_inputs(net: Path) -> np.ndarray:
    """Inputs of the network file's golden vectors."""
    golden = load_golden(net)
    if not golden:
        raise KipukaError(
            "there is no input to run on",
            where=str(net),
            limit="golden vectors in the file, or samples of your own",
            value="neither",
            remedy="give samples with --data X.npy (profile, verify, deploy), or let a file carry "
            "some: kipuka convert FILE.net --data X.npy --output NEW.net",
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
    """Samples of a file, of a data set's test part, or else of the golden vectors.

    Of data that the network was trained on only the test part is taken.

    Parameters
    ----------
    net : Path
    program : Program
    data : str or None
        Path of a ``.npy`` or ``.npz`` file, the latter perhaps with integers ``labels``; the name
        of a data set, which is read as the network was trained on it; or own data in any other
        form that `kipuka train` takes.
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
        found = Samples(golden_inputs(net), source=f"golden vectors of {net.name}")
    else:
        found = _samples_at(program, data, data_dir)
    return found.first(first)


def chosen_samples(
    net: Path,
    program: Program,
    input_file: Path | None,
    data: str | None,
    data_dir: Path | None = None,
    first: int | None = None,
) -> Samples | None:
    """Samples of ``--input`` or ``--data``; None if neither is given.

    Parameters
    ----------
    input_file : Path or None
    net, program, data, data_dir, first
        As in `labelled_samples`.

    Raises
    ------
    KipukaError
        If both are given.
    """
    if input_file is not None and data is not None:
        raise KipukaError(
            "there are two inputs",
            where="options input and data",
            limit="one of them",
            value=f"{input_file} and {data}",
            remedy="leave one of them out",
        )
    if data is not None:
        return labelled_samples(net, program, data, data_dir, first)
    if input_file is None:
        return None
    values = given_inputs(input_file, program).values
    return Samples(values, source=f"all of {input_file.name}").first(first)


def validation_samples(
    program: Program, data: str | None, data_dir: Path | None = None, first: int | None = None
) -> Samples | None:
    """Validation part of what the network was trained on; None if `data` are something else.

    Parameters
    ----------
    program, data, data_dir, first
        As in `labelled_samples`.
    """
    from kipuka.commands.inputs import data_sets

    if data is None or Path(data).suffix == ".npy":
        return None
    dataset = data_sets.trained_on(program, data, data_dir)
    if dataset is None:
        return None
    part = dataset.validation
    source = f"validation part of {Path(data).name}"
    groups = None if part.groups is None else part.groups[:first]
    return Samples(presented(program, part.spikes[:first]), part.labels[:first], source, groups)


def _samples_at(program: Program, data: str, data_dir: Path | None) -> Samples:
    from kipuka.commands.inputs import data_sets

    if Path(data).suffix not in ARRAY_FILES:
        check_data(data)
    source = f"all of {Path(data).name}"
    if Path(data).suffix in ARRAY_FILES:
        dataset = data_sets.own_data(program, data)
        if dataset is None:
            if read_like_training(Path(data), program):
                return _recordings(program, data, source)
            values = load_inputs(data, program).values
            return Samples(values, _labels(Path(data), program, len(values)), source)
    else:
        dataset = data_sets.held_out(program, data, data_dir)
        if dataset is None:
            return _recordings(program, data, source)
    test, source = dataset.test, f"test part of {Path(data).name}"
    return Samples(presented(program, test.spikes), test.labels, source, test.groups)


def _recordings(program: Program, data: str, source: str) -> Samples:
    """Own recordings, on the grid that the network was trained with."""
    from kipuka.train.runs.data_settings import read_as_trained

    found = read_as_trained(program, data)
    labels = found.labels if found.labelled else None
    return Samples(presented(program, found.spikes), labels, source, found.groups)


def read_like_training(path: Path, program: Program) -> bool:
    """Whether a file of events is one of recordings like those that the network was trained on.

    Without what training needs a file has to list the network's own units and steps.
    """
    return path.suffix == ".npz" and "recordings" in program.metadata and not missing(*TRAINING)


def given_inputs(path: Path, program: Program) -> Inputs:
    """Inputs of a file, recordings read as the network's training read its own.

    Results of a single recording have no batch axis.
    """
    if not read_like_training(path, program):
        return load_inputs(path, program)
    samples = _recordings(program, str(path), "")
    return Inputs(samples.values, len(samples.values) != 1)


def _labels(path: Path, program: Program, n_samples: int) -> np.ndarray | None:
    """Classes that a ``.npz`` file gives beside its events."""
    if path.suffix != ".npz":
        return None
    labels = read_event_file(path).labels
    if labels is None:
        return None
    fits = labels.dtype.kind in "iu" and labels.shape == (n_samples,)
    if not fits or np.any(labels < 0) or np.any(labels >= program.n_classes):
        spans = labels.size and labels.dtype.kind in "iu"
        span = f", {labels.min()} to {labels.max()}" if spans else ""
        value = f"{labels.dtype} of shape {labels.shape}{span}"
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
