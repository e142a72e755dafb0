"""Gated neurons, one step of a layer, and what layers of all models have in common.

A block of lanes holds rows: the two states, what happened in the last step (`SPIKED` and overflow
bits) where the next one depends on it, and the parameters. CUBA layers (`kernels.cuba`) whose
decays and thresholds are the same for all neurons keep nothing but states; with little to read per
neuron, large layers stay fast.

Layers that have settled can wait. An update is a function of states and sums: once it has turned
the states into themselves, without a sum, a spike or an overflow, it will do so again in every step
until something arrives. States decay towards zero in whole numbers and so settle soon; a bias only
moves the place where they do.
"""

from __future__ import annotations

from typing import Any

from numba import int32, int64, uintp

from kipuka.compiling import called, inlined
from kipuka.convert.neurons.compiled import spiking_gru_step
from kipuka.deploy.fast.kernels.constants import (
    BIAS_I,
    BIAS_R,
    BIAS_Z,
    EVENTS,
    FAR,
    FIRST,
    GRU_THRESHOLD,
    LANES,
    OWN_ROWS,
    PERIOD,
    SECOND,
    SECOND_GATE,
    THIRD_GATE,
)
from kipuka.deploy.fast.kernels.lanes import any_lane_with, lanes_with

SHIFT_MASK = 31
"""Shifts are shorter than this already, but only the mask lets LLVM shift within 32-bit lanes."""


WRAPPED, SATURATED = 1, 2
SPIKED = -(1 << 31)
SATURATIONS = 3 * SATURATED
OVERFLOWED = WRAPPED | SATURATIONS
"""Bits of a neuron's events; those of `SATURATIONS` count the states that saturated, 0 to 2.

A spike is the sign, which takes the fewest instructions to collect from many lanes.
"""


@inlined
def within_reach(activation: Any) -> Any:
    """Replace what is beyond `FAR`: it keeps its sign, and a current that wraps does not notice."""
    if activation > FAR:
        return int32(FAR + (activation & (PERIOD - 1)))
    if activation < -FAR:
        return int32((activation & (PERIOD - 1)) - PERIOD - FAR)
    return int32(activation)


@inlined
def encode(activations: Any, first: Any, n: Any, shift: Any, sums: Any, first_sum: Any) -> None:
    """Write `n` activations as `within_reach` has them, in 32 bits throughout, to the sums.

    `shift` is 0 for activations in weight units and `STATE_SHIFT` for those in state units.
    """
    far, period = int32(FAR << shift), int32(PERIOD << shift)
    for k in range(n):
        activation = activations[uintp(first + k)]
        beyond = int32(activation & int32(period - 1))
        value = int32(beyond + far) if activation > far else activation
        below = int32(int32(beyond - period) - far)
        sums[uintp(first_sum + k)] = below if activation < -far else value


@inlined
def note_events(
    events: Any, place: Any, masks: Any, block: Any, order: Any, first_unit: Any,
    saturations: Any, wraps: Any,
) -> Any:  # fmt: skip
    """Note which neurons of a block spiked, and count overflows; return 1 if there were any.

    The events of the block begin at `place`.
    """
    masks[uintp(block)] = int32(lanes_with(events, place, SPIKED))
    if any_lane_with(events, place, OVERFLOWED):
        _count_overflows(events, place, order, first_unit, block, saturations, wraps)
        return 1
    return 0


@called
def _count_overflows(
    events: Any, place: Any, order: Any, first_unit: Any, block: Any, saturations: Any, wraps: Any
) -> None:
    for lane in range(LANES):
        happened = events[uintp(place + lane)]
        unit = uintp(first_unit + order[uintp(first_unit + block * LANES + lane)])
        saturations[unit] += (happened & SATURATIONS) // SATURATED
        wraps[unit] += (happened & WRAPPED) // WRAPPED


