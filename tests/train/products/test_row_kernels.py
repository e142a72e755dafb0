"""Products of rows with a matrix are sums of rounded products, from the first to the last."""

import numpy as np
import pytest
from numba import njit

from kipuka.train.products.row_kernels import LANES, ROWS, WHOLE_ROWS, in_columns, multiply


@njit
def multiplied(rows, pieces, length, columns, out, begin, n_rows):
    width, apart = out.shape[1], rows.shape[1]
    multiply(rows, begin * apart, pieces, length, columns, out, begin * width, n_rows, apart, width)


def first_to_last(rows, matrix):
    total = np.zeros((len(rows), matrix.shape[1]), np.float32)
    for terms, factors in zip(rows.T, matrix, strict=True):
        total = total + terms[:, None] * factors
    return total


def drawn(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


@pytest.mark.parametrize("n_sums", [1, LANES - 1, LANES, 2 * LANES + 3])
@pytest.mark.parametrize("n_rows", [1, ROWS, 2 * ROWS + 3])
def test_equals_the_sum_in_order_bit_for_bit(n_sums, n_rows):
    rows, matrix = drawn(n_rows, 33), drawn(33, n_sums)
    columns = in_columns(matrix)
    out = np.zeros((n_rows, len(columns) * LANES), np.float32)
    multiplied(rows, WHOLE_ROWS, 33, columns, out, 0, n_rows)
    assert np.array_equal(out[:, :n_sums], first_to_last(rows, matrix))
    assert not out[:, n_sums:].any()


def test_pieces_of_rows_meet_their_rows_of_the_matrix():
    rows, matrix = drawn(5, 40), drawn(30, 7)
    out = np.zeros((5, LANES), np.float32)
    pieces = np.array([[20, 10], [0, 20], [30, 0]])
    multiplied(rows, pieces, 10, in_columns(matrix), out, 0, 5)
    terms = np.concatenate([rows[:, 20:30], rows[:, :10], rows[:, 30:]], axis=1)
    factors = np.concatenate([matrix[10:20], matrix[20:], matrix[:10]])
    assert np.array_equal(out[:, :7], first_to_last(terms, factors))


def test_leaves_other_rows_alone():
    rows, matrix = np.ones((6, 4), np.float32), np.ones((4, 5), np.float32)
    out = np.zeros((6, LANES), np.float32)
    multiplied(rows, WHOLE_ROWS, 4, in_columns(matrix), out, 1, 4)
    assert (out[:, 0] == [0, 4, 4, 4, 4, 0]).all()
