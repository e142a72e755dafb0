"""Convolution by spikes: each one scatters its channel's kernel over the outputs that see it.

Sums have the channel as their last axis, so that a spike adds runs of neighbouring weights.
"""

from __future__ import annotations

from typing import Any

from numba import int64, uintp

from kipuka.compiling import inlined
from kipuka.deploy.fast.kernels.constants import (
    CHANNELS,
    GATE,
    GATES,
    GROUP_OUTPUTS,
    LANES,
    MULTIPLIER,
    PIXELS,
    RUN,
    SHIFT,
    STARTS,
)
from kipuka.deploy.fast.kernels.lanes import add_run
from kipuka.deploy.fast.kernels.parts import compiled_where


@inlined
def scatter(
    source: Any, times: Any, geometry: Any, first: Any, weights: Any, first_weight: Any,
    sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Add `times` the kernel of a source's channel to the sums of the outputs that see it."""
    # All that stays the same is read before the sums are written: they might be the geometry.
    gates, gate = geometry[first + GATES], geometry[first + GATE]
    n_outputs, pixels = geometry[first + GROUP_OUTPUTS], geometry[first + PIXELS]
    channel = int64(source * geometry[first + MULTIPLIER]) >> geometry[first + SHIFT]
    kernel = first_weight + geometry[uintp(first + CHANNELS + 2 * channel)]
    first_neuron = geometry[uintp(first + CHANNELS + 2 * channel + 1)]
    start = first + geometry[first + STARTS] + source - channel * pixels
    for tap in range(geometry[uintp(start)], geometry[uintp(start + 1)], 2):
        weight = kernel + geometry[uintp(first + tap)]
        neuron = first_neuron + geometry[uintp(first + tap + 1)]
        if gates == 1:
            _add_run(times, weights, weight, n_outputs, sums, first_sum + neuron)
        else:
            _add_to_gate(times, weights, weight, n_outputs, sums, first_sum, neuron, gates, gate)


@inlined
def _add_run(
    times: Any, weights: Any, first_weight: Any, n: Any, sums: Any, first_sum: Any
) -> None:
    whole = n // RUN * RUN
    for k in range(0, whole, RUN):
        add_run(sums, first_sum + k, weights, first_weight + k, times)
    for k in range(whole, n):
        sums[uintp(first_sum + k)] += times * weights[uintp(first_weight + k)]


@inlined
def _add_to_gate(
    times: Any, weights: Any, first_weight: Any, n: Any, sums: Any, first_sum: Any, neuron: Any,
    gates: Any, gate: Any,
) -> None:  # fmt: skip
    """Add a run to one activation of neurons whose activations alternate block by block."""
    for k in range(n):
        block = (neuron + k) // LANES
        place = (block * gates + gate) * LANES + (neuron + k) - block * LANES
        sums[uintp(first_sum + place)] += times * weights[uintp(first_weight + k)]


@inlined
def convolved_rows(
    rows: Any, first_row: Any, n_rows: Any, geometry: Any, first: Any, weights: Any,
    first_weight: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Scatter every spike in a list."""
    for index in range(n_rows):
        source = int64(rows[first_row + index])
        scatter(source, 1, geometry, first, weights, first_weight, sums, first_sum)


@compiled_where("convolved")
def scatter_message(
    network: Any, source: Any, payload: Any, first_geometry: Any, first_weight: Any, sums: Any,
    first_sum: Any,
) -> None:  # fmt: skip
    """Do the same with the geometry and weights of a network, if it has any."""
    scatter(
        source, payload, network.geometry, first_geometry, network.dense, first_weight, sums,
        first_sum,
    )  # fmt: skip
