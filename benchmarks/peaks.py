"""What this machine can do at best: bare loops that add weights and update neurons.

Both read what a simulation must read and compute what it must compute, but schedule, count and
collect nothing.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numba import int16, njit, uintp

from kipuka.convert.neurons import CUBA, DELTA, SIGMA, SIGMA_DELTA, SPIKING_GRU
from kipuka.deploy.fast.kernels import cuba, graded, neurons
from kipuka.deploy.fast.kernels.constants import BLOCKS_AT_HAND, LANES, SHARED_ROWS
from kipuka.deploy.fast.kernels.layout import STATES
from kipuka.deploy.fast.neuron_layout import float_bits
from kipuka.vectors import TOWARD_ZERO, set_rounding

N = 1024
REPEATS = 15


@njit(error_model="numpy")
def _add_rows(weights: Any, rows: Any, sums: Any) -> None:
    """Add rows of 8-bit weights, eight at a time, into 16-bit sums."""
    for index in range(0, rows.size, 8):
        a, b, c, d, e, f, g, h = (
            uintp(rows[index] * N),
            uintp(rows[index + 1] * N),
            uintp(rows[index + 2] * N),
            uintp(rows[index + 3] * N),
            uintp(rows[index + 4] * N),
            uintp(rows[index + 5] * N),
            uintp(rows[index + 6] * N),
            uintp(rows[index + 7] * N),
        )
        for neuron in range(N):
            k = uintp(neuron)
            ab = int16(int16(weights[a + k]) + int16(weights[b + k]))
            cd = int16(int16(weights[c + k]) + int16(weights[d + k]))
            ef = int16(int16(weights[e + k]) + int16(weights[f + k]))
            gh = int16(int16(weights[g + k]) + int16(weights[h + k]))
            sums[k] = int16(sums[k] + int16(int16(ab + cd) + int16(ef + gh)))


@njit(error_model="numpy")
def _update_cuba(
    states: Any, sums: Any, biases: Any, peaks: Any, masks: Any, exact: Any,
    current_factor: Any, voltage_factor: Any, n_steps: Any,
) -> None:  # fmt: skip
    rounding = set_rounding(TOWARD_ZERO)
    for _ in range(n_steps):
        for block in range(0, N // LANES, BLOCKS_AT_HAND):
            cuba.cuba_shared(
                states, block * SHARED_ROWS * LANES, sums, block * LANES, peaks, 0, masks, block,
                exact, BLOCKS_AT_HAND, 7, biases, block * LANES,
                current_factor, voltage_factor, 6_400_000,
            )  # fmt: skip
    set_rounding(rounding)


@njit(error_model="numpy")
def _update_gru(states: Any, sums: Any, peaks: Any, n_steps: Any) -> None:
    for _ in range(n_steps):
        neurons.spiking_gru(states, 0, N // LANES, sums, 0, 1, peaks, 0)


@njit(error_model="numpy")
def _update_sigma_delta(states: Any, sums: Any, peaks: Any, n_steps: Any) -> None:
    for _ in range(n_steps):
        graded.sigma_delta(states, 0, N // LANES, sums, 0, 1, peaks, 0)


@njit(error_model="numpy")
def _update_delta(states: Any, sums: Any, peaks: Any, n_steps: Any) -> None:
    for _ in range(n_steps):
        graded.delta(states, 0, N // LANES, sums, 0, peaks, 0)


@njit(error_model="numpy")
def _update_sigma(states: Any, sums: Any, peaks: Any, n_steps: Any) -> None:
    for _ in range(n_steps):
        graded.sigma(states, 0, N // LANES, sums, 0, 1, peaks, 0)


def synaptic_operations_per_s() -> float:
    """Additions of 8-bit weights per second and core, of random rows of a 1024 x 1024 matrix."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-128, 128, N * N).astype(np.int8)
    rows = rng.integers(0, N, 8 * 2000)
    sums = np.zeros(N, np.int16)
    return rows.size * N / _fastest(lambda: _add_rows(weights, rows, sums))


def updates_per_s() -> dict[str, float]:
    """Neuron updates per second and core, of 1024 neurons, by model."""
    n_steps = 4000
    shared, exact = np.zeros(SHARED_ROWS * N, np.int32), np.zeros(2 * N, np.int32)
    biases, masks = np.zeros(N, np.int32), np.zeros(N // LANES, np.int32)
    factors = float_bits(np.array([3072, 3584]))
    own = np.zeros(neurons.OWN_ROWS * N, np.int32)
    sums, peaks = np.zeros(3 * N, np.int32), np.zeros(STATES * LANES, np.int32)
    return {
        CUBA: n_steps
        * N
        / _fastest(
            lambda: _update_cuba(shared, sums, biases, peaks, masks, exact, *factors, n_steps)
        ),
        DELTA: n_steps * N / _fastest(lambda: _update_delta(own, sums, peaks, n_steps)),
        SIGMA: n_steps * N / _fastest(lambda: _update_sigma(own, sums, peaks, n_steps)),
        SIGMA_DELTA: n_steps * N / _fastest(lambda: _update_sigma_delta(own, sums, peaks, n_steps)),
        SPIKING_GRU: n_steps * N / _fastest(lambda: _update_gru(own, sums, peaks, n_steps)),
    }


def _fastest(call: Any) -> float:
    call()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
