"""Sigma-delta neurons: steps by hand, limits, rules, files and what is proven of their states."""

import dataclasses

import h5py
import numpy as np
import pytest

from kipuka.convert import fixed, inspect, load_golden, load_net, save_net
from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.neurons.sigma_delta import (
    RELU,
    UNIT,
    DeltaParameters,
    DeltaState,
    SigmaDeltaParameters,
    SigmaDeltaState,
    delta_step,
    sigma_delta_step,
)
from kipuka.convert.program import RECURRENT, Encoder, Reset
from kipuka.convert.trace import decide, read_values
from kipuka.deploy.golden import golden_mismatches, golden_vectors
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka_cases import conv, cuba, dense, even, program, random_delays, random_spikes
from kipuka_sigma_delta import (
    conv_sigma_delta,
    delta,
    graded_program,
    random_values,
    sigma,
    sigma_delta,
)

LIMIT, SIGMA_LIMIT = fixed.GRADED_LIMIT, fixed.SIGMA_LIMIT


def ints(*values):
    return np.array(values, dtype=np.int64)


def small(rng, threshold=3):
    """Encoder, two layers with delays and a recurrence, decoder."""
    own = dense(even(rng, (6, 6), 20), RECURRENT, delays=random_delays(rng, 6, 5))
    return graded_program(
        delta((4,), threshold),
        sigma_delta(6, dense(even(rng, (6, 4))), own, threshold=threshold, bias=2),
        sigma_delta(5, dense(even(rng, (5, 6)), delays=random_delays(rng, 6)), activation=UNIT),
        sigma(3, dense(even(rng, (3, 5)))),
    )


def test_an_encoder_sends_changes_and_keeps_what_is_too_little():
    p, state, sent = DeltaParameters(ints(3)), DeltaState(ints(0), ints(0)), []
    for value in (2, 2, 4, 4, 1, 3):
        state, payload, _ = delta_step(p, state, ints(value))
        sent.append((int(payload[0]), int(state.residue[0]) >> fixed.GRADED_SHIFT))
    # A change of 3 is sent, smaller ones wait.
    assert sent == [(0, 2), (0, 2), (4 << 6, 0), (0, 0), (-3 << 6, 0), (0, 2)]


def test_the_bits_that_a_payload_loses_are_gone():
    p = SigmaDeltaParameters(ints(0), ints(0), ints(UNIT))
    state, sent = SigmaDeltaState(ints(0), ints(0), ints(0)), []
    for a in (63, 1, -1, -64):
        state, payload, _ = sigma_delta_step(p, state, ints(a))
        sent.append(int(payload[0]))
        assert state.residue == 0
    # Rounded down each: 63/64, 1/64, -1/64, -1.
    assert sent == [0, 0, -1, -1]


@pytest.mark.parametrize(("activation", "value"), [(RELU, 0), (UNIT, -5 << 6)])
def test_relu_and_unit(activation, value):
    p = SigmaDeltaParameters(ints(0), ints(-5), ints(activation))
    _, payload, _ = sigma_delta_step(p, SigmaDeltaState(ints(0), ints(0), ints(0)), ints(0))
    assert payload == value


def test_every_limit_that_is_met_is_counted():
    p = SigmaDeltaParameters(ints(0), ints(1), ints(RELU))
    state = SigmaDeltaState(ints(SIGMA_LIMIT), ints(0), ints(0))
    state, payload, overflow = sigma_delta_step(p, state, ints(1))
    assert (state.sigma, state.act, payload) == (SIGMA_LIMIT, SIGMA_LIMIT, LIMIT)
    assert overflow.saturated == 3
    state, payload, overflow = delta_step(
        DeltaParameters(ints(0)), DeltaState(ints(0), ints(0)), ints(-fixed.INT32_MAX)
    )
    assert (state.act, payload, overflow.saturated) == (-SIGMA_LIMIT, -LIMIT, 2)


