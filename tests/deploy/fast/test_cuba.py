"""The update of CUBA neurons in vectors, from states that few networks come to."""

from typing import NamedTuple

import numpy as np
import pytest
from numba import njit

from kipuka.convert import fixed
from kipuka.convert.neurons.cuba import CubaParameters, CubaState, cuba_step
from kipuka.deploy.fast.kernels.constants import (
    BLOCKS_AT_HAND,
    CUBA_ROWS,
    FAR,
    LANES,
    SHARED_ROWS,
)
from kipuka.deploy.fast.kernels.cuba import update_cuba
from kipuka.deploy.fast.neuron_layout import float_bits
from kipuka.deploy.fast.simulator import simulate
from kipuka.vectors import TOWARD_ZERO, set_rounding
from kipuka_cases import program, random_cuba, random_spikes

LIMIT, UNITY, SHIFT = fixed.CUBA_STATE_LIMIT, fixed.UNITY, fixed.STATE_SHIFT
BLOCKS = BLOCKS_AT_HAND + 2
N = BLOCKS * LANES
ENDS = np.array([0, 1, 4095, 4096, 4097, LIMIT // 2, LIMIT - 4097, LIMIT - 2, LIMIT - 1])
FACTORS = np.array([0, 1, 2, 2047, 2048, 2049, 4094, 4095, 4096])


class Network(NamedTuple):
    order: np.ndarray
    biases: np.ndarray


class Work(NamedTuple):
    states: np.ndarray
    sums: np.ndarray
    peaks: np.ndarray
    masks: np.ndarray
    saturations: np.ndarray
    wraps: np.ndarray


class Row(NamedTuple):
    rows: int
    current_factor: int = 0
    voltage_factor: int = 0
    threshold: int = 0
    bias_period: int = BLOCKS_AT_HAND
    blocks: int = BLOCKS
    shift: int = SHIFT
    first_state: int = 0
    first_sum: int = 0
    first_bias: int = 0
    first_peak: int = 0
    first_unit: int = 0


@njit(error_model="numpy")
def updated(network, work, row, shared):
    """Update as the kernel `advance` does."""
    before = set_rounding(TOWARD_ZERO)
    found = update_cuba(network, work, row, row.first_sum, shared)
    set_rounding(before)
    return found


def drawn(rng, ends, n=N):
    """Numbers of either sign, half of them among `ends`."""
    sizes = np.where(rng.random(n) < 0.5, rng.choice(ends, n), rng.integers(0, LIMIT, n))
    return np.where(rng.random(n) < 0.5, sizes, -sizes)


def drawn_parameters(rng, factors, n):
    current, voltage = (UNITY - rng.choice(factors, n) for factors in factors)
    bias = rng.integers(fixed.CUBA_BIAS_MIN, fixed.CUBA_BIAS_MAX + 1, n)
    bias *= rng.random(n) < 0.5
    threshold = rng.choice([1, 100, 2**16, fixed.THRESHOLD_MAX, fixed.NEVER_SPIKES], n)
    return CubaParameters(current, voltage, threshold, bias)


def drawn_input(rng, parameters, state, shift):
    """Input in units of ``2**shift`` states, that brings many neurons to where something happens.

    These places are the limits of the current, those of the membrane, and the threshold.
    """
    still, _, _ = cuba_step(parameters, state, 0)
    aims = np.array([LIMIT, -LIMIT, 0])
    near = rng.choice(aims, N) + rng.integers(-2, 3, N)
    at_threshold = (parameters.threshold << SHIFT) + rng.integers(-1, 2, N)
    kinds = rng.integers(0, 6, N)
    wanted = [near - still.u, near - still.v, at_threshold - still.v, drawn(rng, ENDS)]
    a = np.select([kinds == k for k in range(4)], wanted, 0) >> shift
    far = np.array([-FAR << SHIFT, FAR << SHIFT]) >> shift
    return np.where(rng.random(N) < 0.05, rng.choice(far, N), a)


def check(rng, parameters, shared, shift):
    """One step of N neurons, from drawn states, against `cuba_step`."""
    u, v = drawn(rng, ENDS), drawn(rng, ENDS)
    u[rng.random(N) < 0.1] = LIMIT
    state = CubaState(u, v)
    a = drawn_input(rng, parameters, state, shift)
    expected, spikes, overflow = cuba_step(parameters, state, 0, fraction=a << shift)
    rows = [u, v]
    bias, threshold = parameters.bias << SHIFT, parameters.threshold << SHIFT
    factors = [
        float_bits(UNITY - decay) for decay in (parameters.current_decay, parameters.voltage_decay)
    ]
    row = Row(SHARED_ROWS, *(int(f[0]) for f in factors), int(threshold[0]), shift=shift)
    if not shared:
        rows += [bias, *factors, threshold]
        row = Row(CUBA_ROWS, shift=shift)
    blocks = np.stack([values.reshape(BLOCKS, LANES) for values in rows], axis=1)
    biases = bias.reshape(BLOCKS, LANES)
    biases = np.vstack([biases[:BLOCKS_AT_HAND], biases[:BLOCKS_AT_HAND], biases[BLOCKS_AT_HAND:]])
    order = rng.permutation(N)
    network = Network(order.astype(np.int32), biases.astype(np.int32).ravel())
    counts = np.zeros((2, N), np.int64)
    work = Work(
        blocks.astype(np.int32).ravel(), a.astype(np.int32), np.zeros(2 * LANES, np.int32),
        np.zeros(BLOCKS, np.int32), *counts,
    )  # fmt: skip
    found = updated(network, work, row, shared)
    after = work.states.reshape(blocks.shape)
    assert np.array_equal(after[:, 0].ravel(), expected.u)
    assert np.array_equal(after[:, 1].ravel(), expected.v)
    assert np.array_equal(after[:, 2:], blocks[:, 2:])
    bits = work.masks[:, None] >> np.arange(LANES) & 1
    assert np.array_equal(bits.ravel(), spikes)
    assert np.array_equal(work.saturations[order], overflow.saturated)
    assert np.array_equal(work.wraps[order], overflow.wrapped)
    assert found or not counts.any()
    peaks = work.peaks.reshape(2, LANES).max(1)
    assert np.array_equal(peaks, [np.abs(expected.u).max(), np.abs(expected.v).max()])
    assert not work.sums.any()


@pytest.mark.parametrize("shift", [0, SHIFT, SHIFT + 1])
def test_neurons_with_parameters_of_their_own_equal_the_reference_from_any_state(rng, shift):
    for _ in range(100):
        factors = np.where(rng.random((2, N)) < 0.5, FACTORS[0], rng.integers(0, UNITY + 1, (2, N)))
        factors = [np.append(FACTORS, factor) for factor in factors]
        check(rng, drawn_parameters(rng, factors, N), False, shift)


@pytest.mark.parametrize("voltage", FACTORS)
@pytest.mark.parametrize("current", FACTORS)
def test_neurons_with_common_parameters_equal_the_reference_from_any_state(rng, current, voltage):
    one = drawn_parameters(rng, ([current], [voltage]), 1)
    bias = drawn_parameters(rng, (FACTORS, FACTORS), N).bias
    common = CubaParameters(*(np.full(N, value[0]) for value in one[:3]), bias)
    for shift in (0, SHIFT, SHIFT + 1):
        check(rng, common, True, shift)


def test_every_factor_leaves_of_every_kind_of_state_what_the_reference_leaves(rng):
    for first in range(0, UNITY + 1, N):
        factor = np.minimum(np.arange(first, first + N), UNITY)
        for _ in range(20):
            decays = UNITY - factor, UNITY - rng.permutation(factor)
            nothing = np.zeros(N, np.int64)
            check(rng, CubaParameters(*decays, nothing + fixed.NEVER_SPIKES, nothing), False, 0)


def test_a_simulation_leaves_the_rounding_of_floats_as_it_was(rng):
    third = np.float32(1) / np.float32(3)
    simulate(program(5, random_cuba(rng, 5, 3)), random_spikes(rng, 1, 5, 5), threads=1)
    assert np.float32(1) / np.float32(3) == third
    assert third * np.float32(3) == 1
