"""Spikes on their way: schedules of arriving rows, and the sums of weights that they add to.

A port is a place of a layer where spikes arrive. Its schedule is a ring of lists, one for each
of the coming steps; a spike with an axonal delay goes into the list of the step in which it
arrives, as the number of the row of weights that it will add. Weights are halved, because even
numbers in [-256, 254] then fit 8 bits.
"""

from __future__ import annotations

from typing import Any

from numba import int16, int32, int64, uintp

from kipuka.deploy.kernels.lanes import LANES, inlined

FLUSH_ROWS = 248
"""Rows of 8-bit weights whose sum surely fits 16 bits, as a multiple of the rows in one pass."""

COUNT_ONE = 1 << 32
"""One arrival, in the upper half of a 64-bit sum whose lower half adds weights."""


@inlined
def schedule(
    spikes: Any, n_spikes: Any, step: Any, delays: Any, first_delay: Any, row: Any,
    ring: Any, first_slot: Any, capacity: Any, mask: Any, filled: Any, first_filled: Any,
) -> None:  # fmt: skip
    """Enter spikes, whose undelayed arrival is in `step`, into the lists of a port."""
    for index in range(n_spikes):
        source = int64(spikes[uintp(index)])
        slot = (step + delays[uintp(first_delay + source)]) & mask
        count = filled[uintp(first_filled + slot)]
        ring[uintp(first_slot + slot * capacity + count)] = row + source
        filled[uintp(first_filled + slot)] = count + 1


@inlined
def dense_rows(
    rows: Any, first_row: Any, n_rows: Any, weights: Any, first_weight: Any, blocks: Any,
    partial: Any, sums: Any, first_sum: Any, stride: Any,
) -> None:  # fmt: skip
    """Add rows of `blocks` x `LANES` weights to sums whose blocks lie `stride` apart.

    Several rows per pass, and 16-bit partial sums, keep the vector units fed. What is missing to
    a whole pass is filled up with the port's row 0, which holds zeros.
    """
    width = blocks * LANES
    done = 0
    while done < n_rows:
        end = min(n_rows, done + FLUSH_ROWS)
        for place in range(width):
            partial[uintp(place)] = 0
        while end - done > 4:
            _add_eight(rows, first_row, done, end, weights, first_weight, width, partial)
            done += 8
        if done < end:
            _add_four(rows, first_row, done, end, weights, first_weight, width, partial)
            done += 4
        if stride == LANES:
            for place in range(width):
                sums[uintp(first_sum + place)] += partial[uintp(place)]
        else:
            for block in range(blocks):
                for lane in range(LANES):
                    place = uintp(first_sum + block * stride + lane)
                    sums[place] += partial[uintp(block * LANES + lane)]


@inlined
def _row(rows: Any, first_row: Any, index: Any, end: Any, first_weight: Any, width: Any) -> Any:
    """Where the weights of a row begin; behind the last row stands the row of zeros."""
    row = int64(rows[uintp(first_row + index)]) if index < end else int64(0)
    return uintp(first_weight + row * width)


@inlined
def _add_four(
    rows: Any, first_row: Any, done: Any, end: Any, weights: Any, first_weight: Any, width: Any,
    partial: Any,
) -> None:  # fmt: skip
    a = _row(rows, first_row, done, end, first_weight, width)
    b = _row(rows, first_row, done + 1, end, first_weight, width)
    c = _row(rows, first_row, done + 2, end, first_weight, width)
    d = _row(rows, first_row, done + 3, end, first_weight, width)
    for place in range(width):
        k = uintp(place)
        ab = int16(int16(weights[a + k]) + int16(weights[b + k]))
        cd = int16(int16(weights[c + k]) + int16(weights[d + k]))
        partial[k] = int16(partial[k] + int16(ab + cd))


@inlined
def _add_eight(
    rows: Any, first_row: Any, done: Any, end: Any, weights: Any, first_weight: Any, width: Any,
    partial: Any,
) -> None:  # fmt: skip
    a = _row(rows, first_row, done, end, first_weight, width)
    b = _row(rows, first_row, done + 1, end, first_weight, width)
    c = _row(rows, first_row, done + 2, end, first_weight, width)
    d = _row(rows, first_row, done + 3, end, first_weight, width)
    e = _row(rows, first_row, done + 4, end, first_weight, width)
    f = _row(rows, first_row, done + 5, end, first_weight, width)
    g = _row(rows, first_row, done + 6, end, first_weight, width)
    h = _row(rows, first_row, done + 7, end, first_weight, width)
    for place in range(width):
        k = uintp(place)
        ab = int16(int16(weights[a + k]) + int16(weights[b + k]))
        cd = int16(int16(weights[c + k]) + int16(weights[d + k]))
        ef = int16(int16(weights[e + k]) + int16(weights[f + k]))
        gh = int16(int16(weights[g + k]) + int16(weights[h + k]))
        partial[k] = int16(partial[k] + int16(int16(ab + cd) + int16(ef + gh)))


@inlined
def sparse_rows(
    rows: Any, first_row: Any, n_rows: Any, starts: Any, first_start: Any, targets: Any,
    weights: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Add rows that list their targets."""
    for index in range(n_rows):
        row = first_start + rows[first_row + index]
        for synapse in range(starts[row], starts[row + 1]):
            k = uintp(synapse)
            sums[uintp(first_sum + targets[k])] += int32(weights[k])


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
    for index in range(n_spikes):
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
