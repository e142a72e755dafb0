"""Graded messages of currents: what they are, and how both simulators count them."""

import numpy as np
import pytest

from kipuka.convert.program import RECURRENT, Reset
from kipuka.deploy.fast.simulator import COUNTERS, simulate, simulate_each
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka_cases import (
    dense,
    even,
    gru,
    program,
    pulses,
    random_conv_gru,
    random_cuba,
    random_delays,
    random_gru,
    random_spikes,
)

COUNTS = (
    "spikes",
    "spikes_per_neuron",
    "synaptic_operations",
    "multiplications",
    "arrivals_per_neuron",
    "updates",
    "saturations",
    "wraps",
)


def dense_current(rng):
    delays = random_delays(rng, 40, 9)
    first = random_gru(rng, 6, 40, delays_own=delays, current=True, scale=40)
    return program(6, first, random_cuba(rng, 40, 3))


def conv_current(rng):
    shape = (2, 6, 7)
    settings = {"padding": (1, 1), "stride": (1, 2), "delays_own": random_delays(rng, 5, 9)}
    first = random_conv_gru(rng, shape, 5, current=True, **settings)
    return program(shape, first, random_cuba(rng, first.n_neurons, 3))


def dense_input_and_convolving_core(rng):
    core = random_conv_gru(rng, (1, 4, 4), 3, padding=(1, 1), current=True)
    own = [p for p in core.projections if p.source == RECURRENT]
    fed = [dense(even(rng, (48, 6)), target=t) for t in "irz"]
    return program(6, gru(48, *fed, *own, shape=core.shape), random_cuba(rng, 48, 3))


def with_resets(rng):
    first = random_gru(rng, 6, 5, current=True, scale=100)
    return program(6, first, random_cuba(rng, 5, 3), reset=Reset(5, 1))


NETWORKS = (dense_current, conv_current, dense_input_and_convolving_core, with_resets)


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_both_simulators_agree_on_every_count(build, rng):
    network = build(rng)
    inputs = random_spikes(rng, 3, network.n_inputs, 50, 0.3)
    expected, found = simulate_reference(network, inputs), simulate(network, inputs)
    assert verify(network, {"reference": expected.trace, "fast": found.trace}).mismatches == ()
    one_by_one = list(simulate_each(network, inputs, record=COUNTERS))
    for number, (right, mine) in enumerate(
        zip(expected.counters.layers, found.counters.layers, strict=True)
    ):
        for name in COUNTS:
            np.testing.assert_array_equal(getattr(mine, name), getattr(right, name), name)
        assert mine.peaks == right.peaks
        alone = [run.counters.layers[number] for run in one_by_one]
        np.testing.assert_array_equal(
            sum(layer.arrivals_per_neuron for layer in alone), right.arrivals_per_neuron
        )
        assert [int(layer.synaptic_operations.sum()) for layer in alone] == (
            right.synaptic_operations.sum(axis=1).tolist()
        )


@pytest.mark.parametrize("run", [simulate_reference, simulate])
def test_a_message_arrives_a_step_later_and_counts_unless_it_is_zero(run):
    # Neuron 0 gets 32 weight units and keeps them; its message 32 meets one weight that is not 0.
    weights = [[0, 2], [-256, 0]]
    layer = gru(
        2,
        dense([[32], [0]], target="i"),
        dense(weights, RECURRENT, "z", message="current"),
        threshold=2047,
        bias_r=np.array([128, 128]),
    )
    counted = run(program(1, layer), pulses(1, 4, (0, 0)))
    states = counted.trace.layers[0].states
    assert states["i"][0].tolist() == [[2048] * 4, [0] * 4]
    # The input's own operation, then one of the message in each step behind.
    assert counted.counters.layers[0].synaptic_operations.tolist() == [[1, 1, 1, 1]]
    assert counted.counters.layers[0].arrivals_per_neuron.tolist() == [1, 3]
    assert counted.counters.layers[0].spikes.sum() == 0


@pytest.mark.parametrize("run", [simulate_reference, simulate])
def test_the_membrane_by_hand(run):
    # a_z = ((48 * (i >> 6)) >> 6) of the step before, in both signs, with floors: -30 gives -23.
    for sign, a_z in ((1, 22), (-1, -23)):
        layer = gru(
            1,
            dense([[30 * sign]], target="i"),
            dense([[48]], RECURRENT, "z", message="current"),
            threshold=2047,
            bias_r=128,
        )
        states = run(program(1, layer), pulses(1, 2, (0, 0))).trace.layers[0].states
        i = 30 * sign * 64
        first = i + ((0 - i) * 2048 >> 12)
        second = i + ((first - i) * (2048 + 16 * a_z) >> 12)
        assert states["v"][0, 0].tolist() == [first, second]


@pytest.mark.parametrize("run", [simulate_reference, simulate])
def test_a_message_on_its_way_outlives_a_reset(run):
    layer = gru(
        1,
        dense([[64]], target="i"),
        dense([[128]], RECURRENT, "z", message="current"),
        threshold=2047,
        bias_r=-128,
    )
    inputs = pulses(1, 4, (0, 1), (0, 2))
    states = run(program(1, layer, reset=Reset(2)), inputs).trace.layers[0].states
    # Step 2 begins with a reset, but its update gate still sees the 64 of step 1: z = 4096.
    assert states["i"][0, 0].tolist() == [0, 4096, 4096, 0]
    assert states["v"][0, 0].tolist() == [0, 2048, 0, 0]
