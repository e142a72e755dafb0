"""Convolutions of listed spikes are torch's own in every bit, gradients but for rounding."""

import pytest
import torch

from kipuka.train.products.convolution import Geometry, spike_convolution

STEPS, BATCH, CHANNELS, TARGETS = 6, 3, 4, 10

# Extent, kernel, stride, padding, dilation.
GEOMETRIES = {
    "same": Geometry((4, 5), (3, 3), (1, 1), (1, 1), (1, 1)),
    "strided": Geometry((7, 6), (3, 2), (2, 3), (1, 0), (1, 1)),
    "dilated": Geometry((6, 8), (2, 3), (1, 2), (1, 2), (2, 2)),
    "a line": Geometry((9, 1), (5, 1), (2, 2), (2, 0), (1, 1)),
}


def drawn(geometry, channels_last):
    generator = torch.Generator().manual_seed(0)
    extent = (*geometry.extent, CHANNELS) if channels_last else (CHANNELS, *geometry.extent)
    places = torch.rand(STEPS, BATCH, *extent, generator=generator) < 0.1
    x = places.float()
    shape = (TARGETS, CHANNELS, *geometry.kernel)
    weight = torch.randint(-128, 128, shape, generator=generator) / 32
    return x.movedim(-1, 2) if channels_last else x, weight


def dense(x, weight, geometry):
    sums = torch.nn.functional.conv2d(x.flatten(0, 1), weight, None, *geometry[2:])
    return sums.unflatten(0, x.shape[:2])


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_sums_and_gradients_are_those_of_a_dense_convolution(name, channels_last):
    geometry = GEOMETRIES[name]
    x, weight = drawn(geometry, channels_last)
    outcomes = []
    for convolution in (spike_convolution, dense):
        leaves = [v.clone().requires_grad_() for v in (x, weight)]
        out = convolution(*leaves, geometry)
        out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(1)))
        outcomes.append((out.detach(), *(leaf.grad for leaf in leaves)))
    assert torch.equal(outcomes[0][0], outcomes[1][0])
    assert outcomes[0][0].shape[-2:] == geometry.sums_extent
    for found, expected in zip(*outcomes, strict=True):
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_what_is_no_list_of_spikes_is_left_to_torch():
    geometry = GEOMETRIES["same"]
    x, weight = drawn(geometry, channels_last=False)
    assert spike_convolution(x / 3, weight, geometry) is None
    assert spike_convolution(1 - x, weight, geometry) is None
    assert spike_convolution(x, weight / 3, geometry) is None
