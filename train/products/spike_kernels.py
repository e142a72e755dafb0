"""Products of a matrix with spikes, which are few: what is added is the rows that have a spike.

A row of spikes is what the sources send in one step of one sample; rows are sorted by step, then by
sample. Its spikes are the entries from ``begins[row]`` up to ``begins[row + 1]`` of `sources` and
`values`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import float32, int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from kipuka.compiling import kept_on_disk
from kipuka.vectors import lowest_bit, vector_at

compiled = kept_on_disk([Path(__file__)])


AT_ONCE = 16
"""Numbers that are compared with 0 by one operation."""

_VECTOR = ir.VectorType(ir.FloatType(), AT_ONCE)


@compiled
def find_spikes(
    signal: Any, row_strides: Any, source_strides: Any, rows: Any, sources: Any, values: Any
) -> Any:
    """List what is not 0, in the order of memory.

    Parameters
    ----------
    signal : float32 array, three axes in the order of memory
    row_strides, source_strides : tuple of three int
        What a place on each axis adds to the number of the row, and of the source.
    rows, sources : int32 arrays
    values : float32 array

    Returns
    -------
    int
        How many there are, or -1 if they are more than the lists hold.
    """
    found = int64(0)
    room, n_first, length = rows.shape[0], signal.shape[1], signal.shape[2]
    for line in range(signal.shape[0] * n_first):
        a, b = line // n_first, line % n_first
        row = a * row_strides[0] + b * row_strides[1]
        source = a * source_strides[0] + b * source_strides[1]
        begin = 0
        while begin < length:
            n_here = min(AT_ONCE, length - begin)
            if n_here == AT_ONCE:
                left = _mask(signal, line * length + begin)
            else:
                left = int64(0)
                for c in range(n_here):
                    left |= int64(signal[a, b, begin + c] != 0) << c
            while left != 0:
                c = begin + lowest_bit(left)
                left &= left - 1
                if found == room:
                    return -1
                rows[found] = row + c * row_strides[2]
                sources[found] = source + c * source_strides[2]
                values[found] = signal[a, b, c]
                found += 1
            begin += n_here
    return found


@intrinsic
def _mask(typing_context: Any, signal: Any, place: Any) -> Any:
    """Bits of the next `AT_ONCE` numbers that are not 0, the first one lowest."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        here = vector_at(context, builder, signature.args[0], arguments, _VECTOR)
        numbers = builder.load(here, align=4)
        differs = builder.fcmp_unordered("!=", numbers, ir.Constant(_VECTOR, None))
        return builder.zext(builder.bitcast(differs, ir.IntType(AT_ONCE)), cgutils.intp_t)

    return types.int64(signal, types.intp), build


@compiled
def sort_spikes(
    rows: Any, sources: Any, values: Any, begins: Any, sorted_sources: Any, sorted_values: Any
) -> None:
    """Sort spikes by row, and leave the others of a row in the order that they come in.

    `begins` holds zeros before, one more than there are rows.
    """
    n_rows = begins.shape[0] - 1
    for k in range(rows.shape[0]):
        begins[rows[k] + 1] += 1
    for row in range(n_rows):
        begins[row + 1] += begins[row]
    for k in range(rows.shape[0]):
        place = begins[rows[k]]
        sorted_sources[place], sorted_values[place] = sources[k], values[k]
        begins[rows[k]] = place + 1
    # Each row's begin has moved on to its end, which is the next one's begin.
    for row in range(n_rows, 0, -1):
        begins[row] = begins[row - 1]
    begins[0] = 0


@compiled
def weighted_sums(spikes: Any, weights: Any, out: Any, begin: Any, end: Any) -> None:
    """Set rows `begin` to `end` of ``out = spikes @ weights``.

    Parameters
    ----------
    spikes : Spikes
    weights : float32 array (sources, targets)
    out : float32 array (rows, targets)
    begin, end : int
    """
    n = weights.shape[1]
    for row in range(begin, end):
        sums = out[row]
        sums[:] = 0
        last = spikes.begins[row + 1]
        k = spikes.begins[row]
        while k + 2 <= last:
            first, second = weights[spikes.sources[k]], weights[spikes.sources[k + 1]]
            times, again = spikes.values[k], spikes.values[k + 1]
            for j in range(n):
                sums[j] = (sums[j] + times * first[j]) + again * second[j]
            k += 2
        if k < last:
            only, times = weights[spikes.sources[k]], spikes.values[k]
            for j in range(n):
                sums[j] = sums[j] + times * only[j]


@compiled
def outer_products(spikes: Any, grad: Any, out: Any, begin: Any, end: Any) -> None:
    """Set columns `begin` to `end` of ``out = spikes.T @ grad``, summed from the first row on.

    Parameters
    ----------
    spikes : Spikes
    grad : float32 array (rows, targets)
    out : float32 array (sources, targets)
    begin, end : int
    """
    for source in range(out.shape[0]):
        out[source, begin:end] = 0
    for row in range(grad.shape[0]):
        given = grad[row, begin:end]
        for k in range(spikes.begins[row], spikes.begins[row + 1]):
            sums, times = out[spikes.sources[k], begin:end], spikes.values[k]
            for j in range(given.shape[0]):
                sums[j] = sums[j] + float32(times * given[j])


@compiled
def convolution_sums(
    spikes: Any, ways: Any, weights: Any, n_channels: Any, out: Any, begin: Any, end: Any
) -> None:
    """Set rows `begin` to `end` of the sums of a convolution.

    Parameters
    ----------
    spikes : Spikes
        Sources are numbered by position and then by channel.
    ways : Ways
    weights : float32 array (elements x channels, targets)
    n_channels : int
    out : float32 array (rows, positions, targets)
    begin, end : int
    """
    for row in range(begin, end):
        out[row] = 0
        for k in range(spikes.begins[row], spikes.begins[row + 1]):
            position, channel = spikes.sources[k] // n_channels, spikes.sources[k] % n_channels
            times = spikes.values[k]
            for way in range(ways.begins[position], ways.begins[position + 1]):
                given = weights[ways.elements[way] * n_channels + channel]
                sums = out[row, ways.targets[way]]
                for j in range(given.shape[0]):
                    sums[j] = sums[j] + float32(times * given[j])


@compiled
def convolution_products(
    spikes: Any, ways: Any, grad: Any, n_channels: Any, out: Any, begin: Any, end: Any
) -> None:
    """Set targets `begin` to `end` of the gradient of a convolution's weights.

    Parameters
    ----------
    spikes, ways, n_channels
        As `convolution_sums` has them.
    grad : float32 array (rows, positions, targets)
    out : float32 array (elements x channels, targets)
    begin, end : int
    """
    for element in range(out.shape[0]):
        out[element, begin:end] = 0
    for row in range(grad.shape[0]):
        for k in range(spikes.begins[row], spikes.begins[row + 1]):
            position, channel = spikes.sources[k] // n_channels, spikes.sources[k] % n_channels
            times = spikes.values[k]
            for way in range(ways.begins[position], ways.begins[position + 1]):
                given = grad[row, ways.targets[way], begin:end]
                sums = out[ways.elements[way] * n_channels + channel, begin:end]
                for j in range(given.shape[0]):
                    sums[j] = sums[j] + float32(times * given[j])
