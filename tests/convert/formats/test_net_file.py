import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kipuka.convert.formats.net.file import load_golden, load_net, save_net
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba, random_delays, random_gru, random_spikes


def two_layers(rng, n=5):
    return program(
        3,
        random_gru(rng, 3, n, delays_own=random_delays(rng, n)),
        random_cuba(rng, n, n, delays=random_delays(rng, n), recurrent=True, bias=7),
        readout_delays=random_delays(rng, n),
    )


@pytest.fixture
def net(rng, tmp_path):
    path = tmp_path / "a.net"
    network = two_layers(rng)
    save_net(path, network, golden_vectors(network, random_spikes(rng, 2, 3, 20)))
    return path


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def replace(file, key, value):
    del file[key]
    file[key] = value


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 6))
def test_a_program_survives_the_file(tmp_path_factory, seed, n):
    rng = np.random.default_rng(seed)
    network = two_layers(rng, n)
    path = tmp_path_factory.mktemp("net") / "x.net"
    save_net(path, network)
    again = load_net(path)
    assert again.input_shape == network.input_shape
    assert dict(again.metadata) == dict(network.metadata)
    inputs = random_spikes(rng, 2, 3, 30)
    assert [simulate_reference(again, inputs).trace.digest(k) for k in range(2)] == [
        simulate_reference(network, inputs).trace.digest(k) for k in range(2)
    ]
    for layer, written in zip(again.layers, network.layers, strict=True):
        for parameter, value in zip(layer.neuron, written.neuron, strict=True):
            np.testing.assert_array_equal(parameter, value)
        for projection, expected in zip(layer.projections, written.projections, strict=True):
            np.testing.assert_array_equal(projection.synapses.weights, expected.synapses.weights)
            np.testing.assert_array_equal(projection.delays, expected.delays)


def test_golden_vectors_survive_and_hold(net):
    golden = load_golden(net)
    inputs = np.stack([vector.input for vector in golden])
    trace = simulate_reference(load_net(net), inputs).trace
    assert [vector.digest for vector in golden] == [trace.digest(0), trace.digest(1)]


def refused(path, check_error, **parts):
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    check_error(caught.value, **{"where": str(path), **parts})


def test_missing_file(tmp_path, check_error):
    refused(tmp_path / "no.net", check_error, what="cannot be read", value="nothing at that path")


def test_a_folder_is_no_network(tmp_path, check_error):
    refused(tmp_path, check_error, value="a folder")


def test_a_file_that_is_no_hdf5_is_refused(tmp_path, check_error):
    path = tmp_path / "text.net"
    path.write_text("weights")
    refused(path, check_error, what="not a network", value="not an HDF5 file")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_truncated_file(net, fraction, check_error):
    data = net.read_bytes()
    net.write_bytes(data[: int(len(data) * fraction)])
    refused(net, check_error, what="not a network", remedy="kipuka convert")


def test_hdf5_of_something_else(tmp_path, check_error):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["spikes/times"] = [1.0]
    refused(path, check_error, what="not a network", value="spikes")


def test_unknown_layer_type(net, check_error):
    edit(net, lambda f: replace(f, "layer/1/type", [b"transformer"]))
    refused(
        net,
        check_error,
        what="layer type is not supported",
        where="layer 1, key type",
        limit="spiking_gru",
        value="transformer",
    )


@pytest.mark.parametrize("kind", [b"convT", b"unpool", b"dense_comp", b"input"])
def test_layer_types_that_are_not_supported_are_named(net, kind, check_error):
    edit(net, lambda f: replace(f, "layer/2/type", [kind]))
    refused(net, check_error, where="layer 2, key type", limit="conv", value=kind.decode())


def test_unknown_neuron_type(net, check_error):
    edit(net, lambda f: replace(f, "layer/2/neuron/type", "ALIF"))
    refused(net, check_error, what="neuron type", limit="CUBA", value="ALIF")


def test_unknown_key_is_not_dropped(net, check_error):
    edit(net, lambda f: f.create_dataset("layer/1/weight/q", data=[1]))
    refused(net, check_error, what="keys that Kipuka does not know", value="['q']")


def test_delay_over_62(net, check_error):
    edit(net, lambda f: f["layer/1/delay_rec"].write_direct(np.full(5, 63, np.int16)))
    refused(net, check_error, what="delays_within_hardware", limit="0 to 62 (steps)", value="63")


def test_weight_outside_8_bits(net, check_error):
    def change(file):
        file["layer/1/weight/z"][0, 0] = 300

    edit(net, change)
    refused(net, check_error, what="weights_are_even_8_bit", value="300")


def test_weight_with_a_fraction(net, check_error):
    edit(net, lambda f: replace(f, "layer/2/weight", np.full((5, 5), 0.5)))
    refused(net, check_error, what="not whole numbers", where="key weight", value="0.5")


def test_weight_that_is_not_a_number(net, check_error):
    edit(net, lambda f: replace(f, "layer/2/weight", np.full((5, 5), np.nan)))
    refused(net, check_error, what="not whole numbers", value="nan")


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i8"])
def test_weights_of_any_width_are_read_without_a_warning(net, kind):
    weights = np.array([[2, -128, 126], [0, 4, -2]]).repeat(5, axis=0)[:5].repeat(5, axis=1)[:, :5]
    edit(net, lambda f: replace(f, "layer/2/weight", weights.astype(kind)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [p.synapses.weights for p in load_net(net).layers[1].projections]
    assert any(np.array_equal(weights, w) for w in found)


def test_weight_of_the_wrong_shape(net, check_error):
    edit(net, lambda f: replace(f, "layer/2/weight", np.zeros((5, 4))))
    refused(net, check_error, where="layer 2", limit="(5, 5)", value="(5, 4)")


def test_missing_key(net, check_error):
    def change(file):
        del file["layer/1/bias/z"]

    edit(net, change)
    refused(net, check_error, what="missing", where="key bias, key z")


def test_graded_spikes_are_refused(net, check_error):
    edit(net, lambda f: replace(f, "layer/2/neuron/gradedSpike", True))
    refused(net, check_error, what="gradedSpike", value="1")


def test_newer_format_version(net, check_error):
    def change(file):
        file["kipuka"].attrs["format_version"] = 2

    edit(net, change)
    refused(net, check_error, what="format version", limit="1", value="2")


def test_a_huge_declared_array_is_refused_before_it_is_allocated(net, check_error):
    def change(file):
        del file["layer/2/weight"]
        file["layer/2"].create_dataset("weight", shape=(10**6, 10**6), dtype="i2", chunks=(64, 64))

    edit(net, change)
    refused(net, check_error, what="not read", where="layer 2, key weight", limit="numbers in all")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(net, monkeypatch):
    before = net.read_bytes()
    network = load_net(net)

    def fail(*_):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr("kipuka.convert.formats.net.file.write_layers", fail)
    with pytest.raises(RuntimeError, match="disk on fire"):
        save_net(net, network)
    assert net.read_bytes() == before
    assert [path.name for path in net.parent.iterdir()] == [net.name]


def test_what_was_read_can_be_written_again(net, tmp_path):
    network = load_net(net)
    assert type(network.readout.kind) is str
    save_net(tmp_path / "again.net", network)
    assert load_net(tmp_path / "again.net").layers[0].shape == network.layers[0].shape


def test_writing_into_a_missing_folder(net, tmp_path, check_error):
    with pytest.raises(KipukaError) as caught:
        save_net(tmp_path / "no" / "x.net", load_net(net))
    check_error(caught.value, what="cannot be written", where="no/x.net", remedy="create")
