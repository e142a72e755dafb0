"""snnTorch: its `Synaptic` neuron, stepped through."""

from __future__ import annotations

from pathlib import Path

import snntorch
import torch
from arrays import Layer, Network
from child import Built, UnsupportedError, serve
from step_loop import Sent, loop


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Prepare the loop around its neurons."""
    del variant, folder
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if any(layer.bias.any() for layer in network.layers):
        raise UnsupportedError("a bias that its current does not filter")
    left_out = "floating point, states unrounded; delays by the loop around it"
    return Built(loop(network, samples, neurons), left_out, snntorch.__version__)


def neurons(layer: Layer, a: torch.Tensor, back: Sent | None) -> torch.Tensor:
    """One layer that resets to zero in the step of the spike."""
    neuron = snntorch.Synaptic(
        alpha=1 - layer.current_decay,
        beta=1 - layer.voltage_decay,
        threshold=torch.from_numpy(layer.threshold).float(),
        reset_mechanism="zero",
        reset_delay=False,
    )
    syn, mem = torch.zeros_like(a[:, 0]), torch.zeros_like(a[:, 0])
    spikes = torch.zeros_like(a)
    for t in range(a.shape[1]):
        now = a[:, t] if back is None else a[:, t] + back.sums(t)
        spikes[:, t], syn, mem = neuron(now, syn, mem)
        if back is not None:
            back.remember(t, spikes[:, t])
    return spikes


if __name__ == "__main__":
    serve(build)
