"""Blocks like ``slayer.block.sigma_delta``, whose evaluated forward pass is that of the integers.

SLAYER's neuron sends payloads of 12 fractional bits, as the chip does. What is deployed differs in
two places, in which these blocks follow it: thresholds and biases are whole 1/64, a message takes
a step to the next layer. Slopes pass through all rounding. A batch may be without samples; one
without steps is refused.
In single precision sums are exact as long as their magnitude, and that of their parts, stays below
64 nominal units; those of a chip end at 32.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from kipuka.convert import fixed
from kipuka.train.slayer import Delta as SlayerDelta
from kipuka.train.slayer import DeltaUnit, DenseSynapse, SigmaDeltaNeuron, sigma_delta
from kipuka.train.steps import expect_steps

GRID = 1 / fixed.WEIGHT_SCALE
PAYLOAD_GRID = 1 / fixed.STATE_SCALE


class _Rounded(torch.autograd.Function):
    """A multiple of a step at or below a value, or next to it towards zero; the slope is 1."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, step: float, towards_zero: bool) -> torch.Tensor:
        del ctx
        return (torch.trunc if towards_zero else torch.floor)(x / step) * step

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        del ctx
        return slopes[0], None, None


def of_any_batch(module: Any, x: torch.Tensor) -> Any:
    """What a module of lava-dl gives of a batch (batch, ...), which may be without samples.

    Some of them infer a size from those of the batch, which one without samples does not tell: it
    gets a silent one for company.
    """
    if len(x):
        return module(x)
    return module(torch.cat([x, x.new_zeros(1, *x.shape[1:])]))[:0]


def _expect_steps(block: Any, x: torch.Tensor) -> None:
    expect_steps(x, f"sigma-delta block {type(block).__name__}")


def _weighted_sums(block: Any, synapse: Any, x: torch.Tensor) -> Any:
    """Sums (batch, ..., time) of what arrives at a block of payloads (batch, ..., time)."""
    _expect_steps(block, x)
    return of_any_batch(synapse, x)


def truncated(x: torch.Tensor) -> torch.Tensor:
    """Give the multiple of 1/64 next to a value towards zero, with the slope 1."""
    rounded: torch.Tensor = _Rounded.apply(x, GRID, True)  # type: ignore[no-untyped-call]
    return rounded


