"""CUBA neurons: where a layer lies in memory, and what is noted of its steps.

Most large layers consist of these neurons, and their update is much of a simulation's time. Hence
it is written in vectors, whose step is `kipuka.convert.neurons.compiled_cuba`: spikes become bits
without a detour through memory, and what overflows is looked at only where something does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import int64, types, uintp
from numba.core import cgutils
from numba.extending import intrinsic

from kipuka.compiling import called, inlined
from kipuka.convert.neurons.compiled_cuba import (
    LIMIT,
    Parameters,
    integrated,
    larger,
    magnitude,
    overflows,
    reset,
    within_limits,
)
from kipuka.deploy.fast.kernels.constants import (
    BIAS,
    BLOCKS_AT_HAND,
    CUBA_ROWS,
    CUBA_THRESHOLD,
    CURRENT_FACTOR,
    FIRST,
    LANES,
    SECOND,
    SHARED_ROWS,
    VOLTAGE_FACTOR,
)
from kipuka.deploy.fast.kernels.lanes import numbers_at_hand
from kipuka.vectors import everywhere, lowest_bit, pointer_in, processor, vector_at

WIDTH = 16 if "+avx512f" in processor()[1].split(",") else 8
"""Lanes of a vector: as many as a mask has bits in a byte, or in two where registers hold them."""

LOOK = 2 * WIDTH
"""Lanes between two looks at whether anything overflowed: states of more are not kept at hand."""

AT_HAND = BLOCKS_AT_HAND * LANES

_WORD, _NUMBER = ir.IntType(64), ir.IntType(32)
_WIDE = ir.VectorType(_NUMBER, WIDTH)
_FACTORS = ir.VectorType(ir.FloatType(), WIDTH)
_NOTHING = ir.Constant(_WIDE, None)

_KNOWN = (
    "states", "first", "sums", "first_sum", "peaks", "first_peak", "masks", "first_mask", "exact",
    "blocks", "shift",
)  # fmt: skip


class _Integrated(NamedTuple):
    """A vector of neurons whose states may be beyond their limits, and where they go."""

    lane: Any
    u: Any
    v: Any
    u_at: Any
    v_at: Any
    limited: Any
    threshold: Any


def _largest(builder: Any, states: list[Any]) -> Any:
    return functools.reduce(functools.partial(larger, builder), states)


def _update(
    context: Any, builder: Any, signature: Any, arguments: Any, rows: int,
    parameters_of: Callable[[Any, Any], Parameters],
) -> Any:  # fmt: skip
    """Update `blocks` blocks of `rows` rows and return a mask of the looks that found overflows.

    Masks get a bit for each spike, peaks the largest magnitudes. Where something overflowed,
    `exact` gets currents and voltages as they were before they were brought within their limits.
    `parameters_of` has the place of a vector's currents and the number of its first lane.
    """
    given = dict(zip(_KNOWN, arguments, strict=False))
    kinds = dict(zip(_KNOWN, signature.args, strict=False))

    def vector(pool: str, place: Any) -> Any:
        return vector_at(context, builder, kinds[pool], (given[pool], place), _WIDE)

    rows_of_states = [_WORD(int(row)) for row in (FIRST, SECOND)]
    peaks_at = [vector("peaks", builder.add(given["first_peak"], row)) for row in rows_of_states]
    peaks = [cgutils.alloca_once(builder, _WIDE) for _ in peaks_at]
    for there, peak in zip(peaks_at, peaks, strict=True):
        builder.store(builder.load(there, align=4), peak)
    overflowed = cgutils.alloca_once(builder, _WORD)
    builder.store(_WORD(0), overflowed)
    masks = pointer_in(context, builder, kinds["masks"], given["masks"])
    mask = builder.gep(masks, [given["first_mask"]])
    mask = builder.bitcast(mask, ir.IntType(WIDTH).as_pointer())
    shift = everywhere(builder, builder.trunc(given["shift"], _NUMBER), _WIDE)
    with cgutils.for_range(builder, builder.mul(given["blocks"], _WORD(LANES // LOOK))) as loop:
        first_lane = builder.mul(loop.index, _WORD(LOOK))
        # Blocks that come before have rows besides the one that is counted in lanes.
        others = builder.mul(builder.and_(first_lane, _WORD(-LANES)), _WORD(rows - 1))
        first_place = builder.add(given["first"], builder.add(first_lane, others))
        vectors = []
        for offset in range(0, LOOK, WIDTH):
            lane, place = (builder.add(n, _WORD(offset)) for n in (first_lane, first_place))
            u_at, v_at = (vector("states", builder.add(place, row)) for row in rows_of_states)
            a_at = vector("sums", builder.add(given["first_sum"], lane))
            u, v, a = (builder.load(there, align=4) for there in (u_at, v_at, a_at))
            builder.store(_NOTHING, a_at, align=4)
            own = parameters_of(place, lane)
            u, v = integrated(builder, own, u, v, builder.shl(a, shift))
            builder.store(u, u_at, align=4)
            limited = cgutils.alloca_once_value(builder, v)
            vectors.append(_Integrated(lane, u, v, u_at, v_at, limited, own.threshold))
        of_u = _largest(builder, [magnitude(builder, these.u) for these in vectors])
        of_v = (magnitude(builder, these.v) for these in vectors)
        u_peak = cgutils.alloca_once_value(builder, of_u)
        with builder.if_then(overflows(builder, of_u, *of_v), likely=False):
            bit = builder.shl(_WORD(1), loop.index)
            builder.store(builder.or_(builder.load(overflowed), bit), overflowed)
            wrapped = []
            for these in vectors:
                u, v, exact_v = within_limits(builder, these.u, these.v)
                exact_u_at = vector("exact", these.lane)
                exact_v_at = vector("exact", builder.add(these.lane, _WORD(AT_HAND)))
                builder.store(these.u, exact_u_at, align=4)
                builder.store(exact_v, exact_v_at, align=4)
                builder.store(u, these.u_at, align=4)
                builder.store(v, these.limited)
                wrapped.append(magnitude(builder, u))
            builder.store(_largest(builder, wrapped), u_peak)
        left = []
        for number, these in enumerate(vectors):
            v, spiked = reset(builder, builder.load(these.limited), these.threshold)
            builder.store(v, these.v_at, align=4)
            place = builder.add(builder.mul(loop.index, _WORD(len(vectors))), _WORD(number))
            builder.store(builder.bitcast(spiked, ir.IntType(WIDTH)), builder.gep(mask, [place]))
            left.append(magnitude(builder, v))
        for size, peak in zip((builder.load(u_peak), _largest(builder, left)), peaks, strict=True):
            builder.store(larger(builder, size, builder.load(peak)), peak)
    for there, peak in zip(peaks_at, peaks, strict=True):
        builder.store(builder.load(peak), there, align=4)
    return builder.load(overflowed)


def _update_shared(decays: bool) -> Any:
    """Make the update of neurons with common parameters, whose currents decay or last one step."""

    @intrinsic
    def update(
        typing_context: Any, states: Any, first: Any, sums: Any, first_sum: Any, peaks: Any,
        first_peak: Any, masks: Any, first_mask: Any, exact: Any, blocks: Any, shift: Any,
        biases: Any, first_bias: Any, current_factor: Any, voltage_factor: Any, threshold: Any,
    ) -> Any:  # fmt: skip
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pool, first_bias, *common = arguments[len(_KNOWN) :]
            current, voltage, threshold = (
                everywhere(builder, builder.trunc(value, _NUMBER), _WIDE) for value in common
            )
            current, voltage = (builder.bitcast(bits, _FACTORS) for bits in (current, voltage))

            def parameters_of(_: Any, lane: Any) -> Parameters:
                there = pool, builder.add(first_bias, lane)
                kind = signature.args[len(_KNOWN)]
                bias = builder.load(vector_at(context, builder, kind, there, _WIDE), align=4)
                return Parameters(current if decays else None, voltage, bias, threshold)

            return _update(context, builder, signature, arguments, SHARED_ROWS, parameters_of)

        n = types.intp
        common = (biases, n, n, n, n)
        return types.int64(states, n, sums, n, peaks, n, masks, n, exact, n, n, *common), build

    return update


_update_decaying, _update_instant = _update_shared(True), _update_shared(False)


@intrinsic
def cuba_own(
    typing_context: Any, states: Any, first: Any, sums: Any, first_sum: Any, peaks: Any,
    first_peak: Any, masks: Any, first_mask: Any, exact: Any, blocks: Any, shift: Any,
) -> Any:  # fmt: skip
    """Update up to `BLOCKS_AT_HAND` blocks of neurons that have parameters of their own."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def parameters_of(place: Any, _: Any) -> Parameters:
            rows = CURRENT_FACTOR, VOLTAGE_FACTOR, BIAS, CUBA_THRESHOLD
            places = ((arguments[0], builder.add(place, _WORD(int(row)))) for row in rows)
            kind = signature.args[0]
            there = (vector_at(context, builder, kind, place, _WIDE) for place in places)
            current, voltage, *others = (builder.load(vector, align=4) for vector in there)
            factors = (builder.bitcast(bits, _FACTORS) for bits in (current, voltage))
            return Parameters(*factors, *others)

        return _update(context, builder, signature, arguments, CUBA_ROWS, parameters_of)

    n = types.intp
    return types.int64(states, n, sums, n, peaks, n, masks, n, exact, n, n), build


