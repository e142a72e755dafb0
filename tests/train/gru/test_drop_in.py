"""Spiking GRU blocks in a network as lava-dl's tutorials write it."""

import warnings

import h5py
import numpy as np
import pytest
import torch

from kipuka.convert.formats.net.file import load_net
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.deploy.fast.simulator import simulate
from kipuka.errors import KipukaError
from kipuka.train import silence
from kipuka.train.from_program.network import trace_blocks
from kipuka.train.gru import neuron
from kipuka.train.gru.convolutional import ConvSpikingGRU
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.silence import SilenceRule, SilentLayerWarning
from kipuka.train.slayer import cuba
from kipuka_tutorial import TUTORIAL, Network


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    torch.manual_seed(2)
    monkeypatch.setattr(neuron, "_SAID", set())


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* has gates in place of")
        warnings.filterwarnings("ignore", category=SilentLayerWarning)
        yield


def spikes(*shape, rate=0.4):
    generator = torch.Generator().manual_seed(5)
    return (torch.rand(*shape, generator=generator) < rate).float()


def dense_network(shared, **settings):
    return Network(
        cuba.Dense(shared, 12, 10, weight_scale=4, delay=True),
        SpikingGRU(shared, 10, 9, weight_scale=8, delay_init_steps=(0.0, 9.0), **settings),
        cuba.Dense(shared, 9, 4, weight_scale=4),
    )


def test_the_shared_parameters_are_taken_and_the_keys_without_meaning_named_once():
    with pytest.warns(UserWarning, match="current_decay, voltage_decay, requires_grad") as said:
        network = dense_network(dict(TUTORIAL))
        SpikingGRU(TUTORIAL, 10, 9)
    assert [str(w.message).split()[0] for w in said] == ["SpikingGRU"]
    assert "and learns them" in str(said[0].message)
    assert "uses threshold, tau_grad, scale_grad and leaves out" in str(said[0].message)
    assert network.blocks[1].neuron.threshold == 1.25
    assert network.blocks[1].neuron.tau_rho == 0.03 * 1.25
    with pytest.warns(UserWarning, match="ConvSpikingGRU has gates"):
        ConvSpikingGRU(TUTORIAL, 2, 3, 3)
    dropped = {**TUTORIAL, "shared_param": True, "dropout": torch.nn.Dropout(0.1)}
    with pytest.warns(UserWarning, match="uses threshold, tau_grad, scale_grad, dropout and"):
        SpikingGRU(dropped, 10, 9)


@pytest.mark.usefixtures("quiet")
def test_a_dict_that_slayer_s_recurrent_block_has_written_into():
    shared = dict(TUTORIAL)
    cuba.Recurrent(shared, 5, 6)
    assert shared["persistent_state"] is True
    SpikingGRU(shared, 6, 7)


def test_without_such_keys_there_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SpikingGRU({"threshold": 1.0, "norm": None, "graded_spike": False, "scale": 64}, 6, 7)


@pytest.mark.parametrize(
    ("change", "key", "limit"),
    [
        ({"current_decay": 2}, "current_decay", "from 0 to 1"),
        ({"voltage_decay": (0.1, -1)}, "voltage_decay", "from 0 to 1"),
        ({"voltage_decay": ()}, "voltage_decay", "from 0 to 1"),
        ({"voltage_decay": "slow"}, "voltage_decay", "from 0 to 1"),
        ({"requires_grad": 1}, "requires_grad", "True or False"),
        ({"norm": torch.nn.Identity}, "norm", "None"),
        ({"graded_spike": True}, "graded_spike", "False"),
        ({"scale": 32}, "scale", "64"),
        ({"leak": 0.1}, "leak", "threshold, tau_grad, scale_grad, dropout, current_decay"),
        ({"threshold": "high"}, "threshold", "a number"),
        ({"threshold": 0.0}, "threshold", "1/64"),
        ({"tau_grad": None}, "tau_grad", "a number"),
        ({"dropout": torch.nn.ReLU()}, "dropout", "a dropout"),
    ],
)
@pytest.mark.usefixtures("quiet")
def test_parameters_that_are_refused_by_name(change, key, limit, check_error):
    value = str(next(iter(change.values())))
    for make in (
        lambda params: SpikingGRU(params, 6, 7),
        lambda params: ConvSpikingGRU(params, 2, 3, 3),
    ):
        with pytest.raises(KipukaError) as caught:
            make({**TUTORIAL, **change})
        check_error(caught.value, where=f"key {key}", limit=limit, value=value, what="", remedy="")


def test_a_threshold_is_needed(check_error):
    with pytest.raises(KipukaError) as caught:
        SpikingGRU({"tau_grad": 0.1}, 6, 7)
    check_error(caught.value, where="key threshold", value="nothing", limit="number", remedy="1.0")
    check_error(caught.value, what="neuron parameters")


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("delay_rec", [False, True])
@pytest.mark.usefixtures("quiet")
def test_a_network_that_writes_itself_is_the_network(delay, delay_rec, tmp_path):
    network = dense_network(dict(TUTORIAL), delay=delay, delay_rec=delay_rec)
    with torch.no_grad():
        network.blocks[1].bias.uniform_(-0.3, 0.6)
    x = spikes(3, 12, 30)
    network.eval()
    network(x)
    network.export_hdf5(tmp_path / "net.net")
    program, expected = load_net(tmp_path / "net.net"), program_from_blocks(network)
    assert program.layers == expected.layers
    assert program.readout == expected.readout
    trace = simulate(program, x.numpy() > 0).trace
    assert trace.layers[1].spikes.any()
    np.testing.assert_array_equal(
        trace.layers[1].spikes, trace_blocks(network, x.numpy()).layers[1].spikes
    )