def test_changes_arrive_times_weight_and_delay_and_zero_is_no_message():
    network = graded_program(
        delta((1,), 2),
        sigma_delta(1, dense([[6]], delays=[1]), threshold=0),
        sigma(1, dense([[-4]])),
    )
    inputs = np.array([[[3, 3, 4, 0, 0, 0, 0]]], dtype=np.int32)
    found = simulate_reference(network, inputs)
    first, second, last = found.trace.layers
    assert first.spikes[0, 0].tolist() == [192, 0, 0, -192, 0, 0, 0]
    # Two steps later: 192 x 6 >> 6, and back.
    assert second.spikes[0, 0].tolist() == [0, 0, 18, 0, 0, -18, 0]
    assert last.states["sigma"][0, 0].tolist() == [0, 0, 0, -72, -72, -72, 0]
    assert np.array_equal(last.spikes, last.states["sigma"])
    work = found.counters.layers
    assert [layer.spikes.sum() for layer in work] == [2, 2, 3]
    assert work[1].synaptic_operations[0].tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert work[2].arrivals_per_neuron.tolist() == [2]
    assert np.array_equal(read_values(network, last), last.states["sigma"])
    assert decide(network, last).tolist() == [0]


def test_a_file_keeps_everything_and_netx_reads_its_keys(rng, tmp_path):
    network = small(rng)
    values = random_values(rng, network, 2, 40)
    golden = golden_vectors(network, values)
    path = tmp_path / "small.net"
    save_net(path, network, golden)
    loaded = load_net(path)
    assert (loaded.layers, loaded.encoder, loaded.readout.kind) == (
        network.layers, network.encoder, "value",
    )  # fmt: skip
    kept = load_golden(path)
    assert kept[0].output.dtype == np.int32
    assert np.array_equal(kept[1].output, golden[1].output)
    assert golden_mismatches(kept, simulate_reference(loaded, values).trace) == 0
    other = simulate_reference(loaded, values + 1).trace
    assert golden_mismatches(kept, other) == 2
    with h5py.File(path) as file:
        assert {file[f"layer/{n}/neuron/type"][()] for n in range(4)} == {b"SDNN"}
        assert file["layer/2/neuron/activation"][()] == b"unit"
        assert "sigma_output" in file["layer/3/neuron"]
    assert inspect(network)[2].netx == ("rectifies every activation",)


def test_a_foreign_file_means_the_value_of_its_last_layer(rng, tmp_path):
    network = small(rng)
    path = tmp_path / "foreign.net"
    save_net(path, network)
    with h5py.File(path, "a") as file:
        del file["kipuka"]
        del file["layer/1/neuron/activation"]
        file["layer/1/neuron/messageBits"] = fixed.GRADED_BITS
        # As SLAYER writes its output block.
        file["layer/3/neuron/vThMant"] = 6
        file["layer/3/neuron/activation"] = "relu"
    loaded = load_net(path)
    assert loaded.layers == network.layers
    assert loaded.readout.kind == "value"


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("activation", "sigmoid", "the activation function is not known"),
        ("messageBits", 24, "messageBits does not fit"),
        ("cum_error", True, "keys that Kipuka does not know"),
    ],
)
def test_files_with_other_neurons_are_refused(rng, tmp_path, key, value, what, check_error):
    path = tmp_path / "other.net"
    save_net(path, small(rng))
    with h5py.File(path, "a") as file:
        neuron = file["layer/1/neuron"]
        if key in neuron:
            del neuron[key]
        neuron[key] = value
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    shown = key if key == "cum_error" else str(value)
    check_error(caught.value, what=what, where="layer 1", value=shown)


@pytest.mark.parametrize("kind", ["RF", "RF_PHASE", "ALIF", "ADRF"])
def test_neurons_that_are_not_run_are_refused_by_name(rng, tmp_path, kind, check_error):
    path = tmp_path / "other.net"
    save_net(path, small(rng))
    with h5py.File(path, "a") as file:
        del file["layer/1/neuron/type"]
        file["layer/1/neuron/type"] = kind
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    check_error(
        caught.value, what="neuron type is not supported", where="layer 1", value=kind,
        limit="CUBA, LOIHI, SDNN", remedy="sigma-delta",
    )  # fmt: skip


