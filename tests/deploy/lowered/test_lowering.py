"""Lowering in numpy: exact on random networks, shortest schedule, silence after the last step."""

import os
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kipuka.convert import fixed
from kipuka.convert.program import RECURRENT, Reset
from kipuka.deploy.lowered import lower, run_lowered
from kipuka.deploy.lowered.interpreter import stream_lowered
from kipuka.deploy.lowered.streaming import plan_stream
from kipuka.deploy.lowered.wiring import constants, multiples, planes
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka.errors import KipukaError
from kipuka_cases import (
    calm_gru,
    calm_mgu,
    cuba,
    dense,
    even,
    gru,
    program,
    random_cuba,
    random_delays,
    random_gru,
    random_inputs,
    random_mgu,
    random_spikes,
)
from kipuka_random import random_network

NETWORKS = int(os.environ.get("KIPUKA_RANDOM_NETWORKS", "25"))


def mismatches(network, inputs, graph, extra_steps=0):
    run = run_lowered(graph, inputs, extra_steps)
    traces = {"reference": simulate_reference(network, inputs).trace, "lowered": run.trace}
    return verify(network, traces).mismatches


@pytest.mark.slow
@settings(max_examples=NETWORKS, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 66))
def test_random_networks_give_the_reference_or_a_refusal(seed, steps):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    inputs = random_inputs(rng, network, 2, steps, 0.3)
    try:
        graph = lower(network, steps)
    except KipukaError as error:
        assert "leaky CUBA" in str(error) or "reset" in str(error) or "wrap" in str(error)
        return
    assert mismatches(network, inputs, graph) == ()


@pytest.mark.slow
@settings(max_examples=NETWORKS, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([4, 20, 90, 254]))
def test_random_stacks_of_grus_give_the_reference(seed, scale):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, rng.integers(2, 5))
    layers = [
        random_gru(
            rng,
            n_in,
            n,
            delays_in=rng.integers(0, 4, n_in),
            delays_own=rng.integers(rng.integers(0, 2), rng.integers(2, 40), n),
            scale=scale,
            threshold=rng.integers(1, fixed.GRU_THRESHOLD_MAX + 1, n),
            bias_i=rng.choice([-256, 0, 254], n),
        )
        for n_in, n in pairwise(sizes)
    ]
    readout = random_cuba(rng, sizes[-1], 2, bias=rng.integers(-9, 9, 2))
    network = program(int(sizes[0]), *layers, readout)
    inputs = random_spikes(rng, 2, int(sizes[0]), 32, 0.4)
    for steps in (None, 32):
        assert mismatches(network, inputs, lower(network, steps)) == ()


@pytest.mark.slow
@settings(max_examples=NETWORKS, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), least=st.integers(0, 6), steps=st.integers(1, 40))
def test_random_cells_that_cannot_saturate_give_the_reference_and_fall_silent(seed, least, steps):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, rng.integers(2, 4))
    layers = [
        calm_gru(
            rng,
            n_in,
            n,
            delays_own=least + rng.integers(0, rng.integers(1, 30), n),
            constant_reset=rng.random() < 0.3,
            threshold=rng.integers(1, 100, n) if rng.random() < 0.5 else rng.integers(1, 2048),
        )
        for n_in, n in pairwise(sizes)
    ]
    leaks = {"current_decay": 4096, "voltage_decay": int(rng.choice([0, 4096]))}
    if least >= 4:
        leaks = {"current_decay": int(rng.integers(1, 4097)), "voltage_decay": 77}
    network = program(int(sizes[0]), *layers, random_cuba(rng, sizes[-1], 2, **leaks))
    inputs = random_spikes(rng, 2, int(sizes[0]), steps, float(rng.choice([0.1, 0.4, 0.8])))
    graph = lower(network, steps)
    # A constant reset gate takes a hardware step less, and readouts as many as they have to.
    assert graph.period == 1 or least < 4
    run = run_lowered(graph, inputs, graph.closing_steps + 1)
    traces = {"reference": simulate_reference(network, inputs).trace, "lowered": run.trace}
    assert verify(network, traces).mismatches == ()
    np.testing.assert_array_equal(run.after_last_step[:-1], 0)
    stream = plan_stream(network, steps)
    streamed = stream_lowered(stream.graph, inputs, stream.interval)
    assert verify(network, {**traces, "lowered": streamed}).mismatches == ()


