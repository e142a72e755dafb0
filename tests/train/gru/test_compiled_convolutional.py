"""The compiled convolutional sequence is the plain one: every integer, gradients in an order."""

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


class FirstToLast(SameConvolution):
    """The order of two sums is the library's own; here it is that of the compiled loops."""

    def input_gradient(self, grad, weight):
        height, width = grad.shape[2:]
        total = torch.zeros(len(grad), weight.shape[1], height, width)
        for y, x in positions(height, width):
            for element, (to_y, to_x) in self.reached(weight, y, x, height, width):
                factors = weight[:, :, element[0], element[1]]
                for row, sums in zip(grad[:, :, to_y, to_x].T, factors, strict=True):
                    total[:, :, y, x] = total[:, :, y, x] + row[:, None] * sums
        return total

    def weight_gradient(self, x, grad, weight):
        total = torch.zeros(weight.shape)
        for image, sums in zip(x, grad, strict=True):
            for place in positions(*image.shape[1:]):
                sent = image[:, place[0], place[1]]
                for element, to in self.reached(weight, *place, *image.shape[1:]):
                    here = (slice(None), slice(None), *element)
                    total[here] = total[here] + sums[:, to[0], to[1]][:, None] * sent
        return total

    def reached(self, weight, y, x, height, width):
        for element in positions(*weight.shape[2:]):
            to = [
                place + pad - wide * k
                for place, pad, wide, k in zip(
                    (y, x), self.padding, self.dilation, element, strict=True
                )
            ]
            if 0 <= to[0] < height and 0 <= to[1] < width:
                yield element, to


def positions(height, width):
    return [(y, x) for y in range(height) for x in range(width)]


def outcome(values, taps, geometry, plain, mixing=SameConvolution):
    leaves = [x.clone().requires_grad_() for x in values]
    cell = Cell(taps(values[-1]), 64, SURROGATE, mixing(*geometry[1:3]))
    spikes, states = run_sequence(*leaves, cell, plain=plain)
    outer = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1))
    ((spikes * outer).sum() + 3 * states.overshoot.sum()).backward()
    return spikes.detach(), states, [leaf.grad for leaf in leaves]


def assert_same(values, taps, geometry):
    assert can_fuse(values[0], values[1])
    found = outcome(values, taps, geometry, plain=False)
    right = outcome(values, taps, geometry, plain=True, mixing=FirstToLast)
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


@pytest.mark.slow
@pytest.mark.parametrize("name", GEOMETRIES)
def test_equals_the_plain_path_for_every_geometry(name):
    geometry = GEOMETRIES[name]
    assert_same(sequence(geometry), TAPS["integer"], geometry)


@pytest.mark.slow
def test_saturation_and_overshoot_are_the_same():
    geometry = GEOMETRIES["square"]
    _, states, _ = assert_same(sequence(geometry, scale=48 * 12), TAPS["integer"], geometry)
    assert states.saturated.sum() > 0
    assert states.overshoot.min() > 0


def test_the_library_s_own_order_of_summation_leaves_rounding_errors_only():
    geometry = GEOMETRIES["square"]
    values = sequence(geometry)
    fused, plain = (outcome(values, TAPS["integer"], geometry, plain) for plain in (False, True))
    assert torch.equal(fused[0], plain[0])
    # 135 float32 terms in another order, and what the recurrence makes of it.
    for found, right in zip(fused[2], plain[2], strict=True):
        assert (found - right).abs().max() < 1e-4 * right.abs().max()


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
