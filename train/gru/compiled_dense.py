"""The spiking GRU's sequence on the CPU: one compiled kernel forward, one backward.

Samples do not depend on each other, so threads take samples and the result is the same for any
number of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.train.delays.axonal import TAP_UNITY
from kipuka.train.gru import kernels
from kipuka.train.gru.cell import (
    Cell,
    compact,
    nominal_overshoot,
    spike_slopes,
    weight_units,
    whole_gradients,
)
from kipuka.train.products.row_kernels import LANES, in_columns
from kipuka.train.products.spikes import spikes_of, weight_gradient
from kipuka.train.threads import on_threads


def can_fuse(activations: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether the kernels compute what the plain path defines.

    They take float32 on the CPU and weights in whole weight units, as SLAYER's hook leaves them.
    """
    if activations.device.type != "cpu" or activations.dtype != torch.float32:
        return False
    units = weight.detach() * fixed.WEIGHT_SCALE
    return torch.equal(units, units.round())


class FusedSequence(torch.autograd.Function):
    """`kipuka.train.gru.plain.PlainSequence`, compiled.

    The forward pass is the same in every bit. So are all steps of the backward pass but one: the
    plain path leaves the order in which a step's gradient is summed over 3 x neurons rows to the
    matrix library, the kernel goes from the first to the last.
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
        n_steps, n_batch, rows = activations.shape
        n = rows // 3
        first, window = compact(cell.taps.weights)
        out = forward_results(n_steps, n_batch, n)
        given = kernels.Given(
            activations=activations.detach().contiguous().numpy(),
            weights=whole(recurrent_weight.T * fixed.WEIGHT_SCALE),
            bias=whole(weight_units(bias)),
            first=first.numpy(),
            window=whole(window * TAP_UNITY),
        )
        over_samples(
            n_batch, lambda begin, end: kernels.forward(given, cell.threshold, out, begin, end)
        )
        tensors = [torch.from_numpy(array) for array in out]
        spikes, i, v, saturated, gates, arrived, beyond = tensors
        ctx.save_for_backward(i, v, saturated, gates, spikes, arrived, recurrent_weight)
        ctx.cell = cell
        ctx.mark_non_differentiable(i, v, saturated)
        return spikes, i, v, saturated, nominal_overshoot(beyond, n_steps * n)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        """Gradients of activations, weights, bias and delays."""
        i, v, saturated, gates, emitted, arrived, weight = ctx.saved_tensors
        n_steps, n_batch, n = i.shape
        first, window = compact(ctx.cell.taps.weights)
        columns = in_columns(weight.detach().numpy())
        saved = kernels.SavedTensors(
            i=i.numpy(),
            v=v.numpy(),
            saturated=saturated.numpy(),
            gates=gates.numpy(),
            weights=columns,
            slopes=spike_slopes(ctx.cell).numpy(),
            first=first.numpy(),
            window=window.T.contiguous().numpy(),
            pull=(grad_outputs[4] / (n_steps * n)).contiguous().numpy(),
            grad_spikes=grad_outputs[0].contiguous().numpy(),
        )
        grad = kernels.Gradients(
            activations=np.empty((n_steps, n_batch, 3 * n), np.float32),
            arrived=np.empty((n_batch, n_steps, len(columns) * LANES), np.float32),
        )
        over_samples(n_batch, lambda begin, end: kernels.backward(saved, grad, begin, end))
        grad_a = torch.from_numpy(grad.activations)
        grad_arrived = torch.from_numpy(grad.arrived)[..., :n].transpose(0, 1)
        grad_weight = weight_gradient(spikes_of(arrived), grad_a, n)
        taps = ctx.cell.taps if ctx.needs_input_grad[3] else None
        return whole_gradients(grad_a, grad_weight, grad_arrived, emitted, taps)


def forward_results(n_steps: int, n_rows: int, n: int) -> kernels.Forward:
    """Room for what a forward pass gives; a row is a sample, or one of its positions."""
    shape = (n_steps, n_rows, n)
    return kernels.Forward(
        spikes=np.empty(shape, np.float32),
        i=np.empty(shape, np.int32),
        v=np.empty(shape, np.int32),
        saturated=np.empty(shape, np.int8),
        gates=np.empty((n_steps, n_rows, 2 * n), np.int16),
        arrived=np.empty(shape, np.float32),
        beyond=np.zeros(n_rows, np.int64),
    )


def whole(values: torch.Tensor) -> np.ndarray:
    """Whole numbers as the kernels take them: int32, contiguous."""
    return np.ascontiguousarray(values.detach().numpy().astype(np.int32))


def over_samples(n_samples: int, work: Callable[[int, int], None]) -> None:
    """Call `work(begin, end)` for blocks of samples, on as many threads as torch has."""
    on_threads(n_samples, kernels.SAMPLES_TOGETHER, work)
