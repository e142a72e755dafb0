"""What the blocks of a group ask of their cores, in the units of the limits."""

from __future__ import annotations

import numpy as np

from kipuka.convert.synapses import ConvSynapses
from kipuka.deploy.costs.mapping.axons import Axons
from kipuka.deploy.costs.mapping.blocks import Partition
from kipuka.deploy.costs.mapping.groups import INPUT, SPIKES, Bundle, Group
from kipuka.deploy.costs.mapping.limits import (
    AXON_MAP,
    AXONS_IN,
    DELAY_SLOTS,
    MEMORY,
    NEURONS,
    SYNAPSES,
    SYNAPTIC_MEMORY,
    Packing,
)

MAP_WORDS_PER_POSITION = 2
"""Words of the axon map for a position of an image whose messages go to convolutions, at most."""


def demands(
    group: Group, parts: Partition, axons: list[Axons], packing: Packing
) -> dict[str, np.ndarray]:
    """Needs of each block under every limit but that of output axons.

    Parameters
    ----------
    group : Group
    parts : Partition
    axons : list of Axons
        Of each bundle of the group, in order.
    packing : Packing

    Returns
    -------
    mapping of str to int64 array (cores,)
    """
    n_cores = parts.n_cores
    neurons = parts.sizes()
    words, slots, synapses = (np.zeros(n_cores, dtype=np.int64) for _ in range(3))
    for bundle, table in zip(group.bundles, axons, strict=True):
        words += synaptic_words(bundle, parts, table, packing)
        longest = np.zeros(n_cores, dtype=np.int64)
        np.maximum.at(longest, table.cores, table.delays)
        slots += longest * neurons
        synapses += np.bincount(table.cores, table.synapses, n_cores).astype(np.int64)
    arriving = _input_axons(group, axons, n_cores, packing)
    leaving = neurons
    if group.feeds_kernels_only:
        leaving = np.minimum(MAP_WORDS_PER_POSITION * parts.positions(), neurons)
    return {
        NEURONS: neurons,
        SYNAPTIC_MEMORY: words,
        AXONS_IN: arriving,
        AXON_MAP: leaving,
        DELAY_SLOTS: slots,
        MEMORY: arriving + words + leaving + group.state_words * neurons,
        SYNAPSES: synapses,
    }


def synaptic_words(bundle: Bundle, parts: Partition, axons: Axons, packing: Packing) -> np.ndarray:
    """Words of synaptic memory of each block: int64 array (cores,).

    A convolution keeps its kernel once per core, tap by tap, and the part of an input channel once
    more for each further delay that the channel has. Any other axon keeps a list of its synapses in
    whole words, those of weight 0 included unless the bundle is sparse.
    """
    weight = bundle.weight_bits
    if np.any(bundle.delays):
        weight += packing.synapse_delay
    if isinstance(bundle.synapses, ConvSynapses):
        return _kernel_words(bundle.synapses, bundle.delays, parts, weight, packing)
    if bundle.keeps_zeros:
        lists = list_words(parts.sizes(), weight + packing.synapse_index, packing)
        return bundle.synapses.n_sources * lists
    cores, synapses = axons.cores, axons.synapses
    if bundle.by_synapse:
        starts = np.flatnonzero(
            np.diff(cores * bundle.synapses.n_sources + axons.sources, prepend=-1)
        )
        cores, synapses = cores[starts], np.add.reduceat(synapses, starts)
    lists = list_words(synapses, weight + packing.sparse_index, packing)
    # Float64 holds these sums exactly.
    return np.bincount(cores, lists, parts.n_cores).astype(np.int64)


