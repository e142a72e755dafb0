"""What the paths of the spiking GRU over a sequence share: the cell, and how integers are taken."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import torch

from kipuka.convert import fixed
from kipuka.train.delays.axonal import TAP_UNITY, DelayTaps, delay_gradient, windows
from kipuka.train.gru.mixing import MatrixProduct, Mixing
from kipuka.train.slayer import SCALE_RHO_MULT, TAU_RHO_MULT, Spike

OVERSHOOT_MARGIN = fixed.GRU_STATE_LIMIT // 2
"""Magnitude in state units from which a state counts as overshooting: half of its range."""


class Surrogate(NamedTuple):
    """Settings of SLAYER's spike surrogate: ``tau_rho``, ``scale_rho`` as its neurons use them."""

    tau_rho: float
    scale_rho: float


class GruStates(NamedTuple):
    """What a forward pass leaves behind, [time, batch, neurons] or [time, batch, channels, ...].

    Attributes
    ----------
    i, v : integer tensor
        Current and membrane in state units.
    saturated : integer tensor
        States that were clipped in each step, 0 to 2.
    overshoot : float tensor (batch,)
        By how much the magnitudes of both states exceed `OVERSHOOT_MARGIN`, in nominal units,
        mean over neurons and steps. It has a gradient, which states beyond their limit feel too.
    """

    i: torch.Tensor
    v: torch.Tensor
    saturated: torch.Tensor
    overshoot: torch.Tensor


class Cell(NamedTuple):
    """What a sequence runs with beside its tensors that learn.

    Attributes
    ----------
    taps : DelayTaps
        Of the recurrence.
    threshold : int
        ``vThMant`` in weight units.
    surrogate : Surrogate
    mixing : Mixing
        How the recurrent weights act on spikes.
    """

    taps: DelayTaps
    threshold: int
    surrogate: Surrogate
    mixing: Mixing = MatrixProduct()


def whole_gradients(
    grad_a: torch.Tensor,
    grad_weight: torch.Tensor,
    grad_arrived: torch.Tensor,
    emitted: torch.Tensor,
    taps: DelayTaps | None,
) -> tuple[Any, ...]:
    """Gradients of `run_sequence`'s arguments from those of each step; no taps, none of delays."""
    grad_bias = positions_first(grad_a).flatten(0, 1).sum(0)
    grad_delay = None
    if taps is not None:
        # Emitted spikes arrive one step later even without a delay.
        channels_last = (x.movedim(2, -1).flatten(1, -2) for x in (grad_arrived, emitted))
        back, sent = (x.permute(1, 2, 0) for x in channels_last)
        grad_delay = delay_gradient(back, sent, taps, later=1)
    return grad_a, grad_weight, grad_bias, grad_delay, None


def positions_first(x: torch.Tensor) -> torch.Tensor:
    """Bring (time, batch, channels, ...) into (time, batch x positions, channels), contiguous."""
    return x.movedim(2, -1).contiguous().flatten(1, -2)


def compact(taps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """First delay with a share, int64 (neurons,), and the shares from there on, of unity 1."""
    first, shares = windows(taps)
    return first, shares / TAP_UNITY


def weight_units(nominal: torch.Tensor) -> torch.Tensor:
    """Nearest whole weight units, halves upwards, as the compiled path rounds by a shift."""
    return torch.floor(nominal * fixed.WEIGHT_SCALE + 0.5).to(torch.int64)


def nominal_overshoot(beyond: torch.Tensor, count: int) -> torch.Tensor:
    """Sums over `count` states in state units as means in nominal units."""
    return (beyond.to(torch.float64) / (fixed.STATE_SCALE * count)).to(torch.float32)


def mean_overshoot(i: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Overshoot of both states (time, batch, channels, ...) as `GruStates` has it."""
    beyond = [(x.abs() - OVERSHOOT_MARGIN).clamp(min=0).flatten(2).sum((0, 2)) for x in (i, v)]
    return nominal_overshoot(beyond[0] + beyond[1], len(i) * math.prod(i.shape[2:]))


def spike_slopes(cell: Cell) -> torch.Tensor:
    """Derivative of SLAYER's spike function at every value that an 18-bit membrane can take."""
    return slope_table(cell.threshold, cell.surrogate)


@functools.lru_cache(maxsize=8)
def slope_table(threshold_units: int, surrogate: Surrogate) -> torch.Tensor:
    """Slopes of `spike_slopes` for a threshold in weight units, by membrane from the lowest on."""
    threshold = threshold_units / fixed.WEIGHT_SCALE
    units = torch.arange(-fixed.GRU_STATE_LIMIT, fixed.GRU_STATE_LIMIT + 1)
    with torch.enable_grad():
        leaf = (units / fixed.STATE_SCALE).requires_grad_()
        spikes = Spike.apply(
            leaf,
            threshold,
            surrogate.tau_rho * TAU_RHO_MULT,
            surrogate.scale_rho * SCALE_RHO_MULT,
            False,
            0,
            1,
        )
        (slope,) = torch.autograd.grad(spikes.sum(), leaf)
    return slope