def mixed_activations(rng):
    network = small(rng)
    layer = network.layers[1]
    kinds = np.arange(6, dtype=np.int64) % 2
    changed = dataclasses.replace(layer, neuron=layer.neuron._replace(activation=kinds))
    return dataclasses.replace(network, layers=(network.layers[0], changed, *network.layers[2:]))


def test_a_file_has_one_activation_function_per_layer(rng, tmp_path, check_error):
    with pytest.raises(KipukaError) as caught:
        save_net(tmp_path / "mixed.net", mixed_activations(rng))
    check_error(
        caught.value, what="one activation function per layer", where="key activation",
        value="unit and relu", limit="same function", remedy="split the layer",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("build", "what", "value"),
    [
        (lambda: program(3, delta((3,)), kind="value"), "encode an input have none", "without"),
        (
            lambda: graded_program(delta((2,)), delta((2,))),
            "encode an input have none",
            "layer 1 of 2",
        ),
        (
            lambda: program(2, sigma_delta(1, dense([[2, 2]])), kind="value"),
            "message_suits_receiver",
            "spikes of the input",
        ),
        (
            lambda: graded_program(delta((2,)), cuba(1, dense([[2, 2]]))),
            "message_suits_receiver",
            "graded spikes of DELTA",
        ),
        (
            lambda: graded_program(delta((300,)), sigma(1, dense(np.full((1, 300), -256)))),
            "weighted_payloads_fit_32_bits",
            str(300 * 256 * (LIMIT + 1)),
        ),
        (lambda: graded_program(delta((2,), 2048)), "threshold_can_be_reached", "2048"),
        (
            lambda: graded_program(delta((1,)), sigma_delta(1, dense([[2]]), bias=-2048)),
            "bias_within_bits",
            "-2048",
        ),
        (
            lambda: graded_program(delta((1,)), sigma_delta(1, dense([[2]]), activation=2)),
            "activation_is_known",
            "2",
        ),
        (lambda: graded_program(delta((2,))), "readout_fits_last_layer", "value"),
    ],
)
def test_design_rules(build, what, value, check_error):
    with pytest.raises(KipukaError) as caught:
        build()
    check_error(caught.value, what=what, value=value)


def far_apart(rng):
    """Without a recurrence, so that something is proven."""
    shape = (2, 6, 5)
    first = conv(even(rng, (3, 2, 3, 3), 12), shape, stride=(2, 1))
    return graded_program(
        delta(shape, 2),
        conv_sigma_delta(first, threshold=1, bias=3),
        sigma_delta(4, dense(even(rng, (4, 18), 16), delays=rng.integers(0, 9, (4, 18)))),
        sigma(2, dense(even(rng, (2, 4), 16))),
    )


@pytest.mark.parametrize("seed", range(8))
def test_no_state_leaves_its_proven_range(seed):
    rng = np.random.default_rng(seed)
    network = far_apart(rng) if seed % 2 else small(rng)
    if seed > 5:
        network = dataclasses.replace(network, reset=Reset(9, 2))
    values = random_values(rng, network, 3, 60, largest=20)
    proven = analyse_ranges(network, 60, largest_input=20)
    trace = simulate_reference(network, values).trace
    for number, layer in zip(network.numbers, trace.layers, strict=True):
        for name, found in layer.states.items():
            state = proven.of(number, name)
            assert np.all(found >= state.low[:, None]), (number, name)
            assert np.all(found <= state.high[:, None]), (number, name)


def test_what_is_proven_is_of_use(rng):
    network = far_apart(rng)
    assert analyse_ranges(network, 100, largest_input=20).safe
    every_input = analyse_ranges(network, 100)
    assert every_input.of(0, "act").verdict.startswith("may saturate")
    assert not every_input.safe


def test_spiking_networks_are_what_they_were(rng):
    network = program(4, cuba(3, dense(even(rng, (3, 4)))))
    trace = simulate_reference(network, random_spikes(rng, 1, 4, 20, 0.4)).trace
    assert trace.layers[0].spikes.dtype == bool
    with_encoder = program(3, cuba(3), encoder=Encoder(1, 0))
    assert with_encoder.layers[0].neuron_model.receives == "spikes"
