import pytest

from kipuka.convert.quantize import program_from_blocks
from kipuka.errors import KipukaError

pytest.importorskip("lava", reason="needs the lava extra")

NEURON = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1}


@pytest.fixture
def cuba():
    from kipuka.train.slayer import cuba

    return cuba


def refused(blocks, check_error, **parts):
    with pytest.raises(KipukaError) as caught:
        program_from_blocks(blocks)
    check_error(caught.value, what="no exact counterpart", **parts)


def test_cuba_parameters_arrive_as_slayer_would_export_them(cuba):
    import torch

    block = cuba.Dense(NEURON, 3, 2)
    block.synapse.weight.data.reshape(2, 3)[:] = torch.tensor([[1.0, -9.0, 0.02], [9.0, 0, -0.03]])
    layer = program_from_blocks([block]).layers[0]
    # Times 64, rounded to even integers, limited to [-256, 254].
    assert layer.projections[0].synapses.weights.tolist() == [[64, -256, 2], [254, 0, -2]]
    assert layer.neuron.current_decay.tolist() == [1024, 1024]
    assert layer.neuron.voltage_decay.tolist() == [410, 410]
    assert layer.neuron.threshold.tolist() == [64, 64]


def test_delays_are_floored_and_move_to_the_next_projection(cuba):
    import torch

    first, second = cuba.Dense(NEURON, 2, 3, delay=True), cuba.Dense(NEURON, 3, 1, delay=True)
    for block, delays in ((first, [0.9, 5.0, 61.7]), (second, [3.5])):
        block.delay.delay.data, block.delay.init = torch.tensor(delays), True
    program = program_from_blocks([first, second])
    assert program.layers[1].projections[0].delays.tolist() == [0, 5, 61]
    assert program.readout.delays.tolist() == [3]


def test_mask_is_folded_into_the_weights(cuba):
    import torch

    block = cuba.Dense(NEURON, 2, 1, mask=torch.tensor([[1.0, 0.0]]))
    block.synapse.weight.data.fill_(0.5)
    weights = program_from_blocks([block]).layers[0].projections[0].synapses.weights
    assert weights.tolist() == [[32, 0]]


def test_convolution_is_refused_by_name(cuba, check_error):
    refused([cuba.Conv(NEURON, 1, 2, 3)], check_error, where="block 0 (Conv)", limit="cuba.Dense")


def test_pass_through_without_propagation_step_is_refused(cuba, check_error):
    blocks = [cuba.Dense(NEURON, 2, 2, delay_shift=False), cuba.Dense(NEURON, 2, 2)]
    refused(blocks, check_error, where="block 0 (Dense)", value="delay_shift")


def test_normalization_is_refused(cuba, check_error):
    import torch

    block = cuba.Dense({**NEURON, "norm": torch.nn.Identity}, 2, 2)
    refused([block], check_error, value="normalization")


def test_no_blocks(check_error):
    refused([], check_error, limit="at least one block")


def test_foreign_module(check_error):
    import torch

    refused([torch.nn.Linear(2, 2)], check_error, where="block 0 (Linear)")


@pytest.mark.parametrize("delay", [False, True])
def test_slayer_recurrent_gives_the_spikes_of_its_own_forward_pass(cuba, delay):
    import numpy as np
    import torch

    from kipuka.convert.trace import readout_input
    from kipuka.deploy.reference import simulate_reference

    torch.manual_seed(2)
    block = cuba.Recurrent(dict(NEURON), 4, 5, weight_scale=3, delay=delay)
    x = (torch.rand(2, 4, 40) < 0.3).float()
    with torch.no_grad():
        if delay:
            block.delay.delay.data, block.delay.init = (
                torch.tensor([0.0, 1.5, 3.0, 9.0, 20.2]),
                True,
            )
        out = block(x).numpy() > 0
    program = program_from_blocks([block])
    emitted = simulate_reference(program, x.numpy() > 0).trace.layers[0].spikes
    arrived = readout_input(program.readout, emitted)
    assert out.any()
    # SLAYER's block adds the one step of propagation, which comparisons remove.
    np.testing.assert_array_equal(out[..., 1:], arrived[..., :-1])
