"""CUBA neurons: one step of a layer, written in vectors.

Most large layers consist of these neurons, and their update is much of a simulation's time. From a
loop over lanes LLVM makes a quarter more instructions than there are here: spikes become bits
without a detour through memory, and what overflows is looked at only where something does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import int64, types, uintp
from numba.core import cgutils
from numba.extending import intrinsic

from kipuka.compiling import called, inlined
from kipuka.convert import fixed
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
from kipuka.deploy.fast.kernels.lanes import (
    everywhere,
    lowest_lane,
    numbers_at_hand,
    pointer_in,
    vector_at,
)

WIDTH = 8
"""Lanes of a vector: as many as a mask has bits in a byte."""

VECTORS = LANES // WIDTH
AT_HAND = BLOCKS_AT_HAND * LANES

_WORD, _NUMBER = ir.IntType(64), ir.IntType(32)
_WIDE = ir.VectorType(_NUMBER, WIDTH)
_ANY = ir.IntType(_NUMBER.width * WIDTH)

LIMIT, PERIOD_MASK = fixed.CUBA_STATE_LIMIT, 2 * fixed.CUBA_STATE_LIMIT - 1
FRACTION = fixed.UNITY - 1
FACTOR_MASK = 2 * fixed.UNITY - 1
"""Changes no factor, but shows LLVM that it fits 16 bits."""

_KNOWN = (
    "states", "first", "sums", "first_sum", "peaks", "first_peak", "masks", "first_mask", "exact",
    "blocks", "shift",
)  # fmt: skip


class _Parameters(NamedTuple):
    """Vectors of parameters; no factor of the current where nothing of it is left."""

    current_factor: Any
    voltage_factor: Any
    bias: Any
    threshold: Any


def _all(number: int) -> Any:
    return ir.Constant(_WIDE, [number] * WIDTH)


def _decayed(builder: Any, state: Any, factor: Any) -> Any:
    """``shift_toward_zero(state * factor, 12)`` of 24-bit states and factors up to 4096.

    The product needs 37 bits. Splitting the state at bit 12 keeps all parts within 32:
    ``high * factor`` is exact, and only the lower part is shifted and so rounded. Adding the
    largest fraction to a negative state's lower part turns the floor into rounding towards zero.
    Both parts and the factor fit 16 bits, and products of such numbers cost half as much.
    """
    factor = builder.and_(factor, _all(FACTOR_MASK))
    high = builder.ashr(state, _all(fixed.UNITY_BITS))
    high = builder.ashr(builder.shl(high, _all(16)), _all(16))
    towards_zero = builder.and_(builder.ashr(state, _all(31)), _all(FRACTION))
    low = builder.mul(builder.and_(state, _all(FRACTION)), factor)
    low = builder.lshr(builder.add(low, towards_zero), _all(fixed.UNITY_BITS))
    return builder.add(builder.mul(high, factor), low)


def _chosen(builder: Any, comparison: str, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed(comparison, a, b), a, b)


def _magnitude(builder: Any, state: Any) -> Any:
    return _chosen(builder, ">", state, builder.neg(state))


def _update(
    context: Any, builder: Any, signature: Any, arguments: Any, rows: int,
    parameters_of: Callable[[Any, Any], _Parameters],
) -> Any:  # fmt: skip
    """Update `blocks` blocks of `rows` rows and return a mask of the vectors that overflowed.

    Masks get a bit for each spike, peaks the largest magnitudes. Of vectors that
    overflowed, `exact` gets the current and voltage before they were brought within their limits.
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
    with cgutils.for_range(builder, builder.mul(given["blocks"], _WORD(VECTORS))) as loop:
        number = loop.index
        lane = builder.mul(number, _WORD(WIDTH))
        # Blocks that come before have rows besides the one that is counted in lanes.
        others = builder.mul(builder.and_(lane, _WORD(-LANES)), _WORD(rows - 1))
        place = builder.add(given["first"], builder.add(lane, others))
        u_at, v_at = (vector("states", builder.add(place, row)) for row in rows_of_states)
        a_at = vector("sums", builder.add(given["first_sum"], lane))
        u, v, a = (builder.load(there, align=4) for there in (u_at, v_at, a_at))
        builder.store(_all(0), a_at, align=4)
        own = parameters_of(place, lane)
        u_now = builder.shl(a, shift)
        if own.current_factor is not None:
            u_now = builder.add(u_now, _decayed(builder, u, own.current_factor))
        v_now = builder.add(_decayed(builder, v, own.voltage_factor), own.bias)
        v_now = builder.add(v_now, u_now)
        magnitude = _magnitude(builder, u_now)
        u, v, of_u = (
            cgutils.alloca_once_value(builder, value) for value in (u_now, v_now, magnitude)
        )
        either = builder.or_(magnitude, _magnitude(builder, v_now))
        beyond = builder.bitcast(builder.and_(either, _all(-LIMIT)), _ANY)
        with builder.if_then(builder.icmp_unsigned("!=", beyond, _ANY(0)), likely=False):
            bit = builder.shl(_WORD(1), number)
            builder.store(builder.or_(builder.load(overflowed), bit), overflowed)
            wrapped = builder.and_(builder.sub(_all(LIMIT), u_now), _all(PERIOD_MASK))
            wrapped = builder.sub(_all(LIMIT), wrapped)
            exact_v = builder.add(builder.sub(v_now, u_now), wrapped)
            builder.store(u_now, vector("exact", lane), align=4)
            builder.store(exact_v, vector("exact", builder.add(lane, _WORD(AT_HAND))), align=4)
            limited = _chosen(builder, ">", exact_v, _all(1 - LIMIT))
            builder.store(_chosen(builder, "<", limited, _all(LIMIT - 1)), v)
            builder.store(wrapped, u)
            builder.store(_magnitude(builder, wrapped), of_u)
        spiked = builder.icmp_signed(">", builder.load(v), own.threshold)
        v_now = builder.select(spiked, _all(0), builder.load(v))
        builder.store(builder.load(u), u_at, align=4)
        builder.store(v_now, v_at, align=4)
        builder.store(builder.bitcast(spiked, ir.IntType(WIDTH)), builder.gep(mask, [number]))
        for value, peak in zip(
            (builder.load(of_u), _magnitude(builder, v_now)), peaks, strict=True
        ):
            builder.store(_chosen(builder, ">", value, builder.load(peak)), peak)
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

            def parameters_of(_: Any, lane: Any) -> _Parameters:
                there = pool, builder.add(first_bias, lane)
                kind = signature.args[len(_KNOWN)]
                bias = builder.load(vector_at(context, builder, kind, there, _WIDE), align=4)
                return _Parameters(current if decays else None, voltage, bias, threshold)

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
        def parameters_of(place: Any, _: Any) -> _Parameters:
            rows = CURRENT_FACTOR, VOLTAGE_FACTOR, BIAS, CUBA_THRESHOLD
            places = ((arguments[0], builder.add(place, _WORD(int(row)))) for row in rows)
            kind = signature.args[0]
            there = (vector_at(context, builder, kind, place, _WIDE) for place in places)
            return _Parameters(*(builder.load(vector, align=4) for vector in there))

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
        number = lowest_lane(overflowed)
        overflowed &= overflowed - 1
        for lane in range(number * WIDTH, (number + 1) * WIDTH):
            u, v = exact[uintp(lane)], exact[uintp(lane + AT_HAND)]
            unit = uintp(first_unit + order[uintp(first_unit + first_lane + lane)])
            wraps[unit] += int64(u > LIMIT) + int64(u <= -LIMIT)
            saturations[unit] += int64(v >= LIMIT) + int64(v <= -LIMIT)


@inlined
def update_cuba(network: Any, work: Any, row: Any, shared: Any) -> Any:
    """Update a layer and note who spikes; return 1 if a state overflowed, else 0."""
    overflowed, exact = 0, numbers_at_hand()
    for done in range(0, row.blocks, BLOCKS_AT_HAND):
        blocks = min(row.blocks - done, BLOCKS_AT_HAND)
        first, there = row.first_state + done * row.rows * LANES, row.first_sum + done * LANES
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
