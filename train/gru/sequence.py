"""The spiking GRU over a whole sequence: integers forward, surrogate gradients backward.

`kipuka.train.gru.plain` is the definition. On the CPU `compiled_dense` computes the same for dense
layers in one compiled kernel per pass, and `compiled_convolutional` for convolutional ones. On a
GPU `triton_dense` does so for dense layers. Everything else takes the plain path: an update gate
that sees the current, weights between the weight units, numbers other than float32, and on a GPU
convolutional layers, weights beyond 8 bits, more than `triton_dense.NEURONS_MAX` neurons, and a
machine without Triton.
"""

from __future__ import annotations

import torch

from kipuka.compiling_notice import announce_compiling
from kipuka.train.gru.cell import Cell, GruStates
from kipuka.train.gru.compiled_convolutional import FusedConvSequence
from kipuka.train.gru.compiled_dense import FusedSequence, can_fuse
from kipuka.train.gru.mixing import MatrixProduct
from kipuka.train.gru.plain import PlainSequence
from kipuka.train.triton_support import takes_triton

announce_compiling()


def run_sequence(
    activations: torch.Tensor,
    recurrent_weight: torch.Tensor,
    bias: torch.Tensor,
    delay: torch.Tensor,
    cell: Cell,
    current_weight: torch.Tensor | None = None,
    *,
    plain: bool = False,
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
        Recurrent delays as they are learned; receives the gradient. The forward pass takes the
        taps that were made of them.
    cell : Cell
    current_weight : float tensor (channels, channels, ...), optional
        Weights from the current of the step before to the update gate, quantized, nominal units.
    plain : bool
        Take the plain path where the compiled one could be taken.

    Returns
    -------
    spikes : float tensor (time, batch, channels, ...)
    states : GruStates
    """
    given = (activations, recurrent_weight, bias, delay, cell)
    fits = current_weight is None and not plain
    if fits and can_fuse(activations, recurrent_weight):
        dense = isinstance(cell.mixing, MatrixProduct)
        fused = FusedSequence if dense else FusedConvSequence
        spikes, *states = fused.apply(*given)  # type: ignore[no-untyped-call, unused-ignore]
    elif fits and can_fuse_on_gpu(activations, recurrent_weight, cell):
        from kipuka.train.gru.triton_dense import TritonSequence

        spikes, *states = TritonSequence.apply(*given)  # type: ignore[no-untyped-call, unused-ignore]
    else:
        spikes, *states = PlainSequence.apply(*given, current_weight)  # type: ignore[no-untyped-call, unused-ignore]
    return spikes, GruStates(*states)


def can_fuse_on_gpu(activations: torch.Tensor, weight: torch.Tensor, cell: Cell) -> bool:
    """Whether `triton_dense` computes what the plain path defines."""
    if not activations.is_cuda or not isinstance(cell.mixing, MatrixProduct):
        return False
    if activations.dtype != torch.float32 or not takes_triton():
        return False
    from kipuka.train.gru.triton_dense import fits

    return fits(weight)
