"""Norse: its leaky cell with a current, stepped through."""

from __future__ import annotations

from pathlib import Path

import norse
import torch
from arrays import Layer, Network
from child import Built, serve
from norse.torch import LIFParameters
from norse.torch.functional.lif import LIFFeedForwardState, lif_feed_forward_step
from step_loop import Sent, loop


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Prepare the loop around its cells."""
    del variant, folder
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    left_out = "floating point, states unrounded; delays by the loop around it"
    return Built(loop(network, samples, neurons), left_out, norse.__version__)


def neurons(layer: Layer, a: torch.Tensor, back: Sent | None) -> torch.Tensor:
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
    state = LIFFeedForwardState(v=torch.zeros_like(a[:, 0]), i=torch.zeros_like(a[:, 0]))
    spikes = torch.zeros_like(a)
    for t in range(a.shape[1]):
        now = a[:, t] if back is None else a[:, t] + back.sums(t)
        spikes[:, t], state = lif_feed_forward_step(now, state, p, dt=1.0)
        if back is not None:
            back.remember(t, spikes[:, t])
    return spikes


if __name__ == "__main__":
    serve(build)
