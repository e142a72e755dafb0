"""Every public function checks its operands by one door (kinds K3 and K4)."""

import array
import warnings

import numpy as np
import pytest

from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.operands import as_numbers, whole_number
from kipuka.convert.program import Encoder, Program, Projection, Readout
from kipuka.convert.synapses import DenseSynapses, SparseSynapses
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.deploy import (
    COUNTERS,
    Events,
    Record,
    golden_vectors,
    plan_stream,
    profile,
    run_lava,
    simulate,
    simulate_each,
    simulate_reference,
    verify,
)
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import cuba, dense, program, random_cuba, random_gru, random_spikes
from kipuka_operands import STEPS, random_operand

SPIKES = np.zeros((2, 8, 3), bool)


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(5)
    return program(8, random_gru(rng, 8, 5), random_cuba(rng, 5, 3))


@pytest.fixture(scope="module")
def encoded():
    return program(8, cuba(8), random_cuba(np.random.default_rng(3), 8, 3), encoder=Encoder(64, 0))


def priced(network, inputs):
    simulation = simulate_reference(network, np.zeros((2, 8, STEPS), np.int32))
    return profile(network, inputs, simulation, load_profile("loihi2"))


FUNCTIONS = {
    "reference": simulate_reference,
    "golden vectors": golden_vectors,
    "simulate": simulate,
    "simulate on one thread": lambda network, x: simulate(network, x, threads=1),
    "simulate each": lambda network, x: list(simulate_each(network, x, threads=1)),
    "profile": priced,
    "lava": run_lava,
}


def outcome(function, network, operand):
    """What a function makes of an operand: a digest, or a refusal; nothing else may come."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = function(network, operand)
        except KipukaError:
            return None
    trace = getattr(found, "trace", None)
    return trace.digest(0) if trace else "accepted"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["golden vectors", "simulate each", "profile"])
def test_any_array_is_run_or_refused(network, encoded, name, seed):
    for k in range(12):
        rng = np.random.default_rng([seed, k])
        net = encoded if rng.random() < 0.3 else network
        operand = random_operand(rng)
        found = outcome(FUNCTIONS[name], net, operand)
        if name == "golden vectors":
            assert (found is None) == (outcome(simulate_reference, net, operand) is None)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_what_both_simulators_take_they_take_alike(network, encoded, seed):
    for k in range(20):
        rng = np.random.default_rng([seed, k, 1])
        net = encoded if rng.random() < 0.3 else network
        operand = random_operand(rng)
        assert outcome(simulate, net, operand) == outcome(simulate_reference, net, operand)


ODD = [None, 3, "x", b"x", {"a": 1}, {1, 2}, object(), [None], np.array(3.0), len, [{}]]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("operand", ODD, ids=lambda x: type(x).__name__)
def test_what_is_no_array_is_refused(network, name, operand, check_error):
    with pytest.raises(KipukaError) as caught:
        FUNCTIONS[name](network, operand)
    check_error(caught.value)


@pytest.mark.parametrize("name", ["reference", "simulate", "golden vectors"])
def test_torch_tensors(network, name):
    torch = pytest.importorskip("torch")
    spikes = random_spikes(np.random.default_rng(0), 2, 8, STEPS, 0.4)
    expected = outcome(FUNCTIONS[name], network, spikes)
    dense = torch.from_numpy(spikes)
    assert outcome(FUNCTIONS[name], network, dense) == expected
    assert outcome(FUNCTIONS[name], network, list(dense)) == expected
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.int8):
        assert outcome(FUNCTIONS[name], network, dense.to(dtype)) == expected
    graded = dense.double().requires_grad_()
    assert outcome(FUNCTIONS[name], network, graded) == expected
    assert outcome(FUNCTIONS[name], network, dense.transpose(1, 2).transpose(2, 1)) == expected
    for odd in (dense.float().to_sparse(), dense.to("meta"), dense.to(torch.complex64)):
        assert outcome(FUNCTIONS[name], network, odd) is None


class OnADevice:
    """An array of a library whose arrays lie on a device, such as CuPy."""

    shape = (2, 8, STEPS)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def get(self):
        return np.zeros(self.shape)


class Elsewhere:
    """An array of a library that gives numpy a copy, such as JAX."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros((2, 8, STEPS), bool)