@pytest.mark.slow
@settings(max_examples=NETWORKS, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), calm=st.booleans(), steps=st.integers(1, 40))
def test_random_minimal_gated_units_give_the_reference_and_fall_silent(seed, calm, steps):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, rng.integers(2, 4))
    layers = []
    for n_in, n in pairwise(sizes):
        delays = rng.integers(0, rng.integers(1, 30), n)
        if calm:
            layers.append(calm_mgu(rng, n_in, n, delays, threshold=rng.integers(1, 100, n)))
            continue
        driven = {"bias_i": rng.choice([-256, 0, 254], n), "bias_f": rng.choice([-256, 0, 254], n)}
        scale, threshold = int(rng.choice([20, 90, 254])), rng.integers(1, 2048, n)
        layers.append(
            random_mgu(rng, n_in, n, delays_own=delays, scale=scale, threshold=threshold, **driven)
        )
    network = program(int(sizes[0]), *layers, random_cuba(rng, sizes[-1], 2))
    inputs = random_spikes(rng, 2, int(sizes[0]), steps, float(rng.choice([0.1, 0.4, 0.8])))
    graph = lower(network, steps)
    run = run_lowered(graph, inputs, graph.closing_steps + 1)
    traces = {"reference": simulate_reference(network, inputs).trace, "lowered": run.trace}
    assert verify(network, traces).mismatches == ()
    np.testing.assert_array_equal(run.after_last_step[:-1], 0)
    stream = plan_stream(network, steps)
    streamed = stream_lowered(stream.graph, inputs, stream.interval)
    assert verify(network, {**traces, "lowered": streamed}).mismatches == ()


def test_a_cell_has_as_many_neurons_as_its_gates_and_ranges_ask_for(rng):
    def sizes(layer, steps=None):
        graph = lower(program(4, layer), steps)
        return sum(node.size for node in graph.nodes if node.layer == 0) / layer.n_neurons

    delays, wide = np.full(5, 6), np.full(5, 254)
    assert sizes(random_gru(rng, 4, 5, delays_own=delays, scale=254)) == 19
    assert sizes(calm_gru(rng, 4, 5, delays, bias_z=wide)) == 18
    assert sizes(calm_gru(rng, 4, 5, delays, bias_z=wide), 40) == 12
    assert sizes(calm_gru(rng, 4, 5, delays, constant_reset=True, bias_z=wide), 40) == 9
    assert sizes(random_mgu(rng, 4, 5, delays_own=delays, scale=254)) == 15
    assert sizes(calm_mgu(rng, 4, 5, delays), 40) == 8


def test_where_no_step_idles_leaky_layers_stay_what_they_are(rng, check_error):
    gated = calm_gru(rng, 4, 5, np.full(5, 4))
    readout = random_cuba(rng, 5, 2, current_decay=900, voltage_decay=300, threshold=9)
    network = program(4, gated, readout)
    graph = lower(network, 40)
    assert graph.period == 1
    assert mismatches(network, random_spikes(rng, 3, 4, 40, 0.6), graph) == ()
    biased = random_cuba(rng, 5, 2, current_decay=900, bias=4)
    with pytest.raises(KipukaError) as caught:
        lower(program(4, gated, biased), 40)
    check_error(caught.value, what="leaky CUBA", where="layer 2", limit="or no bias")
    check_error(caught.value, remedy="train with current_decay=1, or no norm, in")
    assert "delay_rec" not in caught.value.remedy  # no step idles as it is
    other = random_cuba(rng, 5, 2, current_decay=4096, bias=4)
    assert lower(program(4, gated, other), 40).period == 1


@pytest.mark.slow
def test_the_period_is_the_shortest_that_the_delays_allow(rng):
    n = 4
    # A saturating state goes twice around its cell in a step, and one more on the way to spikes.
    for least, saturating, proven in ((0, 6, 5), (1, 3, 3), (2, 2, 2), (3, 2, 2), (4, 2, 1)):
        delays = np.array([least, 9, 9, 40])
        driven = random_gru(rng, 4, n, delays_own=delays, scale=254, bias_i=254, bias_r=254)
        assert lower(program(4, driven), 90).period == saturating
        calm = random_gru(rng, 4, n, delays_own=delays, scale=4, bias_r=-60)
        assert lower(program(4, calm), 90).period == proven
        # One gate in the place of two makes no way shorter, for the current waits for it.
        driven = random_mgu(rng, 4, n, delays_own=delays, scale=254, bias_i=254, bias_f=254)
        assert lower(program(4, driven), 90).period == saturating
        calm = random_mgu(rng, 4, n, delays_own=delays, scale=4, bias_f=-60)
        assert lower(program(4, calm), 90).period == proven
    assert lower(program(4, random_cuba(rng, 4, 3, recurrent=True))).period == 1


def test_messages_have_time_and_short_enough_ways(rng):
    network = program(
        4, random_gru(rng, 4, 5, delays_own=random_delays(rng, 5)), random_cuba(rng, 5, 2, 62)
    )
    graph = lower(network)
    for wire in graph.wires:
        assert np.all((wire.steps >= 0) & (wire.steps <= fixed.DELAY_MAX)), wire.name
        assert np.all((wire.weights % 2 == 0) & (wire.weights >= -256) & (wire.weights <= 254))
    stages = [node.name for node in graph.nodes if "relay" in node.name]
    assert len(stages) == 62 * graph.period // 63


def test_processes_grow_with_layers_and_not_with_neurons(rng):
    def processes(n, n_layers):
        sizes = [4, *[n] * n_layers]
        layers = [random_gru(rng, a, b) for a, b in pairwise(sizes)]
        graph = lower(program(4, *layers))
        return [graph.processes(position) for position in range(n_layers)]

    assert processes(3, 1) == processes(30, 1)
    assert processes(3, 3) == processes(12, 3)
    assert len(set(processes(3, 3))) == 1


