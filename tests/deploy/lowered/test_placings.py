"""Ways of placing both forms on cores: counts of each, and what bounds a step."""

import numpy as np
import pytest

from kipuka.deploy.lowered import lower
from kipuka.deploy.lowered.comparison import compare_lowered
from kipuka.hardware_profiles import load_profile
from kipuka_cases import calm_gru, program, random_cuba, random_gru, random_spikes

STEPS = 12
WAYS = [
    ("fused", "a process", "fewest"),
    ("fused", "a process", "spread"),
    ("lowered", "a process", "fewest"),
    ("lowered", "a process", "spread"),
    ("lowered", "a layer", "fewest"),
    ("lowered", "a layer", "spread"),
]


def placed(rng, n, delays):
    chip = load_profile("loihi2")
    network = program(4, calm_gru(rng, 4, n, delays), random_cuba(rng, n, 3))
    inputs = random_spikes(rng, 2, 4, STEPS, 0.4)
    found = compare_lowered(network, lower(network, STEPS), inputs, chip, placings=True)
    assert [one[:3] for one in found.placings] == WAYS
    return dict(zip(WAYS, found.placings, strict=True)), found, chip


@pytest.mark.slow
def test_spread_until_the_barrier_a_step_takes_one(rng):
    ways, found, chip = placed(rng, 128, np.full(128, 4))
    barrier = chip.latency.barrier.in_si().typical
    fewest, spread = (ways["lowered", "a layer", how] for how in ("fewest", "spread"))
    assert (fewest.bound_by, spread.bound_by) == ("neuron updates", "barrier")
    assert spread.latency_s.typical == pytest.approx(found.hardware_steps * barrier)
    assert fewest.latency_s.typical > 2 * spread.latency_s.typical
    assert spread.cores > fewest.cores
    together, alone = (ways["lowered", held, "spread"] for held in ("a layer", "a process"))
    assert alone.bound_by == "barrier"
    assert together.cores < alone.cores
    assert together.to_other_cores < alone.to_other_cores / 4
    assert ways["lowered", "a process", "fewest"].latency_s.typical == pytest.approx(
        found.lowered.latency_s.typical
    )
    assert ways["fused", "a process", "fewest"].latency_s.typical == pytest.approx(
        found.fused.latency_s.typical
    )


def test_messages_are_counted_once_for_each_process_and_core_that_listens(rng):
    ways, _, _ = placed(rng, 6, np.full(6, 4))
    fused, alone, together = (
        ways["fused", "a process", "fewest"],
        ways["lowered", "a process", "fewest"],
        ways["lowered", "a layer", "fewest"],
    )
    assert together.cores == fused.cores == 2
    assert together.messages == alone.messages > fused.messages
    # The spikes to the readout leave their core in either form, and nothing else does.
    assert together.to_other_cores == fused.to_other_cores > 0
    # Every process alone: what stays is what populations send to themselves.
    assert alone.to_other_cores < alone.messages
    assert alone.to_other_cores > 5 * together.to_other_cores


def test_relays_and_cells_that_saturate_share_cores_too(rng):
    chip, delays = load_profile("loihi2"), np.array([0, 20, 40, 60, 62, 5, 9])
    network = program(4, random_gru(rng, 4, 7, delays_own=delays), random_cuba(rng, 7, 3))
    inputs = random_spikes(rng, 1, 4, STEPS, 0.4)
    graph = lower(network, STEPS)
    assert any("relay" in node.name for node in graph.nodes)
    found = compare_lowered(network, graph, inputs, chip, placings=True)
    assert found.placings[4].cores == 2
    assert compare_lowered(network, graph, inputs, chip).placings == ()


def test_a_chip_whose_barrier_is_not_known_and_one_that_is_too_small(rng):
    chip = load_profile("loihi2")
    network = program(4, calm_gru(rng, 4, 6, np.full(6, 4)), random_cuba(rng, 6, 3))
    inputs, graph = random_spikes(rng, 1, 4, STEPS, 0.4), lower(network, STEPS)
    none = chip.latency.barrier.model_copy(update={"value": None, "low": None, "high": None})
    latency = chip.latency.model_copy(update={"barrier": none})
    silent = chip.model_copy(update={"latency": latency})
    found = compare_lowered(network, graph, inputs, silent, placings=True)
    assert [one.spread for one in found.placings] == ["fewest"] * 3
    # A core holds each population of a neuron, but not all of them together.
    few = chip.limits.neurons_per_core.model_copy(update={"value": 4.0, "low": None, "high": None})
    small = chip.model_copy(
        update={"limits": chip.limits.model_copy(update={"neurons_per_core": few})}
    )
    found = compare_lowered(network, graph, inputs, small, placings=True)
    assert found.period == graph.period
    assert "layer 1 activation and layer 1 reset product" in found.placings.reason
