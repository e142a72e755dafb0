"""The compiled sequence is the plain one: every integer, and every gradient in the same order."""

import pytest
import torch

from kipuka.convert import fixed
from kipuka.train.delays.axonal import annealed_taps, finite_difference_taps, no_delay
from kipuka.train.gru.cell import Cell, Surrogate
from kipuka.train.gru.compiled_dense import can_fuse
from kipuka.train.gru.mixing import MatrixProduct
from kipuka.train.gru.sequence import run_sequence

SURROGATE, LIBRARY = Surrogate(0.01, 10.0), MatrixProduct()
STEPS, N = 70, 11


def sequence(batch=6, scale=48, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((STEPS, batch, 3 * N), (3 * N, N), (3 * N,))
    drawn = [
        (torch.randn(shape, generator=generator) * size).round() / 32
        for shape, size in zip(shapes, (scale, 16, 8), strict=True)
    ]
    return [*drawn, torch.rand(N, generator=generator) * fixed.DELAY_MAX / 2]


TAPS = {
    "none": lambda delay: no_delay(N, delay),
    "integer": lambda delay: finite_difference_taps(delay, 2, fixed.DELAY_MAX),
    "at both ends": lambda delay: finite_difference_taps(
        torch.where(delay > 15, fixed.DELAY_MAX, 0).float(), 3, fixed.DELAY_MAX
    ),
    "spread": lambda delay: annealed_taps(delay, 7.5, fixed.DELAY_MAX),
    "nearly integer": lambda delay: annealed_taps(delay, 0.3, fixed.DELAY_MAX),
}


def outcome(values, taps, plain, mixing=LIBRARY):
    leaves = [x.clone().requires_grad_() for x in values]
    cell = Cell(taps(values[-1]), 64, SURROGATE, mixing)
    spikes, states = run_sequence(*leaves, cell, plain=plain)
    outer = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1))
    ((spikes * outer).sum() + 3 * states.overshoot.sum()).backward()
    gradients = [leaf.grad for leaf in leaves]
    return spikes.detach(), states, gradients


class FirstToLast(MatrixProduct):
    """The order of two sums is the matrix library's own; here it is that of the compiled loops."""

    def input_gradient(self, grad, weight):
        total = torch.zeros(len(grad), weight.shape[1])
        for row, factors in zip(grad.T, weight, strict=True):
            total = total + row[:, None] * factors
        return total

    def weight_gradient(self, x, grad, weight):
        total = torch.zeros(weight.shape)
        for row, factors in zip(x, grad, strict=True):
            total = total + factors[:, None] * row
        return total


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 4, 6])
@pytest.mark.parametrize("name", TAPS)
def test_equals_the_plain_path_bit_for_bit(name, batch):
    values = sequence(batch)
    assert can_fuse(values[0], values[1])
    spikes, states, gradients = outcome(values, TAPS[name], plain=False)
    right_spikes, right_states, right_gradients = outcome(values, TAPS[name], True, FirstToLast())
    assert 0.05 < spikes.mean() < 0.9
    assert torch.equal(spikes, right_spikes)
    for state, right in zip(states, right_states, strict=True):
        assert torch.equal(state.to(right.dtype), right)
    for number, (found, right) in enumerate(zip(gradients, right_gradients, strict=True)):
        assert found.abs().sum() > 0 or (name, number) == ("none", 3)
        assert torch.equal(found, right)


def test_saturation_and_overshoot_are_the_same():
    values = sequence(scale=48 * 12)
    fused, plain = (outcome(values, TAPS["integer"], k, FirstToLast()) for k in (False, True))
    assert fused[1].saturated.sum() > 0
    assert fused[1].overshoot.min() > 0
    assert torch.equal(fused[1].saturated.long(), plain[1].saturated)
    assert torch.equal(fused[1].overshoot, plain[1].overshoot)
    for found, right in zip(fused[2], plain[2], strict=True):
        assert torch.equal(found, right)


@pytest.mark.slow
def test_the_library_s_own_order_of_summation_leaves_rounding_errors_only():
    values = sequence()
    fused, plain = (outcome(values, TAPS["integer"], plain) for plain in (False, True))
    assert torch.equal(fused[0], plain[0])
    # 33 float32 terms in another order: 33 x 2**-24 of their magnitudes per step, and what the
    # recurrence makes of it.
    for found, right in zip(fused[2], plain[2], strict=True):
        assert (found - right).abs().max() < 1e-4 * right.abs().max()


def test_threads_change_nothing():
    values = sequence(batch=9)
    before = torch.get_num_threads()
    outcomes = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            outcomes.append(outcome(values, TAPS["spread"], plain=False))
    finally:
        torch.set_num_threads(before)
    for other in outcomes[1:]:
        assert torch.equal(other[0], outcomes[0][0])
        assert torch.equal(other[2][3], outcomes[0][2][3])


def test_overshoot_pushes_states_back_even_beyond_their_limit():
    values = sequence(scale=48 * 12)
    leaf = values[0].requires_grad_()
    cell = Cell(TAPS["none"](values[-1]), 64, SURROGATE)
    _, states = run_sequence(leaf, *values[1:], cell)
    states.overshoot.sum().backward()
    clipped = states.i.abs() == fixed.GRU_STATE_LIMIT
    towards_zero = leaf.grad[..., :N] * states.i.sign()
    assert clipped.any()
    assert (towards_zero[clipped] > 0).all()


def test_weights_between_the_units_take_the_plain_path():
    values = sequence()
    assert not can_fuse(values[0], values[1] + 1 / 512)
    assert not can_fuse(values[0].double(), values[1])
