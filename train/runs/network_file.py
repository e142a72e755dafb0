"""The integer network of a training run, and the file that it is written to."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from kipuka.convert.analysis.state_ranges import with_verdict
from kipuka.convert.formats.net.file import GoldenVector
from kipuka.convert.formats.network import save_network
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.operands import checked_inputs, presented
from kipuka.convert.program import Program
from kipuka.convert.trace import readout_input
from kipuka.train.datasets import Dataset
from kipuka.train.from_program.network import blocks_from_program, trace_blocks
from kipuka.train.runs.config import TrainConfig

GOLDEN_VECTORS = 3
"""Inputs that a network file carries with their results."""


def program_of(
    network: torch.nn.ModuleList, config: TrainConfig, dataset: Dataset | None = None
) -> Program:
    """Quantize a trained network, with its settings and its data's names and digest as metadata.

    Where the data lie is nobody else's business and is left out.

    Parameters
    ----------
    network : torch.nn.ModuleList
        Its blocks, as `build_network` and `load_run` give them.
    config : TrainConfig
    dataset : Dataset, optional
        What it was trained on.

    Returns
    -------
    Program
    """
    name = config.data if dataset is None else dataset.name
    settings = config.with_settings(data=name, data_dir=None, download=False)
    metadata = {"origin": f"kipuka train, network {config.network} on {name}"}
    metadata["training"] = settings.model_dump_json()
    if dataset is not None:
        known = {"name": name, "sha256": dataset.digest, "classes": dataset.classes}
        metadata["data"] = json.dumps(known)
        if dataset.grid is not None:
            metadata["recordings"] = json.dumps(
                {**asdict(dataset.grid), "held_out": dataset.held_out}
            )
    return program_from_blocks(network, metadata=metadata)


def save_trained(
    network: torch.nn.ModuleList, config: TrainConfig, dataset: Dataset, path: Path
) -> Program:
    """Write a trained network's file, with the verdict on its states and golden vectors.

    The golden vectors are what the quantized forward pass makes of the first validation samples.

    Parameters
    ----------
    network, config, dataset
        As `program_of` takes them.
    path : Path

    Returns
    -------
    Program
        What was written.
    """
    program = with_verdict(program_of(network, config, dataset), dataset.n_steps)
    few = presented(program, dataset.validation.spikes[:GOLDEN_VECTORS])
    inputs = checked_inputs(program, few)
    trace = trace_blocks(blocks_from_program(program), inputs)
    outputs = readout_input(program.readout, trace.layers[-1].spikes)
    golden = [GoldenVector(inputs[k], outputs[k], trace.digest(k)) for k in range(len(inputs))]
    save_network(path, program, golden)
    return program
