"""Products of rows with a matrix are sums of rounded products, from the first to the last."""

import numpy as np
import pytest
from numba import njit

from kipuka.train.products.row_kernels import LANES, ROWS, in_columns, multiply


@njit
def multiplied(rows, columns, out, begin, end):
    for step in range(len(rows)):
        multiply(rows, columns, out, step, begin, end)


def first_to_last(rows, matrix):
    total = np.zeros((*rows.shape[:2], matrix.shape[1]), np.float32)
    for k, factors in enumerate(matrix):
        total = total + rows[:, :, k, None] * factors
    return total


@pytest.mark.parametrize("n_sums", [1, LANES - 1, LANES, 2 * LANES + 3])
@pytest.mark.parametrize("n_rows", [1, ROWS, 2 * ROWS + 3])
def test_equals_the_sum_in_order_bit_for_bit(n_sums, n_rows):
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((2, n_rows, 33), np.float32)
    matrix = generator.standard_normal((33, n_sums), np.float32)
    columns = in_columns(matrix)
    out = np.zeros((2, n_rows, len(columns) * LANES), np.float32)
    multiplied(rows, columns, out, 0, n_rows)
    assert np.array_equal(out[..., :n_sums], first_to_last(rows, matrix))
    assert not out[..., n_sums:].any()


def test_leaves_other_rows_alone():
    rows, matrix = np.ones((1, 6, 4), np.float32), np.ones((4, 5), np.float32)
    out = np.zeros((1, 6, LANES), np.float32)
    multiplied(rows, in_columns(matrix), out, 1, 5)
    assert (out[0, :, 0] == [0, 4, 4, 4, 4, 0]).all()
