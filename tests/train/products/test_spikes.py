"""Sums of listed spikes are torch's own in every bit, gradients are summed from the first row."""

import pytest
import torch

from kipuka.train.products.spikes import (
    SHARE_MAX,
    spike_sums,
    spikes_of,
    weight_gradient,
    weighted_sums,
)

STEPS, BATCH, SOURCES, TARGETS = 35, 3, 40, 70
GENERATOR = torch.Generator().manual_seed(0)


def drawn(rate=0.1, time_last=False, value=1.0):
    """Spikes (time, batch, sources), in the order of memory of an input or of a layer."""
    places = torch.rand(STEPS, BATCH, SOURCES, generator=GENERATOR) < rate
    x = places.float() * value
    return x.movedim(0, -1).contiguous().movedim(-1, 0) if time_last else x


def weights():
    return torch.randint(-128, 128, (TARGETS, SOURCES), generator=GENERATOR) / 32


@pytest.mark.parametrize("time_last", [False, True])
@pytest.mark.parametrize("value", [1.0, 5 / 64])
def test_sums_are_those_of_a_dense_product(time_last, value):
    x, weight = drawn(time_last=time_last, value=value), weights()
    sums = spike_sums(x, weight)
    assert torch.equal(sums, torch.nn.functional.linear(x, weight))
    assert torch.equal(weighted_sums(x, weight), sums)


@pytest.mark.parametrize("time_last", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.1, 1.0])
def test_every_spike_is_listed_by_step_then_sample(rate, time_last):
    x = drawn(rate, time_last, value=0.25)
    spikes = spikes_of(x)
    rows = torch.arange(STEPS * BATCH).repeat_interleave(torch.from_numpy(spikes.begins).diff())
    found = torch.zeros(STEPS * BATCH, SOURCES)
    found[rows, torch.from_numpy(spikes.sources).long()] = torch.from_numpy(spikes.values)
    assert torch.equal(found, x.flatten(0, 1))
    assert len(spikes.sources) == x.count_nonzero()


def test_gradients_are_summed_from_the_first_row_on():
    x, weight = drawn(value=3 / 64).requires_grad_(), weights().requires_grad_()
    grad = torch.randn(STEPS, BATCH, TARGETS, generator=GENERATOR)
    weighted_sums(x, weight).backward(grad)
    total = torch.zeros(TARGETS, SOURCES)
    for row, factors in zip(x.detach().flatten(0, 1), grad.flatten(0, 1), strict=True):
        total = total + factors[:, None] * row
    assert torch.equal(weight.grad, total)
    expected = grad.double() @ weight.detach().double()
    assert (x.grad - expected).abs().max() < 1e-5 * expected.abs().max()


def test_threads_change_nothing():
    x, weight = drawn(), weights()
    grad = torch.randn(STEPS, BATCH, TARGETS, generator=GENERATOR)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append((spike_sums(x, weight), weight_gradient(spikes_of(x), grad, SOURCES)))
    finally:
        torch.set_num_threads(before)
    for sums, gradient in results[1:]:
        assert torch.equal(sums, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.parametrize("case", ["many", "thirds", "negative", "counts", "weights", "wide"])
def test_what_is_no_list_of_spikes_is_left_to_torch(case):
    weight = weights()
    x = {
        "many": drawn(2 * SHARE_MAX),
        "thirds": drawn(value=1 / 100),
        "negative": -drawn(),
        "counts": drawn(value=2.0),
        "weights": drawn(),
        "wide": drawn().double(),
    }[case]
    weight = weight + 1 / 512 if case == "weights" else weight.to(x.dtype)
    assert spike_sums(x, weight) is None
    assert torch.equal(weighted_sums(x, weight), torch.nn.functional.linear(x, weight))
