"""Spiking GRU layers in `.net` files: convolutions, currents, compact delays, missing gates."""

import dataclasses

import h5py
import numpy as np
import pytest

from kipuka.convert.analysis.summary import inspect
from kipuka.convert.formats.net.file import load_golden, load_net, save_net
from kipuka.convert.program import RECURRENT
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka_cases import (
    conv,
    conv_cuba,
    conv_mgu,
    dense,
    even,
    gru,
    mgu,
    program,
    random_conv_gru,
    random_cuba,
    random_delays,
    random_gru,
    random_mgu,
    random_spikes,
)

SHAPE = (2, 6, 5)


def convolutional(rng, **settings):
    settings = {
        "padding": (1, 0),
        "stride": (1, 2),
        "delays_own": random_delays(rng, 4),
        **settings,
    }
    first = random_conv_gru(rng, SHAPE, 4, **settings)
    chained = random_conv_gru(
        rng, first.shape, 3, kernel=(2, 1), kernel_own=(1, 3), delays_in=random_delays(rng, 4, 9)
    )
    delays = np.repeat(random_delays(rng, 3, 5), chained.n_neurons // 3)
    return program(SHAPE, first, chained, random_cuba(rng, chained.n_neurons, 3, delays=delays))


def with_current(rng):
    return convolutional(rng, current=True)


def grouped(rng):
    return convolutional(rng, groups=2)


def delays_per_gate(rng):
    layer = random_gru(rng, 3, 4, current=True)
    changed = [
        dataclasses.replace(p, delays=random_delays(rng, p.delays.size, 7))
        if p.message == "spikes"
        else p
        for p in layer.projections
    ]
    return program(3, dataclasses.replace(layer, projections=tuple(changed)))


def delays_that_differ_within_a_channel(rng):
    layer = random_conv_gru(rng, SHAPE, 2, padding=(1, 1))
    n = layer.n_neurons
    changed = [
        dataclasses.replace(p, delays=random_delays(rng, n)) if p.source == RECURRENT else p
        for p in layer.projections
    ]
    bias = layer.neuron._replace(bias_r=even(rng, n).astype(np.int64))
    return program(SHAPE, dataclasses.replace(layer, neuron=bias, projections=tuple(changed)))


def missing_gates(rng):
    return program(
        3,
        gru(
            4,
            dense(even(rng, (4, 3)), target="i"),
            dense(even(rng, (4, 3)), target="z", delays=2),
            dense(even(rng, (4, 4)), RECURRENT, "r", delays=[1, 2, 3, 4]),
        ),
        gru(2, dense(even(rng, (2, 4)), target="i", exponent=1), bias_z=8),
    )


def dense_input_and_convolving_core(rng):
    core = random_conv_gru(rng, (1, 4, 4), 3, padding=(1, 1), current=True)
    fed = [dense(even(rng, (48, 6)), target=t, delays=random_delays(rng, 6)) for t in "irz"]
    own = [p for p in core.projections if p.source == RECURRENT]
    return program(6, gru(48, *fed, *own, shape=core.shape))


def after_a_skip(rng):
    first = conv_cuba(conv(even(rng, (3, 2, 3, 3)), SHAPE, padding=(1, 1)))
    fed = [
        conv(even(rng, (2, k, 3, 3)), (k, *SHAPE[1:]), source=back, target=t, delays=back)
        for back, k in ((1, 3), (2, 2))
        for t in "irz"
    ]
    return program(SHAPE, first, gru(24, *fed, shape=(2, 4, 3)))


def minimal(rng):
    first = conv_mgu(random_conv_gru(rng, SHAPE, 4, padding=(1, 0), delays_own=[0, 3, 62, 5]))
    last = random_mgu(rng, first.n_neurons, 3, delays_own=[4, 0, 9])
    without_gate = mgu(2, dense(even(rng, (2, 3)), target="i", exponent=1), bias_f=-20)
    return program(SHAPE, first, last, without_gate)


NETWORKS = (
    minimal,
    convolutional,
    with_current,
    grouped,
    delays_per_gate,
    delays_that_differ_within_a_channel,
    missing_gates,
    dense_input_and_convolving_core,
    after_a_skip,
)


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_a_file_gives_back_every_projection(build, rng, tmp_path):
    network = build(rng)
    inputs = random_spikes(rng, 2, network.n_inputs, 70, 0.3)
    save_net(tmp_path / "x.net", network, golden_vectors(network, inputs))
    again = load_net(tmp_path / "x.net")
    for layer, written in zip(again.layers, network.layers, strict=True):
        assert layer.shape == written.shape
        for parameter, value in zip(layer.neuron, written.neuron, strict=True):
            np.testing.assert_array_equal(parameter, value)
        by_ends = {(p.source, p.target, p.message): p for p in written.projections}
        assert len(by_ends) == len(layer.projections)
        for projection in layer.projections:
            expected = by_ends[projection.source, projection.target, projection.message]
            assert projection.weight_exponent == expected.weight_exponent
            np.testing.assert_array_equal(projection.delays, expected.delays)
            found, right = vars(projection.synapses), vars(expected.synapses)
            assert type(projection.synapses) is type(expected.synapses)
            for key in right:
                np.testing.assert_array_equal(found[key], right[key], key)
    trace = simulate_reference(again, inputs).trace
    golden = load_golden(tmp_path / "x.net")
    assert [vector.digest for vector in golden] == [trace.digest(0), trace.digest(1)]


def test_a_minimal_gated_unit_is_a_layer_type_of_its_own_with_one_gate(rng, tmp_path):
    save_net(tmp_path / "x.net", program(3, random_mgu(rng, 3, 4)))
    with h5py.File(tmp_path / "x.net") as file:
        layer = file["layer/1"]
        assert layer["type"][0] == b"spiking_mgu"
        assert set(layer["weight"]) == set(layer["weight_rec"]) == set(layer["bias"]) == {"i", "f"}
    assert inspect(load_net(tmp_path / "x.net"))[0].model == "SPIKING_MGU"


def test_delays_and_biases_are_stored_once_per_channel(rng, tmp_path):
    save_net(tmp_path / "x.net", with_current(rng))
    with h5py.File(tmp_path / "x.net") as file:
        layer = file["layer/1"]
        assert layer["delay_rec"].shape == (4,)
        assert layer["bias/z"].shape == (4,)
        assert layer["weight_rec/z"].shape == layer["weight_current"].shape == (4, 4, 3, 3)
        assert sorted(layer["weight"]) == ["i", "r"]
        assert file["layer/2/delay"].shape == (4,)
        assert "delay" not in layer


def edited(rng, tmp_path, change):
    path = tmp_path / "x.net"
    save_net(path, with_current(rng))
    with h5py.File(path, "r+") as file:
        change(file["layer/1"])
    return path


def replaced(key, value):
    def change(layer):
        del layer[key]
        layer[key] = value

    return change


def without(key):
    return lambda layer: layer.pop(key)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (without("stride_rec"), {"where": "layer 1, key stride_rec", "what": "missing"}),
        (replaced("padding_rec", [0, 0]), {"what": "convolution_fits_shapes", "where": "self to"}),
        (replaced("padding", [9, 9]), {"what": "convolution_fits_shapes", "where": "layer 1"}),
        (replaced("groups_current", 2), {"where": "layer 1, key weight_current"}),
        (replaced("delay_rec", [1, 2, 3]), {"where": "layer 1, key delay_rec", "value": "(3,)"}),
        (replaced("delay_rec", [63] * 4), {"what": "delays_within_hardware", "value": "63"}),
        (replaced("shape", [4, 6]), {"where": "layer 1, key shape", "limit": "3 numbers"}),
        (replaced("bias/z", [2, 4]), {"where": "key bias, key z", "value": "2 values"}),
        (
            replaced("weight/r", np.zeros((4, 2, 2, 3), np.int16)),
            {"where": "layer 1, key kernelSize"},
        ),
        (replaced("inChannels_rec", 3), {"where": "layer 1, key inChannels_rec", "value": "3"}),
    ],
)
def test_contradictions_in_a_file_are_named(change, parts, rng, tmp_path, check_error):
    path = edited(rng, tmp_path, change)
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    assert str(path) in caught.value.where
    check_error(caught.value, **parts)


