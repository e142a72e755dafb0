"""Learnable axonal delays: integers wherever a network is evaluated, two rules to learn them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from kipuka.compiling_notice import announce_compiling
from kipuka.convert import fixed
from kipuka.convert.operands import whole_number
from kipuka.errors import KipukaError
from kipuka.train.delays import kernels
from kipuka.train.products.spikes import spikes_of
from kipuka.train.triton_support import takes_triton

announce_compiling()

DelayRule = Literal["finite-difference", "annealed"]
"""How delays learn; see `finite_difference_taps` and `annealed_taps`."""

TAP_UNITY = 64
"""Shares that a spike is divided into; as a power of two it keeps all sums exact in float32."""


class DelayTaps(NamedTuple):
    """What arrives of a spike after each delay, and how that changes with the learned delay.

    Attributes
    ----------
    weights : float tensor (neurons, max_delay + 1)
        Whole shares that arrive after 0, 1, ... steps, `TAP_UNITY` in all. For integer delays all
        of them arrive together.
    slopes : float tensor (neurons, max_delay + 1)
        Derivative of the weights by the delay, as whole numbers; their sum is 0.
    slope_scale : float
        Shares per step that a slope of 1 stands for, divided by `TAP_UNITY`.
    """

    weights: torch.Tensor
    slopes: torch.Tensor
    slope_scale: float


def finite_difference_taps(delay: torch.Tensor, reach_steps: int, max_delay: int) -> DelayTaps:
    """Integer delays, and a slope over neighbouring ones.

    With ``x_d`` the spikes delayed by d and reach w the slope is
    ``sum over k = 1..w of (x_{d+k} - x_{d-k}) / (w (w + 1))``: the central difference for w = 1
    and exact for every loss that is linear in the delay over the reach. SLAYER takes the one-sided
    difference of one step; a longer reach lets a delay feel a target it does not yet touch.

    Parameters
    ----------
    delay : float tensor (neurons,)
        In [0, `max_delay`]; d in [k, k + 1) stands for k steps.
    reach_steps, max_delay : int

    Returns
    -------
    DelayTaps
    """
    whole = torch.floor(delay).to(torch.int64)[:, None]
    taps = delay.new_zeros(len(delay), max_delay + 1)
    slopes = taps.clone()
    one = torch.ones_like(delay)[:, None]
    for k in range(1, reach_steps + 1):
        slopes.scatter_add_(1, (whole + k).clamp(max=max_delay), one)
        slopes.scatter_add_(1, (whole - k).clamp(min=0), -one)
    scale = 1 / (reach_steps * (reach_steps + 1))
    return DelayTaps(taps.scatter_(1, whole, TAP_UNITY), slopes, scale)


def annealed_taps(delay: torch.Tensor, width_steps: float, max_delay: int) -> DelayTaps:
    """Delays that are spread while they learn, in the manner of DelRec, and integer in the end.

    A spike is divided as chance would divide it if each delay were ``floor(d + e)``, with e from a
    triangular distribution over (-width, width). As the width shrinks, all shares come together
    at ``floor(d)``, which is the delay of the integer network: nothing is left to be rounded. The
    slope is that of the same shares with a width of at least one step, so that delays go on
    learning when the width is zero.

    Parameters
    ----------
    delay : float tensor (neurons,)
        In [0, `max_delay`].
    width_steps : float
        Half width of the triangle; 0 for integer delays.
    max_delay : int

    Returns
    -------
    DelayTaps
    """
    edges = torch.arange(max_delay + 2, device=delay.device) - delay[:, None]
    slope_width = max(width_steps, 1.0)
    inside = (edges[:, 1:-1] / slope_width).abs().clamp(max=1)
    # What would be earlier than 0 or later than the limit arrives with the first or last tap.
    density = torch.nn.functional.pad(torch.round((1 - inside) * TAP_UNITY), (1, 1))
    slopes = density[:, :-1] - density[:, 1:]
    scale = 1 / (TAP_UNITY * slope_width)
    if width_steps == 0:
        return finite_difference_taps(delay, 1, max_delay)._replace(
            slopes=slopes, slope_scale=scale
        )
    place = (edges[:, 1:-1] / width_steps).clamp(-1, 1)
    below = torch.where(place < 0, (1 + place) ** 2 / 2, 1 - (1 - place) ** 2 / 2)
    shares = torch.nn.functional.pad(torch.round(below * TAP_UNITY), (1, 0))
    shares = torch.nn.functional.pad(shares, (0, 1), value=TAP_UNITY)
    return DelayTaps(shares[:, 1:] - shares[:, :-1], slopes, scale)


def spread(signal: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """Send each neuron's signal (batch, neurons, time) on over its taps (neurons, delays)."""
    n_steps = signal.shape[-1]
    if _is_compiled(signal):
        time_first = signal.detach().permute(2, 0, 1)
        first, shares = windows(taps)
        out = torch.zeros(time_first.shape)
        kernels.send(spikes_of(time_first), first.numpy(), shares.numpy(), out.numpy())
        return out.permute(1, 2, 0)
    used = used_taps(taps, n_steps)
    if _on_gpu(signal):
        from kipuka.train.delays.triton_spread import spread_on_gpu

        return spread_on_gpu(signal.detach().permute(2, 0, 1), used, taps).permute(1, 2, 0)
    out = torch.zeros_like(signal)
    for delay_steps in used:
        out[..., delay_steps:] += signal[..., : n_steps - delay_steps] * taps[:, delay_steps, None]
    return out


