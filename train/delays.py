"""Learnable axonal delays: integers forward, a slope over neighbouring delays backward."""

from __future__ import annotations

from typing import Any

import torch

from kipuka.convert import fixed


class AxonalDelay(torch.nn.Module):
    """One learnable delay per neuron (or channel), applied as ``floor(delay)``.

    Parameters
    ----------
    neurons : int
        Neurons that have a delay.
    init_steps : tuple of float
        Range of the uniform distribution that initial delays are drawn from, in steps.
    max_delay : int
        Upper limit in steps; at most 62, the limit of the hardware.
    reach_steps : int
        How many steps to either side of the present delay the gradient looks; see `delay_slope`.

    Attributes
    ----------
    delay : torch.nn.Parameter (neurons,)
        Delays in steps, clamped to [0, `max_delay`] before each use, as SLAYER's own are.
    """

    def __init__(
        self,
        neurons: int,
        init_steps: tuple[float, float] = (0.0, 1.0),
        max_delay: int = fixed.DELAY_MAX,
        reach_steps: int = 1,
    ) -> None:
        super().__init__()
        self.max_delay = min(max_delay, fixed.DELAY_MAX)
        self.reach_steps = reach_steps
        self.delay = torch.nn.Parameter(torch.empty(neurons).uniform_(*init_steps))
        self.clamp()

    def clamp(self) -> None:
        """Bring the delays back into their range."""
        self.delay.data.clamp_(0, self.max_delay)

    @property
    def steps(self) -> torch.Tensor:
        """Delays as the forward pass and the hardware use them: int64 (neurons,)."""
        self.clamp()
        return torch.floor(self.delay.detach()).to(torch.int64)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        """Delay spikes (batch, neurons, time) by each neuron's integer delay."""
        self.clamp()
        return _Shift.apply(spikes, self.delay, self.reach_steps)  # type: ignore[no-untyped-call]


def delay_slope(delayed: torch.Tensor, reach_steps: int) -> torch.Tensor:
    """Derivative of delayed spikes with respect to the delay, as a slope over whole steps.

    With ``x_d`` the spikes delayed by d and reach w it is
    ``sum over k = 1..w of (x_{d+k} - x_{d-k}) / (w (w + 1))``: the central difference for w = 1
    and exact for every loss that is linear in the delay over the reach. SLAYER takes the one-sided
    difference of one step; a longer reach lets a delay feel a target it does not yet touch.

    Parameters
    ----------
    delayed : tensor (..., time)
    reach_steps : int

    Returns
    -------
    tensor (..., time)
    """
    n_steps = delayed.shape[-1]
    padded = torch.nn.functional.pad(delayed, (reach_steps + 1, reach_steps))
    total = padded.cumsum(-1)
    middle = total[..., reach_steps + 1 : reach_steps + 1 + n_steps]
    before = total[..., reach_steps : reach_steps + n_steps] - total[..., :n_steps]
    after = total[..., 2 * reach_steps + 1 : 2 * reach_steps + 1 + n_steps] - middle
    return (before - after) / (reach_steps * (reach_steps + 1))


def shift(signal: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Move each neuron's signal (batch, neurons, time) later by its steps (earlier if negative)."""
    n_steps = signal.shape[-1]
    index = torch.arange(n_steps, device=signal.device) - steps[:, None]
    inside = (index >= 0) & (index < n_steps)
    gathered = signal.gather(-1, index.clamp(0, n_steps - 1).expand(signal.shape))
    return gathered * inside


class _Shift(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, spikes: torch.Tensor, delay: torch.Tensor, reach_steps: int
    ) -> torch.Tensor:
        steps = torch.floor(delay).to(torch.int64)
        delayed = shift(spikes, steps)
        ctx.save_for_backward(delayed, steps)
        ctx.reach_steps = reach_steps
        return delayed

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        (grad,) = grad_outputs
        delayed, steps = ctx.saved_tensors
        grad_delay = (grad * delay_slope(delayed, ctx.reach_steps)).sum((0, -1))
        return shift(grad, -steps), grad_delay, None
