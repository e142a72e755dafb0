"""Advice for networks without microcode: what a limit on recurrent delays would save."""

import numpy as np
import pytest

from kipuka.deploy.lowered.advice import advise_lowered
from kipuka.deploy.lowered.comparison import without_microcode
from kipuka.hardware_profiles import load_profile
from kipuka_cases import calm_gru, calm_mgu, program, random_cuba, random_gru, random_spikes


@pytest.fixture(scope="module")
def chip():
    return load_profile("loihi2")


def advised(network, inputs, chip):
    return advise_lowered(network, inputs, chip, without_microcode(network, inputs, chip))


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


def test_nothing_is_proposed_where_nothing_is_to_gain(rng, chip):
    inputs = random_spikes(rng, 1, 4, 20, 0.4)
    assert advised(program(4, random_cuba(rng, 4, 3)), inputs, chip) == ()
    there = program(4, calm_mgu(rng, 4, 5, np.full(5, 4)), random_cuba(rng, 5, 3))
    assert advised(there, inputs, chip) == ()


def test_a_cheaper_cell_is_proposed_beside_both_settings(rng, chip):
    network = program(5, random_gru(rng, 5, 8), random_cuba(rng, 8, 3))
    found = advised(network, random_spikes(rng, 1, 5, 20, 0.4), chip)
    assert "one gate (gates=shared" in found[0].change
    assert found[0].energy_gain > found[1].energy_gain
    assert any("smgu-delay) (K 6 to 6)" in one.change for one in found)
    there = program(4, calm_gru(rng, 4, 5, np.full(5, 4)), random_cuba(rng, 5, 3))
    (only,) = advised(there, random_spikes(rng, 1, 4, 20, 0.4), chip)
    assert "one gate" in only.change
