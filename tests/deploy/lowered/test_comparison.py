"""The form without microcode: K, processes that grow with layers alone, or the reason in a line."""

import dataclasses

import numpy as np
import pytest

from kipuka.convert.program import Reset
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.lowered import comparison, size
from kipuka.deploy.lowered.comparison import LoweredComparison, NotLowered, without_microcode
from kipuka.deploy.lowered.lowering import lower
from kipuka.deploy.reference import simulate_reference
from kipuka.hardware_profiles import load_profile
from kipuka_cases import (
    calm_gru,
    cuba,
    dense,
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


def stack(rng, n_layers, n):
    """That many spiking GRU layers of `n` neurons with a readout, delays everywhere the same."""
    delays = np.arange(n) % 3
    layers = [
        random_gru(rng, n, n, delays_in=delays, delays_own=delays, scale=200)
        for _ in range(n_layers)
    ]
    return program(n, *layers, random_cuba(rng, n, 3))


def processes(found):
    return [(one.neuron_processes, one.synapse_processes) for one in found.layers]


@pytest.mark.slow
def test_processes_grow_with_layers_and_not_with_neurons(rng, chip):
    few, many = (
        without_microcode(stack(rng, 1, n), random_spikes(rng, 1, n, 12), chip) for n in (6, 48)
    )
    assert processes(few) == processes(many)
    assert [one.neurons for one in many.layers] == [48, 3]
    assert many.layers[0].lowered_neurons > 4 * few.layers[0].lowered_neurons
    deep = without_microcode(stack(rng, 3, 6), random_spikes(rng, 1, 6, 12), chip)
    one, readout = processes(few)
    assert len(deep.layers) == 4
    assert processes(deep)[0] == one
    assert all(neurons == one[0] for neurons, _ in processes(deep)[:3])
    assert processes(deep)[3] == readout


def test_k_and_both_prices_are_of_the_same_samples(rng, chip):
    network = program(5, random_gru(rng, 5, 8, random_delays(rng, 5)), random_cuba(rng, 8, 3))
    inputs = random_spikes(rng, 4, 5, 20, 0.4)
    found = without_microcode(network, inputs, chip)
    assert isinstance(found, LoweredComparison)
    graph = lower(network, 20)
    assert (found.period, found.hardware_steps) == (graph.period, graph.hardware_steps(20))
    assert found.period > 1
    first = inputs[: found.samples]
    fused = profile(network, first, simulate_reference(network, first), chip)
    assert found.fused == (fused.dynamic_energy_j, fused.latency_s)
    assert found.lowered.dynamic_energy_j.typical > found.fused.dynamic_energy_j.typical
    assert found.lowered.latency_s.typical >= found.period * found.fused.latency_s.typical


def test_microcode_is_what_a_gru_lacks_and_not_what_takes_long(rng, chip):
    calm = program(4, calm_gru(rng, 4, 5, np.full(5, 4)), random_cuba(rng, 5, 3))
    found = without_microcode(calm, random_spikes(rng, 1, 4, 20, 0.4), chip)
    assert (found.period, found.needs_microcode) == (1, True)
    plain = program(4, random_cuba(rng, 4, 3))
    assert not without_microcode(plain, random_spikes(rng, 1, 4, 20), chip).needs_microcode


def test_the_size_is_said_without_a_run(rng, monkeypatch):
    network = program(4, calm_gru(rng, 4, 5, np.full(5, 4)), random_cuba(rng, 5, 3))
    found = size.lowered_size(network, 20)
    assert (found.period, found.reason) == (1, None)
    assert [of[:2] for of in found.neurons] == [(1, 5), (2, 3)]
    assert found.text.startswith("without microcode: K = 1 hardware step in a step, neurons 1")
    assert "so many of Lava's own neurons for one" in found.text
    assert size.lowered_size(network, None).period == 2
    refused = size.lowered_size(dataclasses.replace(network, reset=Reset(5, 0)), 20)
    assert refused.period is None
    assert "not lowered, the lowering has no resets within a sample" in refused.text
    leaky = random_cuba(rng, 5, 3, voltage_decay=300)
    refused = size.lowered_size(program(4, random_gru(rng, 4, 5), leaky), 20)
    assert "delay_rec=True, delay_rec_min_steps=4" in refused.text
    assert "for each" not in found.text
    assert "1 per neuron of layer 2" in found.text


def test_cuba_networks_need_one_hardware_step(rng, chip):
    network = program(4, random_cuba(rng, 4, 6), random_cuba(rng, 6, 2))
    found = without_microcode(network, random_spikes(rng, 1, 4, 10), chip)
    assert found.period == 1
    assert [one.neuron_processes for one in found.layers] == [1, 1]


def test_convolutional_cells_have_a_lowered_form(rng, chip):
    network = program((2, 4, 4), random_conv_gru(rng, (2, 4, 4), 3, padding=(1, 1)))
    assert without_microcode(network, random_spikes(rng, 1, 32, 8), chip).period > 1


def test_why_a_network_is_not_lowered_is_one_line(rng, chip, monkeypatch):
    network = program(4, random_cuba(rng, 4, 6))
    inputs = random_spikes(rng, 1, 4, 10)
    found = without_microcode(dataclasses.replace(network, reset=Reset(5, 0)), inputs, chip)
    assert isinstance(found, NotLowered)
    assert "no resets within a sample" in found.reason
    assert "every 5 steps" in found.reason
    assert "remove the reset" in found.reason
    two = program(1, cuba(2, dense([[200], [200]]), threshold=np.array([64, 65])))
    mixed = without_microcode(two, random_spikes(rng, 1, 1, 10), chip)
    assert "layer 1" in mixed.reason
    assert "\n" not in found.reason + mixed.reason
    synapses = int(network.layers[0].projections[0].synapses.fan_out().sum())
    monkeypatch.setattr(size, "SYNAPSES_AT_MOST", synapses - 1)
    assert f"{synapses} synapses are more" in without_microcode(network, inputs, chip).reason
    monkeypatch.setattr(size, "SYNAPSES_AT_MOST", synapses)
    assert without_microcode(network, inputs, chip).period == 1
    monkeypatch.setattr(comparison, "MESSAGES_AT_MOST", 5)
    assert "more than are counted" in without_microcode(network, inputs, chip).reason