class Sparse:
    """A matrix of a library of sparse ones, such as SciPy."""

    def toarray(self):
        return np.zeros((8, STEPS))


@pytest.mark.parametrize(
    ("operand", "remedy"),
    [
        (OnADevice(), "inputs.get()"),
        (Sparse(), "inputs.toarray()"),
        ([Sparse()], "inputs.toarray()"),
        (np.ma.masked_array(np.ones((2, 8, 3)), mask=True), "inputs.filled(0)"),
        (np.zeros((2, 8, 3), [("a", "f4")]), "dense numpy array"),
        (np.zeros((2, 8, 3), object), "dense numpy array"),
        (np.zeros((2, 8, 3), "U1"), "dense numpy array"),
        (np.zeros((2, 8, 3), "M8[s]"), "dense numpy array"),
    ],
)
@pytest.mark.parametrize("function", [simulate, simulate_reference])
def test_containers_and_their_remedies(network, function, operand, remedy, check_error):
    with pytest.raises(KipukaError) as caught:
        function(network, operand)
    check_error(caught.value, what="does not fit", where="input", remedy=remedy)


def test_containers_that_numpy_reads(network):
    expected = outcome(simulate, network, np.zeros((2, 8, STEPS), bool))
    assert outcome(simulate, network, Elsewhere()) == expected
    assert as_numbers(array.array("i", [1, 2]), "x").tolist() == [1, 2]
    assert as_numbers(np.ma.masked_array([1, 2]), "x").tolist() == [1, 2]
    assert as_numbers(np.array([1, 2], ">i8"), "x").dtype.isnative


# Integer arguments


def with_threads(network, value):
    return simulate(network, np.zeros((2, 8, 3), bool), threads=value)


def with_threads_each(network, value):
    return list(simulate_each(network, [np.zeros((8, 3), bool)], threads=value))


def with_steps(network, value):
    return simulate(network, [Events(np.array([0]), np.array([0]), value)])


def with_layer(network, value):
    return simulate(network, np.zeros((1, 8, 3), bool), record=Record(spikes=(value,)))


def with_cores(network, value):
    return profile(network, SPIKES, simulate(network, SPIKES), load_profile("loihi2"), cores=value)


def with_population(network, value):
    readout = Readout("spike_count", network.readout.delays, value)
    return Program(network.input_shape, network.layers, readout)


def with_source(network, value):
    first = dense(np.zeros((3, 8), np.int16))
    return program(8, cuba(3, Projection(first.synapses, value, "a", first.delays)))


def with_exponent(network, value):
    first = dense(np.zeros((3, 8), np.int16))
    return program(8, cuba(3, Projection(first.synapses, 1, "a", first.delays, value)))


INTEGERS = {
    "threads": with_threads,
    "threads of a stream": with_threads_each,
    "n_steps of events": with_steps,
    "layer to record": with_layer,
    "steps of a range": analyse_ranges,
    "steps of a stream": plan_stream,
}


FIELDS = {
    "cores": with_cores,
    "population": with_population,
    "source": with_source,
    "weight exponent": with_exponent,
}
"""Of which few numbers fit, and none that numpy has as an array."""


@pytest.mark.parametrize("name", [*INTEGERS, *FIELDS])
@pytest.mark.parametrize(
    "value", [-7, 1.5, 10.0, "2", True, np.bool_(True), float("nan"), 10**30, [1]]
)
def test_what_is_no_whole_number_in_its_range(network, name, value, check_error):
    with pytest.raises(KipukaError) as caught:
        {**INTEGERS, **FIELDS}[name](network, value)
    check_error(caught.value)


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.array])
def test_whole_numbers_of_numpy(network, name, kind):
    INTEGERS[name](network, kind(1))


