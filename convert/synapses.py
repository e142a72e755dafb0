"""Connectivity of a projection: which weights a spike reaches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kipuka.convert.by_value import ByValue

RECURRENT, PREVIOUS = 0, 1
"""Sources of a projection, in layers back: the layer itself, and the layer before (or the input).

Larger numbers are skip connections: 2 is the layer before the previous one.
"""

Shape3 = tuple[int, int, int]
Pair = tuple[int, int]


class Entries(NamedTuple):
    """Synapses one by one, as three int64 arrays of equal length; weight 0 is left out."""

    targets: np.ndarray
    sources: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class DenseSynapses(ByValue):
    """All-to-all synapses; a weight of 0 is no synapse.

    Attributes
    ----------
    weights : int16 array (targets, sources)
        Even integers in [-256, 254], in weight units.
    """

    weights: np.ndarray

    @property
    def n_targets(self) -> int:
        """Neurons that receive."""
        return int(self.weights.shape[0])

    @property
    def n_sources(self) -> int:
        """Neurons that send."""
        return int(self.weights.shape[1])

    def fan_out(self) -> np.ndarray:
        """Nonzero weights that one spike of each source reaches: int64 array (sources,)."""
        return np.count_nonzero(self.weights, axis=0).astype(np.int64)

    def weighted_sum(self, spikes: np.ndarray) -> np.ndarray:
        """Sum of weights per target, int64 (samples, targets), of spikes (samples, sources)."""
        return _matrix_product(spikes, self.weights.T)

    def entries(self) -> Entries:
        """Every synapse with its target, source and weight."""
        targets, sources = np.nonzero(self.weights)
        return Entries(targets, sources, self.weights[targets, sources].astype(np.int64))


@dataclass(frozen=True, eq=False)
class ConvSynapses(ByValue):
    """A 2-D convolution over channels x height x width (a cross-correlation, as in PyTorch).

    ``a[o, y, x] = sum over c, i, j of w[o, c, i, j] s[c, y stride - padding + i dilation, ...]``,
    with 0 where the input ends. Pooling is a convolution with one group per channel.

    Attributes
    ----------
    weights : int16 array (output channels, input channels / groups, kernel height, kernel width)
        Even integers in [-256, 254], in weight units.
    input_shape, output_shape : tuple of int
        Channels, height, width. An output larger than the formula's reads zeros past the edge,
        as SLAYER's pooling does.
    stride, padding, dilation : tuple of int
        Along height and width.
    groups : int
    """

    weights: np.ndarray
    input_shape: Shape3
    output_shape: Shape3
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def n_targets(self) -> int:
        """Neurons that receive."""
        return int(math.prod(self.output_shape))

    @property
    def n_sources(self) -> int:
        """Neurons that send."""
        return int(math.prod(self.input_shape))

    @property
    def kernel(self) -> Pair:
        """Height and width of the kernel."""
        return self.weights.shape[2], self.weights.shape[3]

    def formula_shape(self) -> Shape3:
        """Output shape by PyTorch's formula; 0 or less where the kernel does not fit."""
        height, width = (
            (n + 2 * padding - dilation * (kernel - 1) - 1) // max(stride, 1) + 1
            for n, padding, dilation, kernel, stride in zip(
                self.input_shape[1:],
                self.padding,
                self.dilation,
                self.kernel,
                self.stride,
                strict=True,
            )
        )
        return self.weights.shape[0], height, width

    def padded_units(self) -> int:
        """Units of the input with all that its kernels see around it."""
        return math.prod(self._padded_shape())

    def fan_out(self) -> np.ndarray:
        """Nonzero weights that one spike of each source reaches: int64 array (sources,)."""
        padded = np.zeros(self._padded_shape(), dtype=np.int64)
        per_group = self.weights.reshape(self.groups, -1, *self.weights.shape[1:])
        reached = np.count_nonzero(per_group, axis=1).reshape(-1, *self.kernel)
        for i, j, window in self._windows():
            padded[(slice(None), *window)] += reached[:, i, j, None, None]
        return self._cropped(padded).ravel()

    def weighted_sum(self, spikes: np.ndarray) -> np.ndarray:
        """Sum of weights per target, int64 (samples, targets), of spikes (samples, sources)."""
        n_samples = spikes.shape[0]
        padded = np.zeros((n_samples, *self._padded_shape()))
        self._cropped(padded)[...] = spikes.reshape(n_samples, *self.input_shape)
        total = np.zeros((n_samples, *self.output_shape), dtype=np.int64)
        out_per_group = self.output_shape[0] // self.groups
        in_per_group = self.weights.shape[1]
        for group in range(self.groups):
            channels = slice(group * in_per_group, (group + 1) * in_per_group)
            outputs = slice(group * out_per_group, (group + 1) * out_per_group)
            for i, j, window in self._windows():
                seen = padded[(slice(None), channels, *window)]
                flat = seen.transpose(0, 2, 3, 1).reshape(-1, in_per_group)
                product = _matrix_product(flat, self.weights[outputs, :, i, j].T)
                shape = (n_samples, *self.output_shape[1:], out_per_group)
                total[:, outputs] += product.reshape(shape).transpose(0, 3, 1, 2)
        return total.reshape(n_samples, -1)

    def entries(self) -> Entries:
        """Every synapse with its target, source and weight."""
        units = np.full(self._padded_shape(), -1, dtype=np.int64)
        self._cropped(units)[...] = np.arange(self.n_sources).reshape(self.input_shape)
        neurons = np.arange(self.n_targets).reshape(self.output_shape)
        out_per_group = self.output_shape[0] // self.groups
        in_per_group = self.weights.shape[1]
        parts = []
        for i, j, window in self._windows():
            for output, channel in np.argwhere(self.weights[:, :, i, j]):
                sources = units[output // out_per_group * in_per_group + channel][window]
                inside = sources >= 0
                weight = self.weights[output, channel, i, j]
                count = int(inside.sum())
                parts.append((neurons[output][inside], sources[inside], np.full(count, weight)))
        if not parts:
            return Entries(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        columns = zip(*parts, strict=True)
        return Entries(*(np.concatenate(column).astype(np.int64) for column in columns))

    def _padded_shape(self) -> Shape3:
        reach = [
            max((n_out - 1) * stride + (kernel - 1) * dilation + 1, n_in + padding)
            for n_out, n_in, stride, kernel, dilation, padding in zip(
                self.output_shape[1:],
                self.input_shape[1:],
                self.stride,
                self.kernel,
                self.dilation,
                self.padding,
                strict=True,
            )
        ]
        return self.input_shape[0], reach[0], reach[1]

    def _cropped(self, padded: np.ndarray) -> np.ndarray:
        """Show the part of a padded array that the input fills."""
        (top, left), (height, width) = self.padding, self.input_shape[1:]
        return padded[..., top : top + height, left : left + width]

    def _windows(self) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
        """Give what each kernel element sees of the padded input, over all output positions."""
        height, width = self.kernel
        for i in range(height):
            for j in range(width):
                starts = (i * self.dilation[0], j * self.dilation[1])
                window = [
                    slice(start, start + (n_out - 1) * stride + 1, stride)
                    for start, n_out, stride in zip(
                        starts, self.output_shape[1:], self.stride, strict=True
                    )
                ]
                yield i, j, (window[0], window[1])


@dataclass(frozen=True, eq=False)
class SparseSynapses(ByValue):
    """Synapses listed by source, as compressed sparse rows: memory grows with the synapses alone.

    Source j reaches ``targets[offsets[j] : offsets[j + 1]]`` with the weights of the same slice.

    Attributes
    ----------
    weights : int16 array (synapses,)
        Even integers in [-256, 254], in weight units.
    targets : int32 array (synapses,)
        Neuron that each synapse reaches; ascending within a source, each at most once.
    offsets : int64 array (sources + 1,)
        Where each source's synapses begin, and at last their number.
    n_targets : int
        Neurons that receive.
    """

    weights: np.ndarray
    targets: np.ndarray
    offsets: np.ndarray
    n_targets: int

    @property
    def n_sources(self) -> int:
        """Neurons that send."""
        return int(self.offsets.size) - 1

    def fan_out(self) -> np.ndarray:
        """Nonzero weights that one spike of each source reaches: int64 array (sources,)."""
        before = np.concatenate([[0], np.cumsum(self.weights != 0, dtype=np.int64)])
        return before[self.offsets[1:]] - before[self.offsets[:-1]]

    def weighted_sum(self, spikes: np.ndarray) -> np.ndarray:
        """Sum of weights per target, int64 (samples, targets), of spikes (samples, sources)."""
        total = np.zeros((spikes.shape[0], self.n_targets), dtype=np.int64)
        sources = self._sources()
        for row, sample in zip(total, spikes, strict=True):
            # Float64 holds every integer of this sum exactly.
            weighted = sample[sources] * self.weights.astype(np.float64)
            row += np.bincount(self.targets, weighted, self.n_targets).astype(np.int64)
        return total

    def entries(self) -> Entries:
        """Every synapse with its target, source and weight."""
        there = self.weights != 0
        columns = (self.targets, self._sources(), self.weights)
        return Entries(*(column[there].astype(np.int64) for column in columns))

    def matrix(self) -> np.ndarray:
        """Weights int16 (targets, sources), with 0 where there is no synapse."""
        weights = np.zeros((self.n_targets, self.n_sources), np.int16)
        weights[self.targets, self._sources()] = self.weights
        return weights

    def _sources(self) -> np.ndarray:
        return np.repeat(np.arange(self.n_sources), np.diff(self.offsets))


Synapses = DenseSynapses | ConvSynapses | SparseSynapses


def _matrix_product(spikes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # Float64 holds every integer of this sum exactly and reaches the fast matrix product, which
    # numpy does not offer for integers.
    product = spikes.astype(np.float64) @ weights.astype(np.float64)
    return product.astype(np.int64)


def weight_bits(weights: np.ndarray) -> int:
    """Bits that hold a layer's weights, the sign included, after NetX's scaling by powers of two.

    NetX shifts weights left until they fill 8 bits and undoes that with a negative exponent, which
    leaves every sum as it was; the bits that stay zero need no memory.

    Parameters
    ----------
    weights : int16 array

    Returns
    -------
    int
        0 if all weights are 0, otherwise 1 to 8.
    """
    low, high = int(weights.min(initial=0)), int(weights.max(initial=0))
    if low == high == 0:
        return 0
    mixed = low < 0 < high
    if mixed:
        scale = min(127 / high, -128 / low)
    elif high > 0:
        scale = 255 / high
    else:
        scale = -256 / low
    scale_bits = int(np.floor(np.log2(scale))) + mixed
    # A number and its negative end in as many zeros.
    common = int(np.bitwise_or.reduce(weights, axis=None))
    trailing_zeros = (common & -common).bit_length() - 1
    return 8 - scale_bits - (min(trailing_zeros, 8) - mixed)
