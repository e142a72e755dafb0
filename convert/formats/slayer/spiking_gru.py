"""The parts of Kipuka's spiking GRU blocks, dense and convolutional, as integers.

A block with one gate in the place of both holds minimal gated units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from kipuka.convert.formats.slayer import block_values
from kipuka.convert.formats.slayer.blocks import Block
from kipuka.convert.formats.slayer.effective import check_class
from kipuka.convert.neurons.spiking_gru import SpikingGruParameters
from kipuka.convert.neurons.spiking_mgu import SpikingMguParameters
from kipuka.convert.program import RECURRENT, Projection, Target
from kipuka.convert.synapses import DenseSynapses, Shape3, Synapses


class GruParts(NamedTuple):
    """A spiking GRU layer without what the layer before decides.

    Attributes
    ----------
    neuron : SpikingGruParameters or SpikingMguParameters
    shape : tuple of int
    arriving : mapping of Target to Synapses
        From the layer before; their delays are not the block's.
    own : tuple of Projection
        From the layer itself.
    """

    neuron: Any
    shape: tuple[int, ...]
    arriving: Mapping[Target, Synapses]
    own: tuple[Projection, ...]


def dense_parts(block: Block) -> GruParts:
    """Parts of a ``SpikingGRU`` block."""
    shape = (block.module.channels,)
    fed = _by_gate(block, "input_synapse", _fed_gates(block))
    arriving = {target: DenseSynapses(matrix) for target, matrix in fed.items()}
    return _parts(block, shape, arriving, lambda name, matrix: DenseSynapses(matrix))


def convolutional_parts(block: Block, sender: Shape3) -> GruParts:
    """Parts of a ``ConvSpikingGRU`` block after a layer, or input, of the shape `sender`.

    Raises
    ------
    KipukaError
        If the kernel does not fit into the input.
    """
    synapse = block.module.input_synapse
    fed = _by_gate(block, "input_synapse", _fed_gates(block))
    arriving = {
        target: block_values.fitted(block, block_values.convolution(synapse, kernels, sender))
        for target, kernels in fed.items()
    }
    shape = arriving["i"].output_shape

    def same(name: str, kernels: np.ndarray) -> Synapses:
        return block_values.convolution(getattr(block.module, name), kernels, shape)

    return _parts(block, shape, arriving, same)


def _parts(
    block: Block,
    shape: tuple[int, ...],
    arriving: Mapping[Target, Synapses],
    own_synapses: Callable[[str, np.ndarray], Synapses],
) -> GruParts:
    delays = block_values.delays(block.module.delay_rec, shape, block.where)
    name = "recurrent_synapse"
    own = [
        Projection(own_synapses(name, weights), RECURRENT, target, delays)
        for target, weights in _by_gate(block, name, block.module.gates.fed).items()
    ]
    if block.module.current_synapse is not None:
        name = "current_synapse"
        own += [
            Projection(
                own_synapses(name, weights), RECURRENT, target, 0 * delays, message="current"
            )
            for target, weights in _by_gate(block, name, ("z",)).items()
        ]
    per_channel = delays.size // shape[0]
    bias = (np.repeat(values, per_channel) for values in block_values.gru_bias(block))
    check_class(
        block.where, "neurons", block.module.neuron, {"kipuka.train.gru.neuron": ("Neuron",)}
    )
    threshold = np.full(delays.shape, block.module.neuron.v_th_mant, dtype=np.int64)
    kinds = {3: SpikingGruParameters, 2: SpikingMguParameters}
    neuron = kinds[len(block.module.gates.biased)](threshold, *bias)
    return GruParts(neuron, shape, arriving, tuple(own))


def _fed_gates(block: Block) -> tuple[Target, ...]:
    """Activations that the input synapse feeds."""
    fed: tuple[Target, ...] = block.module.gates.fed
    return fed if block.module.current_synapse is None else fed[:-1]


def _by_gate(block: Block, name: str, gates: tuple[Target, ...]) -> dict[Target, np.ndarray]:
    """Weights of a synapse by the activation that they feed.

    Matrices (targets, sources), or kernels (output channels, input channels / groups, height,
    width). A grouped convolution gives all activations of a group before those of the next one.
    """
    stacked = block_values.weights(block, name)
    synapse = getattr(block.module, name)
    axes = 4 if type(synapse).__name__ == "Conv" else 2
    stacked = stacked.reshape(stacked.shape[:axes])
    parts = stacked.reshape(synapse.groups, len(gates), -1, *stacked.shape[1:])
    return {
        gate: parts[:, k].reshape(-1, *stacked.shape[1:]).copy() for k, gate in enumerate(gates)
    }
