"""Groups of neurons that one vector operation takes, and masks with a bit for each of them.

States lie in blocks of `LANES` neurons, one row of lanes per variable. Loops over a block have a
constant length and constant distances between their rows, which is what lets LLVM turn them into
vector instructions without tests for overlapping arrays. Indices into them are unsigned: a signed
one may count from the end, and the test for that costs the vector instructions too.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import int32, int64, types, uintp
from numba.core import cgutils
from numba.extending import intrinsic

from kipuka.compiling import inlined
from kipuka.deploy.fast.kernels.constants import (
    BLOCKS_AT_HAND,
    BYTE_BITS,
    HALF,
    LANES,
    LOWER_BIAS,
    PLANES,
    RUN,
)
from kipuka.vectors import everywhere, pointer_in, vector_at

ALL_LANES = (1 << LANES) - 1

ROWS_AT_ONCE = 255
"""Rows of paired weights whose sums surely fit 16 bits."""


_WIDE = ir.VectorType(ir.IntType(32), RUN)


@intrinsic
def lanes_with(typing_context: Any, array: Any, position: Any, bits: Any) -> Any:
    """Mask of the lanes whose value has any of `bits` set; lane 0 is the lowest bit.

    ``lanes_with(array, position, bits)`` looks at ``array[position : position + LANES]``.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lane = context.get_value_type(signature.args[0].dtype)
        vector = ir.VectorType(lane, LANES)
        pointer = vector_at(context, builder, signature.args[0], arguments[:2], vector)
        values = builder.load(pointer, align=lane.width // 8)
        wanted = context.cast(builder, arguments[2], types.int64, signature.args[0].dtype)
        found = builder.icmp_unsigned(
            "!=",
            builder.and_(values, everywhere(builder, wanted, vector)),
            ir.Constant(vector, [0] * LANES),
        )
        mask = builder.bitcast(found, ir.IntType(LANES))
        return builder.zext(mask, cgutils.intp_t)

    return types.int64(array, types.intp, types.int64), build


@intrinsic
def any_lane_with(typing_context: Any, array: Any, position: Any, bits: Any) -> Any:
    """Whether any of the lanes from `position` on has any of `bits` set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        lane = context.get_value_type(kind.dtype)
        vector = ir.VectorType(lane, LANES)
        pointer = vector_at(context, builder, kind, arguments[:2], vector)
        values = builder.load(pointer, align=lane.width // 8)
        name = f"llvm.vector.reduce.or.v{LANES}i{lane.width}"
        reduce = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(lane, [vector]), name
        )
        wanted = context.cast(builder, arguments[2], types.int64, kind.dtype)
        found = builder.and_(builder.call(reduce, [values]), wanted)
        return builder.icmp_unsigned("!=", found, ir.Constant(lane, 0))

    return types.boolean(array, types.intp, types.int64), build


@intrinsic
def numbers_at_hand(typing_context: Any) -> Any:
    """Room for two numbers in each lane of `BLOCKS_AT_HAND` blocks, which overlaps no array."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once(builder, ir.IntType(32), size=2 * BLOCKS_AT_HAND * LANES)

    return types.CPointer(types.int32)(), build


@intrinsic
def two_masks(typing_context: Any, masks: Any, place: Any) -> Any:
    """Two masks that follow each other, as one word."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = pointer_in(context, builder, signature.args[0], arguments[0])
        here = builder.gep(data, [arguments[1]])
        return builder.load(builder.bitcast(here, cgutils.intp_t.as_pointer()), align=4)

    return types.int64(masks, types.int64), build


@intrinsic
def count_bits(typing_context: Any, word: Any) -> Any:
    """Number of bits in 64 that are set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), build


