"""Blocks with one gate in the place of two are the block with both whose weights are tied."""

import pytest
import torch

from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka.errors import KipukaError
from kipuka.train.from_program.network import trace_blocks
from kipuka.train.gru.convolutional import ConvSpikingGRU
from kipuka.train.gru.dense import SpikingGRU

NEURON = {"threshold": 1.0, "tau_grad": 0.01, "scale_grad": 10.0}
N_IN, N, STEPS = 5, 7, 40


def spikes(*shape):
    return (torch.rand(3, *shape, STEPS, generator=torch.Generator().manual_seed(0)) < 0.4).float()


def block(gates, **settings):
    torch.manual_seed(1)
    made = SpikingGRU(NEURON, N_IN, N, weight_scale=4, gates=gates, **settings)
    made.bias.data.normal_(0, 0.3)
    return made


def tied(one):
    """The block with both gates that has the weights of `one`, and how its gradients add up."""
    both = SpikingGRU(NEURON, N_IN, N, weight_scale=4)
    shared = "f" in one.gates.fed
    for name in ("input_synapse", "recurrent_synapse"):
        current, gate = getattr(one, name).weight.data.chunk(2)
        gates = [gate, -gate] if shared else [torch.zeros_like(gate), gate]
        getattr(both, name).weight.data = torch.cat([current, *gates])
    if shared:
        current, gate = one.bias.data.chunk(2)
        both.bias.data = torch.cat([current, gate, -gate])
    else:
        both.bias.data = one.bias.data.clone()
    return both


def summed(gradient, gates):
    """Gradient of what is tied, from that of three activations."""
    current, reset, update = gradient.chunk(3)
    return torch.cat([current, reset - update] if "f" in gates.fed else [current, update])


@pytest.mark.parametrize("gates", ["shared", "update"])
def test_it_is_the_block_whose_gates_are_tied_in_spikes_states_and_gradients(gates):
    one = block(gates)
    both = tied(one)
    x = spikes(N_IN)
    (out, states), (right, right_states) = one.dynamics(x), both.dynamics(x)
    assert out.any()
    assert torch.equal(out, right)
    assert torch.equal(states.i, right_states.i)
    assert torch.equal(states.v, right_states.v)
    for found in (out, right):
        found.sum().backward()
    for name in ("input_synapse", "recurrent_synapse"):
        gradient = getattr(one, name).weight.grad
        expected = summed(getattr(both, name).weight.grad, one.gates)
        torch.testing.assert_close(gradient, expected)
        assert gradient.abs().sum() > 0
    biases = both.bias.grad if gates == "update" else summed(both.bias.grad, one.gates)
    torch.testing.assert_close(one.bias.grad, biases)


def dense(gates):
    return [block(gates, delay=True, delay_rec=True, delay_init_steps=(0, 9))], (N_IN,)


def convolutional(gates):
    torch.manual_seed(2)
    made = ConvSpikingGRU(NEURON, 4, 6, 3, padding=1, groups=2, weight_scale=6, gates=gates)
    made.bias.data.normal_(0, 0.3)
    return [made], (4, 5, 4)


@pytest.mark.parametrize("gates", ["shared", "update"])
@pytest.mark.parametrize("build", [dense, convolutional])
def test_the_program_is_the_block(build, gates):
    blocks, shape = build(gates)
    x = spikes(*shape).numpy() > 0
    program = program_from_blocks(blocks, input_shape=shape)
    assert program.layers[0].model == ("SPIKING_MGU" if gates == "shared" else "SPIKING_GRU")
    assert blocks[0].neuron.device_params["type"] == program.layers[0].model
    assert {p.target for p in program.layers[0].projections} == set(blocks[0].gates.fed)
    traces = {
        "reference": simulate_reference(program, x).trace,
        "torch": trace_blocks(blocks, x, input_shape=shape),
    }
    assert traces["reference"].layers[0].spikes.any()
    assert verify(program, traces).mismatches == ()


def test_gates_of_another_name_are_refused(check_error):
    with pytest.raises(KipukaError) as caught:
        SpikingGRU(NEURON, N_IN, N, gates="none")
    check_error(
        caught.value, what="no such gates", where="SpikingGRU, key gates", limit="both, shared",
        value="none", remedy="choose one",
    )  # fmt: skip
