"""The leaky integrator for GPUs, in Triton's interpreter, against the CPU's, in every bit."""

import pytest
import torch

from kipuka.train.cuba import integrator
from kipuka.train.cuba.integrator import CompiledIntegrator, compiled_integrator
from kipuka.train.cuba.triton_integrator import ROWS_TOGETHER, TritonIntegrator
from kipuka.train.slayer import TimeShift, leaky_integrator

# Triton's interpreter takes numbers out of arrays in a way that NumPy wants to end.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion of an array:DeprecationWarning")

SCALE = 64


def results(function, given, decay, state, threshold):
    given, decay = given.clone().requires_grad_(), decay.clone().requires_grad_()
    out = function.apply(given, decay, state, threshold, SCALE)
    generator = torch.Generator().manual_seed(3)
    out.backward(torch.randn(out.shape, generator=generator))
    return out.detach(), given.grad, decay.grad


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(4, 7, 30), (2, 3, 4, 5, 8), (3, 2, 1)])
@pytest.mark.parametrize("threshold", [-1, 0.75])
@pytest.mark.parametrize("decay", [0.0, 419.0, 4096.0])
def test_equals_the_compiled_one_in_every_bit(shape, threshold, decay):
    generator = torch.Generator().manual_seed(1)
    given = torch.randn(shape, generator=generator)
    state = torch.randn(shape[:-1], generator=generator)
    decay = torch.tensor([decay])
    expected = results(CompiledIntegrator, given, decay, state, threshold)
    found = results(TritonIntegrator, given, decay, state, threshold)
    for right, ours in zip(expected, found, strict=True):
        assert torch.equal(right, ours)


def test_more_rows_than_a_program_takes():
    generator = torch.Generator().manual_seed(2)
    given = torch.randn(ROWS_TOGETHER + 1, 1, 6, generator=generator)
    state, decay = torch.zeros(given.shape[:-1]), torch.tensor([300.0])
    expected = results(CompiledIntegrator, given, decay, state, 1.0)
    found = results(TritonIntegrator, given, decay, state, 1.0)
    for right, ours in zip(expected, found, strict=True):
        assert torch.equal(right, ours)


def test_within_the_block_lava_dl_compiles_no_sources_for_a_gpu(monkeypatch):
    places = [(leaky_integrator.Accelerated, "leaky_integrator"), (TimeShift, "shift")]
    before = [place.module for place, _ in places]
    monkeypatch.setattr(integrator, "takes_triton", lambda: True)
    with compiled_integrator():
        # lava-dl's properties build the module if there is none.
        modules = [getattr(place, name) for place, name in places]
        x = torch.randn(2, 3, 9)
        assert torch.equal(modules[1].shift(x, 1, 1)[..., 1:], x[..., :-1])
        given = (x, torch.tensor([300.0]), torch.zeros(2, 3), -1, SCALE)
        assert torch.equal(modules[0].dynamics(*given), CompiledIntegrator.apply(*given))
    assert [place.module for place, _ in places] == before


def test_a_scale_without_an_exact_inverse_stays_with_lava_dl():
    assert integrator._compiled("cuda", 64) is TritonIntegrator
    assert integrator._compiled("cuda", 63) is None
    assert integrator._compiled("cpu", 63) is CompiledIntegrator
