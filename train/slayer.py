"""The parts of lava-dl that training builds on, imported once and without its chatter.

lava-dl prints on import what concerns other parts of it; every module of this folder takes SLAYER
from here.

SLAYER's weights stay between their limits by `torch.clamp`, whose slope at the limits was 1 up to
torch 2.13 and is 0 since 2.14 (pytorch/pytorch, issue 195931). A weight that is rounded to the
limit would then learn no more, so the slope is set back to what SLAYER was written with.
"""

from __future__ import annotations

import contextlib
import functools
import io
from typing import Any

import torch

from kipuka.lazy import listing
from kipuka.train.autograd_queue import let_go_at_exit

with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    from lava.lib.dl.slayer.axon import Delay, Delta
    from lava.lib.dl.slayer.axon.delta import _DeltaUnit as DeltaUnit
    from lava.lib.dl.slayer.block import cuba, sigma_delta
    from lava.lib.dl.slayer.block.base import step_delay
    from lava.lib.dl.slayer.neuron.base import Neuron
    from lava.lib.dl.slayer.neuron.cuba import SCALE_RHO_MULT, TAU_RHO_MULT
    from lava.lib.dl.slayer.neuron.dynamics import leaky_integrator
    from lava.lib.dl.slayer.neuron.norm import MeanOnlyBatchNorm
    from lava.lib.dl.slayer.neuron.sigma_delta import Neuron as SigmaDeltaNeuron
    from lava.lib.dl.slayer.spike import Spike
    from lava.lib.dl.slayer.synapse.layer import Conv as ConvSynapse
    from lava.lib.dl.slayer.synapse.layer import Dense as DenseSynapse
    from lava.lib.dl.slayer.utils.quantize import quantize
    from lava.lib.dl.slayer.utils.time.shift import Accelerated as TimeShift

__all__ = [
    "SCALE_RHO_MULT",
    "TAU_RHO_MULT",
    "ConvSynapse",
    "Delay",
    "Delta",
    "DeltaUnit",
    "DenseSynapse",
    "MeanOnlyBatchNorm",
    "Neuron",
    "SigmaDeltaNeuron",
    "Spike",
    "TimeShift",
    "cuba",
    "leaky_integrator",
    "sigma_delta",
    "step_delay",
]

__dir__ = listing(__all__)

let_go_at_exit()


def clamp_is_open() -> bool:
    """Whether this torch's clamp has the slope 0 at its limits."""
    with torch.enable_grad():
        limit = torch.zeros(1, requires_grad=True)
        (slope,) = torch.autograd.grad(limit.clamp(0, 1).sum(), limit)
    return not slope.item()


def with_slope_at_limits(quantize_8bit: Any) -> Any:
    """Give SLAYER's rounding and clamping of weights the slope 1 at its limits, and 0 beyond.

    Parameters
    ----------
    quantize_8bit : callable (neuron, weight, descale)
        `lava.lib.dl.slayer.neuron.base.Neuron.quantize_8bit`.
    """

    @functools.wraps(quantize_8bit)
    def quantized(self: Neuron, weight: torch.Tensor, descale: bool = False) -> torch.Tensor:
        limited: torch.Tensor = quantize_8bit(self, weight.detach(), descale)
        rounded = quantize(weight, step=2 / self.w_scale)
        if descale:
            rounded = rounded * self.w_scale
        return torch.where(rounded == limited, rounded, limited)

    return quantized


if clamp_is_open():
    Neuron.quantize_8bit = with_slope_at_limits(Neuron.quantize_8bit)
