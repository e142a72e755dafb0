"""Samples in a row through a graph that nobody resets."""

import importlib.util

import numpy as np
import pytest

from kipuka.deploy.lava.run import stream_lava
from kipuka.deploy.lowered.interpreter import stream_lowered
from kipuka.deploy.lowered.streaming import plan_stream
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka_cases import program, random_cuba, random_delays, random_gru, random_spikes


def small_network(rng):
    gru = random_gru(rng, 3, 4, delays_own=[0, 1, 3, 2], threshold=20)
    return program(3, gru, random_cuba(rng, 4, 2, delays=[0, 2, 1, 0], bias=3))


@pytest.mark.slow
@pytest.mark.parametrize("n_steps", [1, 7, 30])
def test_a_stream_gives_the_reference_sample_by_sample(rng, n_steps):
    layers = [
        random_gru(rng, 4, 5, delays_own=random_delays(rng, 5, 20), scale=200, threshold=9),
        random_gru(rng, 5, 5, random_delays(rng, 5, 9), random_delays(rng, 5, 3), bias_i=200),
        random_cuba(rng, 5, 3, delays=[0, 4, 1, 0, 0], bias=-2),
    ]
    network = program(4, *layers)
    inputs = random_spikes(rng, 4, 4, n_steps, 0.6)
    stream = plan_stream(network, n_steps)
    assert stream.interval >= stream.needed
    assert stream.interval & (stream.interval - 1) == 0
    found = stream_lowered(stream.graph, inputs, stream.interval)
    expected = simulate_reference(network, inputs).trace
    assert verify(network, {"reference": expected, "stream": found}).mismatches == ()


def test_leaky_networks_stream_with_resets(rng):
    first = random_cuba(rng, 4, 6, voltage_decay=40)
    network = program(4, first, random_cuba(rng, 6, 3, voltage_decay=9))
    stream = plan_stream(network, 20)
    resets = [n.parameters["reset_interval"] for n in stream.graph.nodes if n.kind == "LIFReset"]
    assert resets == [stream.interval] * 2
    inputs = random_spikes(rng, 4, 4, 20, 0.6)
    found = stream_lowered(stream.graph, inputs, stream.interval)
    expected = simulate_reference(network, inputs).trace
    assert verify(network, {"reference": expected, "stream": found}).mismatches == ()


def test_a_pause_that_is_too_short_shows(rng):
    gru = random_gru(rng, 4, 5, delays_own=[0, 9, 8, 7, 9], scale=200, threshold=9)
    network = program(4, gru, random_cuba(rng, 5, 3, delays=9))
    inputs = random_spikes(rng, 6, 4, 8, 0.8)
    short = plan_stream(network, 8, interval=64)
    assert short.interval < short.needed
    found = stream_lowered(short.graph, inputs, 64)
    expected = simulate_reference(network, inputs).trace
    assert not verify(network, {"reference": expected, "stream": found}).agree


@pytest.mark.lava
@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_lava_streams_a_data_set_through_the_resident_graph(rng):
    network = small_network(rng)
    inputs = random_spikes(rng, 3, 3, 4, 0.6)
    seen = []
    found = stream_lava(network, inputs, lambda *done: seen.append(done))
    last = simulate_reference(network, inputs).trace.layers[-1]
    np.testing.assert_array_equal(found, last.spikes)
    assert seen[-1][0] == seen[-1][1]
