"""What a training run leaves: its network in integers and that file, its epochs, its decisions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from kipuka.convert.analysis.state_ranges import with_verdict
from kipuka.convert.decisions import Decisions
from kipuka.convert.formats.net.file import GOLDEN_VECTORS, golden_of
from kipuka.convert.formats.network import save_network
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.operands import checked_inputs, presented
from kipuka.convert.program import Program
from kipuka.display import Shown, Table, counted
from kipuka.names import NETWORK_FILE
from kipuka.train.datasets import Dataset
from kipuka.train.from_program.network import blocks_from_program, trace_blocks
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.data_settings import expect_run
from kipuka.train.runs.metrics import EpochMetrics


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

    Raises
    ------
    KipukaError
        If settings or data are of another class.
    """
    expect_run(config, dataset)
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
    save_network(path, program, golden_of(program, inputs, trace))
    return program


@dataclass(frozen=True, eq=False)
class TrainingResult(Shown):
    """A finished run.

    Attributes
    ----------
    network : torch.nn.ModuleList
        With the parameters of the best epoch.
    metrics : tuple of EpochMetrics
        What is known after each epoch: loss, validation accuracy, spike rate, seconds and more.
    delays_before : dict of str to int64 array
        Delays in steps before training, by name as in `named_delays`.
    program : Program
        The network in integers, as in the file ``model.net`` of the run folder.
    folder : Path
        The run folder.
    dataset : Dataset
        What it was trained on.
    """

    network: torch.nn.ModuleList
    metrics: tuple[EpochMetrics, ...]
    delays_before: dict[str, np.ndarray]
    program: Program
    folder: Path
    dataset: Dataset

    @property
    def kept(self) -> EpochMetrics:
        """The epoch whose parameters are kept."""
        return [one for one in self.metrics if one.best][-1]

    @cached_property
    def decisions(self) -> Decisions:
        """What the integer network decides on the test part; computed when it is asked for."""
        test = self.dataset.test
        blocks = blocks_from_program(self.program)
        last = trace_blocks(blocks, presented(self.program, test.spikes)).layers[-1]
        return Decisions.of(self.program, last, test.labels, group_of=test.groups)

    def _line(self) -> str:
        return (
            f"{counted(len(self.metrics), 'epoch')} in {self.metrics[-1].seconds:.0f} s, "
            f"kept epoch {self.kept.epoch}: {self.kept.validation_accuracy:.2%} on validation; "
            f"network: {self.folder / NETWORK_FILE}"
        )

    def _table(self) -> Table:
        rows = [
            ("validation accuracy", f"{self.kept.validation_accuracy:.2%}"),
            ("test accuracy", self.decisions.text()),
            ("spikes per hidden neuron and step", f"{self.kept.spike_rate:.3f}"),
            ("network", repr(self.program)),
        ]
        return Table([f"kept epoch {self.kept.epoch}", ""], rows)
