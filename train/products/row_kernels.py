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

LANES = 16
"""Columns of a matrix that are taken at a time: two vectors of AVX2, one of AVX-512."""

ROWS = 4
"""Rows that share a row of the matrix while it is in registers."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)


def in_columns(matrix: np.ndarray) -> np.ndarray:
    """Matrix (terms, sums) as float32 (columns, terms, `LANES`), filled up with zeros."""
    n_terms, n_sums = matrix.shape
    n_columns = -(-n_sums // LANES)
    wide = np.zeros((n_terms, n_columns * LANES), np.float32)
    wide[:, :n_sums] = matrix
    return np.ascontiguousarray(wide.reshape(n_terms, n_columns, LANES).swapaxes(0, 1))


@inlined
def multiply(rows: Any, columns: Any, out: Any, step: Any, begin: Any, end: Any) -> None:
    """Set ``out[step, r] = rows[step, r] @ matrix`` for some rows.

    Parameters
    ----------
    rows : float32 array (steps, rows, terms)
    columns : float32 array (columns, terms, LANES)
        The matrix, `in_columns`.
    out : float32 array (steps, rows, columns x LANES)
    step, begin, end : int
    """
    n_rows, n_terms, width = rows.shape[1], rows.shape[2], out.shape[2]
    for column in range(columns.shape[0]):
        first_term = column * n_terms * LANES
        row = begin
        while row < end:
            source = (step * n_rows + row) * n_terms
            target = (step * n_rows + row) * width + column * LANES
            if row + ROWS <= end:
                _sums(ROWS, rows, source, n_terms, columns, first_term, out, target, width)
                row += ROWS
            else:
                _sums(1, rows, source, n_terms, columns, first_term, out, target, width)
                row += 1


@intrinsic(prefer_literal=True)
def _sums(
    typing_context: Any, n_rows: Any, rows: Any, source: Any, n_terms: Any, columns: Any,
    first_term: Any, out: Any, target: Any, width: Any,
) -> Any:  # fmt: skip
    """Products of `n_rows` neighbouring rows, which begin at `source`, with a column of a matrix.

    Row k's sums go to ``target + k * width``.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, source, n_terms, _, first_term, _, target, width = arguments
        given, matrix, results = (
            context.make_array(signature.args[k])(context, builder, arguments[k]).data
            for k in (1, 4, 6)
        )
        count = signature.args[0].literal_value
        nothing = ir.Constant(_VECTOR, None)
        sums = [cgutils.alloca_once_value(builder, nothing) for _ in range(count)]
        begins = [builder.add(source, builder.mul(n_terms, n_terms.type(k))) for k in range(count)]
        for total in sums:
            builder.store(nothing, total)
        with cgutils.for_range(builder, n_terms) as loop:
            offset = builder.add(first_term, builder.mul(loop.index, loop.index.type(LANES)))
            here = builder.bitcast(builder.gep(matrix, [offset]), _VECTOR.as_pointer())
            weights = builder.load(here, align=4)
            for total, begin in zip(sums, begins, strict=True):
                factor = builder.load(builder.gep(given, [builder.add(begin, loop.index)]))
                product = builder.fmul(weights, _everywhere(builder, factor))
                builder.store(builder.fadd(builder.load(total), product), total)
        for k, total in enumerate(sums):
            offset = builder.add(target, builder.mul(width, width.type(k)))
            there = builder.bitcast(builder.gep(results, [offset]), _VECTOR.as_pointer())
            builder.store(builder.load(total), there, align=4)
        return context.get_dummy_value()

    place = types.intp
    return types.void(n_rows, rows, place, place, columns, place, out, place, place), build


def _everywhere(builder: Any, value: Any) -> Any:
    """Vector with the same value in all lanes."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    single = builder.insert_element(undefined, value, cgutils.int32_t(0))
    return builder.shuffle_vector(
        single, undefined, ir.Constant(ir.VectorType(cgutils.int32_t, LANES), [0] * LANES)
    )
