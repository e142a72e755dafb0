"""Dense layers that add the arrivals of some steps together, a strip of their matrix at a time."""

import itertools
import weakref

import numpy as np
import pytest

from kipuka.convert.program import Reset
from kipuka.deploy import simulate, simulate_each, simulate_reference
from kipuka.deploy.fast import delivery_groups, run
from kipuka.deploy.fast.kernels.layout import STEPS_TOGETHER
from kipuka.deploy.fast.program_layout import pack
from kipuka_cases import (
    cuba,
    dense,
    even,
    program,
    random_cuba,
    random_delays,
    random_gru,
    random_inputs,
    random_spikes,
)
from kipuka_comparison import assert_same
from kipuka_random import random_network

SETTINGS = [(1, 0), (3, 0), (8, 2), (64, 0)]
"""Steps that run layer after layer, and rows a step from which on they are added together."""


@pytest.fixture(autouse=True, params=SETTINGS, ids=str)
def together_from_the_first_weight(monkeypatch, request):
    steps, rows = request.param
    monkeypatch.setattr(delivery_groups, "MANY_WEIGHTS", 1)
    monkeypatch.setattr(delivery_groups, "STEPS_TOGETHER", steps)
    monkeypatch.setattr(delivery_groups, "MANY_ROWS", rows)
    # A network that was run before keeps its layout.
    monkeypatch.setattr(run, "_PACKED", weakref.WeakKeyDictionary())
    monkeypatch.setattr(run, "_SEEN", {})


def stack(rng, sizes, delays=False, **settings):
    layers = []
    for n_sources, n in itertools.pairwise(sizes):
        arrive = random_delays(rng, n_sources, 9) if delays else None
        parameters = {"threshold": 300, "current_decay": 900, "voltage_decay": 400}
        layers.append(random_cuba(rng, n_sources, n, arrive, **parameters))
    return program(sizes[0], *layers, **settings)


@pytest.mark.parametrize("sizes", [(5, 3), (40, 33, 65, 7), (64, 128, 20), (70, 100, 100)], ids=str)
@pytest.mark.parametrize("delays", [False, True])
def test_layers_behind_each_other(rng, sizes, delays):
    network = stack(rng, sizes, delays)
    assert all(group["together"] for group in pack(network).network.groups)
    inputs = random_spikes(rng, 2, sizes[0], 70, 0.4)
    expected = simulate_reference(network, inputs)
    assert_same(simulate(network, inputs), expected)
    assert expected.counters.layers[-1].spikes.sum()


def test_spikes_of_many_sources_do_not_wait_for_further_steps(monkeypatch, rng):
    monkeypatch.setattr(delivery_groups, "MOST_SOURCES", 50)
    network = stack(rng, (40, 33, 7))
    assert pack(network).network.pace[STEPS_TOGETHER] == 1
    inputs = random_spikes(rng, 2, 40, 70, 0.4)
    assert_same(simulate(network, inputs), simulate_reference(network, inputs))


def test_more_rows_than_are_added_at_once(rng):
    network = stack(rng, (700, 40, 10))
    inputs = random_spikes(rng, 1, 700, 20, 0.9)
    assert_same(simulate(network, inputs), simulate_reference(network, inputs))


def test_a_reset_comes_to_each_layer_in_its_step(rng):
    network = stack(rng, (20, 30, 30, 5), True, reset=Reset(7, 2))
    inputs = random_spikes(rng, 2, 20, 45, 0.4)
    assert_same(simulate(network, inputs), simulate_reference(network, inputs))


def test_recurrences_among_layers_that_add_together(rng):
    first = random_cuba(rng, 30, 40, random_delays(rng, 30), recurrent=True, threshold=200)
    second = random_gru(rng, 40, 35, random_delays(rng, 40, 5), random_delays(rng, 35, 3))
    third = cuba(
        9,
        dense(even(rng, (9, 35)), delays=random_delays(rng, 35, 4), exponent=2),
        threshold=800,
    )
    network = program(30, first, second, third)
    inputs = random_spikes(rng, 2, 30, 60, 0.4)
    assert_same(simulate(network, inputs), simulate_reference(network, inputs))


def test_a_stream_in_pieces_of_any_length(rng):
    network = stack(rng, (20, 30, 5), True)
    inputs = random_spikes(rng, 1, 20, 50, 0.4)
    ends = [0, 1, 4, 11, 27, 50]
    pieces = (inputs[0][:, a:b] for a, b in itertools.pairwise(ends))
    (found,) = simulate_each(network, [pieces])
    assert_same(found, simulate_reference(network, inputs))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(40))
def test_random_networks(rng, number):
    rng = np.random.default_rng(number)
    network = random_network(rng)
    inputs = random_inputs(rng, network, 2, 40, 0.4)
    assert_same(simulate(network, inputs, threads=2), simulate_reference(network, inputs))