@inlined
def count_lanes(masks: Any, blocks: Any) -> Any:
    """Number of lanes in the masks of a layer's blocks."""
    lanes = int64(0)
    for pair in range(blocks // 2):
        lanes += count_bits(two_masks(masks, 2 * pair))
    if blocks % 2:
        lanes += count_bits(int64(masks[uintp(blocks - 1)]) & ALL_LANES)
    return lanes


@inlined
def count_up(masks: Any, blocks: Any, tally: Any, first: Any) -> None:
    """Count the lanes that masks have, for many lanes with one operation.

    Numbers stand as `PLANES` planes of bits, with a word for each block and its lowest bits first,
    behind the number of masks that were counted and a plane for what is carried.
    """
    tally[uintp(first)] += 1
    carried, plane = first + 1, first + 1 + blocks
    for block in range(blocks):
        tally[uintp(carried + block)] = masks[uintp(block)]
    for _ in range(PLANES):
        left = int32(0)
        for block in range(blocks):
            carry, bits = tally[uintp(carried + block)], tally[uintp(plane + block)]
            tally[uintp(plane + block)] = carry ^ bits
            tally[uintp(carried + block)] = carry & bits
            left = int32(left | (carry & bits))
        if left == 0:
            break
        plane += blocks


@inlined
def take_counts(tally: Any, first: Any, blocks: Any, block: Any, counts: Any) -> None:
    """Take the counts of a block's lanes from a tally, and leave none."""
    for lane in range(LANES):
        counts[uintp(lane)] = 0
    for number in range(PLANES):
        place = uintp(first + 1 + blocks + number * blocks + block)
        _add_where(counts, tally[place], 1 << number)
        tally[place] = 0


@intrinsic
def _add_where(typing_context: Any, counts: Any, mask: Any, number: Any) -> Any:
    """Add a number to the counts of those lanes of a block that a mask has."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.IntType(32), LANES)
        pointer = builder.bitcast(arguments[0], vector.as_pointer())
        bits = builder.bitcast(arguments[1], ir.VectorType(ir.IntType(1), LANES))
        numbers = everywhere(builder, builder.trunc(arguments[2], vector.element), vector)
        there = builder.and_(builder.sext(bits, vector), numbers)
        builder.store(builder.add(builder.load(pointer, align=4), there), pointer, align=4)
        return context.get_dummy_value()

    return types.void(counts, types.int32, types.int64), build


@inlined
def reached(masks: Any, blocks: Any, reach: Any, first: Any) -> Any:
    """Number of targets that the lanes in masks reach, as `layout.Network` has it."""
    total, here = int64(0), first + 1
    pairs = (blocks + 1) // 2
    for bit in range(reach[uintp(first)]):
        lanes = int64(0)
        for pair in range(pairs):
            both = two_masks(masks, 2 * pair) & two_masks(reach, here + 2 * pair)
            lanes += count_bits(both)
        total += lanes << bit
        here += 2 * pairs
    return total


@intrinsic
def bits_from(typing_context: Any, array: Any, bit: Any) -> Any:
    """At least 57 bits of an array of bits, from number `bit` on; what follows them is 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = pointer_in(context, builder, signature.args[0], arguments[0])
        return load_bits(builder, data, arguments[1])

    return types.int64(array, types.int64), build


def load_bits(builder: Any, data: Any, bit: Any) -> Any:
    """Word that begins with a bit of an array, as far as the 8 bytes with that bit go."""
    word = cgutils.intp_t
    byte = builder.gep(
        builder.bitcast(data, ir.IntType(8).as_pointer()), [builder.lshr(bit, word(3))]
    )
    bits = builder.load(builder.bitcast(byte, word.as_pointer()), align=1)
    return builder.lshr(bits, builder.and_(bit, word(7)))


@intrinsic(prefer_literal=True)
def add_rows(
    typing_context: Any, n_blocks: Any, rows: Any, first_row: Any, n_rows: Any, weights: Any,
    first_weight: Any, row_size: Any, sums: Any, place: Any, stride: Any,
) -> Any:  # fmt: skip
    """Add `n_blocks` neighbouring blocks of up to `ROWS_AT_ONCE` rows of paired weights to sums.

    Row k begins at ``first_weight + k * row_size``; which rows, `rows` lists from `first_row` on.
    The `LANES` sums of a block begin at `place`, those of the next one `stride` further.
    All pairs are added up as they are, in 16 bits, and once more without their lower bytes. The
    second sums are those of the upper bytes; what the first ones have beyond them is the lower
    bytes' share. Both stay in registers over all rows, which no loop over arrays would bring about.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, first, n, _, origin, size, _, target, apart = arguments
        pair, wide = (ir.VectorType(ir.IntType(bits), count * HALF) for bits in (16, 32))
        byte = ir.Constant(pair, [BYTE_BITS] * pair.count)
        kinds = signature.args
        listed = pointer_in(context, builder, kinds[1], arguments[1])
        total, upper = (cgutils.alloca_once_value(builder, ir.Constant(pair, None)) for _ in "ab")
        with cgutils.for_range(builder, n) as loop:
            row = builder.load(builder.gep(listed, [builder.add(first, loop.index)]))
            offset = builder.add(origin, builder.mul(builder.sext(row, size.type), size))
            here = vector_at(context, builder, kinds[4], (arguments[4], offset), pair)
            pairs = builder.load(here, align=2)
            builder.store(builder.add(builder.load(total), pairs), total)
            builder.store(builder.add(builder.load(upper), builder.ashr(pairs, byte)), upper)
        biases = builder.mul(builder.trunc(n, wide.element), ir.Constant(wide.element, LOWER_BIAS))
        lower = builder.sub(builder.load(total), builder.shl(builder.load(upper), byte))
        halves = (
            builder.sub(builder.zext(lower, wide), everywhere(builder, biases, wide)),
            builder.sext(builder.load(upper), wide),
        )
        for block in range(count):
            lanes = [cgutils.int32_t(block * HALF + lane) for lane in range(HALF)]
            chosen = ir.Constant(ir.VectorType(cgutils.int32_t, HALF), lanes)
            for number, half in enumerate(halves):
                some = builder.shuffle_vector(half, half, chosen)
                offset = builder.add(target, target.type(number * HALF))
                place = arguments[7], offset
                there = vector_at(context, builder, kinds[7], place, some.type)
                builder.store(builder.add(builder.load(there, align=4), some), there, align=4)
            target = builder.add(target, apart)
        return context.get_dummy_value()

    count, position = n_blocks.literal_value, types.intp
    pools = (rows, position, position, weights, position, position, sums, position, position)
    return types.void(n_blocks, *pools), build


@intrinsic
def add_run(
    typing_context: Any, sums: Any, place: Any, weights: Any, first: Any, times: Any
) -> Any:
    """Add `times` the `RUN` weights from `first` on to the sums from `place` on.

    Written as a loop it would stay scalar: LLVM would have to test, for every few numbers, that the
    arrays do not overlap.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, source = (
            builder.gep(pointer_in(context, builder, signature.args[k], arguments[k]), [place])
            for k, place in ((0, arguments[1]), (2, arguments[3]))
        )
        factors = everywhere(builder, builder.trunc(arguments[4], _WIDE.element), _WIDE)
        _add_at(builder, into, source, factors)
        return context.get_dummy_value()

    return types.void(sums, types.intp, weights, types.intp, types.int64), build


@intrinsic(prefer_literal=True)
def add_taps(
    typing_context: Any, n_runs: Any, sums: Any, place: Any, weights: Any, first: Any, taps: Any,
    tap: Any, n_taps: Any, times: Any,
) -> Any:  # fmt: skip
    """Do the same with `n_runs` neighbouring runs, for all taps of a pixel.

    Taps are pairs, from `tap` on in `taps`: how far beyond `first` the weights begin, and how far
    beyond `place` the sums.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, n_taps = cgutils.intp_t, arguments[7]
        sums, weights, taps = (
            builder.gep(pointer_in(context, builder, signature.args[k], arguments[k]), [place])
            for k, place in ((1, arguments[2]), (3, arguments[4]), (5, arguments[6]))
        )
        factors = everywhere(builder, builder.trunc(arguments[8], _WIDE.element), _WIDE)
        with cgutils.for_range(builder, n_taps) as loop:
            pair = builder.gep(taps, [builder.shl(loop.index, word(1))])
            weight, there = (builder.load(builder.gep(pair, [word(k)])) for k in range(2))
            source, into = builder.gep(weights, [weight]), builder.gep(sums, [there])
            for run in range(signature.args[0].literal_value):
                beyond = [word(run * RUN)]
                _add_at(builder, builder.gep(into, beyond), builder.gep(source, beyond), factors)
        return context.get_dummy_value()

    position = types.intp
    pools = (sums, position, weights, position, taps, position, position, types.int64)
    return types.void(n_runs, *pools), build


def _add_at(builder: Any, sums: Any, weights: Any, factors: Any) -> None:
    """Add a run of weights times factors to the sums at a pointer."""
    into = builder.bitcast(sums, _WIDE.as_pointer())
    narrow = builder.bitcast(weights, ir.VectorType(ir.IntType(8), RUN).as_pointer())
    product = builder.mul(builder.sext(builder.load(narrow, align=1), _WIDE), factors)
    builder.store(builder.add(builder.load(into, align=4), product), into, align=4)


@intrinsic
def prefetch(typing_context: Any, array: Any, place: Any) -> Any:
    """Ask for the cache line that holds ``array[place]`` without waiting for it."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = pointer_in(context, builder, signature.args[0], arguments[0])
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        ask = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        here = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(ask, [here, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), build
