"""Arrivals per activation, reckoned after a run from how often each source spiked.

Counting them at each delivery would double its cost.
"""

from __future__ import annotations

from typing import Any

from numba import uintp

from kipuka.compiling import entered, inlined
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import BYTE_BITS, HALF, LANES, LOWER_BIAS
from kipuka.deploy.fast.kernels.convolution import scatter
from kipuka.deploy.fast.kernels.currents import GATES, UPDATE_GATE

LOWER_BYTE = (1 << BYTE_BITS) - 1


@entered
def count_arrivals(
    network: Any, emitted: Any, pending: Any, messages: Any, kernels_there: Any, arrived: Any
) -> None:
    """Add every arrived spike, and graded message, to the activations that it reached.

    Parameters
    ----------
    network : Network
    emitted, pending, messages, arrived : int64 arrays
        As in `Workspace`.
    kernels_there : int8 array
        1 where the dense pool is not 0; it may be empty where there is no convolution.
    """
    for number in range(network.links.shape[0]):
        link = network.links[number]
        group = network.groups[link.group]
        first = group.first_arrival
        if group.kind == at.PER_SYNAPSE:
            continue
        for source in range(link.sources):
            row = link.first_row + source
            times = emitted[link.first_source + source] - pending[group.first_row + row]
            if times == 0:
                continue
            if group.kind == at.DENSE:
                weights = group.first_weight + row * group.blocks * HALF
                _count_pairs(
                    times, network.paired, weights, group.blocks, group.stride, arrived, first
                )
            elif group.kind == at.WEIGHED:
                weights = group.first_weight + row * group.blocks * LANES
                _count_row(times, network.dense, weights, group.blocks, LANES, arrived, first)
            elif group.kind == at.SPARSE:
                start = group.first_start + row
                for synapse in range(network.starts[start], network.starts[start + 1]):
                    there = network.sparse[uintp(synapse)] != 0
                    arrived[uintp(first + network.targets[uintp(synapse)])] += times * there
            else:
                scatter(
                    source, times, network.geometry, group.first_geometry, kernels_there,
                    group.first_weight, arrived, first,
                )  # fmt: skip

    for number in range(network.layers.shape[0]):
        row = network.layers[number]
        if row.current:
            current = network.currents[row.current - 1]
            first = current.first_arrival
            for source in range(row.neurons):
                times = messages[row.first_unit + source]
                if current.kind == at.DENSE:
                    weights = current.first_weight + source * row.blocks * LANES
                    _count_row(
                        times, network.dense, weights, row.blocks, GATES * LANES, arrived,
                        first + UPDATE_GATE * LANES,
                    )  # fmt: skip
                else:
                    scatter(
                        source, times, network.geometry, current.counting_geometry,
                        kernels_there, current.first_weight, arrived, first,
                    )  # fmt: skip


@inlined
def _count_pairs(
    times: Any, paired: Any, weights: Any, blocks: Any, stride: Any, arrived: Any, first: Any
) -> None:
    for block in range(blocks):
        for lane in range(HALF):
            pair = paired[uintp(weights + block * HALF + lane)]
            there = uintp(first + block * stride + lane)
            arrived[there] += times * ((pair & LOWER_BYTE) != LOWER_BIAS)
            arrived[there + uintp(HALF)] += times * ((pair >> BYTE_BITS) != 0)


@inlined
def _count_row(
    times: Any, dense: Any, weights: Any, blocks: Any, stride: Any, arrived: Any, first: Any
) -> None:
    for block in range(blocks):
        for lane in range(LANES):
            there = dense[uintp(weights + block * LANES + lane)] != 0
            arrived[uintp(first + block * stride + lane)] += times * there