def test_a_whole_number_says_what_it_may_be(check_error):
    assert type(whole_number(np.int16(3), 0, 9, "x")) is int
    with pytest.raises(KipukaError) as caught:
        whole_number(1.5, 0, 9, "argument x")
    check_error(caught.value, where="argument x", limit="0 to 9", value="1.5", remedy="integer")


# Streams


@pytest.mark.parametrize("record", [COUNTERS, Record()])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_recording_that_is_over_before_it_began(network, record, threads):
    spikes = np.ones((8, 4), bool)
    found = list(simulate_each(network, [iter([]), spikes, []], record=record, threads=threads))
    assert [one.counters.n_steps for one in found] == [0, 4, 0]
    assert found[0].counters.layers[0].spikes_per_neuron.tolist() == [0] * 5
    assert found[0].counters.layers[0].updates == 0
    alone = simulate(network, spikes[None], record=record)
    assert found[1].counters.layers[0].spikes.tolist() == alone.counters.layers[0].spikes.tolist()


@pytest.mark.parametrize("sample", [None, 5, {"a": 1}, "text", [None], [5], [[1]]])
def test_a_sample_that_is_none(network, sample, check_error):
    with pytest.raises(KipukaError) as caught:
        list(simulate_each(network, [sample]))
    check_error(caught.value)


@pytest.mark.parametrize(
    ("times", "units"),
    [
        ([0.5], [0]),
        (np.array([None]), [0]),
        ("ab", [0]),
        ([0, 1], [0]),
        ([[0]], [[0]]),
        ([-1], [0]),
        ([np.iinfo(np.uint64).max], [0]),
        ([0, 0], [1, 1]),
        (None, None),
    ],
)
def test_events_that_cannot_be(network, times, units, check_error):
    with pytest.raises(KipukaError) as caught:
        simulate(network, [Events(times, units, 5)])
    check_error(caught.value)


def test_events_of_lists_tensors_and_none_at_all(network):
    expected = outcome(simulate, network, [Events(np.array([1, 2]), np.array([0, 3]), 5)])
    assert outcome(simulate, network, [Events([1, 2], (0, 3), 5)]) == expected
    nothing = outcome(simulate, network, np.zeros((1, 8, 5), bool))
    assert outcome(simulate, network, [Events([], [], 5)]) == nothing


# Costs and comparisons


def test_a_profile_of_another_input(network, check_error):
    spikes = random_spikes(np.random.default_rng(0), 2, 8, STEPS, 0.4)
    simulation = simulate_reference(network, spikes)
    chip = load_profile("loihi2")
    assert profile(network, spikes.astype(float), simulation, chip).steps == STEPS
    others = [spikes[::-1], ~spikes, spikes[:1], spikes[..., :-1], np.zeros_like(spikes)]
    for other in others:
        with pytest.raises(KipukaError) as caught:
            profile(network, other, simulation, chip)
        check_error(caught.value, what="not that of the run", where="profile", limit="simulated")


def test_traces_that_cannot_be_compared(network, check_error):
    spikes = random_spikes(np.random.default_rng(0), 2, 8, STEPS, 0.4)
    right = simulate_reference(network, spikes).trace
    first = right.layers[0]
    others = {
        "one layer": Trace(right.layers[:1]),
        "no states": Trace((LayerTrace(first.spikes, {}), *right.layers[1:])),
        "nothing": None,
        "shorter": simulate_reference(network, spikes[..., :3]).trace,
        "counted": simulate(network, spikes, record=COUNTERS).trace,
    }
    for other in others.values():
        with pytest.raises(KipukaError) as caught:
            verify(network, {"reference": right, "other": other})
        check_error(caught.value, what="cannot be compared", where="trace other", remedy="recorded")


