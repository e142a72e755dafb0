"""The compiled convolutional sequence is the plain one in every integer and every gradient."""

import pytest
import torch

from kipuka.convert import fixed
from kipuka.train.delays.axonal import annealed_taps, finite_difference_taps, no_delay
from kipuka.train.gru.cell import Cell, Surrogate
from kipuka.train.gru.compiled_convolutional import FusedConvSequence
from kipuka.train.gru.compiled_dense import can_fuse
from kipuka.train.gru.mixing import SameConvolution
from kipuka.train.gru.sequence import run_sequence

SURROGATE = Surrogate(0.01, 10.0)
STEPS, N = 50, 5

TAPS = {
    "none": lambda delay: no_delay(N, delay),
    "integer": lambda delay: finite_difference_taps(delay, 2, fixed.DELAY_MAX),
    "at both ends": lambda delay: finite_difference_taps(
        torch.where(delay > 15, fixed.DELAY_MAX, 0).float(), 3, fixed.DELAY_MAX
    ),
    "spread": lambda delay: annealed_taps(delay, 7.5, fixed.DELAY_MAX),
}

# Kernel of the recurrence, padding, dilation, height and width.
GEOMETRIES = {
    "square": ((3, 3), (1, 1), (1, 1), (4, 5)),
    "frequency": ((3, 1), (1, 0), (1, 1), (9, 1)),
    "dilated, even": ((2, 3), (1, 2), (2, 2), (3, 6)),
    "larger than the image": ((5, 7), (2, 3), (1, 1), (2, 3)),
}


def sequence(geometry, batch=3, scale=48):
    generator = torch.Generator().manual_seed(0)
    kernel, _, _, extent = geometry
    shapes = ((STEPS, batch, 3 * N, *extent), (3 * N, N, *kernel), (3 * N,))
    drawn = [
        (torch.randn(shape, generator=generator) * size).round() / 32
        for shape, size in zip(shapes, (scale, 12, 8), strict=True)
    ]
    return [*drawn, torch.rand(N, generator=generator) * fixed.DELAY_MAX / 2]


def outcome(values, taps, geometry, plain):
    leaves = [x.clone().requires_grad_() for x in values]
    cell = Cell(taps(values[-1]), 64, SURROGATE, SameConvolution(*geometry[1:3]))
    spikes, states = run_sequence(*leaves, cell, plain=plain)
    outer = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1))
    ((spikes * outer).sum() + 3 * states.overshoot.sum()).backward()
    return spikes.detach(), states, [leaf.grad for leaf in leaves]


def assert_same(values, taps, geometry):
    assert can_fuse(values[0], values[1])
    found, right = (outcome(values, taps, geometry, plain) for plain in (False, True))
    assert 0.05 < right[0].mean() < 0.9
    assert torch.equal(found[0], right[0])
    for state, expected in zip(found[1], right[1], strict=True):
        assert torch.equal(state.to(expected.dtype), expected)
    for gradient, expected in zip(found[2], right[2], strict=True):
        assert torch.equal(gradient, expected)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", TAPS)
def test_equals_the_plain_path_bit_for_bit(name):
    geometry = GEOMETRIES["square"]
    _, _, gradients = assert_same(sequence(geometry), TAPS[name], geometry)
    assert all(gradient.any() for gradient in gradients[:3])
    assert gradients[3].any() == (name != "none")


@pytest.mark.parametrize("name", GEOMETRIES)
def test_equals_the_plain_path_for_every_geometry(name):
    geometry = GEOMETRIES[name]
    assert_same(sequence(geometry), TAPS["integer"], geometry)


def test_saturation_and_overshoot_are_the_same():
    geometry = GEOMETRIES["square"]
    _, states, _ = assert_same(sequence(geometry, scale=48 * 12), TAPS["integer"], geometry)
    assert states.saturated.sum() > 0
    assert states.overshoot.min() > 0


def test_threads_change_nothing():
    geometry = GEOMETRIES["square"]
    values = sequence(geometry, batch=9)
    before = torch.get_num_threads()
    outcomes = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            outcomes.append(outcome(values, TAPS["spread"], geometry, plain=False))
    finally:
        torch.set_num_threads(before)
    for other in outcomes[1:]:
        assert torch.equal(other[0], outcomes[0][0])


def test_the_block_takes_the_compiled_path(monkeypatch):
    from kipuka.train.gru.convolutional import ConvSpikingGRU

    taken = []
    right = FusedConvSequence.apply
    monkeypatch.setattr(FusedConvSequence, "apply", lambda *given: taken.append(1) or right(*given))
    block = ConvSpikingGRU({"threshold": 1.0}, 1, 2, 3, padding=1, delay_rec=True)
    block(torch.ones(1, 1, 4, 4, 6))
    assert taken == [1]
    current = ConvSpikingGRU({"threshold": 1.0}, 1, 2, 3, padding=1, update_gate_input="current")
    current(torch.ones(1, 1, 4, 4, 6))
    assert taken == [1]
