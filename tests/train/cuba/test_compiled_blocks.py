"""SLAYER's dense blocks with lists of spikes: the same output, gradients but for rounding."""

import pytest
import torch

from kipuka.train.cuba import compiled_blocks as module
from kipuka.train.cuba.compiled_blocks import compiled_blocks
from kipuka.train.slayer import DenseSynapse, cuba

NEURON = {"threshold": 1.0, "current_decay": 0.2, "voltage_decay": 0.05}
SOURCES, STEPS = 30, 40


def drawn(rate):
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(3, SOURCES, STEPS, generator=generator) < rate).float()


def outcome(block, x):
    block.zero_grad()
    leaf = x.clone().requires_grad_()
    out = block(leaf)
    out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(1)))
    return out.detach(), leaf.grad, block.synapse.weight.grad


@pytest.fixture
def listed(monkeypatch):
    """Whether each weighted sum within the test came from a list of spikes."""
    taken = []

    def counted(*given):
        sums = right(*given)
        taken.append(sums is not None)
        return sums

    right = module.spike_sums
    monkeypatch.setattr(module, "spike_sums", counted)
    return taken


def test_a_block_gives_the_same_output_and_gradients(listed):
    torch.manual_seed(0)
    block = cuba.Dense(NEURON, SOURCES, 5, weight_scale=6)
    x = drawn(0.1)
    block(x)
    stock = outcome(block, x)
    with compiled_blocks():
        ours = outcome(block, x)
    assert listed == [True]
    assert stock[0].any()
    assert torch.equal(ours[0], stock[0])
    # 120 terms of float32 at most, in another order.
    for found, expected in zip(ours[1:], stock[1:], strict=True):
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("signal", ["many", "halves and thirds", "graded"])
def test_what_is_no_list_of_spikes_is_left_to_lava_dl(signal, listed):
    torch.manual_seed(0)
    block = cuba.Dense(NEURON, SOURCES, 5, weight_scale=6)
    x = {"many": drawn(0.5), "halves and thirds": drawn(0.1) / 3, "graded": drawn(0.1) * 7}[signal]
    block(x)
    stock = outcome(block, x)
    with compiled_blocks():
        ours = outcome(block, x)
    assert listed == [False]
    for found, expected in zip(ours, stock, strict=True):
        assert torch.equal(found, expected)


def test_weights_between_the_units_are_left_to_lava_dl(listed):
    block = cuba.Dense(NEURON, SOURCES, 5, pre_hook_fx=lambda weight: weight / 3)
    with compiled_blocks():
        block(drawn(0.1))
    assert listed == [False]


def test_outside_of_the_block_lava_dl_is_as_it_was():
    before = DenseSynapse.forward
    with pytest.raises(RuntimeError), compiled_blocks():
        assert DenseSynapse.forward is not before
        raise RuntimeError
    assert DenseSynapse.forward is before
