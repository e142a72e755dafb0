"""The convolutional spiking GRU's sequence on the CPU: compiled loops around the convolutions.

Forward, spikes are events and no convolution is calculated, nor is one for the gradient of the
weights. The convolution of each step's gradient is a product in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.train.delays.axonal import TAP_UNITY
from kipuka.train.gru import convolutional_kernels, kernels
from kipuka.train.gru.cell import (
    Cell,
    compact,
    nominal_overshoot,
    positions_first,
    spike_slopes,
    weight_units,
    whole_gradients,
)
from kipuka.train.gru.compiled_dense import forward_results, over_samples, whole
from kipuka.train.gru.mixing import SameConvolution
from kipuka.train.products.convolution import Geometry, by_position, kernel_gradient
from kipuka.train.products.row_kernels import LANES, in_columns
from kipuka.train.products.spikes import spikes_of


class FusedConvSequence(torch.autograd.Function):
    """`kipuka.train.gru.plain.PlainSequence` of a convolutional layer, compiled.

    The forward pass is the same in every bit. So is the backward pass but for the order of the two
    sums that the plain path leaves to the library: `convolutional_kernels.backward` and
    `kernel_gradient` have theirs.
    """

    @staticmethod
    def forward(
        ctx: Any,
        activations: torch.Tensor,
        recurrent_weight: torch.Tensor,
        bias: torch.Tensor,
        delay: torch.Tensor,
        cell: Cell,
    ) -> tuple[torch.Tensor, ...]:
        """Spikes and states; see `kipuka.train.gru.sequence.run_sequence`."""
        del delay
        n_steps, n_batch, rows, height, width = activations.shape
        n, n_rows = rows // 3, n_batch * height * width
        first, window = compact(cell.taps.weights)
        out = forward_results(n_steps, n_rows, n)
        given = kernels.Given(
            activations=positions_first(activations.detach()).numpy(),
            weights=whole(recurrent_weight.permute(2, 3, 1, 0).flatten(0, 1) * fixed.WEIGHT_SCALE),
            bias=whole(weight_units(bias)),
            first=first.numpy(),
            window=whole(window * TAP_UNITY),
        )
        assert isinstance(cell.mixing, SameConvolution)
        kernel = (recurrent_weight.shape[2], recurrent_weight.shape[3])
        grid = convolutional_kernels.Grid(_moves(cell.mixing, kernel), height, width)
        over_samples(
            n_batch,
            lambda begin, end: convolutional_kernels.forward(
                given, grid, cell.threshold, out, begin, end
            ),
        )
        *arrays, beyond = map(torch.from_numpy, out)
        i, v, saturated, gates = (arrays[k] for k in (1, 2, 3, 4))
        extent = (n_batch, height, width)
        spikes, arrived = (_channels_first(arrays[k], extent) for k in (0, 5))
        ctx.save_for_backward(i, v, saturated, gates, spikes, arrived, recurrent_weight)
        ctx.cell, ctx.extent = cell, extent
        shown = tuple(_channels_first(x, extent) for x in (i, v, saturated))
        ctx.mark_non_differentiable(*shown)
        count = n_steps * n * height * width
        overshoot = nominal_overshoot(beyond.reshape(n_batch, height * width).sum(1), count)
        return (spikes, *shown, overshoot)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        """Gradients of activations, weights, bias and delays."""
        i, v, saturated, gates, emitted, arrived, weight = ctx.saved_tensors
        n_steps, n_rows, n = i.shape
        n_batch, height, width = ctx.extent
        first, window = compact(ctx.cell.taps.weights)
        pull = grad_outputs[4] / (n_steps * n * height * width)
        geometry = _geometry(ctx.cell.mixing, weight, (height, width))
        columns = in_columns(weight.detach().permute(2, 3, 0, 1).flatten(0, 2).numpy())
        saved = kernels.SavedTensors(
            i=i.numpy(),
            v=v.numpy(),
            saturated=saturated.numpy(),
            gates=gates.numpy(),
            weights=columns,
            slopes=spike_slopes(ctx.cell).numpy(),
            first=first.numpy(),
            window=window.T.contiguous().numpy(),
            pull=pull.repeat_interleave(height * width).numpy(),
            grad_spikes=positions_first(grad_outputs[0]).numpy(),
        )
        arrived_shape = (n_batch, n_steps, height * width, len(columns) * LANES)
        grad = kernels.Gradients(
            activations=np.empty((n_steps, n_rows, 3 * n), np.float32),
            arrived=np.empty(arrived_shape, np.float32),
        )
        ways = geometry.ways()
        over_samples(
            n_batch,
            lambda begin, end: convolutional_kernels.backward(saved, ways, grad, begin, end),
        )
        grad_a = _channels_first(torch.from_numpy(grad.activations), ctx.extent)
        grad_arrived = torch.from_numpy(grad.arrived)[..., :n].transpose(0, 1)
        spikes = by_position(arrived, spikes_of)
        assert spikes is not None
        grad_weight = kernel_gradient(spikes, grad_a, weight.shape, geometry)
        taps = ctx.cell.taps if ctx.needs_input_grad[3] else None
        back = grad_arrived.unflatten(2, (height, width)).movedim(-1, 2)
        return whole_gradients(grad_a, grad_weight, back, emitted, taps)


def _geometry(mixing: SameConvolution, weight: torch.Tensor, extent: tuple[int, int]) -> Geometry:
    kernel = (weight.shape[2], weight.shape[3])
    return Geometry(extent, kernel, (1, 1), mixing.padding, mixing.dilation)


def _moves(mixing: SameConvolution, kernel: tuple[int, int]) -> np.ndarray:
    """How far a spike goes by each element of a kernel, along height and width."""
    (pad_y, pad_x), (wide_y, wide_x) = mixing.padding, mixing.dilation
    moves = [
        (pad_y - wide_y * y, pad_x - wide_x * x) for y in range(kernel[0]) for x in range(kernel[1])
    ]
    return np.array(moves, np.int64)


def _channels_first(x: torch.Tensor, extent: tuple[int, int, int]) -> torch.Tensor:
    """Give (time, batch x positions, channels) the shape (time, batch, channels, ...) again."""
    return x.reshape(len(x), *extent, x.shape[-1]).movedim(-1, 2)
