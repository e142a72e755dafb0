"""Advice is what happens when a change is made: run again, priced again, evaluated again."""

import dataclasses

import numpy as np
import pytest

from kipuka.convert.synapses import weight_bits
from kipuka.convert.trace import decide
from kipuka.deploy.costs.advice import Advice, advise, record_for_advice
from kipuka.deploy.costs.changes import changes
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.costs.mapping.limits import SYNAPTIC_MEMORY
from kipuka.deploy.fast.simulator import simulate
from kipuka.hardware_profiles import load_profile
from kipuka_cases import (
    cuba,
    dense,
    even,
    program,
    random_conv_gru,
    random_cuba,
    random_delays,
    random_gru,
    random_spikes,
)


@pytest.fixture
def chip():
    return load_profile("loihi2")


@pytest.fixture
def case(rng, chip):
    """Network, inputs, run, cost, and labels that the network decides all right."""
    delays = random_delays(rng, 24, 20)
    network = program(12, random_gru(rng, 12, 24, delays_own=delays), random_cuba(rng, 24, 4))
    inputs = random_spikes(rng, 6, 12, 30, 0.3)
    run = simulate(network, inputs, record=record_for_advice(network))
    labels = decide(network, run.trace.layers[-1])
    return network, inputs, run, profile(network, inputs, run, chip), labels


def test_gains_are_those_of_the_changed_network(case, chip):
    network, inputs, run, cost, labels = case
    found = {one.change: one for one in advise(network, inputs, run, chip, cost, None, labels)}
    kinds = list(changes(network, run.counters))
    assert len(kinds) >= 5
    for kind in kinds:
        again = simulate(kind.program, inputs)
        then = profile(kind.program, inputs, again, chip)
        one = found[kind.text]
        assert one.energy_gain == 1 - then.dynamic_energy_j.typical / cost.dynamic_energy_j.typical
        assert one.operations_saved == cost.synaptic_operations - then.synaptic_operations
        words = [int(x.mapping.needs(SYNAPTIC_MEMORY).sum()) for x in (then, cost)]
        assert one.memory_gain == 1 - words[0] / words[1]
        right = (decide(kind.program, again.trace.layers[-1]) == labels).mean()
        assert one.accuracy_change == right - 1.0
    assert any(one.energy_gain > 0.05 for one in found.values())
    assert any(one.accuracy_change for one in found.values())


def test_operations_per_accuracy_is_told_for_each_layer_that_was_pruned(case, chip):
    network, inputs, run, cost, labels = case
    found = advise(network, inputs, run, chip, cost, None, labels)
    pruned = [one for one in found if one.change.startswith("prune the") and one.layer]
    assert {one.layer for one in pruned} == {1, 2}
    for one in pruned:
        lost = -100 * one.accuracy_change
        expected = one.operations_saved / lost if lost > 0 and one.operations_saved > 0 else None
        assert one.operations_per_point == expected
    without = advise(network, inputs, run, chip, cost)
    assert all(one.accuracy_change is None for one in without if not one.exact)


def test_weights_are_rounded_to_a_bit_less(case):
    network, _, run, _, _ = case
    rounded = [one for one in changes(network, run.counters) if "bits" in one.text]
    assert [one.layer for one in rounded] == [1, 2]
    for one in rounded:
        position = network.numbers.index(one.layer)
        pairs = zip(
            network.layers[position].projections,
            one.program.layers[position].projections,
            strict=True,
        )
        for old, new in pairs:
            before, after = old.synapses.weights, new.synapses.weights
            assert weight_bits(after) < weight_bits(before)
            assert np.abs(after.astype(int) - before).max() <= 2
            assert not np.any(after % 4)


def test_rounding_does_not_lean_to_one_side(case):
    network, _, run, _, _ = case
    (first, _) = [x for x in changes(network, run.counters) if "bits" in x.text]
    pairs = zip(network.layers[0].projections, first.program.layers[0].projections, strict=True)
    moved = np.concatenate(
        [(b.synapses.weights.astype(int) - a.synapses.weights).ravel() for a, b in pairs]
    )
    # Every other weight moves by 2 one way or the other, in equal measure.
    assert np.count_nonzero(moved) > 200
    assert abs(moved.sum()) < 3 * 2 * np.sqrt(np.count_nonzero(moved))


