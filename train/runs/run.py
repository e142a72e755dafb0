"""A training run in memory: network, optimizer, data and randomness, one epoch at a time."""

from __future__ import annotations

import time

import numpy as np
import torch

from kipuka.errors import KipukaError
from kipuka.train.audio_layout import AudioLayout
from kipuka.train.datasets import Dataset
from kipuka.train.delays.axonal import AxonalDelay
from kipuka.train.gru.block import GruBlock
from kipuka.train.gru.ranges import keep_in_range
from kipuka.train.networks import build_network
from kipuka.train.runs.augmentation import Augmentation
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.losses import (
    batch_loss,
    output_counts,
    right_decisions,
    summed_cross_entropy,
)
from kipuka.train.runs.metrics import EpochMetrics
from kipuka.train.runs.parallel import Processes
from kipuka.train.runs.phases import Phase, phase_at
from kipuka.train.runs.state import RunState
from kipuka.train.sigma_delta.blocks import Input
from kipuka.train.silence import PATIENCE, SilenceRule

WAKING = "set penalties.rate to 1, which holds silence against it, or raise learning_rate"
"""What helps a layer without spikes, of the settings of a run."""


def named_delays(network: torch.nn.ModuleList) -> list[tuple[str, AxonalDelay]]:
    """Learnable delays of a network, named by layer and by recurrence or output."""
    found = []
    # A layout only shapes the input, which is layer 0, as are neurons of the input.
    layers = [block for block in network if not isinstance(block, AudioLayout)]
    first = 0 if isinstance(layers[0], Input) else 1
    for number, block in enumerate(layers, start=first):
        for attribute, place in (("delay_rec", "recurrence"), ("delay", "output")):
            delay = getattr(block, attribute, None)
            if isinstance(delay, AxonalDelay):
                found.append((f"layer {number}, {place}", delay))
    return found


def configured_network(config: TrainConfig, data: Dataset) -> torch.nn.ModuleList:
    """Network that the settings name, for the data, with freshly drawn parameters."""
    return build_network(
        config.network,
        data.n_units,
        data.n_classes,
        config.hidden,
        layout=config.layout,
        update_gate_input=config.update_gate_input,
        shape=data.shape,
        recurrent_min_steps=config.delays.recurrent_min_steps,
    )


