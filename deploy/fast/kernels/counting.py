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
    arrived: Any, n_activations: Any,
) -> None:  # fmt: skip
    """Add every arrived spike, and graded message, to the activations that it reached.

    Parameters
    ----------
    network : Network
    emitted, pending, messages, arrived : int64 arrays
        As in `Workspace`.
    kernels_there : int8 array
        1 where the dense pool is not 0; it may be empty where there is no convolution.
    few : int32 array (activations,)
        Zeros. Counts of 32 bits take half the room and half the vectors; they are added up before
        one can be too large.
    n_activations : int
    """
    counted = int64(0)
    for number in range(network.links.shape[0]):
        link = network.links[number]
        group = network.groups[link.group]
        if group.kind == at.PER_SYNAPSE:
            continue
        first_source, first_row = link.first_source, group.first_row + link.first_row
        source = _arriving(emitted, first_source, pending, first_row, 0, link.sources)
        while source < link.sources:
            following = _arriving(
                emitted, first_source, pending, first_row, source + 1, link.sources
            )
            if group.kind == at.SPARSE:
                # The next row is on its way from memory while this one is counted.
                ahead = group.first_start + link.first_row + min(following, link.sources - 1)
                starts = network.starts[uintp(ahead)], network.starts[uintp(ahead + 1)]
                ask_for_row(starts[0], starts[1], network.targets, network.sparse)
            times = emitted[uintp(first_source + source)] - pending[uintp(first_row + source)]
            while times:
                share = min(times, MOST_IN_32_BITS - counted)
                _count(network, group, link.first_row, source, int32(share), kernels_there, few)
                times -= share
                counted = _added_up(counted + share, few, arrived, n_activations)
            source = following

    for number in range(network.layers.shape[0]):
        row = network.layers[number]
        if row.current:
            for source in range(row.neurons):
                times = messages[row.first_unit + source]
                while times:
                    share = min(times, MOST_IN_32_BITS - counted)
                    _count_current(network, row, source, int32(share), kernels_there, few)
                    times -= share
                    counted = _added_up(counted + share, few, arrived, n_activations)
    _add_up(few, arrived, n_activations)


@inlined
def _count(
    network: Any, group: Any, first_row: Any, source: Any, times: Any, kernels_there: Any, few: Any
) -> None:
    """Count that a source's spike arrived so many times."""
    row, first = first_row + source, group.first_arrival
    if group.kind == at.DENSE:
        weights = group.first_weight + row * group.blocks * HALF
        _count_pairs(times, network.paired, weights, group.blocks, group.stride, few, first)
    elif group.kind == at.WEIGHED:
        weights = group.first_weight + row * group.blocks * LANES
        _count_row(times, network.dense, weights, group.blocks, LANES, few, first)
    elif group.kind == at.SPARSE:
        start = uintp(group.first_start + row)
        for synapse in range(network.starts[start], network.starts[start + uintp(1)]):
            there = network.sparse[uintp(synapse)] != 0
            few[uintp(first + network.targets[uintp(synapse)])] += times * int32(there)
    else:
        scatter(
            source, times, network.geometry, group.first_geometry, kernels_there,
            group.first_weight, few, first,
        )  # fmt: skip


@inlined
def _count_current(
    network: Any, row: Any, source: Any, times: Any, kernels_there: Any, few: Any
) -> None:
    """Count that a source's graded message arrived so many times."""
    current = network.currents[row.current - 1]
    first = current.first_arrival
    if current.kind == at.DENSE:
        weights = current.first_weight + source * row.blocks * LANES
        _count_row(
            times, network.dense, weights, row.blocks, GATES * LANES, few,
            first + UPDATE_GATE * LANES,
        )  # fmt: skip
    else:
        scatter(
            source, times, network.geometry, current.counting_geometry, kernels_there,
            current.first_weight, few, first,
        )  # fmt: skip


@inlined
def _added_up(counted: Any, few: Any, arrived: Any, n: Any) -> Any:
    """Add up counts that might be as large as 32 bits hold; return how large they might be now."""
    if counted < MOST_IN_32_BITS:
        return counted
    _add_up(few, arrived, n)
    return int64(0)


@inlined
def _add_up(few: Any, arrived: Any, n: Any) -> None:
    for k in range(n):
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
    times: Any, paired: Any, weights: Any, blocks: Any, stride: Any, few: Any, first: Any
) -> None:
    for block in range(blocks):
        for lane in range(HALF):
            pair = paired[uintp(weights + block * HALF + lane)]
            there = uintp(first + block * stride + lane)
            few[there] += times * int32((pair & LOWER_BYTE) != LOWER_BIAS)
            few[there + uintp(HALF)] += times * int32((pair >> BYTE_BITS) != 0)


@inlined
def _count_row(
    times: Any, dense: Any, weights: Any, blocks: Any, stride: Any, few: Any, first: Any
) -> None:
    for block in range(blocks):
        for lane in range(LANES):
            there = dense[uintp(weights + block * LANES + lane)] != 0
            few[uintp(first + block * stride + lane)] += times * int32(there)
