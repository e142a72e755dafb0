"""Gates at their ends and weights at their limits still learn, whichever torch computes."""

import pytest
import torch

from kipuka.convert import fixed
from kipuka.train.delays.axonal import finite_difference_taps
from kipuka.train.gru.cell import Cell, Surrogate
from kipuka.train.gru.sequence import run_sequence
from kipuka.train.slayer import Neuron, cuba, with_slope_at_limits

NEURON = {"threshold": 1.0, "current_decay": 0.5, "voltage_decay": 0.5}


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("beyond", "slope"), [(0, 0.25), (1 / 32, 0), (-1 / 32, 0.25)])
@pytest.mark.parametrize(("gate", "end"), [("reset", 2), ("reset", -2), ("update", -2)])
def test_a_gate_has_its_slope_at_both_ends_and_none_beyond(plain, beyond, slope, gate, end):
    n_steps, n_batch, n = 12, 2, 3
    generator = torch.Generator().manual_seed(7)
    a = (torch.randn(n_steps, n_batch, 3 * n, generator=generator) * 24).round() / 32
    a[:, :, n:] = -3
    activation = end + beyond * (1 if end > 0 else -1)
    a[:, :, n : 2 * n] = activation if gate == "reset" else -3
    a[:, :, 2 * n :] = activation if gate == "update" else -3
    a.requires_grad_()
    delay = torch.zeros(n)
    cell = Cell(finite_difference_taps(delay, 1, fixed.DELAY_MAX), 64, Surrogate(1.0, 1.0))
    weight, bias = torch.zeros(3 * n, n), torch.zeros(3 * n)
    spikes, states = run_sequence(a, weight, bias, delay, cell, plain=plain)
    (spikes * torch.randn(spikes.shape, generator=generator)).sum().backward()
    by_current, by_reset, by_update = a.grad.chunk(3, dim=2)
    i, v = (x / fixed.STATE_SCALE for x in (states.i, states.v))
    start = torch.zeros(1, n_batch, n)
    assert spikes.any()
    assert by_current.abs().min() > 0
    if gate == "reset":
        # i = r i_before + a_i, so that both take the gradient of i.
        expected = by_current * torch.cat([start, i[:-1]]) * slope
        assert torch.allclose(by_reset, expected, rtol=1e-5, atol=0)
    else:
        # v = (1 - z) i + z v_before less resets, with i forgotten at once.
        share = 1 - (fixed.gate(torch.tensor(int(activation * 64))) / fixed.UNITY)
        expected = by_current / share * (torch.cat([start, v[:-1]]) - i) * slope
        assert torch.allclose(by_update, expected, rtol=1e-5, atol=0)


WEIGHTS = [-400, -258, -257.1, -256, -255, 0, 252.9, 254, 254.9, 255.1, 256, 400]
INSIDE = [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]
HELD = [-256, -256, -256, -256, -256, 0, 252, 254, 254, 254, 254, 254]


@pytest.mark.parametrize("descale", [False, True])
@pytest.mark.parametrize(
    "hook", [Neuron.quantize_8bit, with_slope_at_limits(Neuron.quantize_8bit)], ids=["", "again"]
)
def test_a_weight_rounded_to_its_limit_has_a_gradient_and_one_beyond_has_none(hook, descale):
    neuron = cuba.Dense(NEURON, 1, 1).neuron
    weight = (torch.tensor(WEIGHTS) / fixed.WEIGHT_SCALE).requires_grad_()
    held = hook(neuron, weight, descale)
    scale = fixed.WEIGHT_SCALE if descale else 1
    assert (held / scale * fixed.WEIGHT_SCALE).tolist() == HELD
    (slope,) = torch.autograd.grad(held.sum(), weight)
    assert (slope / scale).tolist() == INSIDE


def test_slayers_own_blocks_learn_at_the_limit():
    block = cuba.Dense(NEURON, 2, 1)
    limits = torch.tensor([fixed.WEIGHT_MIN, fixed.WEIGHT_MAX]) / fixed.WEIGHT_SCALE
    block.synapse.weight.data = limits.reshape(block.synapse.weight.shape)
    block(torch.ones(1, 2, 6)).sum().backward()
    assert block.synapse.weight.grad.abs().min() > 0
