"""snnTorch: its `Synaptic` neuron, stepped through."""

from __future__ import annotations

from pathlib import Path

import snntorch
import torch
from arrays import Layer, Network
from child import Built, UnsupportedError, serve
from step_loop import Step, loop, stepped


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Prepare the loop around its neurons."""
    del variant, folder
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if network.sparse:
        raise UnsupportedError("sparse sums, which are torch's")
    if any(layer.bias.any() for layer in network.layers):
        raise UnsupportedError("a bias that its current does not filter")
    left_out = "floating point, states unrounded; delays by the loop around it"
    return Built(loop(network, samples, stepped(cells)), left_out, snntorch.__version__)


def cells(layer: Layer, zeros: torch.Tensor) -> Step:
    """One layer that resets to zero in the step of the spike."""
    neuron = snntorch.Synaptic(
        alpha=1 - layer.current_decay,
        beta=1 - layer.voltage_decay,
        threshold=torch.from_numpy(layer.threshold).float(),
        reset_mechanism="zero",
        reset_delay=False,
    )
    syn, mem = zeros, zeros

    def step(now: torch.Tensor) -> torch.Tensor:
        nonlocal syn, mem
        spikes, syn, mem = neuron(now, syn, mem)
        return spikes

    return step


if __name__ == "__main__":
    serve(build)
