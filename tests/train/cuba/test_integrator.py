"""The compiled leaky integrator against lava-dl's own, in every bit."""

import pytest
import torch

from kipuka.train.cuba import integrator
from kipuka.train.cuba.integrator import CompiledIntegrator, compiled_integrator
from kipuka.train.slayer import cuba, leaky_integrator

SCALE = 64


def results(function, given, decay, state, threshold):
    given, decay = given.clone().requires_grad_(), decay.clone().requires_grad_()
    out = function.apply(given, decay, state, threshold, SCALE)
    generator = torch.Generator().manual_seed(3)
    out.backward(torch.randn(out.shape, generator=generator))
    return out.detach(), given.grad, decay.grad


@pytest.mark.parametrize("shape", [(4, 7, 50), (2, 3, 4, 5, 20), (3, 2, 1)])
@pytest.mark.parametrize("threshold", [-1, 0.75, 1.3])
@pytest.mark.parametrize("decay", [0.0, 1.0, 419.0, 4096.0])
def test_equals_lava_dl_in_every_bit(shape, threshold, decay):
    generator = torch.Generator().manual_seed(1)
    given = torch.randn(shape, generator=generator)
    state = torch.randn(shape[:-1], generator=generator)
    decay = torch.tensor([decay])
    stock = results(leaky_integrator._LIDynamics, given, decay, state, threshold)
    ours = results(CompiledIntegrator, given, decay, state, threshold)
    for expected, found in zip(stock, ours, strict=True):
        assert torch.equal(expected, found)


def test_takes_an_input_whose_last_axis_is_not_time_in_memory():
    given = torch.randn(50, 4, 7).permute(1, 2, 0)
    decay, state = torch.tensor([300.0]), torch.zeros(4, 7)
    stock = results(leaky_integrator._LIDynamics, given, decay, state, 1.0)
    ours = results(CompiledIntegrator, given, decay, state, 1.0)
    for expected, found in zip(stock[:2], ours[:2], strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("shared", [True, False])
def test_a_block_gives_the_same_spikes_and_gradients(shared, monkeypatch):
    torch.manual_seed(0)
    neuron = {"threshold": 1.0, "current_decay": 0.2, "voltage_decay": 0.05, "requires_grad": True}
    if not shared:
        # Stays with lava-dl's own: the compiled form has one decay for all neurons.
        neuron |= {"current_decay": [0.1, 0.3], "voltage_decay": [0.02, 0.1], "shared_param": False}
        monkeypatch.setattr(integrator, "integrate", None)
    block = cuba.Dense(neuron, 6, 5, weight_scale=3)
    x = (torch.rand(3, 6, 40) < 0.3).float()
    block(x)

    def run():
        block.zero_grad()
        out = block(x)
        (out * torch.arange(40)).sum().backward()
        return out.detach(), [p.grad.clone() for p in block.parameters() if p.grad is not None]

    stock, stock_gradients = run()
    with compiled_integrator():
        ours, gradients = run()
    assert stock.any()
    assert torch.equal(stock, ours)
    assert len(gradients) == len(stock_gradients) > 1
    for expected, found in zip(stock_gradients, gradients, strict=True):
        assert torch.equal(expected, found)


def test_outside_of_the_block_lava_dl_is_as_it_was():
    before = leaky_integrator._LIDynamics
    with pytest.raises(RuntimeError), compiled_integrator():
        assert leaky_integrator._LIDynamics is not before
        raise RuntimeError
    assert leaky_integrator._LIDynamics is before
