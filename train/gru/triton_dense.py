"""The dense spiking GRU's sequence on a GPU: one Triton kernel forward, one backward.

Without a GPU the same kernels run in Triton's interpreter, which is how they are tested.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import triton

from kipuka.convert import fixed
from kipuka.train.delays.axonal import TAP_UNITY
from kipuka.train.gru import triton_kernels as kernels
from kipuka.train.gru.cell import (
    Cell,
    Surrogate,
    compact,
    mean_overshoot,
    slope_table,
    weight_units,
    whole_gradients,
)

NEURONS_MAX = (1 << 24) // (TAP_UNITY << 7)
"""Neurons of a layer up to which every sum of weighted shares is exact in float32."""

SAMPLES_TOGETHER = 16
"""Samples of a program: the rows that a tensor core multiplies at once."""

CHUNK, BLOCK_MIN, BLOCK_MAX = 32, 32, 256
"""Terms of a product, and neurons, that a program has in its registers at a time."""

WARPS_PER_NEURON = 1 / 32


def fits(weight: torch.Tensor) -> bool:
    """Whether the kernels can take recurrent weights (3 neurons, neurons), in nominal units.

    They hold them in 8 bits, as even numbers of weight units; SLAYER's hook leaves such ones.
    """
    if weight.shape[1] > NEURONS_MAX:
        return False
    units = weight.detach() * fixed.WEIGHT_SCALE
    inside = (units >= fixed.WEIGHT_MIN) & (units <= fixed.WEIGHT_MAX)
    return bool((inside & (units % fixed.WEIGHT_STEP == 0)).all())


def _narrow(weight: torch.Tensor) -> torch.Tensor:
    """Recurrent weights as int8, in steps of two weight units."""
    units = weight.detach() * (fixed.WEIGHT_SCALE / fixed.WEIGHT_STEP)
    return units.to(torch.int8).contiguous()


class TritonSequence(torch.autograd.Function):
    """`kipuka.train.gru.plain.PlainSequence` in two kernels.

    The forward pass is the same in every bit. So are all steps of the backward pass but one: a
    step's gradient is summed over 3 x neurons rows in float32 in the order of the tensor cores,
    three parts of every product one after the other, where the plain path has that of the matrix
    library.
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
        del delay  # It is in the taps; as an argument it receives its gradient.
        n_steps, n_batch, rows = activations.shape
        n = rows // 3
        first, window = compact(cell.taps.weights)
        whole = _narrow(recurrent_weight)
        # What arrives after the end stays unread.
        length = n_steps + cell.taps.weights.shape[1] + window.shape[1]
        empty = activations.new_empty
        shape = (n_steps, n_batch, n)
        arrived = activations.new_zeros((length, n_batch, n), dtype=torch.int8)
        spikes = empty(shape)
        i, v = empty(shape, dtype=torch.int32), empty(shape, dtype=torch.int32)
        saturated = empty(shape, dtype=torch.int8)
        gates = empty((n_steps, n_batch, 2 * n), dtype=torch.int16)
        with torch.cuda.device_of(activations):
            kernels.forward[_programs(n_batch)](
                activations.detach().contiguous(),
                whole,
                weight_units(bias).to(torch.int32),
                first,
                (window * TAP_UNITY).to(torch.int8).contiguous(),
                arrived,
                spikes,
                i,
                v,
                saturated,
                gates,
                n_steps,
                n_batch,
                n,
                cell.threshold << fixed.STATE_SHIFT,
                **_tiles(n, window.shape[1]),
            )
        ctx.save_for_backward(
            i, v, saturated, gates, spikes, arrived[:n_steps], recurrent_weight, whole
        )
        ctx.cell = cell
        ctx.mark_non_differentiable(i, v, saturated)
        return spikes, i, v, saturated, mean_overshoot(i, v)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        """Gradients of activations, weights, bias and delays."""
        i, v, saturated, gates, emitted, arrived, weight, whole = ctx.saved_tensors
        n_steps, n_batch, n = i.shape
        cell: Cell = ctx.cell
        first, window = compact(cell.taps.weights)
        grad_a = emitted.new_empty((n_steps, n_batch, 3 * n))
        grad_arrived = emitted.new_empty((n_steps, n_batch, n))
        carries = emitted.new_zeros((2, n_batch, n))
        with torch.cuda.device_of(emitted):
            kernels.backward[_programs(n_batch)](
                i,
                v,
                saturated,
                gates,
                first,
                window.contiguous(),
                whole.T.contiguous(),
                _slopes_on(cell.threshold, cell.surrogate, emitted.device),
                (grad_outputs[4] / (n_steps * n)).contiguous(),
                grad_outputs[0].contiguous(),
                grad_a,
                grad_arrived,
                carries[0],
                carries[1],
                n_steps,
                n_batch,
                n,
                **_tiles(n, window.shape[1]),
            )
        arrived = arrived.to(emitted.dtype) / TAP_UNITY
        grad_weight = cell.mixing.weight_gradient(
            arrived.flatten(0, 1), grad_a.flatten(0, 1), weight
        )
        taps = cell.taps if ctx.needs_input_grad[3] else None
        return whole_gradients(grad_a, grad_weight, grad_arrived, emitted, taps)


@functools.lru_cache(maxsize=8)
def _slopes_on(threshold: int, surrogate: Surrogate, device: torch.device) -> torch.Tensor:
    """Spike slopes on a device, where copying them anew would make it wait in each pass."""
    return slope_table(threshold, surrogate).to(device)


def _programs(n_batch: int) -> tuple[int]:
    return (triton.cdiv(n_batch, SAMPLES_TOGETHER),)


def _tiles(n: int, n_taps: int) -> dict[str, Any]:
    """Compile-time sizes and launch settings for a layer of n neurons."""
    width = max(BLOCK_MIN, triton.next_power_of_2(n))
    block = min(width, BLOCK_MAX)
    return {
        "TAPS": n_taps,
        "TILE": SAMPLES_TOGETHER,
        "WIDTH": width,
        "BLOCK": block,
        "CHUNK": CHUNK,
        "num_warps": max(4, int(block * WARPS_PER_NEURON)),
        # A product and a sum after it are rounded one by one, as on the CPU.
        "enable_fp_fusion": False,
    }
