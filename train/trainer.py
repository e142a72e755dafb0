"""Training: one cycle of Adam on spike counts, the best epoch on validation wins."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from kipuka.convert.program import Program
from kipuka.convert.quantize import program_from_blocks
from kipuka.errors import KipukaError
from kipuka.train.audio_layout import AudioLayout
from kipuka.train.checkpoint import load_checkpoint, save_checkpoint
from kipuka.train.config import TrainConfig, load_config, save_config
from kipuka.train.datasets import Dataset, Split, load_dataset
from kipuka.train.delays import AxonalDelay
from kipuka.train.networks import build_network

CONFIG_FILE, CHECKPOINT_FILE, METRICS_FILE = (
    "config.yaml",
    "checkpoint.safetensors",
    "metrics.jsonl",
)


@dataclass(frozen=True)
class EpochMetrics:
    """What is known after an epoch.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean cross entropy over the training samples as they were seen.
    validation_accuracy : float
        Of the quantized forward pass, which is the integer network.
    mean_delay_steps : float or None
        Over all learnable delays; None without any.
    seconds : float
        Wall time since the start of training.
    best : bool
        Whether this epoch's parameters are the ones kept.
    """

    epoch: int
    loss: float
    validation_accuracy: float
    mean_delay_steps: float | None
    seconds: float
    best: bool


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A finished run.

    Attributes
    ----------
    network : torch.nn.ModuleList
        With the parameters of the best epoch.
    metrics : tuple of EpochMetrics
    delays_before : dict of str to int64 array
        Delays in steps before training, by name as in `named_delays`.
    """

    network: torch.nn.ModuleList
    metrics: tuple[EpochMetrics, ...]
    delays_before: dict[str, np.ndarray]


def train(
    config: TrainConfig,
    folder: str | Path,
    progress: Callable[[EpochMetrics], None] | None = None,
) -> TrainingResult:
    """Train a named network on a data set and keep the best epoch on its validation part.

    Parameters
    ----------
    config : TrainConfig
    folder : path-like
        Run folder; receives ``config.yaml``, ``checkpoint.safetensors`` and ``metrics.jsonl``.
    progress : callable (EpochMetrics), optional
        Called after each epoch.

    Returns
    -------
    TrainingResult

    Raises
    ------
    KipukaError
        If the folder holds a run already, or the loss stops being a number.
    """
    folder = _new_run_folder(folder)
    dataset = load_dataset(config.data)
    torch.manual_seed(config.seed)
    network = build_network(config.network, dataset.n_units, dataset.n_classes, config.hidden)
    delays_before = {name: _steps(delay) for name, delay in named_delays(network)}
    save_config(folder / CONFIG_FILE, config)
    run = _Run(config, network, dataset)
    metrics: list[EpochMetrics] = []
    start = time.perf_counter()
    with (folder / METRICS_FILE).open("w") as log:
        for epoch in range(1, config.epochs + 1):
            loss = run.train_epoch(epoch)
            accuracy = accuracy_of(network, dataset.validation)
            # Of equals the later one wins: its loss is lower.
            best = all(accuracy >= m.validation_accuracy for m in metrics)
            if best:
                save_checkpoint(folder / CHECKPOINT_FILE, network)
            delays = [d for _, delay in named_delays(network) for d in _steps(delay)]
            mean_delay = float(np.mean(delays)) if delays else None
            seconds = time.perf_counter() - start
            metrics.append(EpochMetrics(epoch, loss, accuracy, mean_delay, seconds, best))
            log.write(json.dumps(vars(metrics[-1])) + "\n")
            log.flush()
            if progress:
                progress(metrics[-1])
    load_checkpoint(folder / CHECKPOINT_FILE, network)
    return TrainingResult(network, tuple(metrics), delays_before)


def load_run(folder: str | Path) -> tuple[TrainConfig, torch.nn.ModuleList, Dataset]:
    """Configuration, trained network and data set of a run folder."""
    folder = Path(folder)
    config = load_config(folder / CONFIG_FILE)
    dataset = load_dataset(config.data)
    network = build_network(config.network, dataset.n_units, dataset.n_classes, config.hidden)
    load_checkpoint(folder / CHECKPOINT_FILE, network)
    return config, network, dataset


