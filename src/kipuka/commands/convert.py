"""``kipuka convert``: a trained run quantized into a network file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.options import DataDir, Json, write_numbers

if TYPE_CHECKING:
    import torch

    from kipuka.convert.program import Program
    from kipuka.train.datasets import Dataset
    from kipuka.train.runs.config import TrainConfig

GOLDEN_VECTORS = 3
"""Inputs that a network file carries with their results."""

NETWORK_FILE = "model.net"


def convert(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of kipuka train.")],
    output: Annotated[Path, typer.Option(metavar="FILE.net", help="Network file to write.")],
    data_dir: DataDir = None,
    json_file: Json = None,
) -> int:
    """Quantize a trained run into a network file.

    The file carries golden vectors from the validation part.
    """
    convert_run(run, output, data_dir, json_file=json_file)
    return 0


def convert_run(
    run: Path,
    output: Path,
    data_dir: str | Path | None = None,
    *,
    json_file: Path | None = None,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Quantize a run folder's network, with golden vectors from the validation part.

    Parameters
    ----------
    run, output : Path
    data_dir : path-like, optional
        Folder with the data set's files, which the run's own settings do not decide.
    json_file : Path, optional
        Receives what is returned.
    known : mapping, optional
        Values to return besides.
    """
    from kipuka.commands.console import print_table
    from kipuka.convert.trace import accuracy
    from kipuka.deploy.fast.recording import record_for_readout
    from kipuka.deploy.fast.simulator import simulate
    from kipuka.train.runs.trainer import accuracy_of, load_run

    config, network, dataset = load_run(run, data_dir)
    program = save_trained(network, config, dataset, output)
    traced = simulate(program, dataset.test.spikes, record=record_for_readout(program)).trace
    accuracies = {
        "torch": accuracy_of(network, dataset.test),
        "fast": accuracy(program, traced.layers[-1], dataset.test.labels),
    }
    values = {**(known or {}), "accuracy": accuracies, "network": str(output)}
    write_numbers(json_file, values)
    rows = [[name, f"{value:.2%}"] for name, value in accuracies.items()]
    print_table(f"{output}: accuracy on the test part", ["backend", "accuracy"], rows)
    return values


def save_trained(
    network: torch.nn.ModuleList, config: TrainConfig, dataset: Dataset, path: Path
) -> Program:
    """Write a trained network's file, with the verdict on its states and golden vectors."""
    from kipuka.convert.analysis.state_ranges import with_verdict
    from kipuka.convert.formats.network import save_network
    from kipuka.deploy.golden import golden_vectors
    from kipuka.train.runs.trainer import program_of

    program = with_verdict(program_of(network, config), dataset.test.spikes.shape[-1])
    golden = golden_vectors(program, dataset.validation.spikes[:GOLDEN_VECTORS])
    save_network(path, program, golden)
    return program
