"""The spiking GRU over a whole sequence: integers forward, surrogate gradients backward.

Time runs along the first axis here: [time, batch, neurons], or [time, batch, channels, height,
width] of a convolutional layer. Activations and weights are in nominal units (64 weight units); as
multiples of 1/32 their sums are exact in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from kipuka.convert import fixed
from kipuka.convert.neurons import (
    SpikingGruActivations,
    SpikingGruParameters,
    SpikingGruState,
    current_activation,
    current_message,
    spiking_gru_step,
)
from kipuka.train.delays import delay_slope
from kipuka.train.mixing import MatrixProduct, Mixing
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


MATRIX_PRODUCT = MatrixProduct()


def run_sequence(
    activations: torch.Tensor,
    recurrent_weight: torch.Tensor,
    bias: torch.Tensor,
    delay: torch.Tensor,
    threshold: int,
    surrogate: Surrogate,
    reach_steps: int,
    mixing: Mixing = MATRIX_PRODUCT,
    current_weight: torch.Tensor | None = None,
) -> tuple[torch.Tensor, GruStates]:
    """Run the cell over a sequence from zero state.

    Parameters
    ----------
    activations : float tensor (time, batch, 3 channels, ...)
        Input part of ``a_i, a_r, a_z`` side by side, nominal units, quantized. In a dense layer a
        channel is a neuron.
    recurrent_weight : float tensor (3 channels, channels, ...)
        Quantized, nominal units, rows ordered like the activations.
    bias : float tensor (3 channels,)
        Quantized, nominal units.
    delay : float tensor (channels,)
        Recurrent delays in steps, in [0, 62].
    threshold : int
        ``vThMant`` in weight units.
    surrogate : Surrogate
    reach_steps : int
        Reach of the delay gradient.
    mixing : Mixing
        How the recurrent weights act on spikes.
    current_weight : float tensor (channels, channels, ...), optional
        Weights from the current of the step before to the update gate, quantized, nominal units.

    Returns
    -------
    spikes : float tensor (time, batch, channels, ...)
    states : GruStates
    """
    spikes, *states = _GruSequence.apply(  # type: ignore[no-untyped-call]
        activations,
        recurrent_weight,
        bias,
        delay,
        current_weight,
        threshold,
        surrogate,
        reach_steps,
        mixing,
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
        current_weight: torch.Tensor | None,
        threshold: int,
        surrogate: Surrogate,
        reach_steps: int,
        mixing: Mixing,
    ) -> tuple[torch.Tensor, ...]:
        n_steps, n_batch, rows, *extent = activations.shape
        shape = (n_batch, rows // 3, *extent)
        bias_units = _weight_units(bias).reshape(-1, *[1] * len(extent))
        parameters = SpikingGruParameters(threshold, *bias_units.chunk(3))
        lag = 1 + torch.floor(delay).to(torch.int64)
        channels = torch.arange(rows // 3, device=activations.device)
        # Mailbox of recurrent spikes by step of arrival; what arrives after the end stays unread.
        arriving = activations.new_zeros(n_steps + 1 + fixed.DELAY_MAX, *shape)
        zero = torch.zeros(shape, dtype=torch.int64, device=activations.device)
        state = SpikingGruState(zero, zero, zero.bool())
        history = []
        for step in range(n_steps):
            recurrent = mixing.apply(arriving[step], recurrent_weight)
            a = _weight_units(activations[step] + recurrent)
            if current_weight is not None:
                a[:, 2 * shape[1] :] += _weighed_current(mixing, current_weight, state.i)
            state, spikes, overflow = spiking_gru_step(
                parameters, state, SpikingGruActivations(*a.chunk(3, dim=1))
            )
            arriving[step + lag, :, channels] = spikes.transpose(0, 1).to(arriving.dtype)
            history.append((state.i, state.v, spikes, overflow.saturated, a))
        i, v, spikes, saturated, a = (torch.stack(x) for x in zip(*history, strict=True))
        arrived = arriving[:n_steps]
        emitted = spikes.to(activations.dtype)
        ctx.save_for_backward(
            i, v, saturated, a, arrived, recurrent_weight, lag, bias_units, current_weight
        )
        ctx.settings = (threshold, surrogate, reach_steps, mixing)
        ctx.mark_non_differentiable(i, v, saturated)
        return emitted, i, v, saturated

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        i_units, v_units, saturated, a, arrived, weight, lag, bias, current_weight = (
            ctx.saved_tensors
        )
        threshold, surrogate, reach_steps, mixing = ctx.settings
        grad_spikes = grad_outputs[0].clone()
        dtype = grad_spikes.dtype
        i, v = i_units.to(dtype) / fixed.STATE_SCALE, v_units.to(dtype) / fixed.STATE_SCALE
        spike_slope = _spike_slope(v, threshold / fixed.WEIGHT_SCALE, surrogate)
        passes = (saturated == 0).to(dtype)
        _, raw_r, raw_z = (a + bias).chunk(3, dim=2)
        r, r_slope = _gate_and_slope(raw_r, dtype)
        z, z_slope = _gate_and_slope(raw_z, dtype)

        n_steps, n = i.shape[0], i.shape[2]
        channels = torch.arange(n, device=i.device)
        zero = torch.zeros_like(i[0])
        carry_i, carry_v = zero, zero
        grad_a = i.new_empty(*i.shape[:2], 3 * n, *i.shape[3:])
        grad_arrived = torch.empty_like(arrived)
        for step in reversed(range(n_steps)):
            # The reset is not differentiated, as in SLAYER's own neurons.
            grad_v = (grad_spikes[step] * spike_slope[step] + carry_v) * passes[step]
            grad_i = (grad_v * (1 - z[step]) + carry_i) * passes[step]
            i_before, v_before = (i[step - 1], v[step - 1]) if step else (zero, zero)
            grad_a[step, :, :n] = grad_i
            grad_a[step, :, n : 2 * n] = grad_i * i_before * r_slope[step]
            grad_a[step, :, 2 * n :] = grad_v * (v_before - i[step]) * z_slope[step]
            grad_arrived[step] = mixing.input_gradient(grad_a[step], weight)
            carry_v = grad_v * z[step]
            carry_i = grad_i * r[step]
            if current_weight is not None:
                grad_z = grad_a[step, :, 2 * n :]
                carry_i = carry_i + mixing.input_gradient(grad_z, current_weight)
            sent = step - lag
            inside = sent >= 0
            late = grad_arrived[step].transpose(0, 1)[inside]
            grad_spikes[sent[inside], :, channels[inside]] += late
        # Time last for the slope over delays, which looks forward and backward in time.
        slope = delay_slope(arrived.movedim(0, -1), reach_steps)
        grad_delay = (grad_arrived.movedim(0, -1) * slope).transpose(0, 1).flatten(1).sum(1)
        grad_weight = mixing.weight_gradient(arrived.flatten(0, 1), grad_a.flatten(0, 1), weight)
        grad_bias = grad_a.movedim(2, 0).flatten(1).sum(1)
        grad_current = None
        if current_weight is not None:
            grad_z = grad_a[1:, :, 2 * n :]
            grad_current = _current_gradient(mixing, current_weight, i_units[:-1], grad_z)
        gradients = (grad_a, grad_weight, grad_bias, grad_delay, grad_current)
        return (*gradients, None, None, None, None)


def _weight_units(nominal: torch.Tensor) -> torch.Tensor:
    return torch.round(nominal * fixed.WEIGHT_SCALE).to(torch.int64)


def _weighed_current(mixing: Mixing, weight: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
    """Part of the update gate's activation that the current of the step before brings, int64."""
    # Messages have 12 bits and weights 8: only float64 holds every sum of their products.
    message = current_message(i).to(torch.float64)
    total = mixing.apply(message, _weight_units(weight).to(torch.float64))
    return current_activation(torch.round(total).to(torch.int64))


def _current_gradient(
    mixing: Mixing, weight: torch.Tensor, i: torch.Tensor, grad_z: torch.Tensor
) -> torch.Tensor:
    """Gradient by the weights of the current, from those of the steps in which it arrives."""
    message = current_message(i).to(grad_z.dtype) / fixed.WEIGHT_SCALE
    return mixing.weight_gradient(message.flatten(0, 1), grad_z.flatten(0, 1), weight)


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