@inlined
def spiking_gru(
    states: Any, first: Any, blocks: Any, sums: Any, first_sum: Any, shift: Any, peaks: Any,
    first_peak: Any,
) -> None:  # fmt: skip
    """Update a spiking GRU layer.

    The three activations of a block of neurons are neighbours, in the order i, r, z.
    """
    shift = shift & SHIFT_MASK
    for block in range(blocks):
        here = first + block * OWN_ROWS * LANES
        there = first_sum + block * 3 * LANES
        for lane in range(LANES):
            k, a = uintp(here + lane), uintp(there + lane)
            i, v = states[k + FIRST], states[k + SECOND]
            _note(peaks, first_peak, lane, i, v)
            a_i = int32(int32(sums[a] << shift) + states[k + BIAS_I])
            a_r = int32(int32(sums[a + SECOND_GATE] << shift) + states[k + BIAS_R])
            a_z = int32(int32(sums[a + THIRD_GATE] << shift) + states[k + BIAS_Z])
            sums[a], sums[a + SECOND_GATE], sums[a + THIRD_GATE] = 0, 0, 0
            threshold = states[k + GRU_THRESHOLD]
            spent = threshold if states[k + EVENTS] < 0 else int32(0)
            i, v, saturated = spiking_gru_step(i, v, a_i, a_r, a_z, spent)
            events = int32(v > threshold) * SPIKED + saturated * SATURATED
            states[k + FIRST], states[k + SECOND], states[k + EVENTS] = i, v, int32(events)


@inlined
def spiking_mgu(
    states: Any, first: Any, blocks: Any, sums: Any, first_sum: Any, shift: Any, peaks: Any,
    first_peak: Any,
) -> None:  # fmt: skip
    """Update a layer of minimal gated units, whose two activations are neighbours: i, f."""
    shift = shift & SHIFT_MASK
    for block in range(blocks):
        here = first + block * OWN_ROWS * LANES
        there = first_sum + block * 2 * LANES
        for lane in range(LANES):
            k, a = uintp(here + lane), uintp(there + lane)
            i, v = states[k + FIRST], states[k + SECOND]
            _note(peaks, first_peak, lane, i, v)
            a_i = int32(int32(sums[a] << shift) + states[k + BIAS_I])
            a_f = int32(sums[a + SECOND_GATE] << shift)
            keeps, takes = int32(a_f + states[k + BIAS_R]), int32(states[k + BIAS_Z] - a_f)
            sums[a], sums[a + SECOND_GATE] = 0, 0
            threshold = states[k + GRU_THRESHOLD]
            spent = threshold if states[k + EVENTS] < 0 else int32(0)
            i, v, saturated = spiking_gru_step(i, v, a_i, keeps, takes, spent)
            events = int32(v > threshold) * SPIKED + saturated * SATURATED
            states[k + FIRST], states[k + SECOND], states[k + EVENTS] = i, v, int32(events)


@inlined
def _note(peaks: Any, first_peak: Any, lane: Any, first: Any, second: Any) -> None:
    """Keep the largest magnitudes of the two states, lane by lane.

    A single largest value would have to be searched across the lanes in every block.
    """
    k = uintp(first_peak + lane)
    peaks[k + FIRST] = max(peaks[k + FIRST], abs(first))
    peaks[k + SECOND] = max(peaks[k + SECOND], abs(second))


@inlined
def note_peaks(states: Any, row: Any, peaks: Any) -> None:
    """Note the states of a layer as they stand."""
    # What is read from the table here need not be read again after each write.
    blocks, size, first_peak = row.blocks, row.rows * LANES, row.first_peak
    here = row.first_state
    for _ in range(blocks):
        for lane in range(LANES):
            k = uintp(here + lane)
            _note(peaks, first_peak, lane, states[k + FIRST], states[k + SECOND])
        here += size


@inlined
def cleared(states: Any, row: Any) -> None:
    """Set the states of a layer to zero, a GRU's memory of its last spike included."""
    blocks, size, memory = row.blocks, row.rows * LANES, row.memory * LANES
    here = row.first_state
    for _ in range(blocks):
        for lane in range(memory):
            states[uintp(here + lane)] = 0
        here += size


LOOK_EVERY = 8
"""Steps between two looks: a look costs a third of an update, and rest can wait."""


@inlined
def keep(states: Any, row: Any, kept: Any) -> None:
    """Copy what the blocks of a layer remember."""
    blocks, size, memory = row.blocks, row.rows * LANES, row.memory * LANES
    here, there = row.first_state, int64(0)
    for _ in range(blocks):
        for lane in range(memory):
            kept[uintp(there + lane)] = states[uintp(here + lane)]
        here, there = here + size, there + memory


@inlined
def has_settled(states: Any, row: Any, kept: Any) -> Any:
    """Whether nothing has changed since `keep`."""
    blocks, size, memory = row.blocks, row.rows * LANES, row.memory * LANES
    here, there = row.first_state, int64(0)
    for _ in range(blocks):
        changed = int64(0)
        for lane in range(memory):
            changed |= states[uintp(here + lane)] ^ kept[uintp(there + lane)]
        if changed:
            return False
        here, there = here + size, there + memory
    return True
