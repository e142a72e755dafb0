"""Network files as other exporters write them: empty data sets, odd weights, no refractory time."""

import h5py
import numpy as np
import pytest

from kipuka.convert.formats.net.file import load_golden, load_net, save_net
from kipuka.convert.program import PREVIOUS, RECURRENT
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka_cases import conv, cuba, dense, program, random_conv_gru, random_gru, random_spikes


@pytest.fixture
def genn(tmp_path):
    """Write a layer as mlGeNN's exporter does, with changes to its keys."""

    def write(kind="dense", weight=40, delay=None, **others):
        path = tmp_path / "genn.net"
        with h5py.File(path, "w") as file:
            first = file.create_group("layer/0")
            first["shape"] = np.array([6])
            first.create_dataset("type", data="input", dtype="S10")
            second = file.create_group("layer/1")
            second["shape"] = np.array([3])
            second.create_dataset("type", data=kind, dtype="S10")
            second.create_dataset("inFeatures", dtype="i4")
            second.create_dataset("outFeatures", dtype="i4")
            second["weight"] = np.broadcast_to(np.asarray(weight, "f4"), (3, 6))
            if delay is not None:
                second.create_dataset("delay", data=delay, dtype="i4")
            neuron = second.create_group("neuron")
            neuron.create_dataset("gradedSpike", dtype="b1")
            neuron.create_dataset("type", data="CUBA")
            values = {"iDecay": 800, "vDecay": 200, "vThMant": 150, "refDelay": 0}
            for key, value in {**values, **others}.items():
                holder = second if key.endswith("_rec") else neuron
                if value is None:
                    del holder[key]
                elif isinstance(value, h5py.Empty):
                    holder.create_dataset(key, dtype=value.dtype)
                else:
                    holder[key] = value
        return path

    return write


def test_a_file_of_mlgenn_loads_with_a_delay_per_synapse(genn):
    delays = np.arange(18).reshape(3, 6)
    network = load_net(genn(delay=delays))
    (layer,) = network.layers
    assert layer.n_neurons == 3
    assert network.input_shape == (6,)
    np.testing.assert_array_equal(layer.projections[0].delays, delays)
    assert layer.neuron.threshold.tolist() == [150, 150, 150]
    assert load_golden(genn()) == ()


def test_a_recurrence_with_a_delay_per_synapse_does_too(genn):
    delays = np.arange(9).reshape(3, 3)
    weights = np.arange(-4, 5).reshape(3, 3)
    network = load_net(genn("dense_rec", weight_rec=weights.astype("f4"), delay_rec=delays))
    (own,) = network.layers[0].from_source(RECURRENT)
    np.testing.assert_array_equal(own.delays, delays)
    np.testing.assert_array_equal(own.synapses.weights, 2 * weights)
    assert own.weight_exponent == -1
    assert network.layers[0].from_source(PREVIOUS)[0].weight_exponent == 0


@pytest.mark.parametrize("value", [0, 1, h5py.Empty("i4")])
def test_no_refractory_time_is_one_step(genn, value):
    assert load_net(genn(refDelay=value)).n_classes == 3


def test_a_longer_one_is_refused(genn, check_error):
    with pytest.raises(KipukaError) as caught:
        load_net(genn(refDelay=2))
    check_error(
        caught.value,
        what="refDelay has no",
        where="refDelay",
        limit="1 or 0",
        value="2",
        remedy="refDelay = 1",
    )


@pytest.mark.parametrize("key", ["vThMant", "iDecay", "vDecay"])
def test_an_empty_key_that_is_needed_is_missing(genn, key, check_error):
    with pytest.raises(KipukaError) as caught:
        load_net(genn(**{key: h5py.Empty("i4")}))
    check_error(
        caught.value,
        what="key is missing",
        where=f"key {key}",
        limit="an array",
        value="nothing",
        remedy="export",
    )


def test_empty_keys_that_nobody_knows_say_nothing(genn):
    path = genn()
    with h5py.File(path, "r+") as file:
        file["layer/1"].create_dataset("whatever", dtype="f4")
        file["layer/1/weight"].attrs["weight_exponent"] = h5py.Empty("i4")
    assert load_net(path).layers[0].projections[0].weight_exponent == 0


def test_odd_weights_are_doubled_and_their_sums_halved(genn, rng, tmp_path):
    weights = rng.integers(-128, 128, (3, 6))
    network = load_net(genn(weight=weights, vThMant=60))
    (projection,) = network.layers[0].projections
    np.testing.assert_array_equal(projection.synapses.weights, 2 * weights)
    assert projection.weight_exponent == -1
    inputs = random_spikes(rng, 2, 6, 30)
    trace = simulate_reference(network, inputs).trace
    assert simulate(network, inputs).trace.digest(0) == trace.digest(0)
    # The first step of the current is the plain sum of the weights as the file has them.
    first = trace.layers[0].states["u"][:, :, 0]
    np.testing.assert_array_equal(first, (inputs[:, :, 0] @ weights.T) << 6)
    save_net(tmp_path / "again.net", network)
    assert_same(load_net(tmp_path / "again.net"), network)
    with h5py.File(tmp_path / "again.net") as file:
        # As other readers, which know no exponent, want them.
        np.testing.assert_array_equal(file["layer/1/weight"], weights)
        assert not file["layer/1/weight"].attrs


@pytest.mark.parametrize("weight", [[129, 0, 0, 0, 0, -1], [-129, 0, 0, 0, 0, 2], [255.0] * 6])
def test_odd_weights_beyond_8_bits_are_refused(genn, weight, check_error):
    with pytest.raises(KipukaError) as caught:
        load_net(genn(weight=weight))
    check_error(
        caught.value,
        what="weights_are_even_8_bit",
        where="weight",
        limit="even",
        value=str(int(weight[0])),
        remedy="quantize",
    )


@pytest.mark.parametrize("odd", [True, False])
def test_halved_sums_survive_the_file(rng, tmp_path, odd):
    def halved(projection):
        weights = projection.synapses.weights
        whole = weights if odd else weights // 4 * 4
        return dense(whole.reshape(weights.shape), projection.source, projection.target, 0, -1)

    recurrent = random_gru(rng, 3, 4)
    recurrent = type(recurrent)(recurrent.neuron, (4,), tuple(map(halved, recurrent.projections)))
    weights = (4 if not odd else 2) * rng.integers(-9, 10, (2, 4))
    network = program(3, recurrent, cuba(2, dense(weights, exponent=-1)))
    save_net(tmp_path / "a.net", network)
    assert_same(load_net(tmp_path / "a.net"), network)


def test_halved_sums_of_convolutions_survive_the_file(rng, tmp_path):
    kernels = 2 * rng.integers(-9, 10, (2, 1, 3, 3))
    layer = conv(kernels, (1, 5, 5), exponent=-1)
    first = cuba(18, layer, shape=(2, 3, 3))
    network = program((1, 5, 5), first, random_conv_gru(rng, (2, 3, 3), 2))
    save_net(tmp_path / "a.net", network)
    assert_same(load_net(tmp_path / "a.net"), network)


def assert_same(loaded, network):
    for one, other in zip(loaded.layers, network.layers, strict=True):
        for mine, given in zip(one.projections, other.projections, strict=True):
            np.testing.assert_array_equal(mine.synapses.weights, given.synapses.weights)
            assert mine.weight_exponent == given.weight_exponent
