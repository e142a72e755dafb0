"""Range analysis: nothing that a search finds leaves a bound, and bounds are not far from it.

``KIPUKA_RANGE_NETWORKS=1000 pytest tests/convert/analysis/test_state_ranges.py -s`` searches in
1000, and shows how far the median bound is from the worst found.
"""

import os
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kipuka.convert import fixed
from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.convert.program import RECURRENT, Encoder, Reset
from kipuka.deploy.reference import simulate_reference
from kipuka_cases import cuba, dense, even, gru, program, random_gru, random_spikes
from kipuka_random import random_network

NETWORKS = int(os.environ.get("KIPUKA_RANGE_NETWORKS", "60"))
STEPS = 20
POPULATION, GENERATIONS = 24, 6


def worst_found(network, rng):
    """Largest magnitude of every state, by position and name, over inputs bred towards it."""
    shape = (POPULATION, network.n_inputs, STEPS)
    inputs = rng.random(shape) < rng.random((POPULATION, network.n_inputs, 1))
    inputs[0], inputs[1] = True, False
    found = {}
    for _ in range(GENERATIONS):
        parents = []
        for position, layer in enumerate(simulate_reference(network, inputs).trace.layers):
            for name, values in layer.states.items():
                peaks = np.abs(values.astype(np.int64)).max(axis=2)
                key = position, name
                found[key] = np.maximum(found.get(key, 0), peaks.max(axis=0))
                parents.append(int(peaks.max(axis=1).argmax()))
        chosen = rng.choice(parents, POPULATION)
        rates = rng.choice([0.02, 0.1, 0.3], (POPULATION, 1, 1))
        inputs = inputs[chosen] ^ (rng.random(shape) < rates)
    return found


ratios = []


@settings(max_examples=NETWORKS, deadline=None, derandomize=NETWORKS == 60)
@given(seed=st.integers(0, 2**32 - 1))
def search_one(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    # An activation that can be any number proves nothing: see below.
    assume(network.encoder is None)
    analysis = analyse_ranges(network, STEPS)
    for (position, name), found in worst_found(network, rng).items():
        state = analysis.of(network.numbers[position], name)
        bound = np.maximum(np.abs(state.low), np.abs(state.high))
        assert np.all(found <= bound), f"seed {seed}, layer {state.layer}, {name}"
        ratios.extend(bound[found > 0] / found[found > 0])


@pytest.mark.slow
def test_no_input_found_leaves_a_bound_and_the_median_bound_is_within_four_of_the_worst():
    ratios.clear()
    search_one()
    sys.stdout.write(f"median of {len(ratios)} bounds: {np.median(ratios):.2f} x the worst found\n")
    assert len(ratios) > 5 * NETWORKS
    assert np.median(ratios) <= 4


def test_a_silent_verdict_is_kept_by_every_run(rng):
    for scale in (6, 30, 120):
        network = program(4, random_gru(rng, 4, 5, scale=scale))
        analysis = analyse_ranges(network, STEPS)
        counters = simulate_reference(network, random_spikes(rng, 8, 4, STEPS, 0.5)).counters
        assert counters.saturations == 0 or not analysis.safe


@pytest.mark.parametrize("steps", [1, 2, 30])
def test_an_integrator_is_bounded_by_its_steps(steps):
    layer = cuba(2, dense([[100, -40], [-6, 8]]), threshold=fixed.NEVER_SPIKES)
    analysis = analyse_ranges(program(2, layer, kind="membrane"), steps)
    membrane = analysis.of(1, "v")
    np.testing.assert_array_equal(membrane.high, [steps * 6400, steps * 512])
    np.testing.assert_array_equal(membrane.low, [-steps * 2560, -steps * 384])
    assert analysis.safe
    assert membrane.neuron == 0


def test_a_verdict_names_the_neuron_and_the_worst_case():
    weights = np.full((3, 9), 2)
    weights[1] = 254
    layer = cuba(3, dense(weights), current_decay=1, threshold=131071)
    current = analyse_ranges(program(9, layer), 1000).of(1, "u")
    assert not current.safe
    assert current.neuron == 1
    assert "may wrap" in current.verdict
    assert "neuron 1" in current.verdict


def test_gru_bounds_know_what_one_spike_does_to_gate_and_current():
    # The only spike that adds to the current also closes the reset gate.
    together = program(1, gru(1, dense([[64]], 1, "i"), dense([[-200]], 1, "r"), bias_r=128))
    apart = program(1, gru(1, dense([[64]], 1, "i"), dense([[-200]], 1, "r", delays=1), bias_r=128))
    reach = [int(analyse_ranges(p, 10).of(1, "i").reach[0]) for p in (together, apart)]
    assert reach[0] < 2 * 4096
    assert reach[1] > 4 * 4096


def test_resets_shorten_the_runs(rng):
    layer = cuba(1, dense([[100]]), threshold=fixed.NEVER_SPIKES)
    analysis = analyse_ranges(program(1, layer, kind="membrane", reset=Reset(7)), 1000)
    assert analysis.n_steps == 7
    assert analysis.of(1, "v").high[0] == 7 * 6400


def test_neurons_that_cannot_spike_drive_nothing(rng):
    silent = cuba(
        2, dense([[2, 2], [2, 2]]), threshold=5000, current_decay=4096, voltage_decay=4096
    )
    analysis = analyse_ranges(program(2, silent, cuba(1, dense([[254, 254]]))), 50)
    assert analysis.of(2, "u").high[0] == 0


def test_recurrence_counts(rng):
    alone = cuba(1, dense([[254]]), threshold=1)
    excited = cuba(1, dense([[254]]), dense([[100]], RECURRENT), threshold=1)
    reach = [analyse_ranges(program(1, layer), 5).of(1, "u").high[0] for layer in (alone, excited)]
    assert reach == [254 << 6, 354 << 6]


def test_a_real_valued_input_proves_nothing(rng):
    network = program(3, cuba(3), encoder=Encoder(64, 0))
    assert not analyse_ranges(network, 5).of(0, "u").safe


def test_weight_exponents_and_files(rng, tmp_path):
    network = program(2, cuba(2, dense(even(rng, (2, 2)), exponent=3)))
    save_net(tmp_path / "x.net", network)
    kept = analyse_ranges(load_net(tmp_path / "x.net"), 9)
    for before, after in zip(analyse_ranges(network, 9).states, kept.states, strict=True):
        np.testing.assert_array_equal(before.reach, after.reach)
