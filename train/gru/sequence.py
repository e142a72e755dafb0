"""The spiking GRU over a whole sequence: integers forward, surrogate gradients backward.

`kipuka.train.gru.plain` is the definition. On the CPU `compiled_dense` computes the same for dense
layers in one compiled kernel per pass, and `compiled_convolutional` for convolutional ones.
"""

from __future__ import annotations

import torch

from kipuka.train.gru.cell import Cell, GruStates
from kipuka.train.gru.compiled_convolutional import FusedConvSequence
from kipuka.train.gru.compiled_dense import FusedSequence, can_fuse
from kipuka.train.gru.mixing import MatrixProduct
from kipuka.train.gru.plain import PlainSequence


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
    if current_weight is None and not plain and can_fuse(activations, recurrent_weight):
        dense = isinstance(cell.mixing, MatrixProduct)
        fused = FusedSequence if dense else FusedConvSequence
        spikes, *states = fused.apply(*given)  # type: ignore[no-untyped-call]
    else:
        spikes, *states = PlainSequence.apply(*given, current_weight)  # type: ignore[no-untyped-call]
    return spikes, GruStates(*states)
