"""Arrivals per activation, reckoned after a run from how often each source spiked.

Counting them at each delivery would double its cost.
"""

from __future__ import annotations

from typing import Any

from numba import int32, int64, uintp

from kipuka.compiling import entered, inlined
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import BYTE_BITS, HALF, LANES, LOWER_BIAS
from kipuka.deploy.fast.kernels.convolution import scatter
from kipuka.deploy.fast.kernels.currents import GATES, UPDATE_GATE
from kipuka.deploy.fast.kernels.delivery import ask_for_row

LOWER_BYTE = (1 << BYTE_BITS) - 1

MOST_IN_32_BITS = (1 << 31) - 1


@entered
def count_arrivals(
    network: Any, emitted: Any, pending: Any, messages: Any, kernels_there: Any, few: Any,
    arrived: Any,
) -> None:  # fmt: skip
    """Add every arrived spike, and graded message, to the activations that it reached.

    Parameters
    ----------
    network : Network
    emitted, pending, messages, arrived : int64 arrays
        As in `Workspace`.
    kernels_there : int8 array
        1 where the dense pool is not 0; it may be empty where there is no convolution.
    few : int32 array
        Zeros, as many as there are activations.
    """
    for number in range(network.links.shape[0]):
        link = network.links[number]
        group = network.groups[link.group]
        first = group.first_arrival
        if group.kind == at.PER_SYNAPSE:
            continue
        if group.kind == at.SPARSE:
            _count_sparse(network, link, group, emitted, pending, few, arrived)
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
def _count_sparse(
    network: Any, link: Any, group: Any, emitted: Any, pending: Any, few: Any, arrived: Any
) -> None:
    """Count over rows that list their targets; the next row is on its way from memory meanwhile.

    Counts of 32 bits take half the room in the caches: they are added up before one is too large.
    """
    starts, targets, weights = network.starts, network.targets, network.sparse
    first_start, first = group.first_start + link.first_row, group.first_arrival
    first_source, first_row = link.first_source, group.first_row + link.first_row
    at_most = int64(0)
    source = _arriving(emitted, first_source, pending, first_row, 0, link.sources)
    while source < link.sources:
        following = _arriving(emitted, first_source, pending, first_row, source + 1, link.sources)
        ahead = first_start + min(following, link.sources - 1)
        ask_for_row(starts[uintp(ahead)], starts[uintp(ahead + 1)], targets, weights)
        times = emitted[uintp(first_source + source)] - pending[uintp(first_row + source)]
        row = uintp(first_start + source)
        while times:
            share = min(times, MOST_IN_32_BITS - at_most)
            for synapse in range(starts[row], starts[row + uintp(1)]):
                k = uintp(synapse)
                few[uintp(first + targets[k])] += int32(share * (weights[k] != 0))
            times -= share
            at_most += share
            if at_most == MOST_IN_32_BITS:
                _add_up(few, arrived, first, group.blocks * LANES)
                at_most = int64(0)
        source = following
    _add_up(few, arrived, first, group.blocks * LANES)


@inlined
def _add_up(few: Any, arrived: Any, first: Any, n: Any) -> None:
    for k in range(first, first + n):
        arrived[uintp(k)] += few[uintp(k)]
        few[uintp(k)] = 0


@inlined
def _arriving(
    emitted: Any, first_source: Any, pending: Any, first_row: Any, source: Any, n_sources: Any
) -> Any:
    """Return the first source from `source` on of which a spike arrived, or `n_sources`."""
    while source < n_sources:
        if emitted[uintp(first_source + source)] != pending[uintp(first_row + source)]:
            break
        source += 1
    return source


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
