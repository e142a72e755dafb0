"""Graded spikes in the fast simulator: traces and counters of the reference.

``KIPUKA_RANDOM_NETWORKS=200 pytest tests/deploy/fast/test_graded.py`` runs 200 random networks.
"""

import os

import numpy as np
import pytest

from kipuka.deploy import COUNTERS, Record, simulate, simulate_each, simulate_reference
from kipuka.deploy.fast.recording import record_for_readout
from kipuka.deploy.verification import verify
from kipuka_cases import dense, even
from kipuka_comparison import assert_same_counters
from kipuka_sigma_delta import delta, graded_program, random_sigma_delta, random_values, sigma

NETWORKS = int(os.environ.get("KIPUKA_RANDOM_NETWORKS", "40"))


def drawn(seed, n_samples=2):
    rng = np.random.default_rng(seed)
    network = random_sigma_delta(rng)
    # Some inputs are far beyond what the states hold.
    largest = int(rng.choice([8, 64, 3000], p=[0.4, 0.4, 0.2]))
    return network, random_values(rng, network, n_samples, 80, largest)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_networks_are_those_of_the_reference(seed):
    network, values = drawn(seed)
    expected, found = simulate_reference(network, values), simulate(network, values)
    traces = {"reference": expected.trace, "fast": found.trace}
    assert verify(network, traces).mismatches == ()
    assert_same_counters(found.counters, expected.counters)


def test_the_random_networks_reach_what_they_are_for():
    runs = [simulate(*drawn(seed)) for seed in range(40)]
    saturating = [run.counters.saturations > 0 for run in runs]
    assert 3 < sum(saturating) < 37
    assert sum(bool(run.trace.layers[0].spikes.any()) for run in runs) > 30
    assert sum(bool(run.trace.layers[-1].spikes.any()) for run in runs) > 30


def test_a_stream_in_pieces_and_what_is_recorded_of_it(rng):
    network, values = drawn(3, 1)
    whole = simulate_reference(network, values).trace
    record = record_for_readout(network)
    pieces = [values[0][:, :33], values[0][:, 33:]]
    (found,) = simulate_each(network, [pieces], record=record, threads=1)
    last = found.trace.layers[-1]
    assert last.spikes.dtype == np.int32
    assert np.array_equal(last.spikes, whole.layers[-1].spikes)
    for name, values_of in last.states.items():
        assert np.array_equal(values_of, whole.layers[-1].states[name])
    chosen = Record(spikes=(0,), states=((1, "act"),))
    some = simulate(network, values, record=chosen).trace
    assert np.array_equal(some.layers[0].spikes, whole.layers[0].spikes)
    assert np.array_equal(some.layers[1].states["act"], whole.layers[1].states["act"])
    assert some.layers[-1].spikes.shape[2] == 0


def test_nothing_is_sent_for_a_picture_that_stands_still(rng):
    network = graded_program(delta((8,)), sigma(3, dense(even(rng, (3, 8)))))
    still = np.repeat(rng.integers(1, 64, (1, 8, 1)), 50, axis=2).astype(np.int32)
    counters = simulate(network, still, record=COUNTERS).counters
    assert counters.layers[0].spikes_per_neuron.tolist() == [1] * 8
    assert (
        counters.layers[1].synaptic_operations.sum() == counters.layers[1].arrivals_per_neuron.sum()
    )
    assert counters.layers[1].arrivals_per_neuron.max() <= 8
