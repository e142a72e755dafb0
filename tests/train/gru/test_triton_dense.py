"""The kernels for GPUs, in Triton's interpreter, against the plain path: every bit both ways."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kipuka.convert import fixed
from kipuka.train.delays.axonal import annealed_taps, finite_difference_taps, no_delay
from kipuka.train.gru import sequence, triton_dense
from kipuka.train.gru.cell import Cell, GruStates, Surrogate
from kipuka.train.gru.mixing import MatrixProduct, SameConvolution
from kipuka.train.gru.sequence import can_fuse_on_gpu, run_sequence
from kipuka.train.gru.triton_dense import CHUNK, SAMPLES_TOGETHER, TritonSequence, fits

# Triton's interpreter takes numbers out of arrays in a way that NumPy wants to end.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion of an array:DeprecationWarning")

STEPS, MAX_DELAY = 10, 6
SURROGATE = Surrogate(0.01, 10.0)

TAPS = {
    "none": lambda delay: no_delay(len(delay), delay),
    "integer": lambda delay: finite_difference_taps(delay, 2, MAX_DELAY),
    "at both ends": lambda delay: finite_difference_taps(
        torch.where(delay > 3, MAX_DELAY, 0).float(), 3, MAX_DELAY
    ),
    "spread": lambda delay: annealed_taps(delay, 2.5, MAX_DELAY),
}


def drawn(n=5, batch=3, scale=48, steps=STEPS):
    generator = torch.Generator().manual_seed(0)
    shapes = ((steps, batch, 3 * n), (3 * n, n), (3 * n,))
    values = [
        (torch.randn(shape, generator=generator) * size).round() / 32
        for shape, size in zip(shapes, (scale, 40, 8), strict=True)
    ]
    # Weights of both ends of the 8 bits are among them.
    values[1].clamp_(fixed.WEIGHT_MIN / fixed.WEIGHT_SCALE, fixed.WEIGHT_MAX / fixed.WEIGHT_SCALE)
    values[1].flatten()[0] = fixed.WEIGHT_MIN / fixed.WEIGHT_SCALE
    return [*values, torch.rand(n, generator=generator) * MAX_DELAY]


class InParts(MatrixProduct):
    """The kernel's order of the one sum that the plain path leaves to the matrix library."""

    def input_gradient(self, grad, weight):
        n_batch, n_rows = grad.shape
        n = weight.shape[1]
        width = max(triton_dense.BLOCK_MIN, 1 << (n - 1).bit_length())
        block = min(width, triton_dense.BLOCK_MAX)
        length = -(-n_rows // CHUNK) * CHUNK
        rows = np.zeros((-(-n_batch // SAMPLES_TOGETHER) * SAMPLES_TOGETHER, length), np.float32)
        rows[:n_batch, :n_rows] = grad
        factors = np.zeros((length, width), np.float32)
        factors[:n_rows, :n] = weight * (fixed.WEIGHT_SCALE / fixed.WEIGHT_STEP)
        total = np.zeros((len(rows), width), np.float32)
        for begin in range(0, len(rows), SAMPLES_TOGETHER):
            tile = slice(begin, begin + SAMPLES_TOGETHER)
            for column in range(0, width, block):
                columns = slice(column, column + block)
                for k in range(0, length, CHUNK):
                    terms = slice(k, k + CHUNK)
                    for part in parts(rows[tile, terms]):
                        total[tile, columns] += part @ np.ascontiguousarray(factors[terms, columns])
        nominal = total[:n_batch, :n] * np.float32(fixed.WEIGHT_STEP / fixed.WEIGHT_SCALE)
        return torch.from_numpy(nominal)


def parts(x):
    """Three float32 of 11 bits or fewer whose sum is exactly x."""
    found = []
    for _ in range(3):
        part = (x.view(np.int32) & np.int32(-(1 << 13))).view(np.float32)
        found.append(part)
        x = x - part
    assert not x.any()
    return found


def outcome(values, taps, mixing=None):
    """Spikes, states and gradients: of the kernels, or of the plain path with a mixing given."""
    leaves = [x.clone().requires_grad_() for x in values]
    cell = Cell(taps(values[-1]), 64, SURROGATE, MatrixProduct() if mixing is None else mixing)
    if mixing is None:
        spikes, *states = TritonSequence.apply(*leaves, cell)
    else:
        spikes, states = run_sequence(*leaves, cell, plain=True)
    states = GruStates(*states)
    outer = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1))
    ((spikes * outer).sum() + 3 * states.overshoot.sum()).backward()
    return spikes.detach(), states, [leaf.grad for leaf in leaves]


def check_equal(values, taps):
    spikes, states, gradients = outcome(values, taps)
    right_spikes, right_states, right_gradients = outcome(values, taps, InParts())
    assert 0.05 < spikes.mean() < 0.9
    assert torch.equal(spikes, right_spikes)
    for state, right in zip(states, right_states, strict=True):
        assert torch.equal(state.to(right.dtype), right)
    for found, right in zip(gradients, right_gradients, strict=True):
        assert torch.equal(found, right)
    return states, gradients


@pytest.mark.slow
@pytest.mark.parametrize("name", TAPS)
def test_equals_the_plain_path_bit_for_bit(name):
    _, gradients = check_equal(drawn(), TAPS[name])
    assert all(gradient.any() for gradient in gradients[: 3 if name == "none" else 4])


@pytest.mark.slow
def test_more_samples_than_a_program_and_more_neurons_than_a_block(monkeypatch):
    monkeypatch.setattr(triton_dense, "BLOCK_MAX", 32)
    check_equal(drawn(n=37, batch=SAMPLES_TOGETHER + 1, scale=32, steps=6), TAPS["integer"])


@pytest.mark.slow
def test_saturation_and_overshoot_are_the_same():
    states, _ = check_equal(drawn(scale=48 * 12), TAPS["integer"])
    assert states.saturated.sum() > 0
    assert states.overshoot.min() > 0


@pytest.mark.slow
def test_the_library_s_own_order_of_summation_leaves_rounding_errors_only():
    values = drawn(n=20)
    found, right = (outcome(values, TAPS["integer"], mixing) for mixing in (None, MatrixProduct()))
    assert torch.equal(found[0], right[0])
    # 60 float32 terms in another order: 60 x 2**-24 of their magnitudes per step, and what the
    # recurrence makes of it.
    for gradient, other in zip(found[2], right[2], strict=True):
        assert (gradient - other).abs().max() < 1e-5 * other.abs().max()


@pytest.mark.slow
def test_takes_a_gradient_whose_memory_has_another_order():
    values = drawn()
    leaf = values[0].requires_grad_()
    cell = Cell(TAPS["none"](values[-1]), 64, SURROGATE)
    spikes, *_ = TritonSequence.apply(*values, cell)
    outer = torch.randn(spikes.shape[1], spikes.shape[2], STEPS)
    (spikes.permute(1, 2, 0) * outer).sum().backward()
    found, leaf.grad = leaf.grad, None
    spikes, *_ = TritonSequence.apply(*values, cell)
    (spikes * outer.permute(2, 0, 1).contiguous()).sum().backward()
    assert found.any()
    assert torch.equal(found, leaf.grad)


def test_weights_that_eight_bits_do_not_hold_are_left_to_the_plain_path():
    weight = drawn()[1]
    assert fits(weight)
    for unit in (1, fixed.WEIGHT_MAX + 2, fixed.WEIGHT_MIN - 2):
        other = weight.clone()
        other[3, 2] = unit / fixed.WEIGHT_SCALE
        assert not fits(other)
    assert fits(torch.zeros(1, triton_dense.NEURONS_MAX))
    assert not fits(torch.zeros(1, triton_dense.NEURONS_MAX + 1))


def test_the_largest_sum_of_the_largest_layer_is_exact():
    largest = triton_dense.NEURONS_MAX * 64 * fixed.WEIGHT_MIN // fixed.WEIGHT_STEP
    assert float(np.float32(largest)) == largest
    assert float(np.float32(largest + 1)) == largest + 1


def test_the_gpu_path_is_taken_for_what_it_computes(monkeypatch):
    values = drawn()
    cell = Cell(TAPS["none"](values[-1]), 64, SURROGATE)
    on_gpu = SimpleNamespace(is_cuda=True, dtype=torch.float32)
    monkeypatch.setattr(sequence, "takes_triton", lambda: True)
    assert can_fuse_on_gpu(on_gpu, values[1], cell)
    assert not can_fuse_on_gpu(values[0], values[1], cell)
    assert not can_fuse_on_gpu(SimpleNamespace(is_cuda=True, dtype=torch.float64), values[1], cell)
    assert not can_fuse_on_gpu(on_gpu, values[1] + 1 / 512, cell)
    convolution = cell._replace(mixing=SameConvolution((1, 1), (1, 1)))
    assert not can_fuse_on_gpu(on_gpu, values[1], convolution)
    monkeypatch.setattr(sequence, "takes_triton", lambda: False)
    assert not can_fuse_on_gpu(on_gpu, values[1], cell)
