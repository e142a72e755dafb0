"""No core ever holds more than it can, by a validator that shares nothing with the mapper."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kipuka.convert.neurons import CubaParameters
from kipuka.deploy.mapping import Spread, map_program
from kipuka.deploy.mapping.limits import NAMES
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import conv, conv_cuba, cuba, dense, even, program, random_cuba, random_gru
from kipuka_random import random_network

WORD = 64


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


def bits_of(weights):
    """Bits with sign that hold all weights, each divided by the largest common power of two."""
    values = [int(w) for w in np.unique(weights) if w]
    if not values:
        return 1
    shift = min((v & -v).bit_length() - 1 for v in values)
    largest = max(max(values) >> shift, -(min(values) >> shift) - 1)
    return largest.bit_length() + (min(values) < 0)


def validate(network, mapping, chip):
    """Recount every use of every core from the list of synapses, one by one."""
    owner = [layer.first_core + layer.parts.assignment() for layer in mapping.layers]
    n_cores = mapping.n_cores
    neurons = np.zeros(n_cores, dtype=int)
    slots = np.zeros(n_cores, dtype=int)
    inputs = [set() for _ in range(n_cores)]
    outputs = [set() for _ in range(n_cores)]
    for position, layer in enumerate(network.layers):
        assert owner[position].size == layer.n_neurons
        np.add.at(neurons, owner[position], 1)
    for position, layer in enumerate(network.layers):
        for projection in layer.projections:
            sender = position - projection.source
            longest = np.zeros(n_cores, dtype=int)
            for target, source, _ in zip(*projection.synapses.entries(), strict=True):
                core = owner[position][target]
                inputs[core].add((sender, int(source)))
                if sender >= 0:
                    outputs[owner[sender][source]].add((sender, int(source), int(core)))
                late = projection.delays
                late = late[source] if late.ndim == 1 else late[target, source]
                longest[core] = max(longest[core], int(late))
            slots += longest * neurons * np.isin(np.arange(n_cores), owner[position])
    limits = chip.limits

    def most(quantity):
        bounds = quantity.in_si()
        planned = bounds.typical if bounds.low is None else bounds.low
        return np.inf if planned is None else planned

    assert neurons.min() >= 1
    assert neurons.max() <= most(limits.neurons_per_core)
    assert max(map(len, inputs)) <= most(limits.input_axons_per_core)
    assert max(map(len, outputs)) <= most(limits.output_axons_per_core)
    assert slots.max() <= most(limits.delay_slots_per_core)
    words = mapping.needs("synaptic memory")
    assert words.max() <= most(limits.synaptic_words_per_core)
    assert np.bincount(mapping.chips).max() <= most(limits.cores_per_chip)
    used = {
        (int(c), int(x), int(y)) for c, (x, y) in zip(mapping.chips, mapping.routers, strict=True)
    }
    assert all(0 <= x < 8 and 0 <= y < 4 for _, x, y in used)
    _, per_router = np.unique(
        np.column_stack([mapping.chips, mapping.routers]), axis=0, return_counts=True
    )
    assert per_router.max() <= 4
    return {
        "neurons": neurons,
        "input axons": np.array([len(one) for one in inputs]),
        "output axons": np.array([len(one) for one in outputs]),
        "delay slots": slots,
    }


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    neurons=st.integers(1, 40),
    axons=st.integers(20, 120),
    words=st.integers(30, 400),
    outputs=st.integers(60, 400),
    spread=st.integers(0, 30),
)
def test_no_limit_is_ever_exceeded(seed, neurons, axons, words, outputs, spread):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    chip = small_chip(
        neurons_per_core=neurons,
        input_axons_per_core=axons,
        synaptic_words_per_core=words,
        output_axons_per_core=outputs,
        cores_per_chip=7,
    )
    load = tuple(rng.integers(0, 50, layer.n_neurons) for layer in network.layers)
    try:
        mapping = map_program(network, chip, load, Spread(spread) if spread else None)
    except KipukaError as error:
        assert "does not fit" in error.what
        return
    counted = validate(network, mapping, chip)
    for name, values in counted.items():
        np.testing.assert_array_equal(mapping.needs(name), values, err_msg=name)


def test_synaptic_memory_by_hand():
    # 10 sources x 6 targets of 8-bit weights: a list of 48 bits, 1 word, for each source.
    weights = np.full((6, 10), 254)
    weights[0] = -256
    mapping = map_program(program(10, cuba(6, dense(weights))), load_profile("loihi2"))
    assert mapping.needs("synaptic memory").tolist() == [10]
    # With delays up to 5 (3 bits): 66 bits, 2 words.
    delayed = cuba(6, dense(weights, delays=np.arange(10) % 6))
    mapping = map_program(program(10, delayed), load_profile("loihi2"))
    assert mapping.needs("synaptic memory").tolist() == [20]
    assert mapping.needs("delay slots").tolist() == [30]
    # One weight of 6 is left, in fewer bits than a word, which it still takes.
    weights[1:] = 0
    assert map_program(program(10, cuba(6, dense(weights))), load_profile("loihi2")).needs(
        "synaptic memory"
    ).tolist() == [10]


def test_a_gru_layer_stores_three_matrices_and_one_axon_per_source(rng):
    network = program(8, random_gru(rng, 8, 6, scale=254))
    mapping = map_program(network, load_profile("loihi2"))
    assert mapping.needs("input axons").tolist() == [14]
    assert mapping.needs("synaptic memory").tolist() == [3 * 14]


def test_balancing_shares_the_load_of_the_busiest_core(rng):
    network = program(4, cuba(100, dense(even(rng, (100, 4)))))
    load = np.zeros(100, dtype=np.int64)
    load[:10] = 1000
    chip = small_chip(neurons_per_core=95)
    equal = map_program(network, chip)
    balanced = map_program(network, chip, (load,))
    assert equal.n_cores == balanced.n_cores == 2

    def busiest(mapping):
        return np.bincount(mapping.layers[0].parts.assignment(), load).max()

    assert busiest(equal) == 10_000
    assert busiest(balanced) <= 6_000


REFUSALS = {
    "input axons": ({"input_axons_per_core": 3}, "input axons", "3 axons", "5 axons", "pool"),
    "words": ({"synaptic_words_per_core": 4}, "synaptic memory", "4 words", "5 words", "prune"),
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


def test_a_million_neurons_map_within_a_minute(rng):
    layers, shape = [], (2, 512, 512)
    for _ in range(2):
        layers.append(conv_cuba(conv(even(rng, (2, 2, 3, 3)), shape, padding=(1, 1))))
        shape = layers[-1].shape
    network = program((2, 512, 512), *layers)
    assert sum(layer.n_neurons for layer in network.layers) >= 1_000_000
    start = time.perf_counter()
    mapping = map_program(network, load_profile("loihi2"))
    assert time.perf_counter() - start < 60
    assert mapping.n_chips > 1
    for name in NAMES:
        share = mapping.utilisation(name)
        assert share is None or share.max() <= 1


def test_layers_of_every_kind_have_known_state():
    network = program(3, random_cuba(np.random.default_rng(0), 3, 2))
    assert isinstance(network.layers[0].neuron, CubaParameters)
    needs = map_program(network, load_profile("loihi2"))
    assert needs.needs("memory") - needs.needs("synaptic memory") == [2]