@pytest.mark.slow
def test_a_gru_network_is_silent_and_empty_after_the_last_step(rng):
    longest = 9
    layers = [
        random_gru(rng, 4, 5, delays_own=random_delays(rng, 5, longest), scale=200, threshold=9),
        random_gru(rng, 5, 5, random_delays(rng, 5, longest), random_delays(rng, 5, 3), bias_i=200),
    ]
    network = program(4, *layers)
    graph = lower(network)
    inputs = random_spikes(rng, 3, 4, 30, 0.7)
    short, long = (run_lowered(graph, inputs, extra) for extra in (longest + 3, 3 * longest))
    assert short.trace.layers[0].spikes[..., -longest:].any()
    np.testing.assert_array_equal(short.after_last_step, [0, 0])
    for name, active in long.active.items():
        assert active.sum() == short.active[name].sum(), name


def test_an_integrating_readout_gives_no_spike_after_the_last_step(rng):
    network = program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3, delays=20, threshold=2))
    graph = lower(network)
    inputs = random_spikes(rng, 2, 4, 25, 0.7)
    run = run_lowered(graph, inputs, 40)
    assert run.after_last_step[1] > 0
    expected = simulate_reference(network, inputs).trace.layers[1].spikes
    np.testing.assert_array_equal(run.trace.layers[1].spikes, expected)


def test_a_leaky_layer_beside_a_gru_is_refused_by_name(rng, check_error):
    network = program(4, random_gru(rng, 4, 5), random_cuba(rng, 5, 2, voltage_decay=300))
    with pytest.raises(KipukaError) as caught:
        lower(network)
    check_error(caught.value, what="leaky CUBA", where="layer 2", value="vDecay 300")
    check_error(caught.value, remedy="current_decay=1 and voltage_decay=0 in the neuron_params")
    check_error(
        caught.value, remedy="delay_rec_min_steps=4) with kipuka.train.keep_in_range(block)"
    )
    check_error(caught.value, remedy="delays.recurrent_min_steps=4 --set proven_ranges=true")


def test_a_bias_that_could_wrap_beside_a_gru_is_refused_by_name(rng, check_error):
    last = cuba(1, dense(np.full((1, 600), 254)), bias=1)
    network = program(1, gru(600, dense(np.zeros((600, 1)), 1, "i")), last)
    with pytest.raises(KipukaError) as caught:
        lower(network)
    check_error(caught.value, what="wrap", where="layer 2, neuron 0", value="152401")


def test_resets_are_refused(rng, check_error):
    with pytest.raises(KipukaError) as caught:
        lower(program(4, random_gru(rng, 4, 5), reset=Reset(8)))
    check_error(caught.value, what="resets within a sample", value="every 8 steps")


@settings(deadline=None)
@given(st.lists(st.integers(-(1 << 18), 1 << 18), min_size=1, max_size=5))
def test_planes_add_up(values):
    found = sum(
        weights << exponent if exponent >= 0 else weights >> -exponent
        for weights, exponent in planes(np.array(values))
    )
    np.testing.assert_array_equal(found, values)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.integers(-(1 << 23), 1 << 23), min_size=1, max_size=5))
def test_constants_are_what_the_channels_give(values):
    total = np.zeros(len(values), dtype=np.int64)
    for wire in constants("x", np.array(values)):
        np.add.at(total, wire.targets, wire.weights << 1 + wire.exponent + 7 * wire.sources)
    np.testing.assert_array_equal(total >> 1, values)


def test_a_memoryless_readout_forgets_with_twelve_bits(rng):
    # All recurrent delays are long, so that the period is the shortest of saturating cells.
    gru = random_gru(rng, 4, 5, delays_own=np.full(5, 9), scale=254, threshold=1)
    readout = random_cuba(rng, 5, 3, voltage_decay=4096, scale=254, bias=[0, 900, -900])
    network = program(4, gru, readout)
    graph = lower(network)
    assert graph.period == 2
    assert all(node.parameters.get("dv", 0) < 4096 for node in graph.nodes)
    assert mismatches(network, random_spikes(rng, 3, 4, 40, 0.6), graph) == ()


def test_small_factors_take_one_wire():
    assert len(multiples("a", "b", 3, [(0, 0, 64), (1, 0, -128)])) == 1
    assert len(multiples("a", "b", 2, [(0, 0, np.array([200, 201]) << 6)])) == 2


def test_per_synapse_delays_and_skips(rng):
    own = dense(even(rng, (5, 5)), RECURRENT, "i", rng.integers(0, 63, (5, 5)))
    first = gru(5, *random_gru(rng, 4, 5).projections[:3], own)
    joined = cuba(3, dense(even(rng, (3, 5))), dense(even(rng, (3, 4)), 2, delays=3))
    network = program(4, first, joined)
    assert mismatches(network, random_spikes(rng, 2, 4, 80), lower(network)) == ()
