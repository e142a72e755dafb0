import numpy as np
import pytest

from kipuka.deploy.profile import profile
from kipuka.deploy.reference import simulate_reference
from kipuka.hardware_profiles import load_profile
from kipuka_cases import cuba, dense, program, pulses, random_cuba, random_gru, random_spikes


@pytest.fixture
def chip():
    return load_profile("loihi2")


def test_costs_by_hand(chip):
    # 3 input spikes reach 2 nonzero weights each: 6 synaptic operations; 2 neurons x 4 steps.
    layer = cuba(2, dense([[200], [200]]))
    run = simulate_reference(program(1, layer), pulses(1, 4, (0, 0), (0, 1), (0, 2)))
    cost = profile(run.counters, chip)
    assert (cost.input_spikes, cost.spikes, cost.synaptic_operations) == (3, 6, 6)
    assert cost.neuron_updates == 8
    # pJ: low 6 x 6.8; typical 6 x 19.2 + 8 x 2 x 65.9; high 6 x 29.9 + 8 x 2 x 114.
    assert cost.dynamic_energy_j == pytest.approx(
        (6 * 6.8e-12, (6 * 19.2 + 16 * 65.9) * 1e-12, (6 * 29.9 + 16 * 114) * 1e-12)
    )
    # Nothing here takes longer than the barrier: 4 steps of 0.2, 1.8 and 10 us.
    assert cost.latency_s == pytest.approx((0.8e-6, 7.2e-6, 40e-6))
    assert cost.static_energy_j == pytest.approx((0.8e-6 * 0.10, 7.2e-6 * 0.23, 40e-6 * 0.31))


def test_the_busiest_layer_sets_the_step(chip):
    # 200 spikes x 100 targets = 20,000 operations of 0.66 ns = 13.2 us in the one busy step.
    layer = cuba(100, dense(np.full((100, 200), 2)))
    inputs = np.zeros((1, 200, 3), dtype=bool)
    inputs[..., 1] = True
    cost = profile(simulate_reference(program(200, layer), inputs).counters, chip)
    assert cost.latency_s.typical == pytest.approx(2 * 1.8e-6 + 20_000 * 0.66e-9)


def test_energy_is_additive_over_layers(rng, chip):
    network = program(5, random_gru(rng, 5, 8), random_cuba(rng, 8, 3))
    cost = profile(simulate_reference(network, random_spikes(rng, 4, 5, 30)).counters, chip)
    for k in range(3):
        parts = [layer.dynamic_energy_j[k] for layer in cost.layers]
        assert cost.dynamic_energy_j[k] == pytest.approx(sum(parts))
    assert cost.dynamic_energy_j.low < cost.dynamic_energy_j.typical < cost.dynamic_energy_j.high


def test_bounds_that_are_not_published_stay_unknown(rng):
    network = program(5, random_cuba(rng, 5, 3))
    run = simulate_reference(network, random_spikes(rng, 1, 5, 10))
    cost = profile(run.counters, load_profile("loihi1"))
    assert cost.dynamic_energy_j.typical > 0
    assert cost.dynamic_energy_j.high is None


def test_what_is_left_out_is_said(rng, chip):
    run = simulate_reference(program(5, random_cuba(rng, 5, 3)), random_spikes(rng, 1, 5, 10))
    left_out = " ".join(profile(run.counters, chip).left_out)
    assert "spike" in left_out
    assert "hop" in left_out
    assert "host" in left_out