class Changes(SlayerDelta):  # type: ignore[misc]
    """SLAYER's delta unit with the threshold that is deployed: a whole number of 1/64, from 0 on.

    A threshold that learns stays at 1/64 or above, below which its slope has no meaning.
    """

    def clamp(self) -> None:
        """Keep the learned threshold where it can learn."""
        self.threshold.data.clamp_(min=GRID if self.requires_grad else 0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Changes (batch, ..., time) that are sent of an activation in nominal units."""
        self.shape = x.shape[1:-1]
        return self._unit(x, torch.zeros_like(x[..., 0]))[0]

    def step(
        self, change: torch.Tensor, residue: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is sent in one step, and what is left over.

        Parameters
        ----------
        change : tensor (batch, ...)
            Of the activation since the step before, in nominal units.
        residue : tensor (batch, ...)
            What was left over then.
        """
        sent, left = self._unit(change[..., None], residue)
        return sent[..., 0], left

    def _unit(self, x: torch.Tensor, residue: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.clamp()
        zero = torch.zeros_like(residue)
        sent, left, _ = DeltaUnit.apply(
            x, truncated(self.threshold), zero, residue, zero, False, self.tau_grad, self.scale_grad
        )
        payload: torch.Tensor = _Rounded.apply(  # type: ignore[no-untyped-call]
            sent, PAYLOAD_GRID, False
        )
        return payload, left


class Neuron(SigmaDeltaNeuron):  # type: ignore[misc]
    """SLAYER's sigma-delta neuron with the threshold and the bias that are deployed.

    Parameters
    ----------
    **settings
        SLAYER's; ``cum_error`` is not deployed and stays False.
    """

    delta: Any

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "cum_error": False})
        old = self.delta
        self.delta = Changes(
            threshold=float(old.threshold.detach()),
            scale=old.scale,
            tau_grad=old.tau_grad,
            scale_grad=old.scale_grad,
            requires_grad=old.requires_grad,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads (batch, ..., time) of weighted payloads, in nominal units."""
        _, _, sent = self.dynamics(x)
        return sent if self.drop is None else self.drop(sent)

    def dynamics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Sum of all that arrived, activation and payload, each (batch, ..., time)."""
        total = self.sigma(x)
        act = self.activated(total)
        self.shape = self.sigma.shape
        return total, act, self.delta(act)

    def activated(self, total: torch.Tensor) -> torch.Tensor:
        """Activation (batch, ..., time) of a sum: normalization, bias, activation function."""
        if self.norm is not None:
            total = self.norm(total)
        if self.bias_is_set:
            total = total + truncated(self.bias)[None, ..., None]
        act: torch.Tensor = self.activation(total)
        return act


class _Late:
    """What all blocks but the last share: the deployed neuron, and a step to the next block."""

    delay: Any
    delay_shift: bool
    neuron: Any

    def _deploy(self, settings: dict[str, Any]) -> None:
        self.neuron = Neuron(**settings)
        self.delay_shift = True

    def late(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads as they reach the next block: a step later, and each neuron's delay."""
        late = torch.nn.functional.pad(x, (1, 0))[..., :-1]
        return late if self.delay is None else of_any_batch(self.delay, late)


class _Fed(_Late):
    """A block with one synapse in front of its neurons."""

    synapse: Any

    def dynamics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Sum, activation and payload (batch, ..., time) of payloads that arrive."""
        states: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
        states = self.neuron.dynamics(_weighted_sums(self, self.synapse, x))
        return states

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads (batch, ..., time) of payloads."""
        return self.late(self.neuron(_weighted_sums(self, self.synapse, x)))


class Input(_Late, sigma_delta.Input):  # type: ignore[misc]
    """Encoder of real numbers in nominal units; parameters as in ``sigma_delta.Input``."""

    def __init__(self, neuron_params: dict[str, Any], *args: Any, **settings: Any) -> None:
        super().__init__(neuron_params, *args, **settings)
        self._deploy(neuron_params)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads (batch, ..., time) of input (batch, ..., time)."""
        _expect_steps(self, x)
        # The hook gives even 8-bit weight units, of the input as of weight and bias.
        x = self.pre_hook_fx(x)
        if self.weight is not None:
            x = x * self.pre_hook_fx(self.weight)
        if self.bias is not None:
            x = x + self.pre_hook_fx(self.bias)
        sent = self.neuron.delta(truncated(x))
        self.input_shape = self.neuron.shape = self.neuron.sigma.shape = self.neuron.delta.shape
        return self.late(sent)


class Dense(_Fed, sigma_delta.Dense):  # type: ignore[misc]
    """Dense layer; parameters as in ``sigma_delta.Dense``."""

    def __init__(self, neuron_params: dict[str, Any], *args: Any, **settings: Any) -> None:
        super().__init__(neuron_params, *args, **settings)
        self._deploy(neuron_params)


class Conv(_Fed, sigma_delta.Conv):  # type: ignore[misc]
    """Convolution; parameters as in ``sigma_delta.Conv``."""

    def __init__(self, neuron_params: dict[str, Any], *args: Any, **settings: Any) -> None:
        super().__init__(neuron_params, *args, **settings)
        self._deploy(neuron_params)


class Pool(_Fed, sigma_delta.Pool):  # type: ignore[misc]
    """Sum over windows of each channel; parameters as in ``sigma_delta.Pool``."""

    def __init__(self, neuron_params: dict[str, Any], *args: Any, **settings: Any) -> None:
        super().__init__(neuron_params, *args, **settings)
        self._deploy(neuron_params)


class Recurrent(_Late, torch.nn.Module):
    """Dense layer whose neurons also hear each other, a step later; lava-dl has none.

    Parameters
    ----------
    neuron_params : dict
        As of ``sigma_delta.Dense``.
    in_neurons, out_neurons : int
    weight_scale : float
    weight_norm : bool
    """

    bias = None

    def __init__(
        self,
        neuron_params: dict[str, Any],
        in_neurons: int,
        out_neurons: int,
        weight_scale: float = 1,
        weight_norm: bool = False,
    ) -> None:
        super().__init__()
        self.delay = None
        self._deploy(neuron_params)
        settings = (weight_scale, weight_norm, self.neuron.quantize_8bit)
        self.input_synapse = DenseSynapse(in_neurons, out_neurons, *settings)
        self.recurrent_synapse = DenseSynapse(out_neurons, out_neurons, *settings)

    @property
    def shape(self) -> Any:
        """Shape of the neurons, once they have seen data."""
        return self.neuron.shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads (batch, neurons, time) of payloads."""
        sent = self.dynamics(x)[2]
        return self.late(sent if self.neuron.drop is None else self.neuron.drop(sent))

    def dynamics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Sum, activation and payload (batch, neurons, time) of payloads that arrive."""
        arriving = _weighted_sums(self, self.input_synapse, x)
        self.neuron.shape = arriving.shape[1:-1]
        total = act = residue = sent = torch.zeros_like(arriving[..., 0])
        states = []
        for step in range(arriving.shape[-1]):
            own = of_any_batch(self.recurrent_synapse, sent[..., None])[..., 0]
            total = total + arriving[..., step] + own
            before, act = act, self.neuron.activated(total[..., None])[..., 0]
            sent, residue = self.neuron.delta.step(act - before, residue)
            states.append((total, act, sent))
        sums, acts, payloads = (torch.stack(part, dim=-1) for part in zip(*states, strict=True))
        return sums, acts, payloads


class Output(sigma_delta.Output):  # type: ignore[misc]
    """Decoder: values (batch, neurons, time) in nominal units; as ``sigma_delta.Output``."""

    def forward(self, x: torch.Tensor) -> Any:
        """Values (batch, neurons, time) of payloads, with ``count_log`` and the share above 0."""
        total = self.neuron.sigma(_weighted_sums(self, self.synapse, x))
        return (total, torch.mean((total > 0).to(total.dtype))) if self.count_log else total


class Flatten(sigma_delta.Flatten):  # type: ignore[misc]
    """Channels, height and width in one row; as ``sigma_delta.Flatten``."""

    shape: Any

    def forward(self, x: torch.Tensor) -> Any:
        """Payloads (batch, neurons, time) of payloads, with ``count_log`` and None."""
        self.shape = self.shape or [math.prod(x.shape[1:-1]), 1, 1]
        flat = x.flatten(1, -2)
        return (flat, None) if self.count_log else flat


SIGMA_DELTA_BLOCKS = (Input, Dense, Conv, Pool, Recurrent, Output)
"""All blocks with neurons."""