@inlined
def cuba_shared(
    states: Any, first: Any, sums: Any, first_sum: Any, peaks: Any, first_peak: Any, masks: Any,
    first_mask: Any, exact: Any, blocks: Any, shift: Any, biases: Any, first_bias: Any,
    current_factor: Any, voltage_factor: Any, threshold: Any,
) -> Any:  # fmt: skip
    """Update up to `BLOCKS_AT_HAND` blocks of neurons with common decays and threshold."""
    if current_factor == 0:
        return _update_instant(
            states, first, sums, first_sum, peaks, first_peak, masks, first_mask, exact, blocks,
            shift, biases, first_bias, current_factor, voltage_factor, threshold,
        )  # fmt: skip
    return _update_decaying(
        states, first, sums, first_sum, peaks, first_peak, masks, first_mask, exact, blocks,
        shift, biases, first_bias, current_factor, voltage_factor, threshold,
    )  # fmt: skip


@called
def _count_overflows(
    overflowed: Any, exact: Any, order: Any, first_unit: Any, first_lane: Any, saturations: Any,
    wraps: Any,
) -> None:  # fmt: skip
    while overflowed:
        number = lowest_bit(overflowed)
        overflowed &= overflowed - 1
        for lane in range(number * LOOK, (number + 1) * LOOK):
            u, v = exact[uintp(lane)], exact[uintp(lane + AT_HAND)]
            unit = uintp(first_unit + order[uintp(first_unit + first_lane + lane)])
            wraps[unit] += int64(u > LIMIT) + int64(u <= -LIMIT)
            saturations[unit] += int64(v >= LIMIT) + int64(v <= -LIMIT)


