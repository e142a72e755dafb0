"""Convolution by tables, for steps with many spikes: what several of them add up to together.

Bits of a kernel row that follow each other are taken four at a time: the 16 sums that their
weights can add up to are tabulated, and an output pixel then adds one of them for every four bits,
whether these are set or not. See Arlazarov, Dinic, Kronrod and Faradzhev, "On economical
construction of the transitive closure of an oriented graph", 1970.

The spikes of a step become an image of bits with the channel as its last axis and zeros beyond the
edges, so that what an output pixel sees of a row is a run of bits. Where a run does not fill its
last tables, their weights for what follows are zeros.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import int32, int64, uintp
from numba.core import cgutils, types
from numba.extending import intrinsic

from kipuka.compiling import called, inlined
from kipuka.deploy.fast.kernels import constants as at
from kipuka.deploy.fast.kernels.constants import (
    COLUMN_BITS,
    FIRST_BIT,
    FIRST_RUN,
    FIRST_WEIGHT,
    GAP,
    LANES,
    LINE_BITS,
    LINE_STEP,
    LINES,
    MADE,
    OUTPUT_COLUMNS,
    OUTPUT_ROWS,
    OUTPUTS,
    OUTPUTS_AT_ONCE,
    PLACES,
    ROW_BITS,
    RUN_ENTRIES,
    RUNS,
    SEPARATE,
    SUMS,
    TABLE,
    TABLES_AT_ONCE,
    TOGETHER,
    UNROLLED,
    VECTORS,
    WEIGHTS,
    WORDS,
)
from kipuka.deploy.fast.kernels.lanes import bits_from, lanes_with, load_bits
from kipuka.vectors import pointer_in, vector_at

_NARROW, _SUMS, _WIDE = (ir.VectorType(ir.IntType(bits), OUTPUTS_AT_ONCE) for bits in (8, 16, 32))


@intrinsic
def tabulate(
    typing_context: Any, weights: Any, first: Any, tables: Any, place: Any, apart: Any
) -> Any:
    """Write all sums of `TOGETHER` rows of weights, which begin at `first`, into a table.

    They are `apart` entries from each other.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        sums = [ir.Constant(_SUMS, [0] * OUTPUTS_AT_ONCE)]
        for row in range(TOGETHER):
            offset = builder.add(arguments[1], arguments[1].type(row * OUTPUTS_AT_ONCE))
            here = vector_at(context, builder, kinds[0], (arguments[0], offset), _NARROW)
            added = builder.sext(builder.load(here, align=1), _SUMS)
            sums += [builder.add(before, added) for before in sums]
        for number, total in enumerate(sums):
            beyond = builder.mul(arguments[4], arguments[4].type(number))
            offset = builder.add(arguments[3], beyond)
            there = vector_at(context, builder, kinds[2], (arguments[2], offset), _SUMS)
            builder.store(total, there, align=2)
        return context.get_dummy_value()

    return types.void(weights, types.intp, tables, types.intp, types.intp), build


