"""Counters of lowered networks, by hand on the smallest ones."""

import numpy as np
import pytest

from kipuka.convert.program import RECURRENT
from kipuka.deploy.costs.cost import cost_of
from kipuka.deploy.lowered import lower, run_lowered
from kipuka.deploy.lowered.counters import lowered_counters, summarise_lowered
from kipuka.deploy.lowered.groups import groups_of_graph, sent_in_run
from kipuka.deploy.reference import simulate_reference
from kipuka.hardware_profiles import load_profile
from kipuka_cases import cuba, dense, program, pulses, random_cuba, random_gru, random_spikes


def counted(network, inputs):
    graph = lower(network)
    run = run_lowered(graph, inputs)
    return lowered_counters(network, graph, run), summarise_lowered(network, graph, run)


def test_a_cuba_network_alone_counts_as_itself(rng):
    network = program(4, random_cuba(rng, 4, 6, voltage_decay=50), random_cuba(rng, 6, 3))
    inputs = random_spikes(rng, 3, 4, 12, 0.4)
    counters, layers = counted(network, inputs)
    expected = simulate_reference(network, inputs).counters
    # The graph is one hardware step behind, so what happens in its first step is nothing.
    for found, right in zip(counters.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(found.spikes[:, 1:], right.spikes)
        np.testing.assert_array_equal(found.synaptic_operations[:, 1:], right.synaptic_operations)
    assert [layer.graded_messages for layer in layers] == [0, 0]
    assert [layer.lowered_neurons for layer in layers] == [6, 3]


def test_operations_arrive_after_their_delay():
    layer = cuba(2, dense([[20], [20]], delays=3), dense(np.zeros((2, 2)), RECURRENT), threshold=9)
    counters, _ = counted(program(1, layer), pulses(1, 9, (0, 2)))
    (found,) = counters.layers
    assert np.flatnonzero(found.synaptic_operations[0]).tolist() == [2 + 3 + 1]
    assert found.synaptic_operations[0].max() == 2
    np.testing.assert_array_equal(found.arrivals_per_neuron, [1, 1])


def test_products_are_graded_messages_and_messages_are_priced(rng):
    network = program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3))
    inputs = random_spikes(rng, 2, 4, 20, 0.4)
    counters, (gru, readout) = counted(network, inputs)
    assert 0 < gru.products < gru.graded_messages
    own = [work for work in counters.layers if work.layer == 1]
    assert len(own) == gru.neuron_processes
    messages = sum(work.spikes.sum(axis=1).mean() for work in own)
    assert gru.spikes + gru.graded_messages == messages
    operations = sum(work.synaptic_operations.sum(axis=1).mean() for work in own)
    assert gru.synaptic_operations == operations
    assert (readout.products, readout.neuron_processes) == (0, 1)
    assert counters.n_steps == lower(network).hardware_steps(20)
    updates = sum(work.updates for work in own) / counters.n_samples
    assert updates == gru.lowered_neurons * counters.n_steps
    chip = load_profile("loihi2")
    graph = lower(network)
    groups, sent = (
        groups_of_graph(graph, network.numbers),
        sent_in_run(graph, run_lowered(graph, inputs)),
    )
    priced = cost_of(groups, counters, sent, chip)
    price, passes = chip.energy, chip.energy.dendrite_updates_per_neuron_update.in_si().typical
    by_hand = sum(
        work.synaptic_operations.sum() * price.synaptic_operation.in_si().typical
        + work.updates * price.neuron_update.in_si().typical * passes
        for work in counters.layers
    )
    assert priced.dynamic_energy_j.typical == pytest.approx(by_hand / counters.n_samples)
    # No core needs longer than the barrier here, so that the barrier is all of it.
    barriers = counters.n_steps * chip.latency.barrier.in_si().typical
    assert priced.latency_s.typical == pytest.approx(barriers)