def spread_back(grad: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """Gradient of a signal (batch, neurons, time) from that of what `spread` made of it."""
    if not _is_compiled(grad):
        return spread(grad.flip(-1), taps).flip(-1)
    time_first = grad.detach().permute(2, 0, 1).contiguous()
    out = torch.empty_like(time_first)
    first, shares = windows(taps)
    if shares.shape[1] == 1:
        kernels.bring_back_whole(
            time_first.numpy(), first.numpy(), shares.flatten().numpy(), out.numpy()
        )
    else:
        used = used_taps(taps, grad.shape[-1])
        chosen = taps.T[used].contiguous()
        kernels.bring_back(
            time_first.numpy(), np.array(used, np.int64), chosen.numpy(), out.numpy()
        )
    return out.permute(1, 2, 0)


def windows(taps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """First delay with a share, int64 (neurons,), and the shares from there on, contiguous."""
    used = taps != 0
    delays = torch.arange(taps.shape[1], device=taps.device)
    first = torch.where(used, delays, taps.shape[1]).amin(1)
    last = torch.where(used, delays, 0).amax(1)
    width = max(1, int((last - first).max()) + 1)
    window = first[:, None] + torch.arange(width, device=taps.device)
    padded = torch.nn.functional.pad(taps, (0, width))
    return first, padded.gather(1, window)


def _is_compiled(signal: torch.Tensor) -> bool:
    return signal.device.type == "cpu" and signal.dtype == torch.float32


def _on_gpu(signal: torch.Tensor) -> bool:
    return signal.is_cuda and signal.dtype == torch.float32 and takes_triton()


def used_taps(taps: torch.Tensor, n_steps: int) -> list[int]:
    """Delays below `n_steps` that any neuron uses."""
    used: list[int] = taps[:, :n_steps].any(0).nonzero().flatten().tolist()
    return used


def _check_range(init_steps: tuple[float, float]) -> None:
    """Refuse a range of initial delays that is none."""
    try:
        low, high = map(float, init_steps)
    except (TypeError, ValueError):
        low, high = 0.0, -1.0
    if not 0 <= low <= high < float("inf"):
        raise KipukaError(
            "initial delays cannot be drawn from this range",
            where="learnable delays, init_steps",
            limit="two finite numbers of steps, 0 or more, the smaller first",
            value=f"{init_steps!r}",
            remedy="give such a range, for example (0.0, 1.0)",
        )


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
        How many steps to either side of the present delay the gradient looks; see
        `finite_difference_taps`.
    min_delay : int
        Lower limit in steps.

    Attributes
    ----------
    delay : torch.nn.Parameter (neurons,)
        Delays in steps, clamped to [`min_delay`, `max_delay`] before each use, as SLAYER's own are.
    rule : DelayRule
        How the delays learn.
    width_steps : float
        Half width of the annealed rule; whoever trains lowers it to 0. Evaluation ignores it.
    """

    def __init__(
        self,
        neurons: int,
        init_steps: tuple[float, float] = (0.0, 1.0),
        max_delay: int = fixed.DELAY_MAX,
        reach_steps: int = 1,
        min_delay: int = 0,
    ) -> None:
        super().__init__()
        neurons = whole_number(neurons, 1, fixed.INT32_MAX, "learnable delays, neurons")
        self.max_delay = whole_number(max_delay, 0, fixed.DELAY_MAX, "learnable delays, max_delay")
        min_delay = whole_number(min_delay, 0, fixed.DELAY_MAX, "learnable delays, lower limit")
        if min_delay > self.max_delay:
            raise KipukaError(
                "the lower limit of delays is none that a delay can have",
                where="learnable delays, lower limit",
                limit=f"0 to {self.max_delay} steps",
                value=min_delay,
                remedy="choose a limit in between",
            )
        self.min_delay = int(min_delay)
        _check_range(init_steps)
        self.reach_steps = whole_number(
            reach_steps, 1, fixed.DELAY_MAX, "learnable delays, reach_steps"
        )
        self.rule: DelayRule = "finite-difference"
        self.width_steps = 0.0
        self.delay = torch.nn.Parameter(torch.empty(neurons).uniform_(*init_steps))
        self.clamp()

    def clamp(self) -> None:
        """Bring the delays back into their range."""
        self.delay.data.clamp_(self.min_delay, self.max_delay)

    @property
    def steps(self) -> torch.Tensor:
        """Delays as evaluation and the hardware use them: int64 (neurons,)."""
        self.clamp()
        return torch.floor(self.delay.detach()).to(torch.int64)

    def taps(self) -> DelayTaps:
        """What arrives of a spike when; in evaluation all of it after the integer delay."""
        self.clamp()
        delay = self.delay.detach()
        if self.rule == "annealed":
            width_steps = self.width_steps if self.training else 0.0
            return annealed_taps(delay, width_steps, self.max_delay)
        return finite_difference_taps(delay, self.reach_steps, self.max_delay)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        """Delay spikes (batch, neurons, time) by each neuron's delay."""
        taps = self.taps()
        return _Spread.apply(spikes, self.delay, taps)  # type: ignore[no-untyped-call, unused-ignore]


def delay_gradient(
    grad: torch.Tensor, emitted: torch.Tensor, taps: DelayTaps, later: int = 0
) -> torch.Tensor:
    """Gradient of delays from that of what arrived.

    Parameters
    ----------
    grad, emitted : float tensor (batch, neurons, time)
    taps : DelayTaps
    later : int
        Steps that spikes take even without a delay.

    Returns
    -------
    float tensor (neurons,)
    """
    if _is_compiled(grad):
        first, slopes = windows(taps.slopes)
        sums = np.zeros(len(first))
        kernels.sum_slopes(
            spikes_of(emitted.detach().permute(2, 0, 1)),
            grad.detach().permute(2, 0, 1).numpy(),
            first.numpy(),
            slopes.numpy(),
            later,
            sums,
        )
        return torch.from_numpy(sums * taps.slope_scale).to(grad.dtype)
    sent = torch.nn.functional.pad(emitted, (later, 0))[..., : emitted.shape[-1]]
    gradient: torch.Tensor = (grad * spread(sent, taps.slopes)).sum((0, -1)) * taps.slope_scale
    return gradient


def no_delay(neurons: int, like: torch.Tensor) -> DelayTaps:
    """Taps of neurons whose spikes arrive without a delay that could be learned."""
    taps = like.new_full((neurons, 1), TAP_UNITY)
    return DelayTaps(taps, torch.zeros_like(taps), 0.0)


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, spikes: torch.Tensor, delay: torch.Tensor, taps: DelayTaps
    ) -> torch.Tensor:
        del delay  # It is in the taps; as an argument it receives its gradient.
        ctx.save_for_backward(spikes)
        ctx.taps = taps
        return spread(spikes, taps.weights / TAP_UNITY)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        (grad,) = grad_outputs
        (spikes,) = ctx.saved_tensors
        back = spread_back(grad, ctx.taps.weights / TAP_UNITY)
        learns = ctx.needs_input_grad[1]
        return back, delay_gradient(grad, spikes, ctx.taps) if learns else None, None
