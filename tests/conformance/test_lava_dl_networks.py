"""The networks that lava-dl's own tests carry, against what was recorded with them."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert.formats.net.file import load_net
from kipuka.convert.program import Reset
from kipuka.convert.trace import decide
from kipuka.deploy.reference import simulate_reference

SPEC = importlib.util.find_spec("lava")
if SPEC is None or not SPEC.submodule_search_locations:
    pytest.skip("needs the networks that lava-dl carries", allow_module_level=True)
SITE = Path(next(iter(SPEC.submodule_search_locations))).parent
NETWORKS = SITE / "tests/lava/lib/dl/netx"


def recorded(folder, name):
    return np.load(NETWORKS / "gts" / folder / f"{name}.npy")


def channels_first(recording):
    """Width x height x channels x steps, as NetX counts, to the Program's order."""
    return recording.transpose(2, 1, 0, 3) > 0


def constant_input(program, values, n_steps):
    """One sample of an encoded image (width x height x channels) that stands still."""
    image = values.transpose(2, 1, 0).reshape(1, program.n_inputs, 1)
    return np.repeat(image, n_steps, axis=2).astype(np.int32)


@pytest.mark.slow
def test_ntidigits_with_axonal_delays_over_the_whole_recording():
    program = load_net(NETWORKS / "gts/ntidigits/ntidigits.net")
    spikes, expected = recorded("ntidigits", "input") > 0, recorded("ntidigits", "output") > 0
    trace = simulate_reference(program, spikes[None]).trace
    # The recording is two steps late: lava-dl counts a step of propagation before the first layer
    # and one behind the last.
    found = trace.layers[-1].spikes[0]
    assert expected.shape == (242, 3000)
    assert expected.sum() == 22572
    np.testing.assert_array_equal(found[:, :-2], expected[:, 2:])
    assert not expected[:, :2].any()
    # NetX refuses the average layer that makes 11 classes of 242 neurons.
    assert (program.n_classes, program.readout.population) == (11, 22)
    per_class = expected.reshape(11, -1).sum(axis=1)
    assert decide(program, trace.layers[-1]).tolist() == [int(np.argmax(per_class))]


@pytest.fixture(scope="module")
def pilotnet():
    program = load_net(NETWORKS / "gts/pilotnet_lif/network.net")
    # The recording was made with a reset every 17 steps, as its spikes after step 16 show.
    program = dataclasses.replace(program, reset=Reset(17))
    inputs = constant_input(program, recorded("pilotnet_lif", "image"), 24)
    return program, simulate_reference(program, inputs).trace


PILOTNET_LAYERS = ["input", *(f"conv-{k}" for k in range(5)), *(f"fc-{k}" for k in range(3))]


@pytest.mark.parametrize("name", PILOTNET_LAYERS)
def test_pilotnet_spikes_of_every_layer_and_step(pilotnet, name):
    program, trace = pilotnet
    layer = trace.layers[PILOTNET_LAYERS.index(name)]
    expected = recorded("pilotnet_lif", name)
    expected = channels_first(expected) if expected.ndim > 2 else expected > 0
    np.testing.assert_array_equal(layer.spikes[0].reshape(expected.shape), expected)
    assert expected.any()
    assert program.numbers == (0, 1, 2, 3, 4, 5, 7, 8, 9, 10)


@pytest.mark.parametrize("name", PILOTNET_LAYERS[1:])
def test_pilotnet_membranes_of_every_layer_and_step(pilotnet, name):
    _, trace = pilotnet
    layer = trace.layers[PILOTNET_LAYERS.index(name)]
    expected = recorded("pilotnet_lif", f"{name}-v")
    expected = expected.transpose(2, 1, 0, 3) if expected.ndim > 2 else expected
    # After a spike the chip keeps its refractory counter where the membrane was.
    expected = np.where(layer.spikes[0].reshape(expected.shape), 0, expected)
    np.testing.assert_array_equal(layer.states["v"][0].reshape(expected.shape), expected)


def test_pilotnet_output_never_spikes(pilotnet):
    _, trace = pilotnet
    assert not trace.layers[-1].spikes.any()
    assert not recorded("pilotnet_lif", "fc-3-s").any()


def test_tinynet_spikes_of_every_layer():
    program = load_net(NETWORKS / "tiny.net")
    program = dataclasses.replace(program, reset=Reset(17))
    inputs = constant_input(program, recorded("tinynet", "input_bias"), 17)
    layers = simulate_reference(program, inputs).trace.layers
    # Recorded behind each block, 0, 1 and 2 steps of propagation later; a layer's steps before its
    # first reset, when nothing has reached it yet, were not recorded.
    for position, name in enumerate(("input", "layer1", "output")):
        expected = recorded("tinynet", name)[0] > 0
        found = layers[position].spikes[0].reshape(*expected.shape[:-1], 17)
        np.testing.assert_array_equal(found[..., position : position + 15], expected[..., 1:])
        assert expected.any()


def test_mnist_loads_with_the_integrator_that_netx_assumes():
    program = load_net(NETWORKS / "mnist.net")
    assert [layer.shape for layer in program.layers] == [(784,), (512,), (512,), (10,)]
    assert (program.encoder.weight, program.encoder.bias) == (76, 64)
    last = program.layers[-1].neuron
    assert (last.current_decay[0], last.voltage_decay[0]) == (0, 4096)
    assert program.readout.kind == "membrane"
    values = np.random.default_rng(0).random((2, 784, 8))
    trace = simulate_reference(program, program.encoder.activation(values)).trace
    assert trace.layers[1].spikes.any()
    # Without decay the current integrates what arrives, and the membrane shows the current.
    states = trace.layers[-1].states
    np.testing.assert_array_equal(states["u"], states["v"])
