"""Sigma-delta neurons and their graded spikes: payloads on their way, and what they add up to.

Blocks hold the sum (or, of an encoder, the activation) and the activation that was sent last; what
the model calls residue is their difference. Peaks are noted as states are made.
"""

from __future__ import annotations

from typing import Any

from numba import int32, int64, uintp

from kipuka.compiling import inlined
from kipuka.convert.neurons.compiled import (
    SIGMA_LIMIT,
    activated,
    delta_step,
    limited,
    sigma_delta_step,
)
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import (
    EVENTS,
    FIRST,
    GRADED_BIAS,
    GRADED_THRESHOLD,
    LANES,
    LOWEST,
    OWN_ROWS,
    PAYLOAD,
    RUN,
    SECOND,
)
from kipuka.deploy.fast.kernels.delivery import COUNT_ONE
from kipuka.deploy.fast.kernels.lanes import add_run
from kipuka.deploy.fast.kernels.neurons import SATURATED, SHIFT_MASK, SPIKED

THIRD = EVENTS
"""Place of the third state's peaks."""


@inlined
def delta(
    states: Any, first: Any, blocks: Any, sums: Any, first_sum: Any, peaks: Any, first_peak: Any
) -> None:
    """Update a layer of encoders; the sums are their input in weight units."""
    for block in range(blocks):
        here, there = first + block * OWN_ROWS * LANES, first_sum + block * LANES
        for lane in range(LANES):
            k, peak = uintp(here + lane), uintp(first_peak + lane)
            a = sums[uintp(there + lane)]
            sums[uintp(there + lane)] = 0
            act, known, payload, saturated = delta_step(
                states[k + SECOND], a, states[k + GRADED_THRESHOLD]
            )
            peaks[peak + FIRST] = max(peaks[peak + FIRST], abs(act))
            peaks[peak + SECOND] = max(peaks[peak + SECOND], abs(int32(act - known)))
            states[k + FIRST], states[k + SECOND], states[k + PAYLOAD] = act, known, payload
            states[k + EVENTS] = int32(int32(payload != 0) * SPIKED + saturated * SATURATED)


@inlined
def sigma_delta(
    states: Any, first: Any, blocks: Any, sums: Any, first_sum: Any, shift: Any, peaks: Any,
    first_peak: Any,
) -> None:  # fmt: skip
    """Update a layer of sigma-delta neurons."""
    shift = shift & SHIFT_MASK
    for block in range(blocks):
        here, there = first + block * OWN_ROWS * LANES, first_sum + block * LANES
        for lane in range(LANES):
            k, peak = uintp(here + lane), uintp(first_peak + lane)
            a = int32(sums[uintp(there + lane)] << shift)
            sums[uintp(there + lane)] = 0
            sigma, act, known, payload, saturated = sigma_delta_step(
                states[k + FIRST], states[k + SECOND], a, states[k + GRADED_BIAS],
                states[k + GRADED_THRESHOLD], states[k + LOWEST],
            )  # fmt: skip
            peaks[peak + FIRST] = max(peaks[peak + FIRST], abs(sigma))
            peaks[peak + SECOND] = max(peaks[peak + SECOND], abs(act))
            peaks[peak + THIRD] = max(peaks[peak + THIRD], abs(int32(act - known)))
            states[k + FIRST], states[k + SECOND], states[k + PAYLOAD] = sigma, known, payload
            states[k + EVENTS] = int32(int32(payload != 0) * SPIKED + saturated * SATURATED)


@inlined
def sigma(
    states: Any, first: Any, blocks: Any, sums: Any, first_sum: Any, shift: Any, peaks: Any,
    first_peak: Any,
) -> None:  # fmt: skip
    """Update a layer of decoders."""
    shift = shift & SHIFT_MASK
    for block in range(blocks):
        here, there = first + block * OWN_ROWS * LANES, first_sum + block * LANES
        for lane in range(LANES):
            k, peak = uintp(here + lane), uintp(first_peak + lane)
            exact = int32(states[k + FIRST] + int32(sums[uintp(there + lane)] << shift))
            sums[uintp(there + lane)] = 0
            value = limited(exact, SIGMA_LIMIT)
            peaks[peak + FIRST] = max(peaks[peak + FIRST], abs(value))
            states[k + FIRST], states[k + PAYLOAD] = value, value
            saturated = int32(value != exact)
            states[k + EVENTS] = int32(int32(value != 0) * SPIKED + saturated * SATURATED)


@inlined
def graded_state(model: Any, which: Any, states: Any, place: Any) -> Any:
    """State number `which` of a neuron as its model has it; `place` is its lane in the block."""
    k = uintp(place)
    if which == 0:
        return states[k + FIRST]
    if model == at.DELTA:
        return int32(states[k + FIRST] - states[k + SECOND])
    act, _ = activated(states[k + FIRST], states[k + GRADED_BIAS], states[k + LOWEST])
    return act if which == 1 else int32(act - states[k + SECOND])


@inlined
def carry(
    spikes: Any, payloads: Any, n_spikes: Any, step: Any, delays: Any, first_delay: Any,
    delay: Any, row: Any, ring: Any, loads: Any, first_slot: Any, capacity: Any, mask: Any,
    filled: Any, first_filled: Any,
) -> None:  # fmt: skip
    """Enter graded spikes into the lists of a group; `delay` is that of all, or -1."""
    for index in range(n_spikes):
        source = int64(spikes[uintp(index)])
        steps = delay if delay >= 0 else int64(delays[uintp(first_delay + source)])
        slot = (step + steps) & mask
        place = uintp(first_slot + slot * capacity + filled[uintp(first_filled + slot)])
        ring[place], loads[place] = row + source, payloads[uintp(index)]
        filled[uintp(first_filled + slot)] += 1


@inlined
def weighed_rows(
    rows: Any, loads: Any, first_row: Any, n_rows: Any, weights: Any, first_weight: Any,
    width: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Add payloads times rows of `width` weights, whole blocks of lanes."""
    for index in range(n_rows):
        payload = loads[uintp(first_row + index)]
        first = first_weight + int64(rows[uintp(first_row + index)]) * width
        for k in range(0, width, RUN):
            add_run(sums, first_sum + k, weights, first + k, payload)


@inlined
def weighed_sparse_rows(
    rows: Any, loads: Any, first_row: Any, n_rows: Any, starts: Any, first_start: Any,
    targets: Any, weights: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Add payloads times rows that list their targets."""
    for index in range(n_rows):
        payload = loads[uintp(first_row + index)]
        row = first_start + rows[uintp(first_row + index)]
        for synapse in range(starts[row], starts[row + 1]):
            k = uintp(synapse)
            sums[uintp(first_sum + targets[k])] += int32(payload * int32(weights[k]))


@inlined
def spread_payloads(
    spikes: Any, payloads: Any, n_spikes: Any, step: Any, starts: Any, first_start: Any,
    targets: Any, weights: Any, ring: Any, first_slot: Any, width: Any, mask: Any,
) -> None:  # fmt: skip
    """Add payloads times weights to the sums of the coming steps, each synapse with its delay."""
    size = (mask + 1) * width
    now = (step & mask) * width
    for index in range(n_spikes):
        row = first_start + int64(spikes[index])
        payload = int64(payloads[uintp(index)])
        for synapse in range(starts[row], starts[row + 1]):
            k = uintp(synapse)
            place = now + targets[k]
            if place >= size:
                place -= size
            ring[uintp(first_slot + place)] += COUNT_ONE + payload * weights[k]
