"""Delivery over delay taps for GPUs, in Triton's interpreter, against the CPU's, in every bit."""

import pytest
import torch

from kipuka.train.delays import triton_spread
from kipuka.train.delays.axonal import annealed_taps, finite_difference_taps, spread, used_taps
from kipuka.train.delays.triton_spread import spread_on_gpu

# Triton's interpreter takes numbers out of arrays in a way that NumPy wants to end.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion of an array:DeprecationWarning")

STEPS, MAX_DELAY = 9, 12


@pytest.mark.slow
@pytest.mark.parametrize("block", [triton_spread.BLOCK, 8])
@pytest.mark.parametrize("which", ["weights", "slopes"])
@pytest.mark.parametrize("make", [annealed_taps, finite_difference_taps])
def test_equals_the_compiled_one_in_every_bit(make, which, block, monkeypatch):
    monkeypatch.setattr(triton_spread, "BLOCK", block)
    generator = torch.Generator().manual_seed(0)
    delay = torch.rand(5, generator=generator) * MAX_DELAY
    taps = getattr(make(delay, 3, MAX_DELAY), which) / 7
    signal = torch.randn(3, 5, STEPS, generator=generator)
    found = spread_on_gpu(signal.permute(2, 0, 1), used_taps(taps, STEPS), taps)
    assert found.any()
    assert torch.equal(found.permute(1, 2, 0), spread(signal, taps))
