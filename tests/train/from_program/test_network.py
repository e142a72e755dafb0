"""SLAYER's own forward pass, the Program made of its blocks, and blocks made of a Program."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.block_values import delays
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.program import RECURRENT, Encoder, Readout, Reset
from kipuka.convert.trace import decide, readout_input
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka.errors import KipukaError
from kipuka.train.from_program.network import blocks_from_program, trace_blocks
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.slayer import Delay, MeanOnlyBatchNorm, cuba
from kipuka_cases import (
    conv,
    conv_cuba,
    dense,
    even,
    gru,
    program,
    random_conv_gru,
    random_cuba,
    random_delays,
    random_gru,
    random_inputs,
    random_spikes,
)
from kipuka_cases import cuba as cuba_layer

STEPS = 60
pytestmark = pytest.mark.filterwarnings("ignore:.?torch.nn.utils.weight_norm.? is deprecated")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(7)


def neuron(**settings):
    # A new dictionary for every block: SLAYER's Recurrent and Pool write into it.
    return {"threshold": 1.0, "current_decay": 0.3, "voltage_decay": 0.07, **settings}


def with_bias(channels):
    return neuron(norm=functools.partial(MeanOnlyBatchNorm, channels))


def prepared(*blocks):
    """Random delays and biases in every block that can have them, in evaluation mode."""
    for block in blocks:
        neurons = getattr(block, "neuron", None)
        if neurons is not None and neurons.norm is not None:
            neurons.norm.running_mean.normal_(0, 0.2)
        if isinstance(getattr(block, "delay", None), Delay):
            synapse = getattr(block, "synapse", None) or block.recurrent_synapse
            channels = synapse.out_channels if type(block) is not cuba.Pool else 4
            block.delay.delay.data, block.delay.init = torch.rand(channels) * 21, True
    return torch.nn.ModuleList(blocks).eval()


def shape_only():
    # With delay_shift SLAYER's Input fails without neurons.
    return cuba.Input(delay_shift=False)


def convolutions():
    return prepared(
        shape_only(),
        cuba.Conv(with_bias(4), 2, 4, (3, 2), padding=(1, 0), delay=True, weight_scale=4),
        cuba.Pool(neuron(), 2, weight_scale=0.8, delay=True),
        cuba.Conv(neuron(), 4, 6, 2, groups=2, dilation=(1, 2), weight_norm=True, weight_scale=6),
        cuba.Flatten(),
        cuba.Dense(with_bias(6), 6 * 3 * 1, 6, weight_scale=5, delay=True),
        cuba.Average(3),
    ), (2, 7, 7)


def pooling_past_the_edge():
    return prepared(shape_only(), cuba.Pool(neuron(), (2, 5), stride=(2, 3), delay=True)), (4, 5, 8)


def pooling_one_channel():
    return prepared(shape_only(), cuba.Pool(neuron(), 3, stride=1)), (1, 7, 8)


def recurrence():
    return prepared(cuba.Recurrent(neuron(), 5, 8, weight_scale=3, delay=True)), (5,)


def square_recurrence_in_a_network():
    return prepared(
        cuba.Dense(with_bias(6), 5, 6, weight_scale=4, delay=True),
        cuba.Recurrent(neuron(), 6, 6, weight_scale=4, delay=True),
        cuba.Dense(neuron(), 6, 3, weight_scale=4),
    ), (5,)


def recurrence_with_bias():
    settings = {**with_bias(6), "current_decay": 1.0}
    return prepared(cuba.Recurrent(settings, 5, 6, weight_scale=3, delay=True)), (5,)


def decays_per_channel():
    decays = {"current_decay": (0.1, 0.9), "voltage_decay": (0.0, 0.4), "shared_param": False}
    block = cuba.Dense(neuron(**decays), 5, 9, weight_scale=3)
    block(torch.zeros(1, 5, 1))
    return prepared(block), (5,)


def masked():
    mask = torch.rand(7, 5) < 0.6
    return prepared(cuba.Dense(neuron(), 5, 7, weight_scale=4, mask=mask)), (5,)


def gru_and_recurrence():
    return prepared(
        SpikingGRU({"threshold": 1.0}, 5, 8, weight_scale=4, delay=True, delay_rec=True),
        cuba.Recurrent(neuron(), 8, 4, weight_scale=3),
    ), (5,)


NETWORKS = [
    convolutions,
    pooling_past_the_edge,
    pooling_one_channel,
    recurrence,
    square_recurrence_in_a_network,
    recurrence_with_bias,
    decays_per_channel,
    masked,
    gru_and_recurrence,
]


def forward(blocks, spikes, shape):
    """Output of every block with neurons, (samples, neurons, steps)."""
    x = torch.from_numpy(spikes.reshape(len(spikes), *shape, -1)).float()
    outputs = []
    with torch.no_grad():
        for block in blocks:
            x = block(x)
            if getattr(block, "neuron", None) is not None:
                outputs.append(x.reshape(len(x), -1, x.shape[-1]).numpy())
    return outputs


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_program_gives_the_spikes_of_slayers_forward_pass(build, rng):
    blocks, shape = build()
    spikes = random_spikes(rng, 3, int(np.prod(shape)), STEPS, 0.3)
    outputs = forward(blocks, spikes, shape)
    network = program_from_blocks(blocks)
    assert network.input_shape == shape
    layers = simulate_reference(network, spikes).trace.layers
    neurons = [b for b in blocks if getattr(b, "neuron", None) is not None]
    for block, layer, traced, output in zip(neurons, network.layers, layers, outputs, strict=True):
        axonal = delays(block.delay, layer.shape, "test")
        arriving = readout_input(Readout("spike_count", axonal), traced.spikes)
        assert output.any()
        # A block adds the step of propagation to the next layer.
        np.testing.assert_array_equal(output[..., 1:] > 0, arriving[..., :-1])


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_trace_of_blocks_and_of_blocks_made_again_is_the_references(build, rng):
    blocks, shape = build()
    spikes = random_spikes(rng, 3, int(np.prod(shape)), STEPS, 0.3)
    network = program_from_blocks(blocks, input_shape=shape)
    again = blocks_from_program(network)
    x = torch.from_numpy(spikes.reshape(3, *shape, -1)).float()
    for block in blocks:
        x = block(x)  # Whatever state this leaves must not show.
    traces = {
        "reference": simulate_reference(network, spikes).trace,
        "blocks": trace_blocks(blocks, spikes),
        "again": trace_blocks(again, spikes),
        "twice": trace_blocks(again, spikes),
        "exported": simulate_reference(program_from_blocks(again), spikes).trace,
    }
    assert all(layer.spikes.any() for layer in traces["reference"].layers)
    assert verify(network, traces).mismatches == ()


def test_tracing_leaves_the_blocks_as_they_were():
    block = cuba.Recurrent({**with_bias(3), "current_decay": 1.0}, 2, 3, weight_scale=9).train()
    block(torch.ones(1, 2, 4))
    mean, state = block.neuron.norm.running_mean.clone(), block.neuron.voltage_state.clone()
    trace_blocks([block], np.ones((2, 2, 9), dtype=bool))
    assert block.training
    assert torch.equal(block.neuron.norm.running_mean, mean)
    assert torch.equal(block.neuron.voltage_state, state)


@pytest.mark.parametrize("dynamics", [True, False])
def test_affine_gives_the_membrane_that_is_summed(dynamics, rng):
    blocks = prepared(
        cuba.Dense(neuron(), 5, 6, weight_scale=5, delay=True),
        cuba.Affine(with_bias(4), 6, 4, dynamics=dynamics),
    )
    spikes = random_spikes(rng, 3, 5, STEPS, 0.3)
    outputs = forward(blocks, spikes, (5,))
    network = program_from_blocks(blocks)
    trace = simulate_reference(network, spikes).trace
    np.testing.assert_array_equal(outputs[-1] * fixed.STATE_SCALE, trace.layers[-1].states["v"])
    np.testing.assert_array_equal(
        decide(network, trace.layers[-1]), outputs[-1].sum(-1, dtype=np.float64).argmax(1)
    )
    traces = {"reference": trace, "torch": trace_blocks(blocks, spikes)}
    traces["again"] = trace_blocks(blocks_from_program(network), spikes)
    assert verify(network, traces).mismatches == ()


def test_average_decides_by_the_mean_of_each_population(rng):
    blocks, shape = convolutions()
    spikes = random_spikes(rng, 8, int(np.prod(shape)), STEPS, 0.3)
    network = program_from_blocks(blocks, input_shape=shape)
    x = torch.from_numpy(spikes.reshape(8, *shape, -1)).float()
    with torch.no_grad():
        # The last block's step of propagation would move the last spikes past the end.
        x = torch.nn.functional.pad(x, (0, 1))
        for block in blocks:
            x = block(x)
    last = simulate_reference(network, spikes).trace.layers[-1]
    assert network.readout.population == 2
    np.testing.assert_array_equal(decide(network, last), x.sum(-1).numpy().argmax(1))


def test_input_with_neurons_encodes_what_8_bits_hold(rng):
    blocks = prepared(
        cuba.Input(with_bias(2), weight=0.5, bias=0.25),
        cuba.Conv(neuron(), 2, 3, 2, weight_scale=5),
    )
    # Multiples of 1/32 are what SLAYER rounds inputs to; even ones give whole weight units.
    values = rng.integers(-40, 63, (2, 2, 4, 3, STEPS)) * 2 / 32
    outputs = forward(blocks, values, (2, 4, 3))
    network = program_from_blocks(blocks)
    assert network.encoder == Encoder(32, 16, eight_bit=True)
    activation = network.encoder.activation(values.reshape(2, 24, -1))
    reference = simulate_reference(network, activation).trace
    for output, layer in zip(outputs, reference.layers, strict=True):
        assert output.any()
        np.testing.assert_array_equal(output[..., 1:] > 0, layer.spikes[..., :-1])
    again = blocks_from_program(network)
    assert program_from_blocks(again).encoder == network.encoder
    traces = {"reference": reference, "blocks": trace_blocks(blocks, activation)}
    traces["again"] = trace_blocks(again, activation)
    assert verify(network, traces).mismatches == ()


def test_biases_beyond_8_bits_survive_the_blocks(rng):
    network = program(4, random_cuba(rng, 4, 3, bias=np.array([-4096, 4095, 33])))
    again = program_from_blocks(blocks_from_program(network))
    assert again.layers[0].neuron.bias.tolist() == [-4096, 4095, 33]


def test_convolution_with_decays_of_its_own_for_each_neuron(rng):
    decays = rng.integers(0, 4097, 12)
    layer = conv_cuba(conv(even(rng, (3, 2, 2, 2)), (2, 3, 3)), current_decay=decays)
    network = program((2, 3, 3), layer)
    spikes = random_inputs(rng, network, 2, STEPS, 0.4)
    blocks = blocks_from_program(network)
    traces = {
        "reference": simulate_reference(network, spikes).trace,
        "torch": trace_blocks(blocks, spikes),
    }
    assert traces["reference"].layers[0].spikes.any()
    assert verify(network, traces).mismatches == ()
    assert program_from_blocks(blocks).layers[0].neuron.current_decay.tolist() == decays.tolist()


SHAPE = (2, 4, 4)


def pool(rng, kernels, shape, output_shape, stride):
    kernels = np.array(kernels)[:, None, None, None] * np.ones((1, 1, 2, 2))
    settings = {"groups": 2, "stride": stride, "output_shape": output_shape}
    return program(shape, conv_cuba(conv(kernels, shape, **settings)))


def delay_per_gate(rng):
    layer = random_gru(rng, 4, 5)
    projections = list(layer.projections)
    projections[1] = dense(projections[1].synapses.weights, target="r", delays=3)
    last = dataclasses.replace(layer, projections=tuple(projections))
    return program(4, random_cuba(rng, 4, 4), last)


def two_layers(rng, *projections):
    return program(4, random_cuba(rng, 4, 5), cuba_layer(3, *projections))


def kernels(rng, **settings):
    return conv(even(rng, (2, 2, 3, 3)), SHAPE, **settings)


REFUSED = {
    "reset": (
        lambda rng: program(4, random_cuba(rng, 4, 3), reset=Reset(9)),
        ("network", "reset"),
    ),
    "input delays": (
        lambda rng: program(4, random_cuba(rng, 4, 3, delays=random_delays(rng, 4))),
        ("layer 1", "delays on the network's input"),
    ),
    "delay per synapse": (
        lambda rng: two_layers(rng, dense(even(rng, (3, 5)), delays=rng.integers(0, 9, (3, 5)))),
        ("layer 2", "a delay per synapse"),
    ),
    "delay per gate": (delay_per_gate, ("layer 2", "different delays per gate")),
    "skip connection": (
        lambda rng: two_layers(rng, dense(even(rng, (3, 5))), dense(even(rng, (3, 4)), 2)),
        # Layer 2 is the concat layer before it.
        ("layer 3", "a skip connection"),
    ),
    "exponent": (
        lambda rng: program(4, cuba_layer(3, dense(even(rng, (3, 4)), exponent=1))),
        ("layer 1", "a weight exponent"),
    ),
    "exponent of a convolution": (
        lambda rng: program(SHAPE, conv_cuba(kernels(rng, exponent=1))),
        ("layer 1", "a weight exponent"),
    ),
    "inexact threshold": (
        lambda rng: program(4, random_cuba(rng, 4, 3, threshold=4096)),
        ("layer 1", "vThMant 4096"),
    ),
    "thresholds": (
        lambda rng: program(4, random_cuba(rng, 4, 2, threshold=np.array([64, 66]))),
        ("layer 1", "vThMant that differs"),
    ),
    "recurrent delays": (
        lambda rng: program(
            4,
            cuba_layer(3, dense(even(rng, (3, 4))), dense(even(rng, (3, 3)), RECURRENT, delays=1)),
        ),
        ("layer 1", "delays inside a recurrence"),
    ),
    "recurrent bias": (
        lambda rng: program(4, random_cuba(rng, 4, 3, recurrent=True, bias=2, current_decay=100)),
        ("layer 1", "a bias in a recurrent layer"),
    ),
    "bias within a channel": (
        lambda rng: program(SHAPE, conv_cuba(kernels(rng), bias=np.arange(8))),
        ("layer 1", "biases that differ within a channel"),
    ),
    "delay within a channel": (
        lambda rng: program(SHAPE, conv_cuba(kernels(rng)), readout_delays=np.arange(8)),
        ("layer 1", "delays that differ within a channel"),
    ),
    "odd encoder": (
        lambda rng: program(4, cuba_layer(4), random_cuba(rng, 4, 3), encoder=Encoder(33, 0)),
        ("layer 0", "the encoder's weight 33"),
    ),
    "pooling that SLAYER does otherwise": (
        lambda rng: pool(rng, (2, 2), SHAPE, (2, 4, 4), (1, 1)),
        ("layer 1", "the output shape (2, 4, 4)"),
    ),
    "pooling kernels": (
        lambda rng: pool(rng, (2, 4), (2, 5, 4), (2, 3, 2), (2, 2)),
        ("layer 1", "a pooling kernel that differs"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_layers_without_an_exact_block_are_refused(name, rng, check_error):
    build, (where, value) = REFUSED[name]
    network = build(rng)
    with pytest.raises(KipukaError) as caught:
        blocks_from_program(network)
    what = "no counterpart among the training blocks"
    check_error(caught.value, what=what, where=where, value=value, remedy="backends reference")
    assert "backend torch" in caught.value.where


CONVOLVING = (2, 5, 4)


def conv_gru(rng, change=lambda p: p, **settings):
    """A convolutional GRU whose projections were changed after they were drawn."""
    layer = random_conv_gru(rng, CONVOLVING, 3, padding=(1, 1), **settings)
    changed = tuple(change(p) for p in layer.projections)
    return program(CONVOLVING, dataclasses.replace(layer, projections=changed))


def of_target(target, source, **values):
    def change(projection):
        chosen = (projection.target, projection.source) == (target, source)
        return dataclasses.replace(projection, **values) if chosen else projection

    return change


def uneven_delays(projection):
    steps = np.arange(projection.delays.size, dtype=np.int16) % 2 * (projection.source == RECURRENT)
    return dataclasses.replace(projection, delays=steps.astype(np.int16))


def with_an_unfed_gate(rng):
    layer = random_gru(rng, 4, 3, current=True)
    return program(4, dataclasses.replace(layer, projections=layer.projections[1:]))


def grouped_recurrence(rng):
    settings = {"source": RECURRENT, "groups": 2, "padding": (1, 1)}
    own = [conv(even(rng, (2, 1, 3, 3)), SHAPE, target=t, **settings) for t in "irz"]
    fed = [conv(even(rng, (2, 2, 3, 3)), SHAPE, target=t, padding=(1, 1)) for t in "irz"]
    return program(SHAPE, gru(32, *fed, *own, shape=SHAPE))


def dense_input_and_convolving_core(rng):
    own = random_conv_gru(rng, SHAPE, 2, padding=(1, 1)).projections[3:]
    fed = [dense(even(rng, (32, 4)), target=t) for t in "irz"]
    return program(4, gru(32, *fed, *own, shape=SHAPE))


REFUSED_GRUS = {
    "a gate without input": (with_an_unfed_gate, "missing projections"),
    "delays per gate": (
        lambda rng: conv_gru(rng, of_target("r", RECURRENT, delays=np.full(60, 3, np.int16))),
        "different recurrent delays per gate",
    ),
    "delays within a channel": (
        lambda rng: conv_gru(rng, uneven_delays),
        "recurrent delays that differ within a channel",
    ),
    "biases within a channel": (
        lambda rng: conv_gru(rng, bias_r=2 * np.arange(60)),
        "biases that differ within a channel",
    ),
    "an exponent": (
        lambda rng: conv_gru(rng, of_target("i", 1, weight_exponent=1)),
        "a weight exponent",
    ),
    "groups in the recurrence": (grouped_recurrence, "recurrent convolutions in groups"),
    "dense beside convolutions": (dense_input_and_convolving_core, "DenseSynapses"),
}


@pytest.mark.parametrize("name", REFUSED_GRUS)
def test_grus_without_an_exact_block_are_refused(name, rng, check_error):
    build, value = REFUSED_GRUS[name]
    with pytest.raises(KipukaError) as caught:
        blocks_from_program(build(rng))
    where = "layer 1, backend torch"
    what = "no counterpart among the training blocks"
    check_error(caught.value, what=what, where=where, value=value, remedy="backends reference")


def test_membranes_of_slayer_do_not_saturate():
    # docs/disagreements.md: at one input of -256 in each step 24 bits end after 512 of them.
    network = program(1, cuba_layer(1, dense([[-256]])))
    spikes = np.ones((1, 1, 520), bool)
    trained = trace_blocks(blocks_from_program(network), spikes).layers[0].states["v"][0, 0]
    run = simulate_reference(network, spikes)
    deployed, limit = run.trace.layers[0].states["v"][0, 0], fixed.CUBA_STATE_LIMIT - 1
    assert np.array_equal(trained[:511], deployed[:511])
    assert (trained[-1], deployed[-1]) == ((-520 * 256) << fixed.STATE_SHIFT, -limit)
    assert run.counters.saturations > 0
