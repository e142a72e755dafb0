"""A script's own output beside the network that was exported from it."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch

from kipuka.convert import load_net, program_from_blocks, save_net
from kipuka.convert.trace import readout_input
from kipuka.deploy import simulate
from kipuka.errors import KipukaError
from kipuka.train import SpikingGRU, compare_script
from kipuka.train.slayer import cuba, sigma_delta
from kipuka_tutorial import TUTORIAL, Network


@pytest.fixture(autouse=True)
def quiet():
    torch.manual_seed(2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* has gates in place of")
        yield


def tutorial(**last):
    return Network(
        cuba.Dense(TUTORIAL, 12, 10, weight_scale=6, delay=True),
        SpikingGRU(TUTORIAL, 10, 9, weight_scale=8, delay=True, delay_init_steps=(0.0, 5.0)),
        cuba.Dense(TUTORIAL, 9, 4, weight_scale=12, **last),
    )


def spikes(*shape, rate=0.5):
    return np.random.default_rng(5).random(shape) < rate


def compared(network, x):
    network(torch.from_numpy(x).float())  # delays get their size
    program = program_from_blocks(network)
    trace = simulate(program, x).trace
    return compare_script(network, x, program, trace), program, trace


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("shift", [True, False])
def test_the_output_is_that_of_the_exported_network(shift, delay, tmp_path):
    network, x = tutorial(delay_shift=shift, delay=delay).train(), spikes(3, 12, 30)
    network(torch.from_numpy(x).float())
    if delay:
        network.blocks[-1].delay.delay.data = torch.tensor([0.0, 1.0, 2.0, 3.0])
    found, program, trace = compared(network, x)
    assert found.agree
    assert (found.shift_steps, found.mismatches, found.first_mismatch) == (int(shift), 0, "")
    assert found.values_compared == 3 * 4 * (30 - shift)
    received = readout_input(program.readout, trace.layers[-1].spikes)
    assert found.unseen_spikes == (received[..., -1].sum() if shift else 0)
    assert received[..., -1].any()
    with torch.no_grad():
        rate = network.eval()(torch.from_numpy(x).float()).sum(-1).numpy()
    assert found.script_classes == tuple(rate.argmax(1))
    assert found.classes == tuple(received.sum(-1).argmax(1))
    assert ("delay_shift" in found.text) == shift
    assert "none differ" in found.text
    save_net(tmp_path / "net.net", program)
    assert compare_script(network, torch.from_numpy(x), load_net(tmp_path / "net.net"), trace) == (
        found
    )


def test_a_script_decides_otherwise_for_the_spike_that_it_does_not_see():
    block = cuba.Dense({"threshold": 0.5, "current_decay": 1.0, "voltage_decay": 1.0}, 2, 2)
    block.synapse.weight.data = torch.eye(2).reshape(block.synapse.weight.shape)
    x = np.zeros((2, 2, 6), dtype=bool)
    x[0, 0, 1] = x[0, 1, [3, 5]] = True
    x[1, 1, 0] = True
    found, _, _ = compared(Network(block), x)
    assert (found.script_classes, found.classes) == ((0, 1), (1, 1))
    assert (found.agree, found.unseen_spikes, found.decided_differently) == (True, 1, 1)


def test_what_differs_is_counted_and_placed():
    network, x = tutorial(), spikes(3, 12, 30)
    found, program, trace = compared(network, x)
    other = trace.layers[-1].spikes.copy()
    other[1, 2, 7] ^= True
    layers = (*trace.layers[:-1], dataclasses.replace(trace.layers[-1], spikes=other))
    found = compare_script(network, x, program, dataclasses.replace(trace, layers=layers))
    assert (found.agree, found.mismatches) == (False, 1)
    assert found.first_mismatch == "sample 1, step 8, unit 2"
    assert "1 differ, first sample 1, step 8, unit 2" in found.text


def test_modules_are_left_as_they_were_and_start_from_rest():
    network = Network(cuba.Recurrent(dict(TUTORIAL), 6, 5, weight_scale=8)).train()
    x = spikes(2, 6, 20)
    found, _, _ = compared(network, x)
    state = network.blocks[0].neuron.voltage_state.clone()
    assert found.agree
    assert compared(network, x)[0].agree
    assert network.training
    assert state.any()


@pytest.mark.parametrize("n_samples", [1, 130])
def test_other_readouts_and_shapes(n_samples):
    x = spikes(n_samples, 6, 12)
    counting = cuba.Dense(TUTORIAL, 6, 6, weight_scale=12)
    blocks = {
        "average": [counting, cuba.Average(3)],
        "membrane": [counting, cuba.Affine(TUTORIAL, 6, 3, weight_scale=6)],
        "log": [SpikingGRU(TUTORIAL, 6, 3, weight_scale=12, count_log=True)],
    }
    for name, parts in blocks.items():
        found, _, trace = compared(Network(*parts), x)
        assert found.agree, name
        assert found.shift_steps == (name != "membrane")
        assert trace.layers[-1].states["v"].any()


def test_a_script_on_images_agrees_with_its_program():
    x = spikes(2, 2, 5, 5, 12)
    network = Network(
        cuba.Conv(TUTORIAL, 2, 3, 3, weight_scale=4),
        cuba.Flatten(),
        cuba.Dense(TUTORIAL, 27, 3, weight_scale=8),
    )
    program = program_from_blocks(network, input_shape=(2, 5, 5))
    trace = simulate(program, x.reshape(2, 50, 12)).trace
    assert compare_script(network, x, program, trace).agree


def parts():
    network, x = Network(cuba.Dense(TUTORIAL, 6, 3, weight_scale=8)), spikes(2, 6, 12)
    program = program_from_blocks(network)
    return network, x, program, simulate(program, x).trace


class Counting(Network):
    """Returns what a loss takes."""

    def forward(self, x):
        return super().forward(x).sum(-1)


def test_what_cannot_be_compared_is_refused(check_error):
    network, x, program, trace = parts()
    counting = Counting(*network.blocks)
    cases = [
        ((counting, x, program, trace), "argument network", "last block", "(2, 3)"),
        ((network.blocks, x, program, trace), "argument network", "Sequential", "ModuleList"),
        ((torch.nn.Linear(6, 3), x, program, trace), "block 0", "blocks", "Linear"),
        ((torch.nn.Identity(), x, program, trace), "argument network", "holds the blocks", "none"),
        ((network, x[:1], program, trace), "argument inputs", "same samples", "(1, 6, 12)"),
        ((network, x[0], program, trace), "argument inputs", "same samples", "(6, 12)"),
        ((network, 0.5 * x, program, trace), "input", "", "0.5"),
        ((network, x, "a.net", trace), "argument program", "load_network", "str"),
        ((network, x, program, x), "argument trace", "simulate", "ndarray"),
    ]
    for given, where, remedy, value in cases:
        with pytest.raises(KipukaError) as caught:
            compare_script(*given)
        check_error(caught.value, where=where, remedy=remedy, value=value, what="", limit="")


def test_sigma_delta_networks_have_a_comparison_of_their_own(check_error):
    params = {"threshold": 0.1, "activation": torch.nn.functional.relu}
    network = Network(sigma_delta.Input(params), sigma_delta.Output(params, 4, 2))
    program = program_from_blocks(network, input_shape=(4,))
    x = np.zeros((1, 4, 5), dtype=np.float32)
    trace = simulate(program, program.encoder.activation(x)).trace
    with pytest.raises(KipukaError) as caught:
        compare_script(network, x, program, trace)
    check_error(
        caught.value, value="sigma-delta", remedy="kipuka.deploy.deviation.deployment_deviation"
    )


@pytest.mark.parametrize("operand", [None, "x", 2, [[1]], np.zeros((2, 6, 12), dtype=complex)])
def test_what_is_no_input_is_refused(operand, check_error):
    network, _, program, trace = parts()
    with pytest.raises(KipukaError) as caught:
        compare_script(network, operand, program, trace)
    check_error(caught.value, where="input")
