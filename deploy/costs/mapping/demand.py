"""What the blocks of a layer ask of their cores, in the units of the limits."""

from __future__ import annotations

import numpy as np

from kipuka.convert.formats.net.differences import weight_bits
from kipuka.convert.program import Layer, Projection
from kipuka.convert.synapses import ConvSynapses
from kipuka.deploy.costs.mapping.axons import Axons
from kipuka.deploy.costs.mapping.blocks import Partition
from kipuka.deploy.costs.mapping.limits import (
    AXONS_IN,
    DELAY_SLOTS,
    MEMORY,
    NEURONS,
    SYNAPTIC_MEMORY,
    WORD_BITS,
)


def demands(layer: Layer, parts: Partition, axons: list[Axons]) -> dict[str, np.ndarray]:
    """Needs of each block under every limit but that of output axons.

    Parameters
    ----------
    layer : Layer
    parts : Partition
    axons : list of Axons
        Of each projection of the layer, in order.

    Returns
    -------
    mapping of str to int64 array (cores,)
    """
    n_cores = parts.n_cores
    neurons = np.bincount(parts.assignment(), minlength=n_cores).astype(np.int64)
    words = np.zeros(n_cores, dtype=np.int64)
    slots = np.zeros(n_cores, dtype=np.int64)
    for projection, table in zip(layer.projections, axons, strict=True):
        words += synaptic_words(projection, parts, table, neurons)
        longest = np.zeros(n_cores, dtype=np.int64)
        np.maximum.at(longest, table.cores, table.delays)
        slots += longest * neurons
    return {
        NEURONS: neurons,
        SYNAPTIC_MEMORY: words,
        AXONS_IN: _input_axons(layer, axons, n_cores),
        DELAY_SLOTS: slots,
        MEMORY: words + layer.neuron_model.state_words * neurons,
    }


def synaptic_words(
    projection: Projection, parts: Partition, axons: Axons, neurons: np.ndarray
) -> np.ndarray:
    """Words of synaptic memory of each block: int64 array (cores,).

    A convolution keeps its kernel once per core, and the part of an input channel once more for
    each further delay that the channel has. Any other axon keeps a list in whole words:
    all weights of the block in order, or only those that are not 0, each with its index,
    whichever is shorter; each weight with the bits of its delay, if the projection has delays.
    """
    # A single power of two needs no more bits than one.
    weight = max(1, weight_bits(projection.synapses.weights))
    delay = int(projection.delays.max(initial=0)).bit_length()
    if isinstance(projection.synapses, ConvSynapses):
        planes = _kernel_planes(projection.synapses, projection.delays)
        kept = [planes[slice(*block.channels)].sum() for block in parts.blocks()]
        bits = np.array(kept) * int(np.prod(projection.synapses.kernel)) * (weight + delay)
        return -(-bits // WORD_BITS)
    in_block = neurons[axons.cores]
    index = np.array([int(n - 1).bit_length() for n in neurons], dtype=np.int64)[axons.cores]
    dense_bits = in_block * (weight + delay)
    sparse_bits = axons.synapses * (weight + delay + index)
    # Synapses of one source with delays of their own are listed by delay, each with its index.
    by_synapse = projection.delays.ndim == 2
    bits = sparse_bits if by_synapse else np.minimum(dense_bits, sparse_bits)
    words = np.zeros(parts.n_cores, dtype=np.int64)
    np.add.at(words, axons.cores, -(-bits // WORD_BITS))
    return words


def _kernel_planes(synapses: ConvSynapses, delays: np.ndarray) -> np.ndarray:
    """Planes of kernel that each output channel keeps: int64 array (output channels,)."""
    by_channel = [np.unique(own).size for own in delays.reshape(synapses.input_shape[0], -1)]
    per_group = np.array(by_channel, dtype=np.int64).reshape(synapses.groups, -1).sum(axis=1)
    return np.repeat(per_group, synapses.weights.shape[0] // synapses.groups)


def _input_axons(layer: Layer, axons: list[Axons], n_cores: int) -> np.ndarray:
    """Source neurons that reach each block; one axon serves all gates of a spiking GRU."""
    total = np.zeros(n_cores, dtype=np.int64)
    for source in {p.source for p in layer.projections}:
        tables = [a for p, a in zip(layer.projections, axons, strict=True) if p.source == source]
        total += np.bincount(unique_axons(tables)[0], minlength=n_cores)
    return total


def unique_axons(tables: list[Axons]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (core, source) of several projections from the same layer, each once."""
    n_sources = 1 + max((int(table.sources.max(initial=0)) for table in tables), default=0)
    keys = np.unique(np.concatenate([t.cores * n_sources + t.sources for t in tables]))
    return keys // n_sources, keys % n_sources
