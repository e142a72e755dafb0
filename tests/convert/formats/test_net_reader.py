"""Files as lava-dl and other tools write them, key by key."""

import h5py
import numpy as np
import pytest

from kipuka.convert.formats.net.file import load_net
from kipuka.convert.program import PREVIOUS, RECURRENT, Encoder
from kipuka.errors import KipukaError

NEURON = {"type": "CUBA", "iDecay": 1024, "vDecay": 512, "vThMant": 80, "refDelay": 1}


def dense(n, n_in, **keys):
    weight = np.arange(n * n_in).reshape(n, n_in) * 2.0
    return {"type": "dense", "shape": [n, 1, 1], "weight": weight, "neuron": NEURON, **keys}


def conv(n_out, n_in, shape, kernel=(2, 2), **keys):
    geometry = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
    weight = np.full((n_out, n_in, *kernel), 2.0)
    common = {"type": "conv", "shape": shape, "weight": weight, "neuron": NEURON}
    return {**common, **geometry, **keys}


def pool(shape, kernel=(2, 2), **keys):
    geometry = {"stride": kernel, "padding": [0, 0], "dilation": [1, 1], "kernelSize": kernel}
    weight = np.full((1, 1, *kernel), 64.0)
    return {"type": "pool", "shape": shape, "weight": weight, "neuron": NEURON, **geometry, **keys}


def source(*shape):
    return {"type": "input", "shape": list(shape)}


@pytest.fixture
def net(tmp_path):
    """Write layers, given as nested dicts, to a file as lava-dl lays it out."""

    def write(group, keys):
        for key, value in keys.items():
            if isinstance(value, dict):
                write(group.create_group(key), value)
            elif key == "type" and isinstance(value, str):
                group.create_dataset("type", (1,), "S10", [value.encode()])
            else:
                group[key] = value

    def made(*layers):
        path = tmp_path / "foreign.net"
        with h5py.File(path, "w") as file:
            for number, layer in enumerate(layers):
                write(file.create_group(f"layer/{number}"), layer)
            file["simulation/Ts"] = 1
        return path

    return made


@pytest.fixture
def refused(net, check_error):
    def check(*layers, **parts):
        with pytest.raises(KipukaError) as caught:
            load_net(net(*layers))
        check_error(caught.value, **parts)

    return check


def test_a_value_per_neuron_is_the_delay_of_the_output(net):
    program = load_net(net(source(3), dense(2, 3, delay=[4.0, 5.0]), dense(4, 2)))
    assert not program.layers[0].projections[0].delays.any()
    assert program.layers[1].projections[0].delays.tolist() == [4, 5]


def test_so_it_is_where_inputs_and_neurons_are_equally_many(net):
    program = load_net(net(source(2), dense(2, 2, delay=[4.0, 5.0])))
    assert program.readout.delays.tolist() == [4, 5]


def test_a_scalar_delays_the_whole_output(net):
    program = load_net(net(source(3), dense(2, 3, delay=7), dense(4, 2)))
    assert program.layers[1].projections[0].delays.tolist() == [7, 7]


def test_a_value_per_input_delays_what_arrives(net):
    program = load_net(net(source(3), dense(2, 3, delay=[1, 2, 3])))
    assert program.layers[0].projections[0].delays.tolist() == [1, 2, 3]
    assert program.readout.delays.tolist() == [0, 0]


def test_a_matrix_is_a_delay_per_synapse(net):
    matrix = [[1, 2, 3], [4, 5, 6]]
    program = load_net(net(source(3), dense(2, 3, delay=matrix)))
    assert program.layers[0].projections[0].delays.tolist() == matrix


def test_delays_of_output_and_input_add_up(net):
    first, second = dense(2, 3, delay=[4, 5]), dense(3, 2, delay=[[1, 2]] * 3)
    program = load_net(net(source(3), first, second))
    assert program.layers[1].projections[0].delays.tolist() == [5, 7]


def test_a_sum_over_the_limit_is_refused(refused):
    first, second = dense(2, 3, delay=[40, 5]), dense(3, 2, delay=[[23, 2]] * 3)
    parts = {"what": "delays_within_hardware", "where": "layer 2", "limit": "0 to 62"}
    refused(source(3), first, second, value="63", remedy="relay neurons", **parts)


def test_a_delay_over_the_limit_is_refused_unless_told_to_clamp(net, check_error):
    path = net(source(3), dense(2, 3, delay=[63, 1000]), dense(1, 2))
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    check_error(caught.value, where="layer 2", limit="0 to 62", value="63")
    clamped = load_net(path, clamp_delays=True)
    assert clamped.layers[1].projections[0].delays.tolist() == [62, 62]


