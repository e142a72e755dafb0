"""Spikes on their way: schedules of arriving rows, and the sums of weights that they add to.

A group is a place of a layer where spikes arrive. Its schedule is a ring of lists, one for each
of the coming steps; a spike with an axonal delay goes into the list of the step in which it
arrives, as the number of the row of weights that it will add. Weights are halved, because even
numbers in [-256, 254] then fit 8 bits.
"""

from __future__ import annotations

from typing import Any

from numba import int32, int64, uintp

from kipuka.compiling import inlined
from kipuka.deploy.fast.kernels.constants import BLOCKS_AT_ONCE, HALF
from kipuka.deploy.fast.kernels.lanes import ROWS_AT_ONCE, add_rows, prefetch

ROWS_AHEAD = 2
"""Rows that list their targets are asked for while the one this far ahead of them is added."""

LINE = 16
"""Targets in a cache line, and half of the weights in one."""

COUNT_ONE = 1 << 32
"""One arrival, in the upper half of a 64-bit sum whose lower half adds weights."""


@inlined
def schedule(
    spikes: Any, n_spikes: Any, step: Any, delays: Any, first_delay: Any, row: Any,
    ring: Any, first_slot: Any, capacity: Any, mask: Any, filled: Any, first_filled: Any,
) -> None:  # fmt: skip
    """Enter spikes, whose undelayed arrival is in `step`, into the lists of a group."""
    for index in range(n_spikes):
        source = int64(spikes[uintp(index)])
        slot = (step + delays[uintp(first_delay + source)]) & mask
        count = filled[uintp(first_filled + slot)]
        ring[uintp(first_slot + slot * capacity + count)] = row + source
        filled[uintp(first_filled + slot)] = count + 1


@inlined
def schedule_together(
    spikes: Any, n_spikes: Any, slot: Any, row: Any,
    ring: Any, first_slot: Any, capacity: Any, filled: Any, first_filled: Any,
) -> None:  # fmt: skip
    """Enter spikes that arrive in the same step into its list, without a look at each delay."""
    count = filled[uintp(first_filled + slot)]
    first = first_slot + slot * capacity + count
    for index in range(n_spikes):
        ring[uintp(first + index)] = row + spikes[uintp(index)]
    filled[uintp(first_filled + slot)] = count + n_spikes


@inlined
def dense_rows(
    rows: Any, first_row: Any, n_rows: Any, weights: Any, first_weight: Any, row_size: Any,
    blocks: Any, sums: Any, first_sum: Any, stride: Any,
) -> None:  # fmt: skip
    """Add rows of `blocks` blocks of paired weights to sums whose blocks lie `stride` apart."""
    together = blocks // BLOCKS_AT_ONCE * BLOCKS_AT_ONCE
    for done in range(0, n_rows, ROWS_AT_ONCE):
        first, n = first_row + done, min(n_rows - done, ROWS_AT_ONCE)
        for block in range(0, together, BLOCKS_AT_ONCE):
            add_rows(
                BLOCKS_AT_ONCE, rows, first, n, weights, first_weight + block * HALF, row_size,
                sums, first_sum + block * stride, stride,
            )  # fmt: skip
        for block in range(together, blocks):
            add_rows(
                1, rows, first, n, weights, first_weight + block * HALF, row_size,
                sums, first_sum + block * stride, stride,
            )  # fmt: skip


@inlined
def dense_rows_of_steps(
    ring: Any, first_slot: Any, capacity: Any, mask: Any, filled: Any, first_filled: Any,
    step: Any, n_steps: Any, weights: Any, first_weight: Any, row_size: Any, blocks: Any,
    sums: Any, first_sum: Any, stride: Any, sum_step: Any,
) -> None:  # fmt: skip
    """Add the rows that arrive in some steps, a strip of the matrix after the other.

    A strip is what is added at a time, of all rows. It stays in a near cache over the steps, where
    step by step the whole matrix would come from further away. Sums of a step lie `sum_step` behind
    those of the step before.
    """
    for block in range(0, blocks, BLOCKS_AT_ONCE):
        for index in range(n_steps):
            slot = (step + index) & mask
            n_rows = filled[uintp(first_filled + slot)]
            for done in range(0, n_rows, ROWS_AT_ONCE):
                add_rows(
                    BLOCKS_AT_ONCE, ring, first_slot + slot * capacity + done,
                    min(n_rows - done, ROWS_AT_ONCE), weights, first_weight + block * HALF,
                    row_size, sums, first_sum + block * stride + index * sum_step, stride,
                )  # fmt: skip


@inlined
def sparse_rows(
    rows: Any, first_row: Any, n_rows: Any, starts: Any, first_start: Any, targets: Any,
    weights: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Add rows that list their targets."""
    last = first_row + n_rows - 1
    for index in range(first_row, first_row + n_rows):
        _ask_for_rows(rows, index, last, first_start, starts, targets, weights)
        row = first_start + rows[index]
        for synapse in range(starts[row], starts[row + 1]):
            k = uintp(synapse)
            sums[uintp(first_sum + targets[k])] += int32(weights[k])


@inlined
def _ask_for_rows(
    rows: Any, index: Any, last: Any, first_start: Any, starts: Any, targets: Any, weights: Any
) -> None:
    """Have a later row's synapses, and the place of one later still, on their way from memory.

    Without it the additions wait for them most of the time.
    """
    row = first_start + int64(rows[uintp(min(index + ROWS_AHEAD, last))])
    prefetch(starts, first_start + int64(rows[uintp(min(index + 2 * ROWS_AHEAD, last))]))
    ask_for_row(starts[row], starts[row + 1], targets, weights)


@inlined
def ask_for_row(start: Any, end: Any, targets: Any, weights: Any) -> None:
    """Have the synapses from `start` to `end` on their way from memory."""
    for synapse in range(start, end, LINE):
        prefetch(targets, synapse)
    for synapse in range(start, end, 2 * LINE):
        prefetch(weights, synapse)


@inlined
def spread_over_steps(
    spikes: Any, n_spikes: Any, step: Any, starts: Any, first_start: Any, targets: Any,
    weights: Any, ring: Any, first_slot: Any, width: Any, mask: Any,
) -> None:  # fmt: skip
    """Add the weights of spikes to the sums of the coming steps, each synapse with its own delay.

    A target counts from the beginning of the step's slot, delay times `width` included.
    """
    size = (mask + 1) * width
    now = (step & mask) * width
    last = n_spikes - 1
    for index in range(n_spikes):
        _ask_for_rows(spikes, index, last, first_start, starts, targets, weights)
        row = first_start + int64(spikes[index])
        for synapse in range(starts[row], starts[row + 1]):
            k = uintp(synapse)
            place = now + targets[k]
            if place >= size:
                place -= size
            ring[uintp(first_slot + place)] += COUNT_ONE + weights[k]


@inlined
def take_from_ring(
    ring: Any, first: Any, width: Any, sums: Any, first_sum: Any, arrived: Any, first_arrived: Any
) -> Any:
    """Add a step's slot to the sums, empty it, and return the number of synaptic operations."""
    operations = int64(0)
    for k in range(width):
        packed = ring[uintp(first + k)]
        ring[uintp(first + k)] = 0
        weight = int32(packed)
        # A negative sum borrows one from the count above it.
        count = (packed - weight) >> int64(32)
        sums[uintp(first_sum + k)] += weight
        arrived[uintp(first_arrived + k)] += count
        operations += count
    return operations
