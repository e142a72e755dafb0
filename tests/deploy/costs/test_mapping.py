"""No core ever holds more than it can, by a validator that shares nothing with the mapper."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kipuka.convert.neurons import CUBA
from kipuka.convert.program import Projection
from kipuka.convert.synapses import SparseSynapses
from kipuka.deploy.costs.mapping import Spread, groups_of, map_by_halving, map_program
from kipuka.deploy.costs.mapping.limits import NAMES
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import (
    conv,
    conv_cuba,
    cuba,
    dense,
    even,
    program,
    random_cuba,
    random_gru,
    random_mgu,
)
from kipuka_random import random_network
from kipuka_validator import validate


def small_chip(**limits):
    """Loihi 2 with limits so low that small networks need many cores."""
    chip = load_profile("loihi2")
    changed = {
        name: getattr(chip.limits, name).model_copy(
            update={"value": float(value), "low": None, "high": None}
        )
        for name, value in limits.items()
    }
    return chip.model_copy(update={"limits": chip.limits.model_copy(update=changed)})


def tight(neurons, axons, words, outputs, slots):
    return small_chip(
        neurons_per_core=neurons,
        input_axons_per_core=axons,
        synaptic_words_per_core=words,
        output_axons_per_core=outputs,
        delay_slots_per_core=slots,
        cores_per_chip=7,
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    neurons=st.integers(1, 40),
    axons=st.integers(20, 120),
    words=st.integers(30, 400),
    outputs=st.integers(60, 400),
    slots=st.integers(60, 2000),
    spread=st.integers(0, 30),
)
def test_no_limit_is_ever_exceeded(seed, neurons, axons, words, outputs, slots, spread):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    chip = tight(neurons, axons, words, outputs, slots)
    load = tuple(rng.integers(0, 50, layer.n_neurons) for layer in network.layers)
    try:
        mapping = map_program(network, chip, load, Spread(spread) if spread else None)
    except KipukaError as error:
        assert "does not fit" in error.what
        return
    validate(network, mapping, chip)


@pytest.mark.slow
def test_random_networks_fit_and_many_need_several_cores(check_error):
    # Refusals alone would satisfy the test above.
    several = 0
    for seed in range(20):
        network = random_network(np.random.default_rng(seed))
        programmable = {layer.model for layer in network.layers} - {"CUBA"}
        for chip in (
            load_profile("loihi2"),
            load_profile("loihi1"),
            tight(4, 200, 2000, 2000, 5000),
        ):
            if programmable and chip.name == "loihi1":
                with pytest.raises(KipukaError) as caught:
                    map_program(network, chip)
                check_error(caught.value, what="cannot compute", limit="no programmable neurons")
                continue
            mapping = map_program(network, chip)
            validate(network, mapping, chip)
            several += mapping.n_cores > len(network.layers)
    assert several >= 10


def test_a_validator_that_is_lied_to_notices(rng):
    network = program(4, cuba(8, dense(even(rng, (8, 4)))))
    chip = small_chip(neurons_per_core=4)
    mapping = map_program(network, chip)
    with pytest.raises(AssertionError):
        validate(network, mapping, small_chip(neurons_per_core=3))
    mapping.groups[0].needs["synaptic memory"][1] += 1
    with pytest.raises(AssertionError, match="synaptic memory"):
        validate(network, mapping, chip)


def test_a_convolution_keeps_a_kernel_for_each_delay_of_a_channel(rng):
    # 9 taps of 2 weights of 8 bits and 20 bits of header: a word each; with 6 bits of delay too.
    weights = np.full((2, 1, 3, 3), 254)
    weights[0, 0, 0, 0] = -256
    found = {}
    for name, delays in (("none", 0), ("one", 5), ("three", np.arange(36) % 3 + 3)):
        network = program((1, 6, 6), conv_cuba(conv(weights, (1, 6, 6), delays=delays)))
        mapping = map_program(network, load_profile("loihi2"))
        validate(network, mapping, load_profile("loihi2"))
        found[name] = mapping.needs("synaptic memory").tolist()
    assert found == {"none": [9], "one": [9], "three": [27]}


def test_synaptic_memory_by_hand():
    # 10 sources x 6 targets of 8-bit weights with an index of 12 bits, and 8 bits of header: 128
    # bits, 2 words for each source.
    weights = np.full((6, 10), 254)
    weights[0] = -256
    mapping = map_program(program(10, cuba(6, dense(weights))), load_profile("loihi2"))
    assert mapping.needs("synaptic memory").tolist() == [20]
    # 6 words for the neurons and 6 to say where their spikes go.
    assert mapping.needs("memory").tolist() == [10 + 20 + 6 + 6]
    # With 6 bits of delay: 164 bits, 3 words.
    delayed = cuba(6, dense(weights, delays=np.arange(10) % 6))
    mapping = map_program(program(10, delayed), load_profile("loihi2"))
    assert mapping.needs("synaptic memory").tolist() == [30]
    assert mapping.needs("delay slots").tolist() == [30]
    # One weight of 6 is left, of 1 bit, among zeros that are kept: 86 bits.
    weights[1:] = 0
    assert map_program(program(10, cuba(6, dense(weights))), load_profile("loihi2")).needs(
        "synaptic memory"
    ).tolist() == [20]


def test_a_gru_layer_stores_three_matrices_and_one_axon_per_source(rng):
    network = program(8, random_gru(rng, 8, 6, scale=254))
    mapping = map_program(network, load_profile("loihi2"))
    assert mapping.needs("input axons").tolist() == [14]
    # 6 weights of 8 bits with an index of 12 bits, and 8 bits of header: 128 bits.
    assert mapping.needs("synaptic memory").tolist() == [3 * 14 * 2]


def test_one_gate_takes_a_third_of_the_synapses_and_a_word_of_each_neuron_less(rng):
    chip = load_profile("loihi2")
    networks = (program(8, make(rng, 8, 6, scale=254)) for make in (random_gru, random_mgu))
    both, one = (map_program(network, chip) for network in networks)
    synapses = [mapping.needs("synaptic memory").item() for mapping in (both, one)]
    assert synapses == [3 * 14 * 2, 2 * 14 * 2]
    memory = [mapping.needs("memory").item() for mapping in (both, one)]
    assert memory[0] - memory[1] == 14 * 2 + 6
    network = program(8, random_mgu(rng, 8, 20, delays_own=7), random_cuba(rng, 20, 3))
    small = small_chip(neurons_per_core=6)
    validate(network, map_program(network, small), small)


def test_balancing_shares_the_load_of_the_busiest_core(rng):
    network = program(4, cuba(100, dense(even(rng, (100, 4)))))
    load = np.zeros(100, dtype=np.int64)
    load[:10] = 1000
    chip = small_chip(neurons_per_core=95)
    equal = map_program(network, chip)
    balanced = map_program(network, chip, (load,))
    assert equal.n_cores == balanced.n_cores == 2

    def busiest(mapping):
        return np.bincount(mapping.groups[0].parts.assignment(), load).max()

    assert busiest(equal) == 10_000
    assert busiest(balanced) <= 6_000


def test_balance_is_kept_as_far_as_a_limit_allows(rng):
    # Balanced halves of the work put 98 neurons on one core; only 70 fit, and that is what it gets.
    network = program(4, cuba(100, dense(even(rng, (100, 4)))))
    load = np.ones(100, dtype=np.int64)
    load[:2] = 1000
    load[2:20] = 100

    def busiest(chip, load_given):
        mapping = map_program(network, chip, load_given)
        validate(network, mapping, chip)
        assert mapping.n_cores == 2
        return int(np.bincount(mapping.groups[0].parts.assignment(), load).max())

    chip = small_chip(neurons_per_core=75)
    assert busiest(small_chip(neurons_per_core=99), (load,)) < 2300
    assert busiest(chip, None) == 3830
    assert busiest(chip, (load,)) < 3830


def test_a_board_is_filled_up_to_all_its_chips(rng, check_error):
    system = load_profile("kapoho_point")
    cores = system.limits.cores_per_chip.model_copy(update={"value": 2.0, "low": None})
    few = system.limits.neurons_per_core.model_copy(
        update={"value": 1.0, "low": None, "high": None}
    )
    changes = {"cores_per_chip": cores, "neurons_per_core": few}
    system = system.model_copy(update={"limits": system.limits.model_copy(update=changes)})
    network = program(2, cuba(16, dense(even(rng, (16, 2)) + 2)))
    assert map_program(network, system).n_chips == 8
    larger = program(2, cuba(17, dense(even(rng, (17, 2)) + 2)))
    with pytest.raises(KipukaError) as caught:
        map_program(larger, system)
    check_error(caught.value, limit="8 chips", value="9 chips")


REFUSALS = {
    "input axons": ({"input_axons_per_core": 3}, "input axons", "3 axons", "5 axons", "pool"),
    "words": ({"synaptic_words_per_core": 4}, "synaptic memory", "4 words", "5 words", "inputs"),
    "output axons": (
        {"output_axons_per_core": 1, "neurons_per_core": 2},
        "output axons",
        "1 axons",
        "2 axons",
        "fewer cores",
    ),
    "delay slots": ({"delay_slots_per_core": 8}, "delay slots", "8 slots", "9 slots", "shorten"),
    "weights": ({"weight_bits": 4}, "bits of a weight", "4 bits", "7", "fewer bits"),
    "delays": ({"delay_steps": 8}, "longest delay", "8 steps", "9", "smaller largest delay"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_does_not_fit_is_refused_with_the_change_that_helps(case, check_error):
    limits, name, available, needed, change = REFUSALS[case]
    first = cuba(4, dense(np.full((4, 5), 254)))
    last = cuba(3, dense([[-254, 254, 2, 128]] * 3, delays=9))
    with pytest.raises(KipukaError) as caught:
        map_program(program(5, first, last), small_chip(**limits))
    check_error(
        caught.value, what="does not fit", where=name, limit=available, value=needed, remedy=change
    )


def test_a_system_has_only_so_many_chips(check_error):
    system = load_profile("oheo_gulch")
    few = system.limits.cores_per_chip.model_copy(update={"value": 1.0, "low": None, "high": None})
    system = system.model_copy(
        update={"limits": system.limits.model_copy(update={"cores_per_chip": few})}
    )
    network = program(2, cuba(2, dense([[2, 2]] * 2)), cuba(1, dense([[2, 2]])))
    with pytest.raises(KipukaError) as caught:
        map_program(network, system)
    check_error(
        caught.value, what="does not fit the system", limit="1 chips", value="2 chips",
        where="oheo_gulch", remedy="larger system",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "chips"), [("neurons_per_chip", 2), ("synapses_per_chip", 4)])
def test_a_chip_that_holds_few_is_not_overfilled(name, chips):
    # 16 neurons with 2 synapses each, on chips of 10 neurons or of 10 synapses.
    network = program(2, cuba(16, dense(np.full((16, 2), 2))))
    chip = small_chip(**{name: 10})
    mapping = map_program(network, chip)
    validate(network, mapping, chip)
    assert mapping.n_chips == chips
    assert map_by_halving(groups_of(network), chip).n_chips >= chips


@pytest.mark.parametrize(
    ("name", "value", "where", "limit", "needed"),
    [
        ("neurons_per_chip", 0, "layer 1, neurons of a neuro core", "0 neurons", "1 neurons"),
        ("synapses_per_chip", 0, "layer 1, synapses of a neuro core", "0 synapses", "2 synapses"),
        ("synapses_per_chip", 1, "layer 1, synapses of a neuro core", "1 synapses", "2 synapses"),
        ("cores_per_chip", 0, "limits.cores_per_chip", "at least 1 core", "0"),
    ],
)
def test_a_chip_that_holds_nothing_is_refused(check_error, name, value, where, limit, needed):
    network = program(2, cuba(16, dense(np.full((16, 2), 2))))
    chip = small_chip(**{name: value})
    for place in (map_program, lambda one, on: map_by_halving(groups_of(one), on)):
        with pytest.raises(KipukaError) as caught:
            place(network, chip)
        check_error(caught.value, where=where, limit=limit, value=needed)


def test_one_neuron_a_chip_takes_a_chip_for_each():
    network = program(2, cuba(16, dense(np.full((16, 2), 2))))
    assert map_program(network, small_chip(neurons_per_chip=1)).n_chips == 16


@pytest.mark.parametrize("measured", [False, True])
def test_a_million_neurons_map_within_seconds(rng, measured):
    layers, shape = [], (2, 512, 512)
    for _ in range(2):
        layers.append(conv_cuba(conv(even(rng, (2, 2, 3, 3)), shape, padding=(1, 1))))
        shape = layers[-1].shape
    network = program((2, 512, 512), *layers)
    assert sum(layer.n_neurons for layer in network.layers) >= 1_000_000
    loads = tuple(rng.integers(0, 50, layer.n_neurons) for layer in layers)
    load = loads if measured else None
    start = time.perf_counter()
    mapping = map_program(network, load_profile("loihi2"), load)
    assert time.perf_counter() - start < 60
    assert mapping.n_chips > 1
    for name in NAMES:
        share = mapping.utilisation(name)
        assert share is None or share.max() <= 1


@pytest.mark.slow
def test_a_million_neurons_with_lists_of_synapses_map_within_2_seconds(rng):
    n, fan_out = 1_000_000, 10
    first = np.arange(n)[:, None] * ((n - 2 * fan_out) / n)
    targets = (first.astype(np.int32) + np.arange(0, 2 * fan_out, 2, dtype=np.int32)).ravel()
    weights = (rng.integers(-60, 61, targets.size, dtype=np.int16) | 1) * np.int16(2)
    synapses = SparseSynapses(weights, targets, np.arange(0, targets.size + 1, fan_out), n)
    delays = np.zeros(n, np.int16)
    network = program(n, cuba(n, Projection(synapses, 1, "a", delays)))
    # Of this process: other work on the machine does not count.
    start = time.process_time()
    mapping = map_program(network, load_profile("loihi2"))
    assert time.process_time() - start < 2
    assert mapping.n_chips > 1
    assert mapping.needs("neurons").sum() == n
    for name in NAMES:
        share = mapping.utilisation(name)
        assert share is None or share.max() <= 1


def test_layers_of_every_kind_have_known_state():
    network = program(3, random_cuba(np.random.default_rng(0), 3, 2))
    assert network.layers[0].model == CUBA
    needs = map_program(network, load_profile("loihi2"))
    # 3 axons, 2 words to say where spikes go, 2 neurons.
    assert needs.needs("memory") - needs.needs("synaptic memory") == [3 + 2 + 2]


def test_cores_are_spread_over_what_takes_longest_updates_included(rng):
    chip = load_profile("loihi2")
    first = cuba(400, dense(even(rng, (400, 2))))
    network = program(2, first, cuba(8, dense(even(rng, (8, 400)))))
    # In each step, 400 neurons with 800 operations, and 8 neurons with 3200.
    load = (np.full(400, 2 * 100), np.full(8, 400 * 100))
    cores = [
        [own.n_cores for own in map_program(network, chip, load, Spread(5, steps)).groups]
        for steps in (0, 100)
    ]
    passes = chip.energy.dendrite_updates_per_neuron_update.in_si().typical
    update = chip.latency.neuron_update.in_si().typical * passes
    operation = chip.latency.synaptic_operation.in_si().typical
    # The first layer is slowest alone and on two cores, if its updates count; between, the second.
    assert 400 * update > 3200 * operation > 200 * update > 1600 * operation
    assert cores == [[1, 4], [3, 2]]