def list_words(synapses: np.ndarray, bits: int, packing: Packing) -> np.ndarray:
    """Words of a list of so many synapses: int64 array.

    Parameters
    ----------
    synapses : int64 array
    bits : int
        Of each synapse with its index and delay.
    packing : Packing

    Examples
    --------
    A row of lava-dl's MNIST network, 50 neurons with weights of 8 bits:

    >>> loihi2 = Packing(64, 12, 12, 8, None, 20, 1, 2, 6)
    >>> list_words(np.array([50]), 8 + 12, loihi2).tolist()
    [16]
    """
    longest = packing.list_synapses
    if longest is None:
        return _in_words(synapses * bits + packing.list_header, packing) * (synapses > 0)
    whole, rest = np.divmod(synapses, longest)
    whole_words = -(-(longest * bits + packing.list_header) // packing.word)
    rest_words = _in_words(rest * bits + packing.list_header, packing) * (rest > 0)
    total: np.ndarray = whole * whole_words + rest_words
    return total


def tap_words(channels: np.ndarray, bits: int, moves_on: bool, packing: Packing) -> np.ndarray:
    """Words of one tap of a kernel for one input channel: int64 array.

    Parameters
    ----------
    channels : int64 array
        Output channels on the core.
    bits : int
        Of a weight, with its delay.
    moves_on : bool
        Whether the kernel moves on by several columns.
    packing : Packing
    """
    bits += packing.kernel_stride * moves_on
    return _in_words(channels * bits + packing.kernel_header, packing) * (channels > 0)


def _in_words(bits: np.ndarray, packing: Packing) -> np.ndarray:
    return -(-bits // packing.word)


def _kernel_words(
    synapses: ConvSynapses, delays: np.ndarray, parts: Partition, bits: int, packing: Packing
) -> np.ndarray:
    n_outputs = synapses.weights.shape[0]
    per_group = n_outputs // synapses.groups
    firsts = np.arange(0, n_outputs, per_group)
    by_channel = delays.reshape(synapses.input_shape[0], -1)
    if np.any(delays):
        kept = np.array([np.unique(own).size for own in by_channel], dtype=np.int64)
    else:
        kept = np.ones(synapses.input_shape[0], dtype=np.int64)
    taps = kept.reshape(synapses.groups, -1).sum(axis=1) * int(np.prod(synapses.kernel))
    words = []
    for block in parts.blocks():
        begin, end = block.channels
        inside = np.minimum(firsts + per_group, end) - np.maximum(firsts, begin)
        each = tap_words(np.maximum(inside, 0), bits, synapses.stride[1] > 1, packing)
        words.append(int((taps * each).sum()))
    return np.array(words, dtype=np.int64)


def _input_axons(group: Group, axons: list[Axons], n_cores: int, packing: Packing) -> np.ndarray:
    """Input axons of each block; one serves all gates of a spiking GRU."""
    total = np.zeros(n_cores, dtype=np.int64)
    pairs = list(zip(group.bundles, axons, strict=True))
    for source in {_source(bundle) for bundle in group.bundles}:
        own = [(bundle, table) for bundle, table in pairs if _source(bundle) == source]
        kernels = [isinstance(bundle.synapses, ConvSynapses) for bundle, _ in own]
        if packing.kernel_axons is not None and any(kernels):
            total += packing.kernel_axons
            own = [one for one, kernel in zip(own, kernels, strict=True) if not kernel]
        if any(bundle.keeps_zeros for bundle, _ in own):
            total += max(bundle.synapses.n_sources for bundle, _ in own)
        elif own:
            reached = unique_axons([table for _, table in own])[0]
            total += np.bincount(reached, minlength=n_cores)
    return total


def _source(bundle: Bundle) -> tuple[int, str]:
    """Tell senders apart; what a group sends of either kind shares its axons."""
    return bundle.channel if bundle.sender == INPUT else (bundle.sender, SPIKES)


def unique_axons(tables: list[Axons]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (core, source) of several bundles from the same group, each once."""
    if len(tables) == 1 and not tables[0].delays.any():
        return tables[0].cores, tables[0].sources
    n_sources = 1 + max((int(table.sources.max(initial=0)) for table in tables), default=0)
    keys = np.unique(np.concatenate([t.cores * n_sources + t.sources for t in tables]))
    return keys // n_sources, keys % n_sources
