"""What a training run leaves: network, program, epochs, and what it decides on the test part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from kipuka.convert.decisions import Decisions
from kipuka.convert.operands import presented
from kipuka.convert.program import Program
from kipuka.display import html_table
from kipuka.names import NETWORK_FILE
from kipuka.train.datasets import Dataset
from kipuka.train.from_program.network import blocks_from_program, trace_blocks
from kipuka.train.runs.metrics import EpochMetrics


@dataclass(frozen=True, eq=False, repr=False)
class TrainingResult:
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
        return Decisions.of(self.program, last, test.labels)

    def __repr__(self) -> str:
        """Epochs, which one is kept, its accuracy, and where the network is, in one line."""
        epochs = "1 epoch" if len(self.metrics) == 1 else f"{len(self.metrics)} epochs"
        return (
            f"TrainingResult({epochs} in {self.metrics[-1].seconds:.0f} s, "
            f"kept epoch {self.kept.epoch}: {self.kept.validation_accuracy:.2%} on validation; "
            f"network: {self.folder / NETWORK_FILE})"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("validation accuracy", f"{self.kept.validation_accuracy:.2%}"),
            ("test accuracy", self.decisions.text()),
            ("spikes per hidden neuron and step", f"{self.kept.spike_rate:.3f}"),
            ("network", repr(self.program)),
        ]
        return html_table(repr(self), [f"kept epoch {self.kept.epoch}", ""], rows)
