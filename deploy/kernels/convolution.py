"""Convolution by spikes: each one scatters its channel's kernel over the outputs that see it.

Sums have the channel as their last axis, so that a spike adds runs of neighbouring weights.
"""

from __future__ import annotations

from typing import Any

from numba import int64, uint32, uintp

from kipuka.deploy.kernels.lanes import LANES, RUN, add_run, inlined

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
    # All that stays the same is read before the sums are written: they might be the geometry.
    height, width = geometry[first + HEIGHT], geometry[first + WIDTH]
    n_outputs, n_channels = geometry[first + GROUP_OUTPUTS], geometry[first + CHANNELS]
    output_width, kernel_width = geometry[first + OUTPUT_WIDTH], geometry[first + KERNEL_WIDTH]
    gates, gate = geometry[first + GATES], geometry[first + GATE]
    line = _quotient(source, width)
    channel = _quotient(line, height)
    kernel_rows = channel * geometry[first + KERNEL_HEIGHT]
    first_neuron = _quotient(channel, geometry[first + GROUP_INPUTS]) * n_outputs
    rows = first + TABLES + line - channel * height
    columns = first + TABLES + height + 1 + source - line * width
    first_column, end_column = geometry[columns], geometry[columns + 1]
    for row in range(geometry[rows], geometry[rows + 1]):
        kernel_row = (kernel_rows + geometry[uintp(first + 2 * row)]) * kernel_width
        outputs = geometry[uintp(first + 2 * row + 1)] * output_width
        for column in range(first_column, end_column):
            kernel_place = kernel_row + geometry[uintp(first + 2 * column)]
            weight = first_weight + kernel_place * n_outputs
            pixel = outputs + geometry[uintp(first + 2 * column + 1)]
            neuron = first_neuron + pixel * n_channels
            if gates == 1:
                _add_run(times, weights, weight, n_outputs, sums, first_sum + neuron)
            else:
                _add_to_gate(
                    times, weights, weight, n_outputs, sums, first_sum, neuron, gates, gate
                )


@inlined
def _quotient(dividend: Any, divisor: Any) -> Any:
    """Divide numbers of units; a signed division of 64 bits would take most of a spike's time."""
    return int64(uint32(dividend) // uint32(divisor))


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
