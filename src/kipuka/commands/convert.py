"""``kipuka convert``: a trained run, or a network file of another format, into a network file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from kipuka.commands.inputs.nir import (
    Bias,
    Decays,
    Dt,
    Percentile,
    Preset,
    Reset,
    WeightMax,
    calibrated_graph,
    is_nir,
    read_graph,
    refuse_options,
)
from kipuka.commands.options import Data, DataDir, Json, given, write_numbers
from kipuka.commands.paths import READS, TAKES, WRITES, path_argument, path_option
from kipuka.strangers import exists

if TYPE_CHECKING:
    import torch

    from kipuka.convert.program import Program
    from kipuka.train.datasets import Dataset

Calibrate = Annotated[
    Path | None,
    path_option(
        "--calibrate",
        READS,
        metavar="X.npy",
        help="Of a .nir file: inputs by which to choose --percentile.",
    ),
]


def convert(
    run: Annotated[
        Path,
        path_argument("RUN|NET", TAKES, help="Run folder of kipuka train, a .nir or a .net file."),
    ],
    output: Annotated[
        Path,
        path_option("--output", WRITES, metavar="FILE.net", help="Network file to write."),
    ],
    data: Data = None,
    data_dir: DataDir = None,
    dt: Dt = None,
    preset: Preset = None,
    bias: Bias = None,
    reset: Reset = None,
    decays: Decays = None,
    weight_max: WeightMax = None,
    percentile: Percentile = None,
    calibrate: Calibrate = None,
    json_file: Json = None,
) -> int:
    """Quantize a trained run, or a network in floats, into a file.

    The file of a run carries golden vectors from the validation part. A network file is written
    anew, with the golden vectors that it has, or with such of --data.
    """
    options = given(dt=dt, preset=preset, bias=bias, reset=reset, decays=decays)
    options |= given(weight_max=weight_max, percentile=percentile)
    if is_nir(run):
        refuse_options(run, given(data=data, data_dir=data_dir), "a run folder")
        convert_graph(run, output, options, calibrate, json_file=json_file)
        return 0
    refuse_options(run, options | given(calibrate=calibrate), "a .nir file")
    if exists(run) and run.is_file():
        convert_file(run, output, data, data_dir, json_file=json_file)
    else:
        convert_run(run, output, data_dir, data=data, json_file=json_file)
    return 0


def convert_file(
    path: Path,
    output: Path,
    data: str | None = None,
    data_dir: Path | None = None,
    *,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Write a network file in the format that the output's ending names.

    Parameters
    ----------
    path, output : Path
    data : str, optional
        The first samples of it become the golden vectors, in the place of those in the file.
    data_dir : Path, optional
        Folder with the data set's files.
    json_file : Path, optional
        Receives what is returned.
    """
    from kipuka.commands.console import print_line
    from kipuka.commands.inputs.samples import labelled_samples
    from kipuka.convert.formats.net.file import GOLDEN_VECTORS, load_golden
    from kipuka.convert.formats.network import load_network, save_network
    from kipuka.deploy.golden import golden_vectors
    from kipuka.display import counted

    program = load_network(path)
    if data is None:
        golden = load_golden(path)
    else:
        few = labelled_samples(path, program, data, data_dir, GOLDEN_VECTORS).values
        golden = golden_vectors(program, few)
    save_network(output, program, golden)
    values = {"network": str(output), "golden_vectors": len(golden)}
    write_numbers(json_file, values)
    vectors = counted(len(golden), "golden vector")
    print_line(f"{output}: written, with the same integers and {vectors}")
    return values


def convert_graph(
    path: Path,
    output: Path,
    options: Mapping[str, Any],
    samples: Path | None = None,
    *,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Round a NIR graph to a network file, and say what rounding did to each layer.

    Parameters
    ----------
    path, output : Path
    options : mapping
        Of the reader; see `kipuka.convert.formats.nir.file.quantized_nir`.
    samples : Path, optional
        Inputs that decide how many of the largest weights are clipped.
    json_file : Path, optional
        Receives what is returned.
    """
    from kipuka.commands.tables import fidelity as tables
    from kipuka.convert.formats.network import save_network

    if samples is None:
        quantized, fidelity = read_graph(path, options).quantized, None
    else:
        graph, fidelity = calibrated_graph(path, options, samples)
        quantized = graph.quantized
    save_network(output, quantized.program)
    values: dict[str, Any] = {
        "network": str(output),
        "quantization": tables.quantization_numbers(quantized.layers),
    }
    if fidelity is not None:
        values["calibration"] = tables.fidelity_numbers(fidelity)
    write_numbers(json_file, values)
    tables.print_quantization(f"{output}: what rounding did", quantized.layers)
    if fidelity is not None:
        tables.print_fidelity(fidelity)
    return values


def convert_run(
    run: Path,
    output: Path,
    data_dir: str | Path | None = None,
    *,
    data: str | None = None,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Quantize a run folder's network, with golden vectors from the validation part.

    Parameters
    ----------
    run, output : Path
    data_dir : path-like, optional
        Folder with the data set's files, which the run's own settings do not decide.
    data : str, optional
        Where own data are.
    json_file : Path, optional
        Receives what is returned.
    """
    from kipuka.train.runs.result import save_trained
    from kipuka.train.runs.trainer import load_run

    config, network, dataset = load_run(run, data_dir, data=data)
    program = save_trained(network, config, dataset, output)
    return show_accuracy(network, program, dataset, output, json_file=json_file)


def show_accuracy(
    network: torch.nn.ModuleList,
    program: Program,
    dataset: Dataset,
    output: Path,
    *,
    json_file: Path | None = None,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Say what a network that has been written decides on the test part.

    Parameters
    ----------
    network : torch.nn.ModuleList
    program : Program
        The network in integers.
    dataset : Dataset
    output : Path
        Where it was written.
    json_file : Path, optional
        Receives what is returned.
    known : mapping, optional
        Values to return besides.
    """
    from kipuka.commands.console import print_line, print_table
    from kipuka.commands.tables.accuracy import COLUMNS, accuracy_row, beside_text
    from kipuka.convert.decisions import Decisions
    from kipuka.convert.operands import presented
    from kipuka.deploy.fast.recording import record_for_readout
    from kipuka.deploy.fast.simulator import simulate
    from kipuka.deploy.lowered.size import lowered_size
    from kipuka.train.runs.trainer import accuracy_of

    test = dataset.test
    traced = simulate(
        program, presented(program, test.spikes), record=record_for_readout(program)
    ).trace
    decisions = Decisions.of(program, traced.layers[-1], test.labels, group_of=test.groups)
    accuracies = {"torch": accuracy_of(network, test), "fast": decisions.accuracy}
    lowered = lowered_size(program, test.spikes.shape[-1])
    values = {
        **(known or {}),
        "accuracy": accuracies,
        "decisions": decisions.numbers(),
        "network": str(output),
        "lowered": dataclasses.asdict(lowered),
    }
    write_numbers(json_file, values)
    rows = [accuracy_row(name, value, len(test.labels)) for name, value in accuracies.items()]
    print_table(f"{output}: accuracy on the test part", COLUMNS, rows)
    if decisions.groups_text:
        print_line(decisions.groups_text)
    print_line(beside_text(decisions.chance, values.get("counting_baseline")))
    print_line(lowered.text)
    return values
