"""The sigma-delta networks that lava-dl's own tests carry, against what was recorded with them.

The recordings decide what ``vThMant`` means: it is compared after a shift by 12 bits, `spike_exp`
and `state_exp`, as NetX hands it to its processes. Inputs are 64 times the nominal value there, so
that 2^18 of a state is one nominal unit and ``vThMant`` 1/64 of it, as in SLAYER. With a shift by
6, or none, no sum behind the first layer is as recorded.
"""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert import inspect, save_net
from kipuka.convert.formats.net.file import load_net
from kipuka.convert.neurons.sigma_delta import SigmaParameters, SigmaState, sigma_step
from kipuka.convert.program import Layer, Readout
from kipuka.deploy.reference import simulate_reference
from kipuka_cases import conv, dense
from kipuka_sigma_delta import conv_sigma_delta, delta, graded_program, sigma

SPEC = importlib.util.find_spec("lava")
if SPEC is None or not SPEC.submodule_search_locations:
    pytest.skip("needs the networks that lava-dl carries", allow_module_level=True)
RECORDINGS = Path(next(iter(SPEC.submodule_search_locations))).parent
RECORDINGS = RECORDINGS / "tests/lava/lib/dl/netx/gts"
if not (RECORDINGS / "pilotnet_sdnn").is_dir():
    pytest.skip("needs the networks that lava-dl carries", allow_module_level=True)


def recorded(folder, name):
    """Width x height x channels x steps, as NetX counts, in the Program's order."""
    values = np.load(RECORDINGS / folder / f"{name}.npy").astype(np.int64)
    ordered = values.transpose(2, 1, 0, *range(3, values.ndim)) if values.ndim > 2 else values
    return ordered.reshape(-1, values.shape[-1])


def frame(n_steps, *crop):
    """The recorded frame, standing still."""
    values = np.load(RECORDINGS / "pilotnet_sdnn/input.npy")[crop]
    flat = values.transpose(2, 1, 0, 3).reshape(1, -1, 1)
    return np.repeat(flat, n_steps, axis=2).astype(np.int32)


def first_layers(program, n):
    """The network's first layers alone."""
    layers = program.layers[:n]
    readout = Readout("value", np.zeros(layers[-1].n_neurons, dtype=np.int16))
    return dataclasses.replace(program, layers=layers, readout=readout, numbers=())


def test_pilotnet_steers_as_recorded():
    program = load_net(RECORDINGS / "pilotnet_sdnn/network.net")
    simulation = simulate_reference(program, frame(9))
    assert np.array_equal(
        simulation.trace.layers[-1].spikes[0], recorded("pilotnet_sdnn", "output")
    )
    # The first frame's angle, once the frame has passed all layers: -31026 / 2^18 radians.
    assert simulation.trace.layers[-1].states["sigma"][0, 0, -1] == -31026
    assert simulation.counters.saturations == 0
    assert {note for layer in inspect(program) for note in layer.netx} == set()


def test_pilotnet_s_sums_are_as_recorded():
    program = first_layers(load_net(RECORDINGS / "pilotnet_sdnn/network.net"), 3)
    trace = simulate_reference(program, frame(20)).trace
    assert np.array_equal(trace.layers[0].spikes[0], recorded("pilotnet_sdnn", "act0"))
    for number in (1, 2):
        found = trace.layers[number].states["sigma"][0]
        assert np.array_equal(found, recorded("pilotnet_sdnn", f"sigma{number}"))


@pytest.mark.parametrize(("halved_six_times", "right"), [(0, True), (6, False)])
def test_the_square_pilotnet_is_as_recorded_with_this_threshold_and_no_other(
    halved_six_times, right
):
    program = load_net(RECORDINGS / "pilotnet_sdnn/square_network.net")
    first = program.layers[1]
    lower = first.neuron._replace(threshold=first.neuron.threshold >> halved_six_times)
    assert first.neuron.threshold[0] == 13
    layers = (program.layers[0], dataclasses.replace(first, neuron=lower), *program.layers[2:])
    program = dataclasses.replace(program, layers=layers)
    trace = simulate_reference(program, frame(20, slice(33), slice(33))).trace
    sums = [trace.layers[number].states["sigma"][0] for number in (1, 2, 3, 4)]
    names = [f"sigma{number}_square" for number in (1, 2, 3, 4)]
    same = [
        np.array_equal(found, recorded("pilotnet_sdnn", name))
        for found, name in zip(sums, names, strict=True)
    ]
    # The first layer's own sum does not depend on its threshold.
    assert same == [True, right, right, right]


def test_pilotnet_survives_a_file(tmp_path):
    program = load_net(RECORDINGS / "pilotnet_sdnn/network.net")
    save_net(tmp_path / "again.net", program)
    assert load_net(tmp_path / "again.net").layers == program.layers


def tinynet():
    """The layers that lava-dl's tests of single blocks are made of, one behind the other."""
    folder = RECORDINGS / "tinynet_sdnn"
    kernel = np.load(folder / "layer1_kernel.npy").transpose(0, 3, 2, 1)[:, :, ::-1, ::-1]
    bias = np.repeat(np.load(folder / "layer1_bias.npy"), 36)
    matrix = np.load(folder / "layer2_weight.npy").reshape(100, 6, 6, 24).transpose(0, 3, 2, 1)
    first = conv(kernel, (3, 16, 16), stride=(2, 2))
    return graded_program(
        delta((3, 16, 16), 20),
        conv_sigma_delta(first, threshold=20, bias=bias),
        sigma(100, dense(matrix.reshape(100, -1))),
    )


def test_tinynet_s_blocks_are_as_recorded():
    n_steps = 15
    network = tinynet()
    image = np.load(RECORDINGS / "tinynet_sdnn/input_bias.npy").transpose(2, 1, 0).reshape(1, -1, 1)
    wave = np.sin(2 * np.pi * np.arange(n_steps) / n_steps)
    trace = simulate_reference(network, (image * wave).astype(np.int32)).trace
    assert np.array_equal(trace.layers[0].spikes[0], recorded("tinynet_sdnn", "input"))
    # The convolution was run alone and for one step, in which nothing has arrived yet.
    alone = recorded("tinynet_sdnn", "layer1")
    assert np.array_equal(trace.layers[1].spikes[0, :, 0], alone[:, 0])
    assert not alone[:, 1:].any()


def test_tinynet_s_decoder_was_recorded_without_payloads():
    decoder = tinynet().layers[2]
    assert isinstance(decoder, Layer)
    messages, expected = recorded("tinynet_sdnn", "layer1"), recorded("tinynet_sdnn", "layer2")
    zero = np.zeros((1, 100), dtype=np.int64)
    sums = {}
    for name, sent in (("spikes", messages != 0), ("payloads", messages)):
        state, found = SigmaState(zero), []
        for step in range(15):
            a = decoder.projections[0].synapses.weighted_sum(sent[:, step][None])
            state, value, _ = sigma_step(SigmaParameters(), state, a)
            found.append(value[0])
        sums[name] = np.stack(found, axis=1)
    # A process of message bits 0 takes any message for a spike; its synapses hold a step back.
    assert not expected[:, 0].any()
    assert np.array_equal(sums["spikes"], expected[:, 1:])
    assert not np.array_equal(sums["payloads"], expected[:, 1:])