def program_of(network: torch.nn.ModuleList, config: TrainConfig) -> Program:
    """Quantize a trained network, with its settings as metadata."""
    metadata = {"origin": f"kipuka train, network {config.network} on {config.data}"}
    metadata["training"] = json.dumps(config.model_dump(), sort_keys=True)
    return program_from_blocks(network, metadata=metadata)


def accuracy_of(network: torch.nn.ModuleList, split: Split) -> float:
    """Fraction of samples whose class the quantized forward pass gets right."""
    with torch.no_grad():
        counts = _forward(network, torch.from_numpy(split.spikes.astype(np.float32))).sum(-1)
    # numpy's argmax takes the first of equals, torch's any of them.
    return float((counts.numpy().argmax(1) == split.labels).mean())


def named_delays(network: torch.nn.ModuleList) -> list[tuple[str, AxonalDelay]]:
    """Learnable delays of a network, named by layer and by recurrence or output."""
    found = []
    # A layout only shapes the input, which is layer 0.
    layers = (block for block in network if not isinstance(block, AudioLayout))
    for number, block in enumerate(layers, start=1):
        for attribute, place in (("delay_rec", "recurrence"), ("delay", "output")):
            delay = getattr(block, attribute, None)
            if isinstance(delay, AxonalDelay):
                found.append((f"layer {number}, {place}", delay))
    return found


class _Run:
    """Optimizer, schedule and data of a run, one epoch at a time."""

    def __init__(self, config: TrainConfig, network: torch.nn.ModuleList, data: Dataset) -> None:
        self.config = config
        self.network = network
        self.inputs = torch.from_numpy(data.train.spikes.astype(np.float32))
        self.labels = torch.from_numpy(data.train.labels)
        self.delays = [delay.delay for _, delay in named_delays(network)]
        own = {id(p) for p in self.delays}
        self.weights = [p for p in network.parameters() if p.requires_grad and id(p) not in own]
        groups = [(self.weights, config.learning_rate), (self.delays, config.delay_learning_rate)]
        groups = [(group, rate) for group, rate in groups if group and rate > 0]
        self.optimizer = torch.optim.Adam([{"params": group, "lr": rate} for group, rate in groups])
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            [rate for _, rate in groups],
            total_steps=config.epochs * math.ceil(len(self.labels) / config.batch_size),
            pct_start=0.1,
        )

    def train_epoch(self, epoch: int) -> float:
        """Mean loss over one pass through the training part in random order."""
        total = 0.0
        for batch in torch.randperm(len(self.labels)).split(self.config.batch_size):
            x = self.inputs[batch]
            x = x * (torch.rand_like(x) >= self.config.input_drop)
            logits = _forward(self.network, x).sum(-1) * self.config.spike_gain
            loss = torch.nn.functional.cross_entropy(
                logits, self.labels[batch], label_smoothing=self.config.label_smoothing
            )
            if not torch.isfinite(loss):
                raise KipukaError(
                    "training diverged",
                    where=f"epoch {epoch}",
                    limit="a finite loss",
                    value=loss.item(),
                    remedy="lower learning_rate; the checkpoint of the best epoch is kept",
                )
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.weights, self.config.gradient_clip)
            self.optimizer.step()
            self.schedule.step()
            total += loss.item() * len(batch)
        return total / len(self.labels)


def _forward(network: torch.nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    for block in network:
        x = block(x)
    return x


def _steps(delay: AxonalDelay) -> np.ndarray:
    return delay.steps.cpu().numpy()


def _new_run_folder(folder: str | Path) -> Path:
    folder = Path(folder)
    if (folder / CHECKPOINT_FILE).exists():
        raise KipukaError(
            "the folder holds a training run already",
            where=str(folder),
            limit="a new or empty folder",
            value=CHECKPOINT_FILE,
            remedy="choose another folder or remove this one",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder
