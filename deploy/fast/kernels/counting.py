"""Arrivals per activation, reckoned after a run from how often each source spiked.

Counting them at each delivery would double its cost.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import int8, int16, int32, int64, types, uintp
from numba.core import cgutils
from numba.extending import intrinsic

from kipuka.compiling import entered, inlined
from kipuka.deploy.fast.kernels import constants
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import (
    BYTE_BITS,
    FIRST_RUN,
    FIRST_WEIGHT,
    HALF,
    LANES,
    LOWER_BIAS,
    OUTPUTS_AT_ONCE,
    RUN_ENTRIES,
    TABLES_AT_ONCE,
    TOGETHER,
    UNROLLED,
    VECTORS,
    WEIGHTS,
)
from kipuka.deploy.fast.kernels.convolution import scatter
from kipuka.deploy.fast.kernels.currents import GATES, UPDATE_GATE
from kipuka.deploy.fast.kernels.delivery import ask_for_row
from kipuka.deploy.fast.kernels.parts import compiled_where
from kipuka.vectors import everywhere, pointer_in, vector_at

LOWER_BYTE = (1 << BYTE_BITS) - 1
UPPER_BYTE = LOWER_BYTE << BYTE_BITS

MOST_IN_32_BITS = (1 << 31) - 1


@entered
def count_arrivals(
    network: Any, emitted: Any, pending: Any, messages: Any, kernels_there: Any, few: Any,
    seen: Any, tables: Any, arrived: Any, n_activations: Any,
) -> None:  # fmt: skip
    """Add every arrived spike, and graded message, to the activations that it reached.

    Parameters
    ----------
    network : Network
    emitted, pending, messages, arrived : int64 arrays
        As in `Workspace`.
    seen, tables : int8 and int16 arrays
        As in `Workspace`; left as they were, or of no use to anyone.
    kernels_there : int8 array
        1 where the dense pool is not 0; it may be empty where there is no convolution.
    few : int32 array (activations,)
        Zeros. Counts of 32 bits take half the room and half the vectors; they are added up before
        one can be too large.
    n_activations : int
    """
    counted = int64(0)
    for number in range(network.links.shape[0]):
        link = network.links[number]
        group = network.groups[link.group]
        if group.kind == at.PER_SYNAPSE:
            continue
        first_source, first_row = link.first_source, group.first_row + link.first_row
        if group.kind == at.CONVOLUTION and group.fewest < at.NEVER:
            _count_convolved(network, link, group, emitted, pending, seen, tables, arrived)
            continue
        source = _arriving(emitted, first_source, pending, first_row, 0, link.sources)
        while source < link.sources:
            following = _arriving(
                emitted, first_source, pending, first_row, source + 1, link.sources
            )
            if group.kind == at.SPARSE:
                # The next row is on its way from memory while this one is counted.
                ahead = group.first_start + link.first_row + min(following, link.sources - 1)
                starts = network.starts[uintp(ahead)], network.starts[uintp(ahead + 1)]
                ask_for_row(starts[0], starts[1], network.targets, network.sparse)
            times = emitted[uintp(first_source + source)] - pending[uintp(first_row + source)]
            while times:
                share = min(times, MOST_IN_32_BITS - counted)
                _count(network, group, link.first_row, source, int32(share), kernels_there, few)
                times -= share
                counted = _added_up(counted + share, few, arrived, n_activations)
            source = following

    for number in range(network.layers.shape[0]):
        row = network.layers[number]
        if row.current:
            for source in range(row.neurons):
                times = messages[row.first_unit + source]
                while times:
                    share = min(times, MOST_IN_32_BITS - counted)
                    _count_current(network, row, source, int32(share), kernels_there, few)
                    times -= share
                    counted = _added_up(counted + share, few, arrived, n_activations)
    _add_up(few, arrived, n_activations)


@inlined
def _count(
    network: Any, group: Any, first_row: Any, source: Any, times: Any, kernels_there: Any, few: Any
) -> None:
    """Count that a source's spike arrived so many times."""
    row, first = first_row + source, group.first_arrival
    if group.kind == at.DENSE:
        weights = group.first_weight + row * group.row_size
        _count_pairs(times, network.paired, weights, group.blocks, group.stride, few, first)
    elif group.kind == at.WEIGHED:
        weights = group.first_weight + row * group.blocks * LANES
        _count_row(times, network.dense, weights, group.blocks, LANES, few, first)
    elif group.kind == at.SPARSE:
        start = uintp(group.first_start + row)
        for synapse in range(network.starts[start], network.starts[start + uintp(1)]):
            there = network.sparse[uintp(synapse)] != 0
            few[uintp(first + network.targets[uintp(synapse)])] += times * int32(there)
    else:
        scatter(
            source, times, network.geometry, group.first_geometry, kernels_there,
            group.first_weight, few, first,
        )  # fmt: skip


@inlined
def _count_current(
    network: Any, row: Any, source: Any, times: Any, kernels_there: Any, few: Any
) -> None:
    """Count that a source's graded message arrived so many times."""
    current = network.currents[row.current - 1]
    first = current.first_arrival
    if current.kind == at.DENSE:
        weights = current.first_weight + source * row.blocks * LANES
        _count_row(
            times, network.dense, weights, row.blocks, GATES * LANES, few,
            first + UPDATE_GATE * LANES,
        )  # fmt: skip
    else:
        scatter(
            source, times, network.geometry, current.counting_geometry, kernels_there,
            current.first_weight, few, first,
        )  # fmt: skip


@inlined
def _added_up(counted: Any, few: Any, arrived: Any, n: Any) -> Any:
    """Add up counts that might be as large as 32 bits hold; return how large they might be now."""
    if counted < MOST_IN_32_BITS:
        return counted
    _add_up(few, arrived, n)
    return int64(0)


@inlined
def _add_up(few: Any, arrived: Any, n: Any) -> None:
    for k in range(n):
        arrived[uintp(k)] += few[uintp(k)]
        few[uintp(k)] = 0


@inlined
def _arriving(
    emitted: Any, first_source: Any, pending: Any, first_row: Any, source: Any, n_sources: Any
) -> Any:
    """Return the first source from `source` on of which a spike arrived, or `n_sources`."""
    while source < n_sources:
        if emitted[uintp(first_source + source)] != pending[uintp(first_row + source)]:
            break
        source += 1
    return source


@inlined
def _count_pairs(
    times: Any, paired: Any, weights: Any, blocks: Any, stride: Any, few: Any, first: Any
) -> None:
    for block in range(blocks):
        place = first + block * stride
        _add_where_not(times, paired, weights, LOWER_BYTE, LOWER_BIAS, few, place)
        _add_where_not(times, paired, weights, UPPER_BYTE, 0, few, place + HALF)
        weights += HALF


@inlined
def _count_row(
    times: Any, dense: Any, weights: Any, blocks: Any, stride: Any, few: Any, first: Any
) -> None:
    for block in range(blocks):
        place = first + block * stride
        _add_where_not(times, dense, weights, LOWER_BYTE, 0, few, place)
        _add_where_not(times, dense, weights + HALF, LOWER_BYTE, 0, few, place + HALF)
        weights += LANES


@intrinsic
def _add_where_not(
    typing_context: Any, times: Any, weights: Any, first: Any, bits: Any, nothing: Any, few: Any,
    place: Any,
) -> Any:  # fmt: skip
    """Add `times` to `HALF` counts, except those whose weights have `nothing` in their `bits`.

    As a loop it would stay scalar: see `lanes.add_run`.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        times, _, _, bits, nothing, _, _ = arguments
        kinds = signature.args
        weight = context.get_value_type(kinds[1].dtype)
        narrow, wide = (ir.VectorType(kind, HALF) for kind in (weight, times.type))
        here = vector_at(context, builder, kinds[1], arguments[1:3], narrow)
        bits, nothing = (
            everywhere(builder, builder.trunc(number, weight), narrow) for number in (bits, nothing)
        )
        found = builder.and_(builder.load(here, align=weight.width // 8), bits)
        there = builder.icmp_unsigned("!=", found, nothing)
        added = builder.and_(builder.sext(there, wide), everywhere(builder, times, wide))
        counts = vector_at(context, builder, kinds[5], arguments[5:7], wide)
        total = builder.add(builder.load(counts, align=4), added)
        builder.store(total, counts, align=4)
        return context.get_dummy_value()

    pools = (weights, types.intp, types.int64, types.int64, few, types.intp)
    return types.void(types.int32, *pools), build


@compiled_where("convolved")
def _count_convolved(
    network: Any, link: Any, group: Any, emitted: Any, pending: Any, seen: Any, tables: Any,
    arrived: Any,
) -> None:  # fmt: skip
    """Count what arrived over a convolution by a convolution.

    Counts are taken a byte at a time, the lowest first.
    """
    shift = 0
    left = _lay_out(network, link, group, emitted, pending, shift, seen)
    while left:
        _convolve_counts(network, group, seen, tables, arrived, shift)
        shift += BYTE_BITS
        left = _lay_out(network, link, group, emitted, pending, shift, seen)


@inlined
def _lay_out(
    network: Any, link: Any, group: Any, emitted: Any, pending: Any, shift: Any, seen: Any
) -> Any:
    """Lay all sources' counts, shifted right, out as an image of their lowest bytes.

    Returns 0 if all of them are 0 and so is the image.
    """
    left = int64(0)
    geometry = network.geometry
    pixels = geometry[group.first_geometry + constants.PIXELS]
    places = group.first_table + geometry[group.first_table + constants.PLACES]
    first_source, first_row = link.first_source, group.first_row + link.first_row
    for channel in range(link.sources // pixels):
        for pixel in range(pixels):
            times = emitted[uintp(first_source + pixel)] - pending[uintp(first_row + pixel)]
            left |= times >> shift
            seen[uintp(geometry[uintp(places + pixel)] + channel)] = int8(times >> shift)
        first_source += pixels
        first_row += pixels
    return left


@inlined
def _convolve_counts(
    network: Any, group: Any, seen: Any, tables: Any, arrived: Any, shift: Any
) -> None:
    """Add what all output pixels see of the counts in an image, shifted left, to the arrivals.

    It goes through weights and image as `kernels.tables.convolve` does, with a mask for every
    weight in the place of tables.
    """
    geometry, first = network.geometry, group.first_table
    n_outputs, n_runs = geometry[first + constants.OUTPUTS], geometry[first + constants.RUNS]
    n_columns = geometry[first + constants.OUTPUT_COLUMNS]
    weight = group.first_weight + geometry[first + FIRST_WEIGHT]
    for output in range(0, n_outputs, VECTORS * OUTPUTS_AT_ONCE):
        n_vectors = min(VECTORS, (n_outputs - output + OUTPUTS_AT_ONCE - 1) // OUTPUTS_AT_ONCE)
        at_once = TABLES_AT_ONCE // n_vectors
        begin = int64(0)
        while begin < n_runs:
            end, n_tables = begin, int64(0)
            while end < n_runs:
                more = geometry[first + FIRST_RUN + RUN_ENTRIES * end + 1]
                if n_tables + more > at_once:
                    break
                for vector in range(n_vectors):
                    place = (vector * at_once + n_tables) * WEIGHTS
                    for k in range(more * WEIGHTS):
                        there = network.dense[uintp(weight + k)] != 0
                        tables[uintp(place + k)] = int16(LOWER_BYTE if there else 0)
                    weight += more * WEIGHTS
                n_tables += more
                end += 1
            run = first + FIRST_RUN + RUN_ENTRIES * begin
            place = group.first_arrival + output
            for row in range(geometry[first + constants.OUTPUT_ROWS]):
                byte = row * geometry[first + constants.ROW_BITS]
                for _ in range(n_columns):
                    if n_vectors == VECTORS:
                        _add_seen(
                            VECTORS, seen, byte, geometry, run, end - begin, tables, arrived,
                            place, shift,
                        )  # fmt: skip
                    elif n_vectors == 3:
                        _add_seen(
                            3, seen, byte, geometry, run, end - begin, tables, arrived, place,
                            shift,
                        )  # fmt: skip
                    elif n_vectors == 2:
                        _add_seen(
                            2, seen, byte, geometry, run, end - begin, tables, arrived, place,
                            shift,
                        )  # fmt: skip
                    else:
                        _add_seen(
                            1, seen, byte, geometry, run, end - begin, tables, arrived, place,
                            shift,
                        )  # fmt: skip
                    byte += geometry[first + constants.COLUMN_BITS]
                    place += n_outputs
            begin = end


@intrinsic(prefer_literal=True)
def _add_seen(
    typing_context: Any, n_vectors: Any, seen: Any, first_byte: Any, geometry: Any, run: Any,
    n_runs: Any, masks: Any, arrived: Any, place: Any, shift: Any,
) -> Any:  # fmt: skip
    """Add the bytes that some runs see, where masks have them, to the arrivals from `place` on.

    Masks of `TABLES_AT_ONCE` tables stand where the tables would. So many bytes fit 16 bits.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, first_byte, _, first_entry, n_runs, _, _, place, shift = arguments
        kinds, word = signature.args, cgutils.intp_t
        bytes_, pairs, wide = (
            ir.VectorType(ir.IntType(bits), n)
            for bits, n in ((8, 2 * OUTPUTS_AT_ONCE), (16, OUTPUTS_AT_ONCE), (64, OUTPUTS_AT_ONCE))
        )
        vectors = range(kinds[0].literal_value)
        apart = TABLES_AT_ONCE // len(vectors) * WEIGHTS
        image, entries = (pointer_in(context, builder, kinds[k], arguments[k]) for k in (1, 3))
        nothing = ir.Constant(pairs, [0] * OUTPUTS_AT_ONCE)
        totals = [cgutils.alloca_once_value(builder, nothing) for _ in vectors]
        mask = cgutils.alloca_once_value(builder, word(0))
        with cgutils.for_range(builder, n_runs) as run:
            entry = builder.add(first_entry, builder.mul(run.index, word(RUN_ENTRIES)))
            begin, n_tables = (
                builder.load(builder.gep(entries, [builder.add(entry, word(k))]))
                for k in range(RUN_ENTRIES)
            )
            here = builder.gep(image, [builder.add(first_byte, begin)])
            with cgutils.for_range(builder, builder.lshr(n_tables, word(1))) as some:
                at_once = UNROLLED * TOGETHER
                these = builder.gep(here, [builder.mul(some.index, word(at_once))])
                first_mask = builder.load(mask)
                for step in range(at_once):
                    count = builder.load(builder.gep(these, [word(step)]), align=1)
                    counts = builder.bitcast(everywhere(builder, count, bytes_), pairs)
                    for number, total in enumerate(totals):
                        offset = builder.add(
                            first_mask, word(number * apart + step * OUTPUTS_AT_ONCE)
                        )
                        there = vector_at(context, builder, kinds[6], (arguments[6], offset), pairs)
                        added = builder.and_(counts, builder.load(there, align=2))
                        builder.store(builder.add(builder.load(total), added), total)
                builder.store(builder.add(first_mask, word(at_once * OUTPUTS_AT_ONCE)), mask)
        left = everywhere(builder, shift, wide)
        for number, total in enumerate(totals):
            offset = builder.add(place, word(number * OUTPUTS_AT_ONCE))
            there = vector_at(context, builder, kinds[7], (arguments[7], offset), wide)
            added = builder.shl(builder.zext(builder.load(total), wide), left)
            builder.store(builder.add(builder.load(there, align=8), added), there, align=8)
        return context.get_dummy_value()

    position = types.intp
    pools = (seen, position, geometry, position, position, masks, arrived, position, position)
    return types.void(n_vectors, *pools), build