@inlined
def update_cuba(network: Any, work: Any, row: Any, first_sum: Any, shared: Any) -> Any:
    """Update a layer from its sums and note who spikes; return 1 if a state overflowed, else 0."""
    overflowed, exact = 0, numbers_at_hand()
    for done in range(0, row.blocks, BLOCKS_AT_HAND):
        blocks = min(row.blocks - done, BLOCKS_AT_HAND)
        first, there = row.first_state + done * row.rows * LANES, first_sum + done * LANES
        if shared:
            # The layer's last blocks have biases of their own, behind those that repeat.
            bias = row.bias_period + BLOCKS_AT_HAND
            if done + blocks < row.blocks:
                bias = done % row.bias_period
            found = cuba_shared(
                work.states, first, work.sums, there, work.peaks, row.first_peak, work.masks, done,
                exact, blocks, row.shift, network.biases, row.first_bias + bias * LANES,
                row.current_factor, row.voltage_factor, row.threshold,
            )  # fmt: skip
        else:
            found = cuba_own(
                work.states, first, work.sums, there, work.peaks, row.first_peak, work.masks, done,
                exact, blocks, row.shift,
            )  # fmt: skip
        if found:
            overflowed = 1
            _count_overflows(
                found, exact, network.order, row.first_unit, done * LANES, work.saturations,
                work.wraps,
            )  # fmt: skip
    return overflowed
