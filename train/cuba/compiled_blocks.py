"""SLAYER's blocks as training runs them: integrators compiled, weighted sums from lists of spikes.

Outputs are lava-dl's own in every bit. So are gradients but for the order in which those of dense
weights, and of what they saw, are summed: from the first step on, see `weight_gradient`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from kipuka.train.cuba.integrator import compiled_integrator
from kipuka.train.products.spikes import spike_sums
from kipuka.train.slayer import DenseSynapse


@contextmanager
def compiled_blocks() -> Iterator[None]:
    """Let SLAYER's blocks run compiled within the block, dense synapses and CUBA neurons."""
    stock = DenseSynapse.forward

    def forward(synapse: Any, given: torch.Tensor) -> torch.Tensor:
        sums = _spike_sums(synapse, given)
        return stock(synapse, given) if sums is None else sums

    DenseSynapse.forward = forward
    try:
        with compiled_integrator():
            yield
    finally:
        DenseSynapse.forward = stock


def _spike_sums(synapse: Any, given: torch.Tensor) -> torch.Tensor | None:
    """Weighted sums (batch, targets, time) of spikes (batch, sources, time), if they are few."""
    if given.dim() != 3 or tuple(synapse.kernel_size) != (1, 1, 1):
        return None
    hook = synapse.pre_hook_fx
    weight = synapse.weight if hook is None else hook(synapse.weight)
    sums = spike_sums(given.movedim(-1, 0), weight.flatten(1))
    return None if sums is None else sums.movedim(0, -1)
