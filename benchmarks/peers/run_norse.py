"""Norse: its leaky cell with a current, stepped through."""

from __future__ import annotations

from pathlib import Path

import norse
import torch
from arrays import Layer, Network
from child import Built, UnsupportedError, serve
from norse.torch import LIFParameters
from norse.torch.functional.lif import LIFFeedForwardState, lif_feed_forward_step
from step_loop import Step, loop, stepped


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Prepare the loop around its cells."""
    del variant, folder
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if network.sparse:
        raise UnsupportedError("sparse sums, which are torch's")
    left_out = "floating point, states unrounded; delays by the loop around it"
    return Built(loop(network, samples, stepped(cells)), left_out, norse.__version__)


def cells(layer: Layer, zeros: torch.Tensor) -> Step:
    """One layer; Norse multiplies the current by the membrane's decay, so the threshold as well."""
    decay = layer.voltage_decay or 1.0
    p = LIFParameters(
        tau_syn_inv=torch.as_tensor(layer.current_decay),
        tau_mem_inv=torch.as_tensor(decay),
        v_leak=torch.as_tensor(0.0),
        v_th=torch.from_numpy(layer.threshold).float() * decay,
        v_reset=torch.as_tensor(0.0),
    )
    bias = torch.from_numpy(layer.bias).float()
    if bool(bias.any()):
        p = p._replace(v_leak=bias)
    state = LIFFeedForwardState(v=zeros, i=zeros)

    def step(now: torch.Tensor) -> torch.Tensor:
        nonlocal state
        spikes, state = lif_feed_forward_step(now, state, p, dt=1.0)
        return spikes

    return step


if __name__ == "__main__":
    serve(build)
