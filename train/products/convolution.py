"""Convolutions of spikes, and gradients of their kernels, from a list of the spikes.

Sums and gradients have their channels last, as the compiled loops of the GRU take them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.grad import conv2d_input

from kipuka.train.products import spike_kernels as kernels
from kipuka.train.products.spikes import Spikes, few_spikes
from kipuka.train.threads import on_threads


class Geometry(NamedTuple):
    """Sizes along height and width of a convolution without groups."""

    extent: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def sums_extent(self) -> tuple[int, int]:
        """Height and width of what comes out."""
        height, width = (
            (n + 2 * pad - wide * (size - 1) - 1) // step + 1
            for n, size, step, pad, wide in zip(*self, strict=True)
        )
        return height, width

    def ways(self) -> Ways:
        """Where a spike goes from every position, by kernel elements from the first to the last."""
        reached = [self._reached(axis) for axis in (0, 1)]
        begins, elements, targets = [0], [], []
        for y in range(self.extent[0]):
            for x in range(self.extent[1]):
                for k_y, to_y in reached[0][y]:
                    for k_x, to_x in reached[1][x]:
                        elements.append(k_y * self.kernel[1] + k_x)
                        targets.append(to_y * self.sums_extent[1] + to_x)
                begins.append(len(elements))
        return Ways(*(np.array(x, np.int64) for x in (begins, elements, targets)))

    def _reached(self, axis: int) -> list[list[tuple[int, int]]]:
        """Kernel element and place in the sums, for each place along an axis."""
        _, size, step, pad, wide = (sizes[axis] for sizes in self)
        found = []
        for place in range(self.extent[axis]):
            moved = [(k, place + pad - wide * k) for k in range(size)]
            inside = [(k, to // step) for k, to in moved if to % step == 0]
            found.append([(k, to) for k, to in inside if 0 <= to < self.sums_extent[axis]])
        return found


class Ways(NamedTuple):
    """Ways of spikes: those from position p stand from ``begins[p]`` up to ``begins[p + 1]``.

    Attributes
    ----------
    begins : int64 array (positions + 1,)
    elements, targets : int64 array
        Element of the kernel, and position in the sums.
    """

    begins: np.ndarray
    elements: np.ndarray
    targets: np.ndarray


def spike_convolution(
    signal: torch.Tensor, weight: torch.Tensor, geometry: Geometry
) -> torch.Tensor | None:
    """Weighted sums of few spikes; the same numbers as those of `torch.nn.functional.conv2d`.

    Parameters
    ----------
    signal : float tensor (time, batch, channels, height, width)
    weight : float tensor (targets, channels, height, width)
        Quantized, nominal units.
    geometry : Geometry

    Returns
    -------
    float tensor (time, batch, targets, height, width), channels last in memory, or None
        None where `kipuka.train.products.spikes.spike_sums` gives none.
    """
    spikes = by_position(signal, lambda sources: few_spikes(sources, weight))
    if spikes is None:
        return None
    sums: torch.Tensor = _SpikeConvolution.apply(signal, weight, spikes, geometry)  # type: ignore[no-untyped-call, unused-ignore]
    return sums


def by_position(
    signal: torch.Tensor, listed: Callable[[torch.Tensor], Spikes | None]
) -> Spikes | None:
    """List the spikes of a signal (time, batch, channels, height, width).

    Sources are numbered by position, and within it by channel, whatever the order in memory.
    """
    n_channels, n_positions = signal.shape[2], signal.shape[3] * signal.shape[4]
    channels_last = signal.movedim(2, -1)
    if channels_last.is_contiguous():
        return listed(channels_last.flatten(2))
    spikes = listed(signal.flatten(2))
    if spikes is None:
        return None
    channel, position = np.divmod(spikes.sources, np.int32(n_positions))
    return spikes._replace(sources=position * np.int32(n_channels) + channel)


class _SpikeConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, signal: torch.Tensor, weight: torch.Tensor, spikes: Spikes, geometry: Geometry
    ) -> torch.Tensor:
        ctx.save_for_backward(weight)
        ctx.spikes, ctx.geometry = spikes, geometry
        n_steps, n_batch = signal.shape[:2]
        height, width = geometry.sums_extent
        out = np.empty((n_steps * n_batch, height * width, len(weight)), np.float32)
        given = (spikes, geometry.ways(), by_element(weight).numpy(), signal.shape[2], out)
        on_threads(len(out), 64, lambda begin, end: kernels.convolution_sums(*given, begin, end))
        shape = (n_steps, n_batch, height, width, len(weight))
        return torch.from_numpy(out).reshape(shape).movedim(-1, 2)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        (grad,) = grad_outputs
        (weight,) = ctx.saved_tensors
        geometry: Geometry = ctx.geometry
        grad_signal = grad_weight = None
        if ctx.needs_input_grad[0]:
            images = (grad.shape[0] * grad.shape[1], weight.shape[1], *geometry.extent)
            grad_signal = conv2d_input(images, weight, grad.flatten(0, 1), *geometry[2:]).unflatten(
                0, grad.shape[:2]
            )
        if ctx.needs_input_grad[1]:
            grad_weight = kernel_gradient(ctx.spikes, grad, weight.shape, geometry)
        return grad_signal, grad_weight, None, None


def kernel_gradient(
    spikes: Spikes, grad: torch.Tensor, shape: torch.Size, geometry: Geometry
) -> torch.Tensor:
    """Gradient of weights (targets, channels, height, width) from that of their sums.

    Each is summed over the spikes from the first step to the last, within a step from the first
    sample to the last, within a sample from the first position to the last.

    Parameters
    ----------
    spikes : Spikes
        Listed `by_position`.
    grad : float tensor (time, batch, targets, height, width)
    shape : torch.Size
        Of the weights.
    geometry : Geometry
    """
    n_targets, n_channels, height, width = shape
    rows = grad.detach().movedim(2, -1).contiguous().flatten(0, 1).flatten(1, 2).numpy()
    out = np.empty((height * width * n_channels, n_targets), np.float32)
    given = (spikes, geometry.ways(), rows, n_channels, out)
    on_threads(n_targets, 32, lambda begin, end: kernels.convolution_products(*given, begin, end))
    by_target = torch.from_numpy(out).reshape(height, width, n_channels, n_targets)
    return by_target.permute(3, 2, 0, 1).contiguous()


def by_element(weight: torch.Tensor) -> torch.Tensor:
    """Weights (targets, channels, height, width) as (elements x channels, targets), contiguous."""
    return weight.detach().permute(2, 3, 1, 0).flatten(0, 2).contiguous()
