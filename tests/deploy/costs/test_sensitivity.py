"""Each number at its bounds gives what a profile with that number gives."""

import numpy as np
import pytest

from kipuka.deploy.costs.cost import profile
from kipuka.deploy.costs.sensitivity import CORES, ENERGY, LATENCY, sensitivities
from kipuka.deploy.reference import simulate_reference
from kipuka.hardware_profiles import load_profile
from kipuka_cases import cuba, dense, even, program, random_spikes


@pytest.fixture
def priced(rng):
    network = program(300, cuba(150, dense(even(rng, (150, 300), 250))))
    inputs = random_spikes(rng, 2, 300, 8, 0.8)
    run = simulate_reference(network, inputs)
    chip = load_profile("loihi2")
    return network, inputs, run, chip, profile(network, inputs, run, chip)


def changed(chip, group, name, value):
    own = getattr(chip, group)
    quantity = getattr(own, name).model_copy(update={"value": value, "low": None, "high": None})
    return chip.model_copy(update={group: own.model_copy(update={name: quantity})})


def test_results_at_the_bounds_are_those_of_a_changed_profile(priced):
    network, inputs, run, chip, cost = priced
    found = {one.key: one for one in sensitivities(network, cost, 2, chip)}
    for key, result in (
        ("energy.synaptic_operation", ENERGY),
        ("energy.neuron_update", ENERGY),
        ("latency.synaptic_operation", LATENCY),
        ("limits.synaptic_words_per_core", CORES),
    ):
        one = found[key]
        assert one.result == result
        group, _, name = key.partition(".")
        for number, at in ((one.low, one.at_low), (one.high, one.at_high)):
            then = profile(network, inputs, run, changed(chip, group, name, number))
            results = {
                ENERGY: then.dynamic_energy_j.typical,
                LATENCY: then.latency_s.typical,
                CORES: then.mapping.n_cores,
            }
            # Cores that were cut anew would have another latency: the mapping stays here.
            if result != LATENCY or then.mapping.n_cores == cost.mapping.n_cores:
                assert at == pytest.approx(results[result])
    assert found["energy.synaptic_operation"].at_value == cost.dynamic_energy_j.typical
    assert found["latency.synaptic_operation"].at_value == cost.latency_s.typical


def test_what_moves_most_comes_first_and_what_moves_nothing_is_left_out(priced):
    network, _, _, chip, cost = priced
    found = sensitivities(network, cost, 2, chip)
    moves = [one.move for one in found]
    assert moves == sorted(moves, reverse=True)
    assert min(moves) > 0
    assert "latency.chip_link_message" not in {one.key for one in found}
    assert all(np.isfinite(moves))


def test_a_number_with_which_nothing_fits_is_no_error(priced):
    network, _, _, chip, cost = priced
    tight = changed(chip, "limits", "synaptic_words_per_core", 16000.0)
    quantity = tight.limits.synaptic_words_per_core.model_copy(update={"low": 10.0})
    limits = tight.limits.model_copy(update={"synaptic_words_per_core": quantity})
    first = sensitivities(network, cost, 2, tight.model_copy(update={"limits": limits}))[0]
    assert first.key == "limits.synaptic_words_per_core"
    assert (first.at_low, first.move) == (None, np.inf)