def test_negative_delays_are_not_clamped(net, check_error):
    path = net(source(3), dense(2, 3, delay=[1, -1]), dense(1, 2))
    with pytest.raises(KipukaError) as caught:
        load_net(path, clamp_delays=True)
    check_error(caught.value, what="delays_within_hardware", value="-1")


def test_recurrence_with_delays_of_its_own(net):
    layer = dense(2, 3, type="dense_rec", weight_rec=np.eye(2) * 4, delay_rec=[8, 9], delay=[1, 2])
    program = load_net(net(source(3), layer))
    own = program.layers[0].from_source(RECURRENT)[0]
    assert own.delays.tolist() == [8, 9]
    assert not program.layers[0].from_source(PREVIOUS)[0].delays.any()
    assert program.readout.delays.tolist() == [1, 2]


def test_delays_of_the_wrong_length(refused):
    parts = {"what": "delays do not fit", "where": "layer 1, key delay", "value": "(5,)"}
    refused(source(3), dense(2, 3, delay=[1] * 5), limit="2 (neurons), 3 (inputs)", **parts)


def test_weight_exponent_of_the_neuron_counts(net):
    program = load_net(net(source(3), dense(2, 3, neuron={**NEURON, "wgtExp": 2})))
    assert program.layers[0].projections[0].weight_exponent == 2


def test_weights_in_one_row(net):
    program = load_net(net(source(3), dense(1, 3, weight=[2.0, 4.0, 6.0])))
    assert program.layers[0].projections[0].synapses.weights.tolist() == [[2, 4, 6]]


def test_layer_0_without_an_input_layer(net):
    program = load_net(net(dense(2, 3, inFeatures=3), dense(1, 2)))
    assert (program.input_shape, program.numbers) == ((3,), (0, 1))


def test_convolution_at_layer_0_has_no_known_input(refused):
    parts = {"what": "shape of the input", "where": "layer 0", "value": "conv"}
    refused(conv(1, 1, [1, 2, 2]), remedy="slayer.block.cuba.Input", **parts)


def test_input_neurons_and_their_transform(net):
    first = {"type": "input", "shape": [4], "weight": [36.0], "bias": [34.0], "neuron": NEURON}
    program = load_net(net(first, dense(2, 4)))
    assert (program.encoder, program.numbers) == (Encoder(36, 34), (0, 1))
    assert program.layers[0].neuron.threshold.tolist() == [80] * 4
    assert program.encoder.activation(np.array([0.5, -1.5, 0.01])).tolist() == [52, -20, 34]


def test_input_neurons_without_a_transform_take_what_netx_assumes(net):
    program = load_net(net({"type": "input", "shape": [4], "neuron": NEURON}, dense(2, 4)))
    assert program.encoder == Encoder(64, 0)


def test_convolution_with_a_bias_and_a_delay_per_channel(net):
    first = conv(2, 1, [2, 3, 2], bias=[3, -5], delay=[6.0, 7.0])
    flatten, last = {"type": "flatten", "shape": [12, 1, 1]}, dense(1, 12)
    program = load_net(net(source(1, 4, 3), first, flatten, last))
    assert program.numbers == (1, 3)
    assert program.layers[0].shape == (2, 3, 2)
    assert program.layers[0].neuron.bias.tolist() == [3] * 6 + [-5] * 6
    assert program.layers[1].projections[0].delays.tolist() == [6] * 6 + [7] * 6


def test_convolution_kernel_with_a_trailing_time_axis(net):
    first = conv(2, 1, [2, 3, 2], weight=np.full((2, 1, 2, 2, 1), 4.0))
    program = load_net(net(source(1, 4, 3), first))
    assert program.layers[0].projections[0].synapses.weights.shape == (2, 1, 2, 2)


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"shape": [2, 4, 2]}, {"what": "convolution_fits_shapes", "limit": "they give (2, 3, 2)"}),
        ({"stride": [0, 1]}, {"what": "convolution_fits_shapes", "value": "stride (0, 1)"}),
        ({"padding": [1, 2, 3]}, {"where": "key padding", "value": "3 values"}),
        (
            {"weight": np.ones((2, 3, 2, 2))},
            {"where": "key weight", "limit": "(output channels, 1"},
        ),
        ({"groups": 3}, {"where": "key weight", "limit": "after 1 channels"}),
        ({"inChannels": 4}, {"where": "key inChannels", "limit": "(1,)", "value": "(4,)"}),
        ({"kernelSize": [3, 3]}, {"where": "key kernelSize", "limit": "(2, 2)"}),
        ({"bias": [1, 2, 3]}, {"where": "key bias", "value": "3 values"}),
        ({"shape": [12]}, {"what": "channels x height x width", "where": "key shape"}),
    ],
)
def test_convolution_that_contradicts_itself(refused, keys, parts):
    layer = {**conv(2, 1, [2, 3, 2]), **keys}
    refused(source(1, 4, 3), layer, **{"where": "layer 1", **parts})


