"""The shift in time that a GPU takes, against lava-dl's own on the CPU."""

import sys

import pytest
import torch

from kipuka.train.cuba.time_shift import shift
from kipuka.train.slayer import TimeShift

slayer_shift = sys.modules[TimeShift.__module__].shift


@pytest.mark.parametrize("by", [0, 1, 4, -1, -3, 2.7, -2.7, 12, -12])
@pytest.mark.parametrize("sampling_time", [1, 2])
def test_equals_lava_dl_s_for_all_neurons_alike(by, sampling_time):
    x = torch.randn(2, 3, 4, 10)
    expected = slayer_shift(x, by, sampling_time)
    assert torch.equal(shift(x, by, sampling_time), expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_equals_lava_dl_s_for_each_neuron(sign):
    x = torch.randn(2, 3, 4, 10)
    by = sign * torch.rand(3, 4) * 12
    assert torch.equal(shift(x, by), slayer_shift(x, by))
