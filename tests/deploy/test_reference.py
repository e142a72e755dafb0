import numpy as np
import pytest

from kipuka.convert.program import PREVIOUS, RECURRENT
from kipuka.deploy.reference import simulate_reference
from kipuka_cases import (
    cuba,
    dense,
    gru,
    program,
    pulses,
    random_cuba,
    random_delays,
    random_gru,
    random_spikes,
)


@pytest.fixture
def network(rng):
    n = 12
    return program(
        6,
        random_gru(rng, 6, n, delays_own=random_delays(rng, n, 9)),
        random_cuba(rng, n, 4, delays=random_delays(rng, n, 15), recurrent=True),
    )


def test_synaptic_operations_equal_an_independent_count(network, rng):
    inputs = random_spikes(rng, 3, 6, 40)
    run = simulate_reference(network, inputs)
    emitted = [inputs, *(layer.spikes for layer in run.trace.layers)]
    for number, (layer, counters) in enumerate(
        zip(network.layers, run.counters.layers, strict=True)
    ):
        expected = np.zeros((3, 40), dtype=int)
        for projection in layer.projections:
            own = projection.source == RECURRENT
            spikes = emitted[number + 1] if own else emitted[number]
            lag = 0 if number == 0 and not own else 1
            for sample, source, step in np.argwhere(spikes):
                arrival = step + lag + projection.delays[source]
                if arrival < 40:
                    column = projection.synapses.weights[:, source]
                    expected[sample, arrival] += np.count_nonzero(column)
        np.testing.assert_array_equal(counters.synaptic_operations, expected)
        np.testing.assert_array_equal(counters.spikes, emitted[number + 1].sum(axis=1))
        np.testing.assert_array_equal(
            counters.spikes_per_neuron, emitted[number + 1].sum(axis=(0, 2))
        )


def test_samples_do_not_influence_each_other(network, rng):
    inputs = random_spikes(rng, 4, 6, 30)
    together = simulate_reference(network, inputs).trace
    for sample in range(4):
        alone = simulate_reference(network, inputs[sample : sample + 1]).trace
        assert alone.digest(0) == together.digest(sample)


def test_zero_weights_are_not_counted():
    layer = cuba(2, dense([[2], [0]]))
    run = simulate_reference(program(1, layer), pulses(1, 3, (0, 1)))
    assert run.counters.layers[0].synaptic_operations.tolist() == [[0, 1, 0]]


def test_weight_exponent_shifts_the_sum():
    projection = dense([[2, 4]])
    scaled = projection.__class__(
        projection.synapses, PREVIOUS, "a", projection.delays, weight_exponent=3
    )
    run = simulate_reference(program(2, cuba(1, scaled)), pulses(2, 1, (0, 0), (1, 0)))
    assert run.trace.layers[0].states["u"][0, 0, 0] == (6 << 3) << 6


def test_a_missing_gate_projection_leaves_the_gate_at_its_bias():
    layer = gru(1, dense([[64]], target="i"), bias_r=64, bias_z=-128)
    run = simulate_reference(program(1, layer), pulses(1, 2, (0, 0)))
    # r = 2048 + 16 * 64 = 3072: three quarters of 64 << 6 remain.
    assert run.trace.layers[0].states["i"][0, 0].tolist() == [4096, 3072]
