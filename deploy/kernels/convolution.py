"""Convolution by spikes: each one scatters its channel's kernel over the outputs that see it.

Sums have the channel as their last axis, so that a spike adds runs of neighbouring weights.
"""

from __future__ import annotations

from typing import Any

from numba import int64, uintp

from kipuka.deploy.kernels.lanes import LANES, inlined

RUN = 8
"""Output channels that are added at a time."""

(
    HEIGHT,
    WIDTH,
    CHANNELS,
    OUTPUT_WIDTH,
    GROUP_INPUTS,
    GROUP_OUTPUTS,
    KERNEL_HEIGHT,
    KERNEL_WIDTH,
    GATES,
    GATE,
    TABLES,
) = range(11)
"""Entries of a convolution's geometry.

`CHANNELS` counts outputs. The tables behind the entries say, for each input row and then for each
column, where its list of (kernel element, output position) begins, and give those lists.
"""


@inlined
def scatter(
    source: Any, times: Any, geometry: Any, first: Any, weights: Any, first_weight: Any,
    sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Add `times` the kernel of a source's channel to the sums of the outputs that see it."""
    height, width = geometry[first + HEIGHT], geometry[first + WIDTH]
    channel = source // (height * width)
    y = source // width - channel * height
    x = source - (channel * height + y) * width
    n_outputs = geometry[first + GROUP_OUTPUTS]
    from_channel = channel // geometry[first + GROUP_INPUTS] * n_outputs
    kernel_width = geometry[first + KERNEL_WIDTH]
    kernel_rows = channel * geometry[first + KERNEL_HEIGHT]
    rows = first + TABLES
    columns = rows + height + 1
    for row in range(geometry[rows + y], geometry[rows + y + 1]):
        kernel_row = (kernel_rows + geometry[first + 2 * row]) * kernel_width
        outputs = geometry[first + 2 * row + 1] * geometry[first + OUTPUT_WIDTH]
        for column in range(geometry[columns + x], geometry[columns + x + 1]):
            weight = (kernel_row + geometry[first + 2 * column]) * n_outputs
            pixel = outputs + geometry[first + 2 * column + 1]
            neuron = pixel * geometry[first + CHANNELS] + from_channel
            if geometry[first + GATES] == 1:
                _add_run(times, weights, first_weight + weight, n_outputs, sums, first_sum + neuron)
            else:
                _add_to_gate(
                    times, weights, first_weight + weight, n_outputs, sums, first_sum, neuron,
                    geometry[first + GATES], geometry[first + GATE],
                )  # fmt: skip


@inlined
def _add_run(
    times: Any, weights: Any, first_weight: Any, n: Any, sums: Any, first_sum: Any
) -> None:
    whole = n // RUN * RUN
    for start in range(0, whole, RUN):
        for k in range(start, start + RUN):
            sums[uintp(first_sum + k)] += times * weights[uintp(first_weight + k)]
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
