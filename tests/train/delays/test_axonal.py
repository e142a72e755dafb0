"""Delay rules: where shares of a spike go, and that they come together at the integer delay."""

import pytest
import torch

from kipuka.convert import fixed
from kipuka.train.delays.axonal import (
    TAP_UNITY,
    AxonalDelay,
    DelayTaps,
    annealed_taps,
    delay_gradient,
    finite_difference_taps,
    spread,
    spread_back,
)

DELAYS = torch.tensor([0.0, 0.4, 5.0, 7.75, 30.5, 61.9, 62.0])


@pytest.mark.parametrize("width", [0.0, 0.2, 1.0, 6.5, 40.0])
def test_annealed_shares_are_whole_and_complete(width):
    taps = annealed_taps(DELAYS, width, fixed.DELAY_MAX)
    assert torch.equal(taps.weights, taps.weights.round())
    assert (taps.weights >= 0).all()
    assert torch.equal(taps.weights.sum(1), torch.full((7,), float(TAP_UNITY)))
    assert torch.equal(taps.slopes.sum(1), torch.zeros(7))


def test_annealed_width_zero_is_the_integer_delay():
    exact = annealed_taps(DELAYS, 0.0, fixed.DELAY_MAX).weights
    assert torch.equal(exact.argmax(1), DELAYS.floor().long())
    # With any width a delay that is a whole number lies on the edge between two steps.
    inner = DELAYS[:-1] + 0.01
    for width in (1e-3, 0.0):
        taps = annealed_taps(inner, width, fixed.DELAY_MAX).weights
        assert torch.equal(taps, exact[:-1])


def test_annealed_shares_lie_within_the_width_around_the_delay():
    taps = annealed_taps(torch.tensor([20.5]), 4.0, fixed.DELAY_MAX).weights[0]
    # What would be less than half of a share at either end is rounded away.
    assert taps.nonzero().flatten().tolist() == list(range(17, 24))
    assert torch.equal(taps[17:24], taps[17:24].flip(0))


def test_annealed_slope_is_the_derivative_of_the_shares():
    width, step = 6.0, 1.0
    delay = torch.tensor([20.3, 33.8])
    there, back = (
        annealed_taps(delay + sign * step, width, fixed.DELAY_MAX).weights for sign in (1, -1)
    )
    taps = annealed_taps(delay, width, fixed.DELAY_MAX)
    slope = taps.slopes * taps.slope_scale * TAP_UNITY
    # Shares are rounded to whole ones, so their difference is known to one share per step.
    assert (slope - (there - back) / (2 * step)).abs().max() <= 1
    assert slope.abs().max() > 1


@pytest.mark.parametrize("rule", ["finite-difference", "annealed"])
def test_evaluation_uses_integer_delays_whatever_the_width(rule):
    module = AxonalDelay(3)
    module.delay.data = torch.tensor([0.9, 3.2, 12.0])
    module.rule, module.width_steps = rule, 9.0
    x = (torch.rand(2, 3, 40, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    out = module.eval()(x)
    for neuron, steps in enumerate([0, 3, 12]):
        assert torch.equal(out[:, neuron, steps:], x[:, neuron, : 40 - steps])
        assert not out[:, neuron, :steps].any()


@pytest.mark.parametrize("rule", ["finite-difference", "annealed"])
def test_a_delay_learns_towards_its_target_and_stays_within_its_range(rule):
    bump = torch.exp(-((torch.arange(100) - 40.0) ** 2) / 60)
    x = torch.zeros(1, 2, 100)
    x[0, :, 10] = 1
    module = AxonalDelay(2, reach_steps=3)
    module.rule = rule
    module.delay.data = torch.tensor([20.0, 38.0])
    optimizer = torch.optim.Adam([module.delay], lr=0.3)
    for k in range(150):
        module.width_steps = max(0.0, 6 - k / 20)
        optimizer.zero_grad()
        (-(module(x) * bump).sum()).backward()
        optimizer.step()
    assert module.steps.tolist() == pytest.approx([30, 30], abs=1)
    for target, end in ((500.0, fixed.DELAY_MAX), (-500.0, 0)):
        (module.delay.data.fill_(target))
        assert module.steps.tolist() == [end, end]


def test_at_both_ends_the_slope_stays_within_the_range():
    taps = finite_difference_taps(torch.tensor([0.0, 62.0]), 2, fixed.DELAY_MAX)
    assert taps.slopes[0, :4].tolist() == [-2, 1, 1, 0]
    assert taps.slopes[1, -4:].tolist() == [0, -1, -1, 2]


def test_compiled_spread_is_the_plain_one():
    x = torch.randint(0, 3, (3, 4, 50), generator=torch.Generator().manual_seed(1)).float()
    taps = annealed_taps(torch.tensor([0.0, 3.3, 17.0, 62.0]), 5.0, fixed.DELAY_MAX).weights
    assert torch.equal(spread(x, taps), spread(x.double(), taps.double()).float())


@pytest.mark.parametrize("make", [annealed_taps, finite_difference_taps])
@pytest.mark.parametrize("time_first", [False, True])
def test_compiled_gradients_are_the_plain_ones(time_first, make):
    generator = torch.Generator().manual_seed(1)
    x, grad = (torch.randint(0, 3, (3, 4, 50), generator=generator).float() for _ in "xg")
    if time_first:
        x, grad = (v.permute(2, 0, 1).contiguous().permute(1, 2, 0) for v in (x, grad))
    taps = make(torch.tensor([0.0, 3.3, 17.0, 62.0]), 5, fixed.DELAY_MAX)
    wide = DelayTaps(taps.weights.double(), taps.slopes.double(), taps.slope_scale)
    back = spread_back(grad, taps.weights)
    assert torch.equal(back, spread_back(grad.double(), wide.weights).float())
    assert (back * x).sum() == (grad * spread(x, taps.weights)).sum()
    # All numbers are whole, so that sums are the same in any order.
    for later in (0, 1, 60):
        found = delay_gradient(grad, x, taps, later)
        assert torch.equal(found, delay_gradient(grad.double(), x.double(), wide, later).float())
        assert found.any() == (later < 50)
