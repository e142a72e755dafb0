"""The dry run names what would not run: one broken graph for each check."""

from dataclasses import replace

import numpy as np
import pytest

from kipuka.deploy.loihi2 import dry_run
from kipuka.deploy.loihi2.evidence import evidence_of
from kipuka.deploy.loihi2.placement import place
from kipuka.deploy.lowered.streaming import plan_stream
from kipuka.hardware_profiles import load_profile
from kipuka_cases import cuba, dense, program, random_cuba, random_delays, random_gru

LOIHI2 = load_profile("loihi2")


@pytest.fixture
def stream(rng):
    gru = random_gru(rng, 4, 6, delays_own=random_delays(rng, 6))
    return plan_stream(program(4, gru, random_cuba(rng, 6, 3)), 40)


def with_node(stream, name, **changes):
    nodes = [replace(n, **changes) if n.name == name else n for n in stream.graph.nodes]
    return replace(stream, graph=replace(stream.graph, nodes=tuple(nodes)))


def with_wire(stream, position, **changes):
    wires = list(stream.graph.wires)
    wires[position] = replace(wires[position], **changes)
    return replace(stream, graph=replace(stream.graph, wires=tuple(wires)))


def finding(stream, check):
    found = [f for f in dry_run(stream, LOIHI2).findings if f.check == check]
    assert len(found) == 1, found
    return found[0]


def test_a_lowered_network_passes(stream):
    outcome = dry_run(stream, LOIHI2)
    assert outcome.findings == ()
    kinds = {kind for kind, _, _ in outcome.processes}
    assert kinds <= {
        *("LIF", "LIFReset", "GradedVec", "ProdNeuron", "Dense", "Sparse", "DelayDense"),
        *("CyclicBuffer", "NxToPyAdapter"),
    }
    from_host = {kind for kind, _, _ in dry_run(stream, LOIHI2, host_input=True).processes}
    assert from_host == kinds - {"CyclicBuffer"} | {"PyToNxAdapter"}
    assert all(strength in ("strong", "good") for _, strength, _ in outcome.processes)
    assert any("GradedVec, ProdNeuron" in remark for remark in outcome.remarks)
    assert outcome.cores >= len(outcome.placements) == 16


@pytest.mark.parametrize("kind", ["GradedReluVec", "SpikingGRU", "ResFire"])
def test_unsupported_process(stream, kind):
    found = finding(with_node(stream, "layer 1 update outside", kind=kind), "unsupported process")
    assert found.where == f"{kind} (layer 1 update outside)"
    assert evidence_of(kind).strength in found.value


def test_delay_over_the_limit(stream):
    number = next(k for k, w in enumerate(stream.graph.wires) if w.source == "layer 1 reset ends")
    steps = np.full_like(stream.graph.wires[number].steps, 63)
    found = finding(with_wire(stream, number, steps=steps), "delay over the limit")
    assert "layer 1 reset ends to layer 1 reset product" in found.where
    assert "parameter delays" in found.where
    assert (found.limit, found.value) == ("62 steps", "63 steps")


def test_reset_interval_not_a_power_of_two(rng):
    network = program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3))
    stream = plan_stream(network, 10, interval=300)
    found = finding(stream, "reset interval not a power of two")
    assert found.where == "LIFReset (layer 2 spikes), parameter reset_interval"
    assert found.value == "300 steps"


def test_pause_too_short(rng):
    network = program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3))
    found = finding(plan_stream(network, 10, interval=72), "pause too short")
    assert found.value == "72 steps"


def test_message_over_its_bits(stream):
    wide = with_node(stream, "layer 1 activation", high=1 << 23)
    outcome = dry_run(wide, LOIHI2)
    where = [f.where for f in outcome.findings if f.check == "message over its bits"]
    assert "GradedVec (layer 1 activation), port s_out" in where
    assert "ProdNeuron (layer 1 reset product), port a_in1" in where
    assert {f.limit for f in outcome.findings if "s_out" in f.where} == {"24 bits"}


def test_large_weights_reach_the_bits_on_their_own(rng):
    weights = np.full((2, 250), 254)
    network = program(250, random_gru(rng, 250, 2))
    layer = network.layers[0]
    heavy = [replace(p, synapses=dense(weights).synapses) for p in layer.projections[:3]]
    network = program(250, replace(layer, projections=(*heavy, *layer.projections[3:])))
    outcome = dry_run(plan_stream(network, 10), LOIHI2)
    assert any("layer 1 current excess" in f.where for f in outcome.findings)
    assert {f.check for f in outcome.findings} == {"message over its bits"}


def test_weight_exponent_over_the_limit(stream):
    found = finding(with_wire(stream, 0, exponent=9), "weight exponent over the limit")
    assert "input to layer 1 activation" in found.where


@pytest.mark.parametrize(("key", "decay", "value"), [("du", 0, "-1"), ("dv", 4096, "4096")])
def test_parameter_over_its_bits(rng, key, decay, value):
    decays = {"current_decay" if key == "du" else "voltage_decay": decay}
    found = finding(
        plan_stream(program(4, random_cuba(rng, 4, 3, **decays)), 10), "parameter over its bits"
    )
    assert found.where == f"LIFReset (layer 1 spikes), parameter {key}"
    assert found.value == value


def test_layer_over_a_core_s_memory():
    layer = cuba(2, dense(np.full((2, 17000), 2)), threshold=20000)
    found = finding(plan_stream(program(17000, layer), 10), "layer over a core's memory")
    assert found.where == "layer 1 spikes, memory of a neuro core"
    assert found.limit == "20,000 words"
    assert found.value.startswith("34,002 words on the busiest core")


@pytest.mark.slow
def test_more_cores_than_a_chip_has_are_a_remark():
    layer = cuba(9000, dense(np.full((9000, 1200), 2)), threshold=20000)
    outcome = dry_run(plan_stream(program(1200, layer), 10), LOIHI2)
    assert outcome.passed
    assert outcome.cores > 120
    assert any("more than the 120 of a chip" in remark for remark in outcome.remarks)
    assert any("for layer 1 spikes" in remark for remark in outcome.remarks)


def test_dense_rows_fill_whole_words(rng):
    weights = np.full((50, 784), 254)
    weights[0] = -256
    layer = cuba(50, dense(weights), threshold=20000)
    (placement,) = place(plan_stream(program(784, layer), 5), LOIHI2).placements
    # The printed share of lava-dl's MNIST network: 784 axons of 16 words, 78.4 % of a core.
    assert (placement.neurons, placement.axons, placement.words) == (50, 784, 784 * 16)
    assert placement.cores == 1


def test_a_chip_that_lacks_the_arithmetic_is_named_with_every_process(stream):
    outcome = dry_run(stream, load_profile("loihi1"))
    found = [f for f in outcome.findings if f.check == "arithmetic of the chip"]
    assert outcome.placements == ()
    assert {f.value for f in found} == {"needs programmable neurons", "needs graded messages"}
    assert any(f.where == "GradedVec (layer 1 activation)" for f in found)
    assert all("Intel Loihi has no" in f.limit for f in found)


def test_a_network_of_spikes_alone_is_placed_on_the_first_chip(rng):
    outcome = dry_run(plan_stream(program(4, random_cuba(rng, 4, 3)), 10), load_profile("loihi1"))
    assert [p.cores for p in outcome.placements] == [1]