class Run:
    """Network, optimizer, data and randomness of a run, one epoch at a time."""

    def __init__(self, config: TrainConfig, data: Dataset, processes: Processes) -> None:
        self.config = config
        self.processes = processes
        self.data_sha256 = data.digest
        torch.manual_seed(config.seed)
        network = configured_network(config, data)
        self.network = network.to(config.device)
        self.generator = torch.Generator().manual_seed(config.seed)
        seen = data.train.joined(data.validation) if config.train_on_validation else data.train
        self.labels = torch.from_numpy(seen.labels)
        spikes = torch.from_numpy(seen.spikes)
        self.augmentation = Augmentation(config.augmentation, spikes)
        self.validation = tuple(
            torch.from_numpy(array) for array in (data.validation.spikes, data.validation.labels)
        )
        self.delays = [delay for _, delay in named_delays(network)]
        for delay in self.delays:
            delay.rule = config.delays.rule
            if config.delays.init_steps is not None:
                delay.delay.data.uniform_(0, config.delays.init_steps)
        own = {id(delay.delay) for delay in self.delays}
        self.weights = [p for p in network.parameters() if p.requires_grad and id(p) not in own]
        groups = [{"params": self.weights}]
        groups += [{"params": [delay.delay for delay in self.delays]}] if self.delays else []
        self.optimizer = torch.optim.Adam(groups, lr=config.learning_rate)
        self._name_layers(-(-len(self.labels) // config.batch_size))
        self.keep_in_range()

    def _name_layers(self, n_batches: int) -> None:
        """Have layers that stay silent for a whole epoch named by their number, with a setting."""
        rule = SilenceRule(max(PATIENCE, n_batches), WAKING)
        layers = [one for one in self.network if not isinstance(one, AudioLayout)]
        for number, block in enumerate(layers, start=1):
            if isinstance(block, GruBlock):
                block.name, block.silence = f"layer {number} ({block.name})", rule

    def initial_state(self) -> RunState:
        """State before the first epoch."""
        before = {name: _steps(delay) for name, delay in named_delays(self.network)}
        return RunState((), before, self.data_sha256)

    def epoch(self, epoch: int, before: tuple[EpochMetrics, ...], offset_s: float) -> EpochMetrics:
        """One pass through the training part in random order, and the accuracy after it."""
        order = torch.randperm(len(self.labels), generator=self.generator)
        batches = order.split(self.config.batch_size)
        sums = torch.zeros(3, dtype=torch.float64)
        for number, batch in enumerate(batches):
            phase = self._enter_phase(epoch, number, len(batches))
            sums += self._update(epoch, batch)
        loss, rate, overshoot = (self.processes.sum_values(sums) / len(order)).tolist()
        accuracy, validation_loss = self._validate()
        best = {
            "last": True,
            "loss": all(validation_loss <= m.validation_loss for m in before),
            # Of equals the later one wins: its loss is lower.
            "accuracy": all(accuracy >= m.validation_accuracy for m in before),
        }[self.config.selection]
        histograms = {name: _histogram(delay) for name, delay in named_delays(self.network)}
        steps = [step for delay in self.delays for step in _steps(delay)]
        return EpochMetrics(
            epoch=epoch,
            loss=loss,
            validation_accuracy=accuracy,
            validation_loss=validation_loss,
            mean_delay_steps=float(np.mean(steps)) if steps else None,
            seconds=time.perf_counter() + offset_s,
            best=best,
            spike_rate=rate,
            overshoot=overshoot,
            learning_rate=phase.learning_rate,
            delay_learning_rate=phase.delay_learning_rate,
            delay_width_steps=phase.delay_width_steps,
            delay_histograms=histograms,
        )

    def _enter_phase(self, epoch: int, number: int, count: int) -> Phase:
        progress = ((epoch - 1) * count + number) / (self.config.epochs * count)
        phase = phase_at(self.config, progress)
        rates = (phase.learning_rate, phase.delay_learning_rate)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=False):
            group["lr"] = rate
            for parameter in group["params"]:
                # Without a gradient Adam passes over a parameter and keeps its moments.
                parameter.requires_grad_(rate > 0)
        for delay in self.delays:
            delay.width_steps = phase.delay_width_steps
        return phase

    def _update(self, epoch: int, batch: torch.Tensor) -> torch.Tensor:
        """One update; sums of cross entropy, spike rate and overshoot over this process's part."""
        x = self.augmentation.draw(batch, self.generator)
        mine = self.processes.part(torch.arange(len(batch)))
        device = self.config.device
        losses = batch_loss(
            self.network, x[mine].to(device), self.labels[batch[mine]].to(device), self.config
        )
        self.optimizer.zero_grad()
        (losses.total / len(batch)).backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.processes.sum_gradients(parameters)
        norm = torch.nn.utils.clip_grad_norm_(self.weights, self.config.gradient_clip)
        # The norm is that of all processes together, so that all of them stop.
        if not torch.isfinite(norm) or not torch.isfinite(losses.total):
            raise KipukaError(
                "training diverged",
                where=f"epoch {epoch}",
                limit="a finite loss and gradient",
                value=f"loss {losses.total.item() / max(len(mine), 1)}, gradient {norm.item()}",
                remedy="lower learning_rate; the checkpoint of the best epoch is kept",
            )
        self.optimizer.step()
        self.keep_in_range()
        return torch.stack(losses[1:]).double().cpu()

    def keep_in_range(self) -> None:
        """Project weights to where no state can saturate, if the settings ask for it."""
        if self.config.proven_ranges:
            for block in self.network:
                if isinstance(block, GruBlock):
                    keep_in_range(block)

    def _validate(self) -> tuple[float, float]:
        """Accuracy and mean cross entropy on the validation part."""
        spikes, labels = self.validation
        mine = self.processes.part(torch.arange(len(labels)))
        found, own = output_counts(self.network, spikes[mine]), labels[mine]
        entropy = summed_cross_entropy(found, own, self.config.spike_gain)
        sums = torch.tensor([right_decisions(found, own), entropy], dtype=torch.float64)
        right, entropy = self.processes.sum_values(sums).tolist()
        return right / len(labels), entropy / len(labels)


def _steps(delay: AxonalDelay) -> np.ndarray:
    return delay.steps.cpu().numpy()


def _histogram(delay: AxonalDelay) -> list[int]:
    counts: list[int] = np.bincount(_steps(delay)).tolist()
    return counts