@intrinsic(prefer_literal=True)
def look_up(
    typing_context: Any, n_vectors: Any, image: Any, first_bit: Any, geometry: Any, run: Any,
    n_runs: Any, tables: Any, first_table: Any, sums: Any, place: Any,
) -> Any:  # fmt: skip
    """Add what some runs of bits add up to, by their tables, to the sums from `place` on.

    The entries of the first run stand at `run` in `geometry`. For the same bits there are tables of
    `n_vectors` vectors.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, first_bit, _, first_entry, n_runs, _, first_table, _, place = arguments
        kinds, word = signature.args, cgutils.intp_t
        vectors = range(kinds[0].literal_value)
        size = TABLE * len(vectors) + GAP
        apart, beside = len(vectors) * OUTPUTS_AT_ONCE, OUTPUTS_AT_ONCE
        if len(vectors) == SEPARATE:
            apart, beside = OUTPUTS_AT_ONCE, TABLE
        image, entries = (pointer_in(context, builder, kinds[k], arguments[k]) for k in (1, 3))
        nothing = ir.Constant(_SUMS, [0] * OUTPUTS_AT_ONCE)
        totals = [cgutils.alloca_once_value(builder, nothing) for _ in vectors]
        # A pointer takes one instruction less for each table than a place among all of them.
        first = builder.gep(pointer_in(context, builder, kinds[6], arguments[6]), [first_table])
        table, rest = (cgutils.alloca_once_value(builder, n) for n in (first, word(0)))
        with cgutils.for_range(builder, n_runs) as run:
            entry = builder.add(first_entry, builder.mul(run.index, word(RUN_ENTRIES)))
            begin, n_tables = (
                builder.load(builder.gep(entries, [builder.add(entry, word(k))]))
                for k in range(RUN_ENTRIES)
            )
            builder.store(load_bits(builder, image, builder.add(first_bit, begin)), rest)
            with cgutils.for_range(builder, builder.lshr(n_tables, word(1))):
                bits, here = builder.load(rest), builder.load(table)
                for step in range(UNROLLED):
                    pattern = builder.and_(
                        builder.lshr(bits, word(TOGETHER * step)), word(SUMS - 1)
                    )
                    sums_of_pattern = builder.gep(here, [builder.mul(pattern, word(apart))])
                    for number, total in enumerate(totals):
                        beyond = word(step * size + number * beside)
                        found = builder.bitcast(
                            builder.gep(sums_of_pattern, [beyond]), _SUMS.as_pointer()
                        )
                        added = builder.add(builder.load(total), builder.load(found, align=2))
                        builder.store(added, total)
                builder.store(builder.lshr(bits, word(UNROLLED * TOGETHER)), rest)
                builder.store(builder.gep(here, [word(UNROLLED * size)]), table)
        for number, total in enumerate(totals):
            offset = builder.add(place, word(number * OUTPUTS_AT_ONCE))
            there = vector_at(context, builder, kinds[8], (arguments[8], offset), _WIDE)
            added = builder.sext(builder.load(total), _WIDE)
            builder.store(builder.add(builder.load(there, align=4), added), there, align=4)
        return context.get_dummy_value()

    position = types.intp
    pools = (image, position, geometry, position, position, tables, position, sums, position)
    return types.void(n_vectors, *pools), build


@called
def convolve(
    image: Any, first_bit: Any, geometry: Any, first: Any, ahead: Any, weights: Any,
    first_weight: Any, sums: Any, first_sum: Any, tables: Any,
) -> None:  # fmt: skip
    """Add to the sums of a layer what the spikes in an image of bits add up to.

    Parameters
    ----------
    image, first_bit : int32 array, int
    geometry, first : int64 array, int
        That of the tables.
    ahead : int16 array
        Tables that were made ahead.
    weights, first_weight : int8 array, int
    sums, first_sum : int32 array, int
        A vector of sums beyond the layer's is read and written, as it was.
    tables : int16 array
        As in `Workspace`.
    """
    n_outputs, n_runs = geometry[first + OUTPUTS], geometry[first + RUNS]
    weight = first_weight + geometry[first + FIRST_WEIGHT]
    made = geometry[first + MADE]
    for output in range(0, n_outputs, VECTORS * OUTPUTS_AT_ONCE):
        n_vectors = min(VECTORS, (n_outputs - output + OUTPUTS_AT_ONCE - 1) // OUTPUTS_AT_ONCE)
        at_once = TABLES_AT_ONCE // n_vectors if made < 0 else TABLES_AT_ONCE
        size = n_vectors * TABLE + GAP
        apart, beside = n_vectors * OUTPUTS_AT_ONCE, OUTPUTS_AT_ONCE
        if n_vectors == SEPARATE:
            apart, beside = OUTPUTS_AT_ONCE, TABLE
        begin = int64(0)
        while begin < n_runs:
            # As many runs as the tables have room for.
            end, n_tables = begin, int64(0)
            while end < n_runs:
                more = geometry[first + FIRST_RUN + RUN_ENTRIES * end + 1]
                if n_tables + more > at_once:
                    break
                for vector in range(n_vectors if made < 0 else 0):
                    place = n_tables * size + vector * beside
                    for number in range(more):
                        tabulate(weights, weight, tables, place + number * size, apart)
                        weight += WEIGHTS
                n_tables += more
                end += 1
            if made < 0:
                _look_up_all(
                    n_vectors, geometry, first, begin, end - begin, image, first_bit, tables, 0,
                    sums, first_sum + output,
                )  # fmt: skip
            else:
                _look_up_all(
                    n_vectors, geometry, first, begin, end - begin, image, first_bit, ahead, made,
                    sums, first_sum + output,
                )  # fmt: skip
                made += n_tables * size
            begin = end


@called
def draw_lanes(masks: Any, image: Any, first_word: Any, geometry: Any, first: Any) -> None:
    """Draw an image of bits, from word `first_word` on, from those of a layer's blocks.

    A layer's lanes are an image without edges: lines of pixels, the channels of each as neighbours.
    """
    for word in range(geometry[first + WORDS]):
        image[uintp(first_word + word)] = 0
    size, bit = geometry[first + LINE_BITS], geometry[first + FIRST_BIT]
    for line in range(geometry[first + LINES]):
        source, word = line * size, first_word + bit // LANES
        done, before = int64(0), bit % LANES
        if before:
            done = min(LANES - before, size)
            bits = bits_from(masks, source) & ((int64(1) << done) - 1)
            image[uintp(word)] |= int32(bits << before)
            word += 1
        whole = (size - done) // LANES
        for number in range(whole):
            bits = bits_from(masks, source + done + number * LANES)
            image[uintp(word + number)] = int32(bits)
        done += whole * LANES
        if done < size:
            bits = bits_from(masks, source + done) & ((int64(1) << (size - done)) - 1)
            image[uintp(word + whole)] |= int32(bits)
        bit += geometry[first + LINE_STEP]


@inlined
def count_drawn(
    image: Any, first_word: Any, n_sources: Any, geometry: Any, first_geometry: Any, first: Any,
    counts: Any, first_count: Any,
) -> None:  # fmt: skip
    """Add 1 to the count of each source whose bit an image has."""
    places = first + geometry[first + PLACES]
    pixels = geometry[first_geometry + at.PIXELS]
    for channel in range(n_sources // pixels):
        here = first_count + channel * pixels
        for pixel in range(pixels):
            place = uintp(geometry[uintp(places + pixel)] + channel)
            word = int64(image[uintp(first_word + place // LANES)])
            counts[uintp(here + pixel)] += (word >> int64(place % LANES)) & 1


@inlined
def draw(
    rows: Any, first_row: Any, n_rows: Any, geometry: Any, first_geometry: Any, first: Any,
    seen: Any, image: Any,
) -> None:  # fmt: skip
    """Draw an image of bits from a list of spikes; bytes on the way need not be read first."""
    multiplier = geometry[first_geometry + at.MULTIPLIER]
    shift = geometry[first_geometry + at.SHIFT]
    pixels = geometry[first_geometry + at.PIXELS]
    places, words = first + geometry[first + PLACES], geometry[first + WORDS]
    for index in range(first_row, first_row + n_rows):
        source = int64(rows[uintp(index)])
        channel = int64(source * multiplier) >> shift
        place = geometry[uintp(places + source - channel * pixels)] + channel
        seen[uintp(place)] = 1
    for word in range(words):
        image[uintp(word)] = int32(lanes_with(seen, word * LANES, 1))
    for place in range(words * LANES):
        seen[uintp(place)] = 0


@inlined
def _look_up_all(
    n_vectors: Any, geometry: Any, first: Any, begin: Any, n_runs: Any, image: Any,
    first_bit: Any, tables: Any, table: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Let all output pixels add by some tables."""
    run = first + FIRST_RUN + RUN_ENTRIES * begin
    n_columns, n_outputs = geometry[first + OUTPUT_COLUMNS], geometry[first + OUTPUTS]
    row_bits, column_bits = geometry[first + ROW_BITS], geometry[first + COLUMN_BITS]
    for row in range(geometry[first + OUTPUT_ROWS]):
        there = first_sum + row * n_columns * n_outputs
        bit = first_bit + row * row_bits
        for _ in range(n_columns):
            if n_vectors == VECTORS:
                look_up(VECTORS, image, bit, geometry, run, n_runs, tables, table, sums, there)
            elif n_vectors == 3:
                look_up(3, image, bit, geometry, run, n_runs, tables, table, sums, there)
            elif n_vectors == 2:
                look_up(2, image, bit, geometry, run, n_runs, tables, table, sums, there)
            else:
                look_up(1, image, bit, geometry, run, n_runs, tables, table, sums, there)
            bit += column_bits
            there += n_outputs
