"""Products of rows with a matrix, in registers, each sum from the first term to the last.

A loop over arrays loads and stores its sums for every term or two. Here `ROWS` rows times `LANES`
columns of the matrix stay in registers for all terms, with the same roundings in the same order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from kipuka.compiling import inlined
from kipuka.vectors import everywhere

LANES = 16
"""Columns of a matrix that are taken at a time: two vectors of AVX2, one of AVX-512."""

ROWS = 4
"""Rows that share a row of the matrix while it is in registers."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)

WHOLE_ROWS = np.zeros((1, 2), np.int64)
"""Pieces of rows whose terms all follow each other."""


def in_columns(matrix: np.ndarray) -> np.ndarray:
    """Matrix (terms, sums) as float32 (columns, terms, `LANES`), filled up with zeros."""
    n_terms, n_sums = matrix.shape
    n_columns = -(-n_sums // LANES)
    wide = np.zeros((n_terms, n_columns * LANES), np.float32)
    wide[:, :n_sums] = matrix
    return np.ascontiguousarray(wide.reshape(n_terms, n_columns, LANES).swapaxes(0, 1))


@inlined
def multiply(
    given: Any, source: Any, pieces: Any, length: Any, columns: Any, out: Any, target: Any,
    n_rows: Any, given_apart: Any, out_apart: Any,
) -> None:  # fmt: skip
    """Set rows of sums to the products of rows with a matrix.

    Parameters
    ----------
    given, out : float32 arrays
        The first row begins at `source`, its sums go to `target`, counted from the first number.
    pieces : int64 array (pieces, 2)
        Where each piece of a row begins behind `source`, and the matrix's row for its first term.
    length : int
        Terms of a piece.
    columns : float32 array (columns, terms, LANES)
        The matrix, `in_columns`.
    n_rows, given_apart, out_apart : int
        How many rows, and how far they and their sums are apart.
    """
    for column in range(columns.shape[0]):
        matrix, to = columns[column], target + column * LANES
        row = 0
        while row + ROWS <= n_rows:
            here, there = source + row * given_apart, to + row * out_apart
            _sums(ROWS, given, here, given_apart, pieces, length, matrix, out, there, out_apart)
            row += ROWS
        while row < n_rows:
            here, there = source + row * given_apart, to + row * out_apart
            _sums(1, given, here, given_apart, pieces, length, matrix, out, there, out_apart)
            row += 1


@intrinsic(prefer_literal=True)
def _sums(
    typing_context: Any, n_rows: Any, given: Any, source: Any, given_apart: Any, pieces: Any,
    length: Any, matrix: Any, out: Any, target: Any, out_apart: Any,
) -> Any:  # fmt: skip
    """Sums of `n_rows` rows in one column of a matrix; see `multiply`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = {
            k: context.make_array(signature.args[k])(context, builder, arguments[k])
            for k in (1, 4, 6, 7)
        }
        _, _, source, given_apart, _, length, _, _, target, out_apart = arguments
        word, count = source.type, signature.args[0].literal_value
        nothing = ir.Constant(_VECTOR, None)
        sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(count)]
        for total in sums:
            builder.store(nothing, total)
        n_pieces = builder.extract_value(arrays[4].shape, 0)
        with cgutils.for_range(builder, n_pieces) as piece:
            entry = builder.mul(piece.index, word(2))
            behind, first = (
                builder.load(builder.gep(arrays[4].data, [builder.add(entry, word(k))]))
                for k in (0, 1)
            )
            begin = builder.add(source, behind)
            begins = [builder.add(begin, builder.mul(given_apart, word(k))) for k in range(count)]
            with cgutils.for_range(builder, length) as term:
                place = builder.mul(builder.add(first, term.index), word(LANES))
                factors = _load(builder, arrays[6].data, place)
                for total, begin in zip(sums, begins, strict=True):
                    here = builder.gep(arrays[1].data, [builder.add(begin, term.index)])
                    product = builder.fmul(
                        factors, everywhere(builder, builder.load(here), _VECTOR)
                    )
                    builder.store(builder.fadd(builder.load(total), product), total)
        for k, total in enumerate(sums):
            place = builder.add(target, builder.mul(out_apart, word(k)))
            there = builder.bitcast(builder.gep(arrays[7].data, [place]), _VECTOR.as_pointer())
            builder.store(builder.load(total), there, align=4)
        return context.get_dummy_value()

    number = types.intp
    read = (n_rows, given, number, number, pieces, number, matrix)
    return types.void(*read, out, number, number), build


def _load(builder: Any, data: Any, place: Any) -> Any:
    """Vector that begins at a place of an array."""
    here = builder.bitcast(builder.gep(data, [place]), _VECTOR.as_pointer())
    return builder.load(here, align=4)
