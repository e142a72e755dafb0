"""Advice for networks without microcode: what a limit on recurrent delays would save."""

import dataclasses

import numpy as np
import pytest

from kipuka.convert.trace import decide
from kipuka.deploy.lowered.advice import ONE_GATE, advise_lowered, other_cells
from kipuka.deploy.lowered.comparison import without_microcode
from kipuka.deploy.reference import simulate_reference
from kipuka.hardware_profiles import load_profile
from kipuka_cases import (
    calm_gru,
    calm_mgu,
    light_gru,
    program,
    random_cuba,
    random_gru,
    random_mgu,
    random_spikes,
)


@pytest.fixture(scope="module")
def chip():
    return load_profile("loihi2")


def advised(network, inputs, chip):
    return advise_lowered(network, inputs, chip, without_microcode(network, inputs, chip))


@pytest.mark.slow
def test_longer_delays_and_proven_ranges_are_proposed_with_what_they_save(rng, chip):
    network = program(5, random_gru(rng, 5, 8), random_cuba(rng, 8, 3))
    inputs = random_spikes(rng, 1, 5, 20, 0.4)
    found = advised(network, inputs, chip)
    assert "recurrent_min_steps=4 and proven_ranges=true (K 6 to 1)" in found[0].change
    by_settings = {one.change.split("train with ")[1].split(" (")[0]: one for one in found}
    both = by_settings["delays.recurrent_min_steps=4 and proven_ranges=true"]
    alone = by_settings["delays.recurrent_min_steps=4"]
    assert both.energy_gain > alone.energy_gain > 0
    assert both.latency_gain > 0
    assert {one.accuracy_change for one in found} == {None}


@pytest.mark.slow
def test_nothing_is_proposed_where_nothing_is_to_gain(rng, chip):
    inputs = random_spikes(rng, 1, 4, 20, 0.4)
    assert advised(program(4, random_cuba(rng, 4, 3)), inputs, chip) == ()
    there = program(4, calm_mgu(rng, 4, 5, np.full(5, 4)), random_cuba(rng, 5, 3))
    assert advised(there, inputs, chip) == ()


@pytest.mark.slow
def test_cheaper_cells_are_proposed_beside_both_settings(rng, chip):
    network = program(5, random_gru(rng, 5, 8), random_cuba(rng, 8, 3))
    found = advised(network, random_spikes(rng, 1, 5, 20, 0.4), chip)
    assert {"one gate (gates=shared" in one.change for one in found[:2]} == {True, False}
    assert {"a constant reset gate (gates=update" in one.change for one in found[:2]} == {
        True,
        False,
    }
    assert found[2].change.endswith(
        "with delays.recurrent_min_steps=4 and proven_ranges=true (K 6 to 1)"
    )
    assert found[0].energy_gain > found[1].energy_gain > found[2].energy_gain
    assert any("smgu-delay) (K 6 to 6)" in one.change for one in found)
    assert any("slgru-delay) (K 6 to 4)" in one.change for one in found)
    there = program(4, calm_gru(rng, 4, 5, np.full(5, 4)), random_cuba(rng, 5, 3))
    found = advised(there, random_spikes(rng, 1, 4, 20, 0.4), chip)
    assert ["one gate" in one.change for one in found].count(True) == 1
    assert {one.change.split(" (gates=")[1].split(",")[0] for one in found} == {"shared", "update"}


@pytest.mark.slow
def test_a_network_is_told_of_the_cell_that_it_has_not_where_that_is_cheaper(rng, chip):
    inputs = random_spikes(rng, 1, 5, 20, 0.4)
    shared = program(5, random_mgu(rng, 5, 8), random_cuba(rng, 8, 3))
    texts = [one.change for one in advised(shared, inputs, chip)]
    assert any("slgru-delay) (K 6 to 4)" in text for text in texts)
    assert not any("smgu-delay" in text for text in texts)
    # Of so small a layer, one gate more in the place of a constant one costs more than it saves.
    light = program(5, light_gru(random_gru(rng, 5, 8)), random_cuba(rng, 8, 3))
    texts = [one.change for one in advised(light, inputs, chip)]
    assert texts
    assert not any("gates=" in text for text in texts)
    assert [cell for cell, _ in other_cells(light)] == [ONE_GATE]


def test_the_complement_of_a_gate_is_that_gate_with_its_weights_turned(rng):
    """A light GRU with its update gate turned is what the cell of one gate leaves of it."""
    network = program(5, light_gru(random_gru(rng, 5, 8)), random_cuba(rng, 8, 3))
    inputs = random_spikes(rng, 2, 5, 20, 0.4)
    ((_, turned),) = other_cells(network)
    ((_, back),) = other_cells(turned)
    assert turned.layers[0].model != network.layers[0].model == back.layers[0].model
    old, new = (simulate_reference(one, inputs).trace.layers[0] for one in (network, back))
    half = dataclasses.replace(
        network.layers[0],
        neuron=network.layers[0].neuron._replace(bias_r=np.zeros(8, dtype=np.int64)),
    )
    same = simulate_reference(program(5, half, network.layers[1]), inputs).trace.layers[0]
    np.testing.assert_array_equal(new.states["v"], same.states["v"])
    assert np.any(old.states["v"] != new.states["v"])


@pytest.mark.slow
def test_with_labels_every_change_is_evaluated_as_it_is(rng, chip):
    network = program(5, random_gru(rng, 5, 8), random_cuba(rng, 8, 3))
    inputs, labels = random_spikes(rng, 40, 5, 20, 0.4), rng.integers(0, 3, 40)
    now = without_microcode(network, inputs, chip)
    found = advise_lowered(network, inputs, chip, now, labels)
    assert found
    assert {one.change for one in found} == {one.change for one in advised(network, inputs, chip)}
    for one in found:
        low, high = one.accuracy_interval
        assert low <= one.accuracy_change <= high
        assert one.untrained
    by_hand = decide(network, simulate_reference(network, inputs).trace.layers[-1]) == labels
    ((_, shared), _) = other_cells(network)
    after = decide(shared, simulate_reference(shared, inputs).trace.layers[-1]) == labels
    (alone,) = (one for one in found if "smgu-delay) (K" in one.change)
    assert alone.accuracy_change == after.mean() - by_hand.mean()