def test_memory_at_the_price_of_energy_is_no_advice():
    smaller = Advice("fewer bits", memory_gain=0.1, energy_gain=-0.4, latency_gain=-0.45)
    assert not smaller.worthwhile
    assert dataclasses.replace(smaller, energy_gain=0.0, latency_gain=0.0).worthwhile
    spread = Advice("spread", memory_gain=-0.05, latency_gain=0.4, cores_saved=-2)
    assert spread.worthwhile
    losing = Advice("round", accuracy_change=-0.1, operations_saved=-50.0)
    assert losing.operations_per_point is None


def test_rounding_keeps_the_extreme_weights_in_range(rng, chip):
    network = program(3, cuba(2, dense([[254, -256, 2], [252, -254, 0]])))
    run = simulate(network, random_spikes(rng, 1, 3, 5))
    (one,) = [x for x in changes(network, run.counters) if "bits" in x.text]
    assert "7 bits instead of 8" in one.text
    weights = one.program.layers[0].projections[0].synapses.weights
    assert weights.tolist() == [[252, -256, 0], [252, -256, 0]]
    assert weight_bits(weights) == 7


def test_fewer_bits_that_fit_fewer_words_save_memory(chip):
    # 15 weights of 5 bits, each with an index of 12 bits, and 8 bits: 263 bits, 5 words an axon; of
    # 4 bits 4 words. Halving the bits of weights never halves the memory.
    rng = np.random.default_rng(1)
    weights = even(rng, (15, 8), 30)
    weights[0], weights[1] = 30, -32
    network = program(8, cuba(15, dense(weights)))
    inputs = random_spikes(rng, 2, 8, 20)
    run = simulate(network, inputs)
    found = advise(network, inputs, run, chip, profile(network, inputs, run, chip))
    (one,) = [x for x in found if "bits" in x.change]
    assert "4 bits instead of 5" in one.change
    assert one.memory_gain == 1 - 8 * 4 / (8 * 5)
    assert one.worthwhile


def test_a_change_that_no_longer_fits_is_named_with_the_reason(case, chip):
    network, inputs, run, cost, labels = case
    bits = chip.limits.weight_bits.model_copy(update={"value": 3.0})
    limits = chip.limits.model_copy(update={"weight_bits": bits})
    narrow = chip.model_copy(update={"limits": limits})
    found = advise(network, inputs, run, narrow, cost, None, labels)
    refused = [one for one in found if one.refusal is not None]
    assert len(refused) == len(found) >= 5
    assert not any(one.worthwhile for one in refused)
    for one in refused:
        for part in ("does not fit the chip", "layer 1, bits of a weight", "limit 3 bits"):
            assert part in one.refusal


def test_spreading_is_exact_and_priced_on_the_same_spikes(rng, chip):
    network = program(64, cuba(120, dense(even(rng, (120, 64), 250))))
    inputs = random_spikes(rng, 2, 64, 10, 0.9)
    run = simulate(network, inputs)
    cost = profile(network, inputs, run, chip)
    found = advise(network, inputs, run, chip, cost)
    (one,) = [x for x in found if x.exact]
    assert "--cores 2" in one.change
    then = profile(network, inputs, run, chip, cores=2)
    assert one.latency_gain == 1 - then.latency_s.typical / cost.latency_s.typical > 0.2
    assert one.cores_saved == -1


def test_convolutions_are_changed_too(rng, chip):
    network = program((2, 4, 4), random_conv_gru(rng, (2, 4, 4), 3, padding=(1, 1)))
    inputs = random_spikes(rng, 1, 32, 8, 0.4)
    run = simulate(network, inputs)
    texts = [one.text for one in changes(network, run.counters)]
    assert any("prune" in text for text in texts)
    assert any("bits" in text for text in texts)
