"""Backends that ran only some of the samples."""

import pytest

from kipuka.convert.trace import LayerTrace, Trace
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka_cases import program, random_cuba, random_gru, random_spikes


def of_first(trace, n):
    layers = [
        LayerTrace(layer.spikes[:n].copy(), {k: v[:n].copy() for k, v in layer.states.items()})
        for layer in trace.layers
    ]
    return Trace(tuple(layers))


@pytest.fixture
def traces(rng):
    network = program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3))
    whole = simulate_reference(network, random_spikes(rng, 5, 4, 20)).trace
    return network, {"reference": whole, "lava": of_first(whole, 2)}


def test_the_first_samples_are_compared_and_the_sentence_says_so(traces):
    network, both = traces
    found = verify(network, both, {"lava": 2})
    assert found.agree
    assert (found.samples, dict(found.partly)) == (5, {"lava": 2})
    per_sample = sum(
        layer.spikes[0].size * (1 + len(layer.states)) for layer in both["reference"].layers
    )
    assert found.values_compared == 2 * per_sample
    assert found.parts_text == " (lava on the first 2 samples)"
    assert verify(network, {"reference": both["lava"], "lava": both["lava"]}).parts_text == ""


def test_a_mismatch_in_the_part_is_found(traces):
    network, both = traces
    both["lava"].layers[0].states["v"][1, 3, 7] += 1
    found = verify(network, both, {"lava": 2})
    assert [(m.backend, m.count) for m in found.mismatches] == [("lava", 1)]
    assert "sample 1, step 7, neuron 3" in found.mismatches[0].first
    assert not found.agree
