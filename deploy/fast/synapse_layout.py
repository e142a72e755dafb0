"""Synapses as rows of weights by source, in the forms that the kernels add up."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import Layer
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, SparseSynapses, Synapses
from kipuka.deploy.fast.kernels import constants as at
from kipuka.deploy.fast.kernels.constants import BYTE_BITS, HALF, LANES, LOWER_BIAS


class Places(NamedTuple):
    """Where a layer's neurons and activations lie in the kernels' arrays.

    Attributes
    ----------
    order : int32 array (blocks x lanes,)
        Neuron of the Program at each place; places that only fill up a block name neuron 0.
    place : int64 array (neurons,)
        The inverse.
    gates : int
        Activations per neuron; those of a block of neurons are neighbours.
    """

    order: np.ndarray
    place: np.ndarray
    gates: int

    @property
    def blocks(self) -> int:
        """Blocks of lanes that the neurons fill."""
        return self.order.size // LANES

    @property
    def width(self) -> int:
        """Activations, filled up to whole blocks."""
        return self.order.size * self.gates

    def activation(self, gate: int) -> np.ndarray:
        """Place of each neuron's activation: int64 array (neurons,)."""
        block, lane = np.divmod(self.place, LANES)
        return (block * self.gates + gate) * LANES + lane


def places(layer: Layer, seen: bool) -> Places:
    """Places of a layer's neurons.

    Channels come last where a convolution adds runs of channels, or looks at the layer.
    """
    neurons = np.arange(layer.n_neurons)
    if seen or any(isinstance(p.synapses, ConvSynapses) for p in layer.projections):
        neurons = channels_last(layer.shape)
    order = np.zeros(-(-layer.n_neurons // LANES) * LANES, dtype=np.int32)
    order[: layer.n_neurons] = neurons
    place = np.empty(layer.n_neurons, dtype=np.int64)
    place[neurons] = np.arange(layer.n_neurons)
    return Places(order, place, len(layer.targets))


def channels_last(shape: tuple[int, ...]) -> np.ndarray:
    """Units of an image of a shape that begins with the channels, pixel by pixel."""
    return np.moveaxis(np.arange(math.prod(shape)).reshape(shape), 0, -1).ravel()


def halved(weights: np.ndarray) -> np.ndarray:
    """Weights as int8: even numbers need no lowest bit."""
    return (weights // fixed.WEIGHT_STEP).astype(np.int8)


def paired(weights: np.ndarray) -> np.ndarray:
    """Rows of halved weights, whole blocks of lanes, two to a number: int16."""
    lower, upper = np.moveaxis(weights.reshape(len(weights), -1, 2, HALF), 2, 0).astype(np.int16)
    return (upper << BYTE_BITS) + lower + LOWER_BIAS


def as_sparse(synapses: DenseSynapses) -> SparseSynapses:
    """List the nonzero weights of a dense matrix by source."""
    sources, targets = np.nonzero(synapses.weights.T)
    offsets = np.concatenate([[0], np.cumsum(synapses.fan_out())])
    weights = synapses.weights[targets, sources]
    return SparseSynapses(weights, targets.astype(np.int32), offsets, synapses.n_targets)


def convolution_weights(synapses: ConvSynapses) -> np.ndarray:
    """Halved weights (input channel, kernel row, kernel column, output channel of its group)."""
    grouped = halved(synapses.weights).reshape(synapses.groups, -1, *synapses.weights.shape[1:])
    return np.ascontiguousarray(grouped.transpose(0, 2, 3, 4, 1))


def convolution_geometry(synapses: ConvSynapses, gates: int, gate: int) -> np.ndarray:
    """Entries and tables that `kernels.convolution` reads: int64."""
    n_channels, n_pixels = synapses.input_shape[0], math.prod(synapses.input_shape[1:])
    outputs = synapses.output_shape[0] // synapses.groups
    channel = np.arange(n_channels)
    kernels = channel * math.prod(synapses.kernel) * outputs
    neurons = channel // synapses.weights.shape[1] * outputs
    starts = at.CHANNELS + 2 * n_channels
    pixels, taps = _taps(synapses, outputs, starts + 2 * n_pixels)
    # Granlund and Montgomery, "Division by invariant integers using multiplication", 1994.
    shift = at.UNIT_BITS + (n_pixels - 1).bit_length()
    entries = {
        at.PIXELS: n_pixels,
        at.MULTIPLIER: (1 << shift) // n_pixels + 1,
        at.SHIFT: shift,
        at.GROUP_OUTPUTS: outputs,
        at.GATES: gates,
        at.GATE: gate,
        at.STARTS: starts,
    }
    return np.concatenate(
        [
            np.array([entries[place] for place in range(at.CHANNELS)], np.int64),
            np.stack([kernels, neurons], axis=1).ravel(),
            pixels.ravel(),
            taps,
        ]
    )


def _taps(synapses: ConvSynapses, outputs: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """List of taps and first output of each pixel, int64 (pixels, 2), and all lists, from `first`.

    Most pixels see the same of the kernel as many others do, at other outputs.
    """
    (_, kernel_width), (channels, _, width) = synapses.kernel, synapses.output_shape
    (rows, first_y, seen_rows), (columns, first_x, seen_columns) = (
        _seen_alike(synapses, axis) for axis in range(2)
    )
    begins = np.empty((len(seen_rows), len(seen_columns)), np.int64)
    lists = []
    for (row, ys), (column, xs) in itertools.product(enumerate(seen_rows), enumerate(seen_columns)):
        begins[row, column] = first
        taps = [
            number
            for (element_y, y), (element_x, x) in itertools.product(ys, xs)
            for number in (
                (element_y * kernel_width + element_x) * outputs,
                (y * width + x) * channels,
            )
        ]
        lists += [len(taps) // 2, *taps]
        first += 1 + len(taps)
    neurons = np.add.outer(first_y * width, first_x) * channels
    return np.stack([begins[np.ix_(rows, columns)], neurons], axis=-1), np.array(lists, np.int64)


def _seen_alike(
    synapses: ConvSynapses, axis: int
) -> tuple[np.ndarray, np.ndarray, list[tuple[tuple[int, int], ...]]]:
    """What each position along an axis sees of the kernel, as a number, and its first output.

    The numbers count the last result: kernel elements with their outputs from that first one on.
    """
    size, n_outputs = synapses.input_shape[1 + axis], synapses.output_shape[1 + axis]
    stride, padding, dilation = (
        pair[axis] for pair in (synapses.stride, synapses.padding, synapses.dilation)
    )
    numbers, firsts = np.zeros((2, size), np.int64)
    alike: dict[tuple[tuple[int, int], ...], int] = {}
    for position in range(size):
        outputs = [
            (element, (position + padding - element * dilation) // stride)
            for element in range(synapses.kernel[axis])
            if (position + padding - element * dilation) % stride == 0
        ]
        inside = [(element, output) for element, output in outputs if 0 <= output < n_outputs]
        firsts[position] = min((output for _, output in inside), default=0)
        seen = tuple((element, output - int(firsts[position])) for element, output in inside)
        numbers[position] = alike.setdefault(seen, len(alike))
    return numbers, firsts, list(alike)


def largest_sum(synapses: Synapses) -> int:
    """Largest sum of weight magnitudes over a target's synapses, in weight units."""
    if isinstance(synapses, SparseSynapses):
        magnitudes = np.abs(synapses.weights.astype(np.float64))
        sums = np.bincount(synapses.targets, magnitudes, synapses.n_targets)
    else:
        axes = tuple(range(1, synapses.weights.ndim))
        sums = np.abs(synapses.weights).sum(axis=axes, dtype=np.int64)
    return int(sums.max())