@pytest.mark.usefixtures("quiet")
def test_a_gru_at_the_end_keeps_the_delays_of_its_output(tmp_path):
    network = Network(
        cuba.Input(delay_shift=False),
        SpikingGRU(TUTORIAL, 12, 5, weight_scale=8, delay=True, delay_init_steps=(3.0, 9.0)),
    )
    network(spikes(3, 12, 30))
    network.export_hdf5(tmp_path / "net.net")
    delays = load_net(tmp_path / "net.net").readout.delays
    np.testing.assert_array_equal(delays, network.blocks[1].delay.steps)
    assert delays.min() >= 3


@pytest.mark.usefixtures("quiet")
def test_a_convolutional_block_writes_itself_once_it_has_seen_data(tmp_path, check_error):
    network = Network(
        cuba.Input(delay_shift=False),
        ConvSpikingGRU(
            TUTORIAL, 2, 3, 3, padding=1, weight_scale=4, delay=True, delay_init_steps=(0.0, 9.0)
        ),
        cuba.Flatten(),
        cuba.Dense(TUTORIAL, 48, 4),
    )
    with h5py.File(tmp_path / "early.net", "w") as file, pytest.raises(KipukaError) as caught:
        network.blocks[1].export_hdf5(file.create_group("layer/1"))
    check_error(caught.value, what="shape of the input", remedy="run the network once", where="")
    check_error(caught.value, limit="channels, height", value="no input_shape")
    x = spikes(2, 2, 4, 4, 20)
    network.eval()
    network(x)
    network.export_hdf5(tmp_path / "net.net")
    program = load_net(tmp_path / "net.net")
    assert program.layers == program_from_blocks(network).layers
    assert program.input_shape == (2, 4, 4)


@pytest.mark.usefixtures("quiet")
def test_the_gradient_flow_of_every_block_can_be_read():
    network = dense_network(dict(TUTORIAL), weight_norm=False)
    assert network.grad_flow() == [0, 0, 0]
    network(spikes(3, 12, 30)).sum().backward()
    flow = network.grad_flow()
    assert len(flow) == 3
    assert flow[1] > 0


@pytest.mark.usefixtures("quiet")
def test_dropout_leaves_neurons_out_for_a_whole_sequence_and_only_in_training():
    from lava.lib.dl.slayer.neuron import Dropout

    params = {**TUTORIAL, "dropout": Dropout(p=0.5)}
    block = SpikingGRU(params, 12, 40, weight_scale=8)
    x = spikes(3, 12, 30, rate=0.8)
    block.train()
    activations = block.weighted_sum(x)
    by_gate = activations.unflatten(2, (3, 40))
    silent = (by_gate == 0).all(0)  # (batch, gate, neuron)
    assert torch.equal(silent[:, 0], silent[:, 1])
    assert 30 < int(silent[:, 0].sum()) < 90
    # Twice the rest, on the grid of the sums.
    whole = SpikingGRU({"threshold": 1.25}, 12, 40, weight_scale=8)
    whole.load_state_dict(block.state_dict())
    expected = 2 * whole.weighted_sum(x).unflatten(2, (3, 40))
    kept = ~silent.expand_as(by_gate)
    assert torch.equal(by_gate[kept], expected[kept])
    block(x).sum().backward()
    block.eval()
    assert torch.equal(block.weighted_sum(x), whole.weighted_sum(x))


def test_a_silent_layer_is_named_once(monkeypatch):
    block = SpikingGRU({"threshold": 20.0}, 12, 7)
    few = torch.zeros(3, 12, 30)
    block(few)  # without input there is nothing to say
    few[:, 0, 1:] = 1
    block(few)  # nor with less than a spike per step
    block.silence = SilenceRule(batches=3)
    many = spikes(3, 12, 30)
    for _ in range(2):
        block(many)  # nor before training had a chance to change it
        block(few)
    with pytest.warns(SilentLayerWarning, match=r"SpikingGRU of 7 emitted no spike in 3 .* \d+ in"):
        block(many)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        block(many)
        other = SpikingGRU({"threshold": 20.0}, 12, 7).eval()
        other(many)
        awake = SpikingGRU({"threshold": 20.0}, 12, 7)
        for _ in range(silence.PATIENCE - 1):
            silence.warn_if_silent(awake, "awake", awake.silence, many, few * 0)
        silence.warn_if_silent(awake, "awake", awake.silence, many, many)  # it does spike
        silence.warn_if_silent(awake, "awake", awake.silence, many, few * 0)
    other.train().name = "layer 2"
    other.silence = SilenceRule(1, "give it a chance")
    with pytest.warns(SilentLayerWarning, match="layer 2 emitted .* give it a chance"):
        other(many)
    assert block in silence._SAID


@pytest.mark.usefixtures("quiet")
def test_one_convention_for_the_input():
    images = spikes(3, 2, 4, 4, 20).numpy()
    rows = images.reshape(3, 32, 20)
    convolution = [cuba.Conv(dict(TUTORIAL), 2, 3, 3, weight_scale=4), cuba.Flatten()]
    convolution.append(SpikingGRU(TUTORIAL, 12, 4, weight_scale=8))
    dense = [SpikingGRU(TUTORIAL, 32, 4, weight_scale=8)]
    for blocks, shape in ((convolution, (2, 4, 4)), (dense, None)):
        given = {} if shape is None else {"input_shape": shape}
        program = program_from_blocks(blocks, **given)
        traces = [
            trace_blocks(blocks, images),
            trace_blocks(blocks, rows, **given),
            simulate(program, rows > 0).trace,
        ]
        for trace in traces[1:]:
            np.testing.assert_array_equal(trace.layers[-1].spikes, traces[0].layers[-1].spikes)
        assert traces[0].layers[-1].spikes.any()