def test_pooling_becomes_a_convolution_with_a_group_per_channel(net):
    program = load_net(net(source(3, 5, 4), pool([3, 3, 2])))
    synapses = program.layers[0].projections[0].synapses
    assert (synapses.groups, synapses.weights.shape) == (3, (3, 1, 2, 2))
    # SLAYER pads the odd height of 5 with a row of zeros.
    spikes = np.ones((1, 60))
    assert synapses.weighted_sum(spikes).reshape(3, 3, 2)[0].tolist() == [
        [256, 256],
        [256, 256],
        [128, 128],
    ]


def test_average_gives_the_population_of_each_class(net):
    program = load_net(net(source(3), dense(6, 3), {"type": "average", "shape": [2, 1, 1]}))
    assert (program.readout.population, program.n_classes) == (3, 2)


def test_average_that_does_not_divide_the_layer(refused):
    average = {"type": "average", "shape": [4, 1, 1]}
    parts = {"what": "do not divide", "where": "layer 2, key shape", "limit": "6", "value": "4"}
    refused(source(3), dense(6, 3), average, remedy="same number", **parts)


def test_nothing_follows_an_average_layer(refused):
    average = {"type": "average", "shape": [2, 1, 1]}
    refused(source(3), dense(6, 3), average, dense(1, 2), where="layer 3", value="dense")


def test_concat_joins_the_previous_layer_and_others(net):
    concat = {"type": "concat", "shape": [5], "layers": [0]}
    program = load_net(net(source(3), dense(2, 3, delay=[1, 2]), concat, dense(1, 5)))
    near, far = program.layers[1].from_source(PREVIOUS)[0], program.layers[1].from_source(2)[0]
    assert near.synapses.weights.tolist() == [[0, 2]]
    assert far.synapses.weights.tolist() == [[4, 6, 8]]
    assert (near.delays.tolist(), far.delays.tolist()) == ([1, 2], [0, 0, 0])


@pytest.mark.parametrize(
    ("layers", "parts"),
    [
        ([2], {"what": "layers before it", "limit": "0 to 1", "value": "2"}),
        ([0, 0], {"what": "twice", "value": "[0, 0]"}),
    ],
)
def test_concat_of_layers_that_cannot_be_joined(refused, layers, parts):
    concat = {"type": "concat", "shape": [5], "layers": layers}
    refused(source(3), dense(2, 3), concat, where="layer 2, key layers", **parts)


def test_flatten_of_another_size(refused):
    flatten = {"type": "flatten", "shape": [11, 1, 1]}
    refused(source(1, 4, 3), flatten, where="layer 1, key shape", limit="12", value="11")


@pytest.mark.parametrize("name", ["ALIF", "RF", "RF_PHASE", "ADRF"])
def test_other_neuron_models_are_refused_by_name(refused, name):
    layer = dense(2, 3, neuron={**NEURON, "type": name})
    refused(source(3), layer, what="neuron type", where="layer 1, key neuron", value=name)


def test_complex_weights_are_refused(refused):
    layer = dense(2, 3)
    layer["weight"] = {"real": np.zeros((2, 3)), "imag": np.zeros((2, 3))}
    refused(source(3), layer, what="wrong kind", where="layer 1, key weight")


def test_normalization_exponent_that_lava_dl_drops(refused):
    layer = dense(2, 3, neuron={**NEURON, "weight_exp": 1})
    refused(source(3), layer, what="weight_exp", limit="0", value="1")


def test_decays_per_channel(net):
    neuron = {**NEURON, "iDecay": [100, 200], "vDecay": [300, 400]}
    program = load_net(net(source(1, 4, 3), conv(2, 1, [2, 3, 2], neuron=neuron)))
    assert program.layers[0].neuron.current_decay.tolist() == [100] * 6 + [200] * 6


def test_values_of_neurons_in_another_order_of_axes(net, refused):
    thresholds = np.arange(1, 13).reshape(2, 3, 2) * 10
    ordered = conv(2, 1, [2, 3, 2], neuron={**NEURON, "vThMant": thresholds})
    found = load_net(net(source(1, 4, 3), ordered)).layers[0].neuron.threshold
    assert found.tolist() == thresholds.ravel().tolist()
    crossed = conv(2, 1, [2, 3, 2], neuron={**NEURON, "vThMant": thresholds.transpose(1, 2, 0)})
    refused(
        source(1, 4, 3), crossed, where="key vThMant", limit="order of (2, 3, 2)",
        value="shape (3, 2, 2)",
    )  # fmt: skip