def test_traces_of_blocks(network, check_error):
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.from_program.network import blocks_from_program, trace_blocks

    blocks = blocks_from_program(network)
    spikes = random_spikes(np.random.default_rng(0), 2, 8, STEPS, 0.4)
    expected = trace_blocks(blocks, spikes).digest(0)
    raw = (spikes * np.uint8(200)).view(bool)
    for same in (spikes.astype(">f4"), list(spikes), raw, np.asfortranarray(spikes)):
        assert trace_blocks(blocks, same).digest(0) == expected
    for odd in (2 * spikes, spikes + 0.5, spikes[0], spikes[:0], None, "x", spikes.astype(object)):
        with pytest.raises(KipukaError) as caught:
            trace_blocks(blocks, odd)
        check_error(caught.value)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_sizes_of_networks(kind, check_error):
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train import SpikingGRU, build_network

    SpikingGRU({"threshold": 1.0}, kind(6), kind(8))
    for name in ("sgru", "cuba-ff-delay", "csgru"):
        build_network(name, kind(16), kind(4), kind(8))
    with pytest.raises(KipukaError) as caught:
        build_network("sgru", 16.0, 4, 8)
    check_error(caught.value, where="network sgru, n_inputs", value="16.0", limit="integer")
    with pytest.raises(KipukaError) as caught:
        SpikingGRU({"threshold": 1.0}, 6, "8")
    check_error(caught.value, where="SpikingGRU, out_neurons", value="8")


# Programs


def sparse(weights, targets, offsets, n_targets=3):
    synapses = SparseSynapses(weights, targets, offsets, n_targets)
    projection = Projection(synapses, 1, "a", np.zeros(2, np.int16))
    return Program((2,), (cuba(3, projection),), Readout("spike_count", np.zeros(3, np.int16)))


def test_a_network_does_not_change_with_what_it_was_made_of():
    base = np.full((3, 8), 64, np.int16)
    made = program(8, cuba(3, Projection(DenseSynapses(base[:]), 1, "a", np.zeros(8, np.int16))))
    spikes = np.ones((1, 8, 4), bool)
    before = simulate(made, spikes).trace.digest(0)
    base[:] = 0
    assert simulate(made, spikes).trace.digest(0) == before
    assert simulate_reference(made, spikes).trace.digest(0) == before


def test_sparse_synapses_survive_a_file(tmp_path):
    from kipuka.convert import load_net, save_net

    weights = np.array([64, -2, 30], np.int16)
    made = sparse(weights, np.array([0, 2, 1], np.int32), np.array([0, 2, 3]))
    save_net(tmp_path / "a.net", made)
    spikes = random_spikes(np.random.default_rng(0), 2, 2, 9, 0.5)
    digests = {run(load_net(tmp_path / "a.net"), spikes).trace.digest(0) for run in (simulate,)}
    assert digests == {simulate_reference(made, spikes).trace.digest(0)}


@pytest.mark.parametrize(
    ("weights", "targets", "offsets"),
    [
        ([[64, 2]], [0, 1], [0, 1, 2]),
        ([64, 2], [0, 3], [0, 1, 2]),
        ([64, 2], [0, -1], [0, 1, 2]),
        ([64, 2], [1, 0], [0, 2, 2]),
        ([64, 2], [0, 1], [0, 2]),
        ([64, 2], [0, 1], [0, 3, 2]),
        ([64, 2], [0, 1], [1, 1, 2]),
        ([64, 2], [0], [0, 1, 2]),
        ([64.5, 2], [0, 1], [0, 1, 2]),
        ([64, 2], [0.0, 1.0], [0, 1, 2]),
        (["a", "b"], [0, 1], [0, 1, 2]),
    ],
)
def test_sparse_synapses_that_cannot_be(weights, targets, offsets, check_error):
    with pytest.raises(KipukaError) as caught:
        sparse(np.array(weights), np.array(targets), np.array(offsets))
    check_error(caught.value)
