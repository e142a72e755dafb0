"""Input axons of each core: which source neurons reach it, over how many synapses, how late."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kipuka.convert.synapses import ConvSynapses, DenseSynapses, SparseSynapses
from kipuka.deploy.costs.mapping.blocks import Block, Partition
from kipuka.deploy.costs.mapping.groups import Bundle


class Axons(NamedTuple):
    """One row for each core and source neuron (and delay, where synapses have their own).

    Attributes
    ----------
    cores : int64 array
        Block of the layer; ascending.
    sources : int64 array
        Neuron that sends.
    delays : int64 array
        In steps.
    synapses : int64 array
        Nonzero weights that a spike reaches there, at least 1.
    """

    cores: np.ndarray
    sources: np.ndarray
    delays: np.ndarray
    synapses: np.ndarray

    def rows(self, n_cores: int) -> np.ndarray:
        """First row of each core, and at last the number of rows: int64 array (cores + 1,)."""
        return np.searchsorted(self.cores, np.arange(n_cores + 1))


NOTHING = Axons(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
"""No axons."""


def axons_of(bundle: Bundle, parts: Partition) -> Axons:
    """List the axons by which a bundle reaches each block of its group."""
    if bundle.by_synapse:
        return _by_synapse(bundle, parts)
    synapses = bundle.synapses
    if isinstance(synapses, DenseSynapses):
        fan_outs = _dense_fan_outs(synapses, parts)
        cores, sources = np.nonzero(fan_outs)
        counts = fan_outs[cores, sources]
    elif isinstance(synapses, ConvSynapses):
        found = [_in_block(synapses, block) for block in parts.blocks()]
        cores = np.repeat(np.arange(len(found)), [units.size for units, _ in found])
        sources = np.concatenate([units for units, _ in found])
        counts = np.concatenate([fan_out for _, fan_out in found])
    else:
        cores, sources, counts = _listed(synapses, parts)
    delays = bundle.delays[sources].astype(np.int64)
    return Axons(cores, sources, delays, counts.astype(np.int64))


def _listed(
    synapses: SparseSynapses, parts: Partition
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cores, sources and nonzero weights of the axons of a list of synapses, by core."""
    there, targets, offsets = synapses.weights != 0, synapses.targets, synapses.offsets
    if not there.all():
        targets = targets[there]
        offsets = np.concatenate([[0], np.cumsum(there)])[offsets]
    # Small numbers: memory bounds what follows, and short ones are sorted by their digits.
    owners = parts.assignment().astype(np.min_scalar_type(parts.n_cores))[targets]
    first = np.zeros(owners.size + 1, dtype=bool)
    first[offsets[:-1]] = True
    if np.any((owners[1:] < owners[:-1]) & ~first[1:-1]):
        senders = np.repeat(np.arange(synapses.n_sources), np.diff(offsets))
        keys = senders * parts.n_cores + owners
        pairs, counts = np.unique(keys, return_counts=True)
        sources, cores = np.divmod(pairs, parts.n_cores)
    else:
        # A source's synapses into one block lie together: an axon begins where either changes.
        first[1:-1] |= owners[1:] != owners[:-1]
        starts = np.flatnonzero(first[:-1])
        counts = np.diff(starts, append=owners.size)
        cores = owners[starts]
        rows = np.searchsorted(starts, offsets)
        sources = np.repeat(np.arange(synapses.n_sources), np.diff(rows))
    order = np.argsort(cores, kind="stable")
    return cores[order].astype(np.int64), sources[order], counts[order]


def _dense_fan_outs(synapses: DenseSynapses, parts: Partition) -> np.ndarray:
    """Nonzero weights from each source into each block: int64 array (cores, sources)."""
    there = synapses.weights != 0
    assignment = parts.assignment()
    if parts.edges[1].size == 2 and parts.edges[2].size == 2:
        starts = parts.edges[0][:-1] * (parts.shape[1] * parts.shape[2])
        return np.add.reduceat(there, starts, axis=0, dtype=np.int64)
    total = np.zeros((parts.n_cores, synapses.n_sources), dtype=np.int64)
    np.add.at(total, assignment, there)
    return total


def _in_block(synapses: ConvSynapses, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """Sources that reach a block of a convolution, and the nonzero weights of each."""
    (first, end), spans = block.channels, (block.rows, block.columns)
    in_per_group = synapses.weights.shape[1]
    out_per_group = synapses.weights.shape[0] // synapses.groups
    n_channels, *extents = synapses.input_shape
    reached = np.zeros((n_channels, *synapses.kernel), dtype=np.int64)
    for output in range(first, end):
        first_in = output // out_per_group * in_per_group
        reached[first_in : first_in + in_per_group] += synapses.weights[output] != 0
    sizes = [b - a for a, b in spans]
    reach = [
        (size - 1) * stride + (kernel - 1) * dilation + 1
        for size, stride, kernel, dilation in zip(
            sizes, synapses.stride, synapses.kernel, synapses.dilation, strict=True
        )
    ]
    fan_out = np.zeros((n_channels, *reach), dtype=np.int64)
    for i in range(synapses.kernel[0]):
        for j in range(synapses.kernel[1]):
            window = tuple(
                slice(k * dilation, k * dilation + (size - 1) * stride + 1, stride)
                for k, dilation, size, stride in zip(
                    (i, j), synapses.dilation, sizes, synapses.stride, strict=True
                )
            )
            fan_out[(slice(None), *window)] += reached[:, i, j, None, None]
    # The block's reach begins at its first output and may stick out of the input on both sides.
    starts = [
        a * stride - padding
        for (a, _), stride, padding in zip(spans, synapses.stride, synapses.padding, strict=True)
    ]
    channels, rows, columns = np.nonzero(fan_out)
    counts = fan_out[channels, rows, columns]
    rows, columns = rows + starts[0], columns + starts[1]
    inside = (rows >= 0) & (rows < extents[0]) & (columns >= 0) & (columns < extents[1])
    units = (channels * extents[0] + rows) * extents[1] + columns
    return units[inside], counts[inside]


def _by_synapse(bundle: Bundle, parts: Partition) -> Axons:
    """Axons of synapses with delays of their own: a row for each delay of a source into a core."""
    targets, sources = bundle.pairs
    n_sources, n_delays = bundle.synapses.n_sources, int(bundle.delays.max(initial=0)) + 1
    owners = parts.assignment()[targets]
    keys = (owners * n_sources + sources) * n_delays + bundle.delays
    unique, counts = np.unique(keys, return_counts=True)
    pairs, delays = np.divmod(unique, n_delays)
    cores, sources = np.divmod(pairs, n_sources)
    return Axons(cores, sources, delays, counts.astype(np.int64))
