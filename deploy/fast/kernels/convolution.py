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
from kipuka.deploy.fast.kernels.lanes import add_taps
from kipuka.deploy.fast.kernels.parts import compiled_where


@inlined
def scatter(
    source: Any, times: Any, geometry: Any, first: Any, weights: Any, first_weight: Any,
    sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Add `times` the kernel of a source's channel to the sums of the outputs that see it."""
    _scatter(
        source, times, geometry, first, _constants(geometry, first), weights, first_weight, sums,
        first_sum,
    )  # fmt: skip


@inlined
def convolved_rows(
    rows: Any, first_row: Any, n_rows: Any, geometry: Any, first: Any, weights: Any,
    first_weight: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Scatter every spike in a list."""
    constants = _constants(geometry, first)
    for index in range(first_row, first_row + n_rows):
        source = int64(rows[uintp(index)])
        _scatter(source, 1, geometry, first, constants, weights, first_weight, sums, first_sum)


@inlined
def _constants(geometry: Any, first: Any) -> Any:
    """Read what is the same for all spikes before sums are written: they might be the geometry."""
    return (
        geometry[first + MULTIPLIER], geometry[first + SHIFT], geometry[first + PIXELS],
        first + geometry[first + STARTS], geometry[first + GROUP_OUTPUTS],
        geometry[first + GATES], geometry[first + GATE],
    )  # fmt: skip


@inlined
def _scatter(
    source: Any, times: Any, geometry: Any, first: Any, constants: Any, weights: Any,
    first_weight: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    multiplier, shift, pixels, starts, n_outputs, gates, gate = constants
    channel = int64(source * multiplier) >> shift
    pixel = uintp(starts + 2 * (source - channel * pixels))
    kernel = first_weight + geometry[uintp(first + CHANNELS + 2 * channel)]
    neuron = geometry[uintp(first + CHANNELS + 2 * channel + 1)] + geometry[pixel + uintp(1)]
    tap = first + geometry[pixel]
    n_taps = geometry[uintp(tap)]
    tap += 1
    if gates == 1:
        _add_taps(
            times, geometry, tap, n_taps, weights, kernel, n_outputs, sums, first_sum + neuron
        )  # fmt: skip
        return
    for place in range(tap, tap + 2 * n_taps, 2):
        weight, target = kernel + geometry[uintp(place)], neuron + geometry[uintp(place + 1)]
        _add_to_gate(times, weights, weight, n_outputs, sums, first_sum, target, gates, gate)


@inlined
def _add_taps(
    times: Any, geometry: Any, tap: Any, n_taps: Any, weights: Any, kernel: Any, n_outputs: Any,
    sums: Any, place: Any,
) -> None:  # fmt: skip
    """Add a kernel, as many output channels at a time as there are vectors for."""
    done = 0
    while done + 4 * RUN <= n_outputs:
        add_taps(4, sums, place + done, weights, kernel + done, geometry, tap, n_taps, times)
        done += 4 * RUN
    if done + 2 * RUN <= n_outputs:
        add_taps(2, sums, place + done, weights, kernel + done, geometry, tap, n_taps, times)
        done += 2 * RUN
    if done + RUN <= n_outputs:
        add_taps(1, sums, place + done, weights, kernel + done, geometry, tap, n_taps, times)
        done += RUN
    if done < n_outputs:
        for number in range(n_taps):
            weight = kernel + geometry[uintp(tap + 2 * number)]
            there = place + geometry[uintp(tap + 2 * number + 1)]
            for k in range(done, n_outputs):
                sums[uintp(there + k)] += times * weights[uintp(weight + k)]


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
