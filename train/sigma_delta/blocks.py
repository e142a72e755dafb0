"""Blocks like ``slayer.block.sigma_delta``, whose evaluated forward pass is that of the integers.

SLAYER's neuron sends payloads of 12 fractional bits, as the chip does. What is deployed differs in
two places, in which these blocks follow it: thresholds and biases are whole 1/64, a message takes
a step to the next layer. Slopes pass through all rounding.
In single precision sums are exact as long as their magnitude, and that of their parts, stays below
64 nominal units; those of a chip end at 32.
"""

from __future__ import annotations

from typing import Any

import torch

from kipuka.convert import fixed
from kipuka.train.slayer import Delta as SlayerDelta
from kipuka.train.slayer import DeltaUnit, SigmaDeltaNeuron, sigma_delta

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
        self.clamp()
        zero = torch.zeros_like(x[..., 0])
        sent, _, _ = DeltaUnit.apply(
            x, truncated(self.threshold), zero, zero, zero, False, self.tau_grad, self.scale_grad
        )
        payload: torch.Tensor = _Rounded.apply(  # type: ignore[no-untyped-call]
            sent, PAYLOAD_GRID, False
        )
        return payload


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
            threshold=float(old.threshold),
            scale=old.scale,
            tau_grad=old.tau_grad,
            scale_grad=old.scale_grad,
            requires_grad=old.requires_grad,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads (batch, ..., time) of weighted payloads, in nominal units."""
        total = self.sigma(x)
        if self.norm is not None:
            total = self.norm(total)
        if self.bias_is_set:
            total = total + truncated(self.bias)[None, ..., None]
        sent = self.delta(self.activation(total))
        self.shape = self.sigma.shape
        return sent if self.drop is None else self.drop(sent)


class _Late:
    """What all blocks but the last share: the deployed neuron, and a step to the next block."""

    delay: Any
    delay_shift: bool
    neuron: Any

    def _deploy(self, settings: dict[str, Any]) -> None:
        self.neuron = Neuron(**settings)
        self.delay_shift = True

    def _sent(self, x: torch.Tensor) -> torch.Tensor:
        late = torch.nn.functional.pad(x, (1, 0))[..., :-1]
        return late if self.delay is None else self.delay(late)


class Input(_Late, sigma_delta.Input):  # type: ignore[misc]
    """Encoder of real numbers in nominal units; parameters as in ``sigma_delta.Input``."""

    def __init__(self, neuron_params: dict[str, Any], *args: Any, **settings: Any) -> None:
        super().__init__(neuron_params, *args, **settings)
        self._deploy(neuron_params)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads (batch, ..., time) of input (batch, ..., time)."""
        # The hook gives even 8-bit weight units, of the input as of weight and bias.
        x = self.pre_hook_fx(x)
        if self.weight is not None:
            x = x * self.pre_hook_fx(self.weight)
        if self.bias is not None:
            x = x + self.pre_hook_fx(self.bias)
        sent = self.neuron.delta(truncated(x))
        self.input_shape = self.neuron.shape = self.neuron.sigma.shape = self.neuron.delta.shape
        return self._sent(sent)


class Dense(_Late, sigma_delta.Dense):  # type: ignore[misc]
    """Dense layer; parameters as in ``sigma_delta.Dense``."""

    def __init__(self, neuron_params: dict[str, Any], *args: Any, **settings: Any) -> None:
        super().__init__(neuron_params, *args, **settings)
        self._deploy(neuron_params)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads (batch, neurons, time) of payloads."""
        return self._sent(self.neuron(self.synapse(x)))


class Conv(_Late, sigma_delta.Conv):  # type: ignore[misc]
    """Convolution; parameters as in ``sigma_delta.Conv``."""

    def __init__(self, neuron_params: dict[str, Any], *args: Any, **settings: Any) -> None:
        super().__init__(neuron_params, *args, **settings)
        self._deploy(neuron_params)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Payloads (batch, channels, height, width, time) of payloads."""
        return self._sent(self.neuron(self.synapse(x)))


class Output(sigma_delta.Output):  # type: ignore[misc]
    """Decoder: values (batch, neurons, time) in nominal units; as ``sigma_delta.Output``."""


class Flatten(sigma_delta.Flatten):  # type: ignore[misc]
    """Channels, height and width in one row; as ``sigma_delta.Flatten``."""
