"""What training minimizes: cross entropy of spike counts, and penalties on activity."""

from __future__ import annotations

from typing import NamedTuple

import torch

from kipuka.train.gru.block import GruBlock
from kipuka.train.runs.config import TrainConfig
from kipuka.train.sigma_delta.blocks import SIGMA_DELTA_BLOCKS


class BatchLoss(NamedTuple):
    """Sums over the samples of a batch, so that parts of it can be added up.

    Attributes
    ----------
    total : tensor
        Cross entropy and penalties, with gradient.
    cross_entropy : tensor
        Without gradient.
    spike_rate : tensor
        Spikes, graded ones included, per hidden neuron and step, without gradient.
    overshoot : tensor
        Mean overshoot of GRU states; see `kipuka.train.gru.cell.GruStates`.
    """

    total: torch.Tensor
    cross_entropy: torch.Tensor
    spike_rate: torch.Tensor
    overshoot: torch.Tensor


def batch_loss(
    network: torch.nn.ModuleList, x: torch.Tensor, labels: torch.Tensor, config: TrainConfig
) -> BatchLoss:
    """Run a network on samples and sum up their losses.

    The rate penalty of a layer and sample is the square of what its mean rate lacks of
    `rate_low` or exceeds `rate_high` by.

    Parameters
    ----------
    network : torch.nn.ModuleList
    x : float tensor (samples, units, time)
    labels : int64 tensor (samples,)
    config : TrainConfig
    """
    penalties = config.penalties
    zero = torch.zeros(len(x), device=x.device)
    rate_penalty, overshoot, rates = zero, zero, []
    for block in network:
        x = block(x)
        if block is not network[-1]:
            rates.append((x.detach() != 0).flatten(1).float().mean(1))
            activity = _activity(block, x)
            below, above = penalties.rate_low - activity, activity - penalties.rate_high
            rate_penalty = rate_penalty + (below.relu() + above.relu()) ** 2
        if isinstance(block, GruBlock):
            overshoot = overshoot + block.overshoot
    entropy = torch.nn.functional.cross_entropy(
        x.sum(-1) * config.spike_gain,
        labels,
        label_smoothing=config.label_smoothing,
        reduction="none",
    )
    total = entropy + penalties.rate * rate_penalty + penalties.overshoot * overshoot
    rate = torch.stack(rates).mean(0) if rates else zero
    return BatchLoss(
        total.sum(), entropy.detach().sum(), rate.detach().sum(), overshoot.detach().sum()
    )


def _activity(block: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Spikes per neuron and step (samples,), or the magnitude of payloads in nominal units.

    The magnitude has a slope wherever something is sent, and is the less the fewer changes there
    are to send.
    """
    return (x.abs() if isinstance(block, SIGMA_DELTA_BLOCKS) else x).flatten(1).mean(1)


def count_correct(
    network: torch.nn.ModuleList, spikes: torch.Tensor, labels: torch.Tensor, batch_size: int = 256
) -> int:
    """Samples whose class the quantized forward pass gets right; see `output_counts`."""
    return right_decisions(output_counts(network, spikes, batch_size), labels)


def right_decisions(counts: torch.Tensor, labels: torch.Tensor) -> int:
    """Samples in which the output of the right class spikes most; of equals the first counts."""
    # numpy's argmax takes the first of equals, torch's any of them.
    return int((counts.numpy().argmax(1) == labels.numpy()).sum())


def summed_cross_entropy(counts: torch.Tensor, labels: torch.Tensor, spike_gain: float) -> float:
    """Cross entropy of spike counts as training has it, without smoothing, summed over samples."""
    logits = (counts.double() * spike_gain).log_softmax(1)
    return float(torch.nn.functional.nll_loss(logits, labels, reduction="sum"))


def output_counts(
    network: torch.nn.ModuleList, spikes: torch.Tensor, batch_size: int = 256
) -> torch.Tensor:
    """Output spikes, or values summed over time, of the quantized forward pass.

    Returns a float64 tensor (samples, classes).

    Parameters
    ----------
    network : torch.nn.ModuleList
        Run in evaluation mode, with integer delays, and left as it was.
    spikes : bool tensor (samples, units, time)
    batch_size : int
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    counts = []
    with torch.no_grad():
        for part in spikes.split(batch_size):
            x = part.float().to(device)
            for block in network:
                x = block(x)
            counts.append(x.sum(-1, dtype=torch.float64).cpu())
    network.train(was_training)
    return torch.cat(counts)
