import numpy as np
import pytest

from kipuka.convert.decisions import Decisions
from kipuka.convert.trace import LayerTrace, Trace, decide
from kipuka.deploy.fast.simulator import COUNTERS, simulate
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba, random_gru, random_spikes


@pytest.fixture
def network(rng):
    return program(3, random_gru(rng, 3, 4), random_cuba(rng, 4, 2))


@pytest.fixture
def trace(network, rng):
    return simulate_reference(network, random_spikes(rng, 2, 3, 25)).trace


def changed(trace, layer, variable, index):
    layers = list(trace.layers)
    spikes, states = layers[layer].spikes.copy(), dict(layers[layer].states)
    if variable == "spikes":
        spikes[index] = ~spikes[index]
    else:
        states[variable] = states[variable].copy()
        states[variable][index] += 1
    layers[layer] = LayerTrace(spikes, states)
    return Trace(tuple(layers))


def test_equal_traces_agree_on_every_value(network, trace):
    outcome = verify(network, {"a": trace, "b": trace, "c": trace})
    assert outcome.agree
    assert outcome.values_compared == 2 * (3 * 2 * 4 * 25 + 3 * 2 * 2 * 25)
    assert outcome.classes["a"] == outcome.classes["c"]


@pytest.mark.parametrize(
    ("layer", "variable"),
    [(0, "spikes"), (0, "i"), (0, "v"), (1, "spikes"), (1, "u"), (1, "v")],
)
def test_one_changed_value_is_found_and_named(network, trace, layer, variable):
    other = changed(trace, layer, variable, (1, 1, 7))
    outcome = verify(network, {"reference": trace, "other": other})
    (mismatch,) = outcome.mismatches
    assert (mismatch.layer, mismatch.variable, mismatch.count) == (layer + 1, variable, 1)
    assert mismatch.first.startswith("sample 1, step 7, neuron 1: ")
    assert mismatch.first.endswith("(reference)")
    assert outcome.spike_mismatches + outcome.state_mismatches == 1


def test_digest_changes_with_any_value(trace):
    for layer, variable in ((0, "spikes"), (0, "i"), (1, "v")):
        assert changed(trace, layer, variable, (0, 0, 0)).digest(0) != trace.digest(0)
        assert changed(trace, layer, variable, (0, 0, 0)).digest(1) == trace.digest(1)


def test_joined_traces_are_the_whole(network, rng):
    inputs = random_spikes(rng, 5, 3, 10)
    parts = [simulate_reference(network, part).trace for part in np.array_split(inputs, 2)]
    whole = simulate_reference(network, inputs).trace
    assert verify(network, {"whole": whole, "parts": Trace.joined(parts)}).agree


def test_the_first_samples_of_a_trace_are_those_of_their_own_run(network, rng):
    inputs = random_spikes(rng, 5, 3, 10)
    first = simulate_reference(network, inputs).trace.first(2)
    alone = simulate_reference(network, inputs[:2]).trace
    assert verify(network, {"alone": alone, "first": first}).agree


def empty(trace, cut):
    layers = [
        LayerTrace(layer.spikes[cut], {name: x[cut] for name, x in layer.states.items()})
        for layer in trace.layers
    ]
    return Trace(tuple(layers))


@pytest.mark.parametrize("cut", [np.s_[:0], np.s_[..., :0]], ids=["samples", "steps"])
def test_nothing_agrees_with_nothing(network, trace, cut, check_error):
    nothing = empty(trace, cut)
    with pytest.raises(KipukaError) as caught:
        verify(network, {"a": nothing, "b": nothing})
    parts = {"where": "trace a, layer 1, spikes", "limit": "none of them 0"}
    check_error(caught.value, what="cannot be compared", value="0", remedy="recorded", **parts)
    with pytest.raises(KipukaError) as caught:
        verify(network, {"a": trace, "b": empty(trace, np.s_[:0])}, {"b": 0})
    check_error(caught.value, what="cannot be compared", where="trace b", value="(0, 4, 25)")


def test_no_sample_has_no_class_and_is_not_evaluated(network, trace, check_error):
    nothing = empty(trace, np.s_[:0]).layers[-1]
    assert decide(network, nothing).shape == (0,)
    with pytest.raises(KipukaError) as caught:
        Decisions.of(network, nothing, [])
    parts = {"where": "trace, last layer", "limit": "at least 1 sample", "value": "none"}
    check_error(caught.value, what="nothing to evaluate", remedy="of a run", **parts)


def test_what_was_not_recorded_has_no_class(network, rng, check_error):
    run = simulate(network, random_spikes(rng, 2, 3, 25), record=COUNTERS)
    with pytest.raises(KipukaError) as caught:
        decide(network, run.trace.layers[-1])
    parts = {"limit": "spikes", "value": "no steps", "remedy": "record it"}
    check_error(caught.value, what="lacks what the readout", where="last layer", **parts)


def test_one_backend_is_not_enough(network, trace, check_error):
    with pytest.raises(KipukaError) as caught:
        verify(network, {"a": trace})
    check_error(caught.value, what="nothing to compare", limit="at least 2", value="a")