def test_unknown_keys_are_not_dropped(rng, tmp_path, check_error):
    path = edited(rng, tmp_path, lambda layer: layer.create_dataset("weight_current_i", data=[1]))
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    check_error(caught.value, what="keys that Kipuka does not know", value="weight_current_i")


def test_inspect_tells_what_the_layer_sends_itself(rng):
    first, second, _ = inspect(with_current(rng))
    assert (first.kind, second.kind) == ("conv_rec_current", "conv_rec")
    assert first.current_synapses > 0
    assert second.current_synapses == 0
    assert first.delays_recurrent == (0, 62)
    assert any("graded messages" in note for note in first.netx)
    # Three kernels of input and recurrence each, and one of the current, less one of the input.
    outputs = first.neurons
    assert first.synapses == outputs * (2 * 2 * 9 + 4 * 4 * 9)


def test_a_gate_that_lacks_one_of_several_senders_survives_the_file(rng, tmp_path):
    first = gru(5, *(dense(even(rng, (5, 3)), target=t) for t in "irz"))
    fed = [
        dense(even(rng, (4, 5)), target="i", delays=[1, 2, 3, 4, 5]),
        dense(even(rng, (4, 3)), 2, "i"),
        dense(even(rng, (4, 5)), target="r", exponent=1),
        dense(even(rng, (4, 3)), 2, "z", delays=7),
    ]
    network = program(3, first, gru(4, *fed))
    inputs = random_spikes(rng, 2, 3, 40, 0.4)
    save_net(tmp_path / "x.net", network)
    again = simulate_reference(load_net(tmp_path / "x.net"), inputs).trace
    trace = simulate_reference(network, inputs).trace
    assert [again.digest(k) for k in range(2)] == [trace.digest(k) for k in range(2)]
