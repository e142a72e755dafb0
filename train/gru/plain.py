"""The plain path of the spiking GRU over a sequence: the definition, on every device.

Time runs along the first axis here: [time, batch, neurons], or [time, batch, channels, height,
width] of a convolutional layer. Activations and weights are in nominal units (64 weight units); as
multiples of 1/32, or 1/2048 while annealed delays divide spikes, their sums are exact in float32.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from kipuka.convert import fixed
from kipuka.convert.neurons.spiking_gru import (
    SpikingGruActivations,
    SpikingGruParameters,
    SpikingGruState,
    current_activation,
    current_message,
    spiking_gru_step,
)
from kipuka.train.gru.cell import (
    OVERSHOOT_MARGIN,
    Cell,
    compact,
    mean_overshoot,
    spike_slopes,
    weight_units,
    whole_gradients,
)
from kipuka.train.gru.mixing import Mixing


class PlainSequence(torch.autograd.Function):
    """The definition, one torch step after the other."""

    @staticmethod
    def forward(
        ctx: Any,
        activations: torch.Tensor,
        recurrent_weight: torch.Tensor,
        bias: torch.Tensor,
        delay: torch.Tensor,
        cell: Cell,
        current_weight: torch.Tensor | None,
    ) -> tuple[torch.Tensor, ...]:
        """Spikes and states; see `kipuka.train.gru.sequence.run_sequence`."""
        del delay  # It is in the taps; as an argument it receives its gradient.
        n_steps, n_batch, rows, *extent = activations.shape
        shape = (n_batch, rows // 3, *extent)
        bias_units = weight_units(bias).reshape(-1, *[1] * len(extent))
        parameters = SpikingGruParameters(cell.threshold, *bias_units.chunk(3))
        first, window = compact(cell.taps.weights)
        channels = torch.arange(rows // 3, device=activations.device)
        # Recurrent spikes by step of arrival; what arrives after the end stays unread.
        length = n_steps + 1 + cell.taps.weights.shape[1] + window.shape[1]
        arriving = activations.new_zeros(length, *shape)
        zero = torch.zeros(shape, dtype=torch.int64, device=activations.device)
        state = SpikingGruState(zero, zero, zero.bool())
        history = []
        for step in range(n_steps):
            recurrent = cell.mixing.apply(arriving[step], recurrent_weight)
            a = weight_units(activations[step] + recurrent)
            if current_weight is not None:
                a[:, 2 * shape[1] :] += _weighted_current(cell.mixing, current_weight, state.i)
            state, spikes, overflow = spiking_gru_step(
                parameters, state, SpikingGruActivations(*a.chunk(3, dim=1))
            )
            for k, share in enumerate(window.T):
                sent = _by_channel(share, spikes) * spikes.transpose(0, 1)
                arriving[step + 1 + k + first, :, channels] += sent
            history.append((state.i, state.v, spikes, overflow.saturated, a))
        i, v, spikes, saturated, a = (torch.stack(x) for x in zip(*history, strict=True))
        emitted = spikes.to(activations.dtype)
        ctx.save_for_backward(
            i,
            v,
            saturated,
            a,
            emitted,
            arriving[:n_steps],
            recurrent_weight,
            bias_units,
            current_weight,
        )
        ctx.cell = cell
        ctx.mark_non_differentiable(i, v, saturated)
        return emitted, i, v, saturated, mean_overshoot(i, v)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        """Gradients of activations, weights, bias and delays."""
        i_units, v_units, saturated, a, emitted, arrived, weight, bias, current_weight = (
            ctx.saved_tensors
        )
        mixing = ctx.cell.mixing
        grad_spikes = grad_outputs[0].clone()
        dtype = grad_spikes.dtype
        i, v = i_units.to(dtype) / fixed.STATE_SCALE, v_units.to(dtype) / fixed.STATE_SCALE
        spike_slope = spike_slopes(ctx.cell).to(i.device)[v_units + fixed.GRU_STATE_LIMIT]
        passes = (saturated == 0).to(dtype)
        _, raw_r, raw_z = (a + bias).chunk(3, dim=2)
        r, r_slope = _gate_and_slope(raw_r, dtype)
        z, z_slope = _gate_and_slope(raw_z, dtype)

        n_steps, n = i.shape[0], i.shape[2]
        first, window = compact(ctx.cell.taps.weights)
        channels = torch.arange(n, device=i.device)
        zero = torch.zeros_like(i[0])
        carry_i, carry_v = zero, zero
        pull = grad_outputs[4].reshape(-1, *[1] * (i.dim() - 2))
        pull = pull / (n_steps * math.prod(i.shape[2:]))
        grad_a = i.new_empty(*i.shape[:2], 3 * n, *i.shape[3:])
        grad_arrived = torch.empty_like(arrived)
        for step in reversed(range(n_steps)):
            # The reset is not differentiated, as in SLAYER's own neurons.
            grad_v = (grad_spikes[step] * spike_slope[step] + carry_v) * passes[step]
            grad_v = grad_v + pull * _beyond_margin(v_units[step])
            grad_i = (grad_v * (1 - z[step]) + carry_i) * passes[step]
            grad_i = grad_i + pull * _beyond_margin(i_units[step])
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
            for k, share in enumerate(window.T):
                sent = step - 1 - k - first
                inside = sent >= 0
                back = _by_channel(share, zero) * grad_arrived[step].transpose(0, 1)
                grad_spikes[sent[inside], :, channels[inside]] += back[inside]
        grad_weight = mixing.weight_gradient(arrived.flatten(0, 1), grad_a.flatten(0, 1), weight)
        taps = ctx.cell.taps if ctx.needs_input_grad[3] else None
        grad_current = None
        if current_weight is not None:
            grad_z = grad_a[1:, :, 2 * n :]
            grad_current = _current_gradient(mixing, current_weight, i_units[:-1], grad_z)
        whole = whole_gradients(grad_a, grad_weight, grad_arrived, emitted, taps)
        return (*whole, grad_current)


def _by_channel(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Values of channels in a shape that goes with (channels, batch, ...)."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


def _beyond_margin(state: torch.Tensor) -> torch.Tensor:
    """Sign of states that overshoot, 0 for others."""
    return state.sign() * (state.abs() > OVERSHOOT_MARGIN)


def _weighted_current(mixing: Mixing, weight: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
    """Part of the update gate's activation that the current of the step before brings, int64."""
    # Messages have 12 bits and weights 8: only float64 holds every sum of their products.
    message = current_message(i).to(torch.float64)
    total = mixing.apply(message, weight_units(weight).to(torch.float64))
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
    # The ends belong to the slope, so that a gate can come back from them. torch.clamp had them so
    # up to 2.13 and leaves them out since 2.14, which must not decide what a network learns.
    inside = value == fixed.GATE_OFFSET + fixed.GATE_SLOPE * raw
    slope = fixed.GATE_SLOPE * fixed.WEIGHT_SCALE / fixed.UNITY
    return value.to(dtype) / fixed.UNITY, inside.to(dtype) * slope
