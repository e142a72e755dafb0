"""A network trained with our blocks is the same everywhere; SLAYER's is not, and that is said."""

import importlib.util

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lava", reason="needs the lava extra")

from kipuka.commands.backends import BACKENDS  # noqa: E402
from kipuka.convert import program_from_blocks  # noqa: E402
from kipuka.convert.operands import presented  # noqa: E402
from kipuka.convert.trace import Trace, decide  # noqa: E402
from kipuka.deploy.deviation import deployment_deviation  # noqa: E402
from kipuka.deploy.verification import verify  # noqa: E402
from kipuka.errors import KipukaError  # noqa: E402
from kipuka.train import load_dataset, train  # noqa: E402
from kipuka.train.runs.config import TrainConfig  # noqa: E402
from kipuka.train.runs.losses import output_counts  # noqa: E402
from kipuka.train.runs.result import program_of  # noqa: E402
from kipuka.train.sigma_delta import blocks  # noqa: E402
from kipuka.train.sigma_delta.as_trained import trace_as_trained  # noqa: E402
from kipuka.train.slayer import cuba, sigma_delta  # noqa: E402

SAMPLES = 12


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Settings, network and data of a short run, in which thresholds, biases and delays learned."""
    config = TrainConfig(network="sdnn-delay", hidden=16, epochs=1, learning_rate=0.02)
    result = train(config, tmp_path_factory.mktemp("run") / "sdnn")
    return config, result.network, load_dataset("digits")


def test_thresholds_biases_and_delays_have_learned(trained):
    _, network, _ = trained
    first = network[1]
    assert first.neuron.threshold.item() != pytest.approx(0.125)
    assert first.neuron.bias.abs().max().item() > 0
    assert network[0].delay.delay.grad is not None


def test_a_trained_network_is_the_same_in_torch_and_the_simulators(trained):
    config, network, data = trained
    program = program_of(network, config, data)
    given = presented(program, data.test.spikes[:SAMPLES])
    traces = {name: BACKENDS[name](program, given) for name in ("reference", "fast")}
    traces["torch"] = BACKENDS["torch"](program, given)
    assert verify(program, traces).mismatches == ()
    assert all(layer.spikes.any() for layer in traces["reference"].layers)
    # The forward pass that was trained decides alike, sample by sample.
    totals = output_counts(network, torch.from_numpy(data.test.spikes[:SAMPLES]))
    decided = decide(program, traces["reference"].layers[-1])
    assert np.array_equal(totals.numpy().argmax(1), decided)


@pytest.mark.lava
@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_a_trained_network_is_the_same_in_lava(trained):
    config, network, data = trained
    program = program_of(network, config, data)
    given = presented(program, data.test.spikes[:2])
    traces = {name: BACKENDS[name](program, given) for name in ("torch", "reference", "lava")}
    assert verify(program, traces).mismatches == ()


def two_layers(kind, hidden=9, delay=False):
    torch.manual_seed(3)
    neuron = {"threshold": 0.06, "activation": torch.nn.functional.relu}
    late = {"delay": True} if delay else {}
    layers = [
        kind.Input({**neuron, "threshold": 1 / 64}),
        kind.Dense(neuron, 5, hidden, weight_scale=2, **late),
        kind.Dense(neuron, hidden, hidden, weight_scale=2),
        kind.Output(neuron, hidden, 3, weight_scale=2),
    ]
    layers[1].neuron.set_bias(torch.linspace(-0.1, 0.2, hidden))
    if delay:
        layers[1].delay.init = True
        layers[1].delay.delay.data = torch.full((hidden,), 2.6)
    return torch.nn.Sequential(*layers)


def compared(network, rng):
    values = np.cumsum(rng.integers(-4, 5, (3, 5, 30)), axis=-1) / 32
    program = program_from_blocks(network, input_shape=(5,))
    trace = trace_as_trained(network, values)
    return deployment_deviation(program, program.encoder.activation(values), trace)


@pytest.mark.parametrize("delay", [False, True])
def test_our_blocks_deviate_in_nothing(delay, rng):
    for layer in compared(two_layers(blocks, delay=delay), rng):
        assert (layer.different, layer.largest, layer.relative) == (0, 0, 0)
        assert layer.trained_messages == layer.deployed_messages > 0


def test_the_deviation_of_stock_blocks_is_reported_layer_by_layer(rng):
    encoder, first, second, decoder = compared(two_layers(sigma_delta), rng)
    # The encoder has no bias and its threshold is a whole 1/64.
    assert (encoder.layer, encoder.different, encoder.largest) == (0, 0, 0)
    for layer in (first, second, decoder):
        assert 0 < layer.different <= 1
        assert 0 < layer.largest < 1
        assert 0 < layer.relative < 1
    # A bias that comes a step before the first input is a message of its own.
    assert first.deployed_messages > first.trained_messages
    assert [layer.layer for layer in (first, second, decoder)] == [1, 2, 3]


def pooled(kind):
    torch.manual_seed(4)
    neuron = {"threshold": 0.04, "activation": torch.nn.functional.relu}
    return torch.nn.Sequential(
        kind.Input({**neuron, "threshold": 1 / 64}),
        kind.Conv(neuron, 2, 3, 3, weight_scale=2),
        kind.Pool(neuron, 2),
        kind.Flatten(),
        kind.Output(neuron, 3 * 2 * 2, 2, weight_scale=2),
    )


def test_pooling_is_what_is_deployed(rng):
    values = np.cumsum(rng.integers(-4, 5, (2, 2, 6, 6, 20)), axis=-1) / 32
    found = {}
    for kind in (blocks, sigma_delta):
        network = pooled(kind)
        program = program_from_blocks(network, input_shape=(2, 6, 6))
        given = program.encoder.activation(values).reshape(2, 72, 20)
        trace = trace_as_trained(network, values)
        found[kind] = deployment_deviation(program, given, trace)
        if kind is blocks:
            traces = {name: BACKENDS[name](program, given) for name in ("reference", "torch")}
            assert verify(program, traces).mismatches == ()
    assert [layer.different for layer in found[blocks]] == [0, 0, 0, 0]
    assert all(layer.deployed_messages for layer in found[blocks])
    # Without biases and with whole thresholds SLAYER's are late by a step a layer and no more.
    assert found[sigma_delta][1].different == 0


def test_blocks_are_left_as_they_were(rng):
    network = two_layers(sigma_delta).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trace_as_trained(network, rng.random((2, 5, 6)))
    assert network.training
    assert not network[1].neuron.delta._forward_hooks
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_other_blocks_and_other_traces_are_refused(rng, check_error):
    neuron = {"threshold": 1.0, "current_decay": 0.5, "voltage_decay": 0.1}
    mixed = torch.nn.Sequential(two_layers(sigma_delta)[0], cuba.Dense(neuron, 5, 3))
    with pytest.raises(KipukaError) as caught:
        trace_as_trained(mixed, rng.random((1, 5, 4)))
    check_error(caught.value, where="block 1", value="Dense", limit="sigma_delta.Input")
    network = two_layers(sigma_delta)
    program = program_from_blocks(network, input_shape=(5,))
    values = rng.random((2, 5, 6))
    trace = trace_as_trained(network, values)
    with pytest.raises(KipukaError) as caught:
        deployment_deviation(program, program.encoder.activation(values), Trace(trace.layers[1:]))
    check_error(
        caught.value, what="not of this network", where="argument trained", limit="(2, 5, 6)",
        value="(2, 9, 6)", remedy="trace the blocks",
    )  # fmt: skip


def test_a_recurrence_learns_what_is_deployed(rng):
    torch.manual_seed(0)
    neuron = {"threshold": 2 / 64, "activation": torch.nn.functional.relu, "requires_grad": True}
    network = torch.nn.Sequential(
        blocks.Input({**neuron, "requires_grad": False}),
        blocks.Recurrent(neuron, 4, 6, weight_scale=2),
        blocks.Output({**neuron, "requires_grad": False}, 6, 2, weight_scale=2),
    )
    network[1].neuron.set_bias(torch.linspace(0, 0.2, 6))
    values = np.cumsum(rng.integers(-4, 5, (3, 4, 20)), axis=-1) / 32
    network(torch.from_numpy(values).float()).square().sum().backward()
    for name, parameter in network[1].named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    program = program_from_blocks(network, input_shape=(4,))
    assert len(program.layers[1].projections) == 2
    given = program.encoder.activation(values)
    traces = {name: BACKENDS[name](program, given) for name in ("reference", "fast", "torch")}
    assert verify(program, traces).mismatches == ()
    last = network(torch.from_numpy(values).float()).detach().double().numpy() * (1 << 18)
    assert np.array_equal(last, traces["reference"].layers[-1].spikes)
