"""The spiking GRU over a whole sequence: integers forward, surrogate gradients backward.

Time runs along the first axis here: [time, batch, neurons]. Activations and weights are in nominal
units (1/64 of a weight unit); as multiples of 1/32 their sums are exact in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from kipuka.convert import fixed
from kipuka.convert.neurons import (
    SpikingGruActivations,
    SpikingGruParameters,
    SpikingGruState,
    spiking_gru_step,
)
from kipuka.train.delays import delay_slope
from kipuka.train.slayer import SCALE_RHO_MULT, TAU_RHO_MULT, Spike


class Surrogate(NamedTuple):
    """Settings of SLAYER's spike surrogate: ``tau_rho``, ``scale_rho`` as its neurons use them."""

    tau_rho: float
    scale_rho: float


class GruStates(NamedTuple):
    """What a forward pass leaves behind, [time, batch, neurons].

    Attributes
    ----------
    i, v : int64 tensor
        Current and membrane in state units.
    saturated : int64 tensor
        States that were clipped in each step, 0 to 2.
    """

    i: torch.Tensor
    v: torch.Tensor
    saturated: torch.Tensor


def run_sequence(
    activations: torch.Tensor,
    recurrent_weight: torch.Tensor,
    bias: torch.Tensor,
    delay: torch.Tensor,
    threshold: int,
    surrogate: Surrogate,
    reach_steps: int,
) -> tuple[torch.Tensor, GruStates]:
    """Run the cell over a sequence from zero state.

    Parameters
    ----------
    activations : float tensor (time, batch, 3 neurons)
        Input part of ``a_i, a_r, a_z`` side by side, nominal units, quantized.
    recurrent_weight : float tensor (3 neurons, neurons)
        Quantized, nominal units, rows ordered like the activations.
    bias : float tensor (3 neurons,)
        Quantized, nominal units.
    delay : float tensor (neurons,)
        Recurrent delays in steps, in [0, 62].
    threshold : int
        ``vThMant`` in weight units.
    surrogate : Surrogate
    reach_steps : int
        Reach of the delay gradient.

    Returns
    -------
    spikes : float tensor (time, batch, neurons)
    states : GruStates
    """
    spikes, *states = _GruSequence.apply(  # type: ignore[no-untyped-call]
        activations, recurrent_weight, bias, delay, threshold, surrogate, reach_steps
    )
    return spikes, GruStates(*states)


class _GruSequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        activations: torch.Tensor,
        recurrent_weight: torch.Tensor,
        bias: torch.Tensor,
        delay: torch.Tensor,
        threshold: int,
        surrogate: Surrogate,
        reach_steps: int,
    ) -> tuple[torch.Tensor, ...]:
        n_steps, n_batch, rows = activations.shape
        n = rows // 3
        parameters = SpikingGruParameters(threshold, *_weight_units(bias).chunk(3))
        lag = 1 + torch.floor(delay).to(torch.int64)
        neurons = torch.arange(n, device=activations.device)
        # Mailbox of recurrent spikes by step of arrival; what arrives after the end stays unread.
        arriving = activations.new_zeros(n_steps + 1 + fixed.DELAY_MAX, n_batch, n)
        zero = torch.zeros(n_batch, n, dtype=torch.int64, device=activations.device)
        state = SpikingGruState(zero, zero, zero.bool())
        history = []
        for step in range(n_steps):
            a = _weight_units(activations[step] + arriving[step] @ recurrent_weight.T)
            state, spikes, overflow = spiking_gru_step(
                parameters, state, SpikingGruActivations(*a.chunk(3, dim=-1))
            )
            arriving[step + lag, :, neurons] = spikes.T.to(arriving.dtype)
            history.append((state.i, state.v, spikes, overflow.saturated, a))
        i, v, spikes, saturated, a = (torch.stack(x) for x in zip(*history, strict=True))
        arrived = arriving[:n_steps]
        emitted = spikes.to(activations.dtype)
        ctx.save_for_backward(
            i, v, saturated, a, arrived, recurrent_weight, lag, _weight_units(bias)
        )
        ctx.settings = (threshold, surrogate, reach_steps)
        ctx.mark_non_differentiable(i, v, saturated)
        return emitted, i, v, saturated

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        i_units, v_units, saturated, a, arrived, weight, lag, bias = ctx.saved_tensors
        threshold, surrogate, reach_steps = ctx.settings
        grad_spikes = grad_outputs[0].clone()
        dtype = grad_spikes.dtype
        i, v = i_units.to(dtype) / fixed.STATE_SCALE, v_units.to(dtype) / fixed.STATE_SCALE
        spike_slope = _spike_slope(v, threshold / fixed.WEIGHT_SCALE, surrogate)
        passes = (saturated == 0).to(dtype)
        _, raw_r, raw_z = (a + bias).chunk(3, dim=-1)
        r, r_slope = _gate_and_slope(raw_r, dtype)
        z, z_slope = _gate_and_slope(raw_z, dtype)

        n_steps, n_batch, n = i.shape
        neurons = torch.arange(n, device=i.device)
        zero = i.new_zeros(n_batch, n)
        carry_i, carry_v = zero, zero
        grad_a = torch.empty(n_steps, n_batch, 3 * n, dtype=dtype, device=i.device)
        grad_arrived = torch.empty_like(arrived)
        for step in reversed(range(n_steps)):
            # The reset is not differentiated, as in SLAYER's own neurons.
            grad_v = (grad_spikes[step] * spike_slope[step] + carry_v) * passes[step]
            grad_i = (grad_v * (1 - z[step]) + carry_i) * passes[step]
            i_before, v_before = (i[step - 1], v[step - 1]) if step else (zero, zero)
            grad_a[step, :, :n] = grad_i
            grad_a[step, :, n : 2 * n] = grad_i * i_before * r_slope[step]
            grad_a[step, :, 2 * n :] = grad_v * (v_before - i[step]) * z_slope[step]
            grad_arrived[step] = grad_a[step] @ weight
            carry_v = grad_v * z[step]
            carry_i = grad_i * r[step]
            sent = step - lag
            inside = sent >= 0
            grad_spikes[sent[inside], :, neurons[inside]] += grad_arrived[step].T[inside]
        # Time last for the slope over delays, which looks forward and backward in time.
        slope = delay_slope(arrived.permute(1, 2, 0), reach_steps)
        grad_delay = (grad_arrived.permute(1, 2, 0) * slope).sum((0, -1))
        flat = grad_a.reshape(-1, 3 * n)
        grad_weight = flat.T @ arrived.reshape(-1, n)
        return grad_a, grad_weight, flat.sum(0), grad_delay, None, None, None


def _weight_units(nominal: torch.Tensor) -> torch.Tensor:
    return torch.round(nominal * fixed.WEIGHT_SCALE).to(torch.int64)


def _gate_and_slope(raw: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Gate in [0, 1] and its derivative by the activation, both in nominal units."""
    value = fixed.gate(raw)
    # The ends belong to the slope, as in torch's clamp, so that a gate can come back from them.
    inside = value == fixed.GATE_OFFSET + fixed.GATE_SLOPE * raw
    slope = fixed.GATE_SLOPE * fixed.WEIGHT_SCALE / fixed.UNITY
    return value.to(dtype) / fixed.UNITY, inside.to(dtype) * slope


def _spike_slope(v: torch.Tensor, threshold: float, surrogate: Surrogate) -> torch.Tensor:
    """Derivative of SLAYER's spike function at every membrane value at once."""
    with torch.enable_grad():
        leaf = v.detach().requires_grad_()
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
