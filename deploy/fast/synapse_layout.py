"""Synapses as rows of weights by source, in the forms that the kernels add up."""

from __future__ import annotations

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
    pixels, taps = _taps(synapses, outputs)
    starts = at.CHANNELS + 2 * n_channels
    first_tap = starts + n_pixels + 1
    ends = np.cumsum(np.bincount(pixels, minlength=n_pixels))
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
            first_tap + 2 * np.concatenate([[0], ends]),
            taps.ravel(),
        ]
    )


def _taps(synapses: ConvSynapses, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in order, one for each tap, and the taps: int64 arrays (taps,) and (taps, 2)."""
    (_, width), channels = synapses.kernel, synapses.output_shape[0]
    pixels, taps = [], []
    for row, column in np.ndindex(*synapses.kernel):
        (y, output_y), (x, output_x) = (
            _seen_through(synapses, axis, element) for axis, element in enumerate((row, column))
        )
        pixels.append(np.add.outer(y * synapses.input_shape[2], x).ravel())
        neurons = np.add.outer(output_y * synapses.output_shape[2], output_x).ravel() * channels
        weights = np.full_like(neurons, (row * width + column) * outputs)
        taps.append(np.stack([weights, neurons], axis=1))
    joined = np.concatenate(pixels)
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate(taps)[order]


def _seen_through(synapses: ConvSynapses, axis: int, element: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions along an axis that outputs see through a kernel element, and those outputs."""
    outputs = np.arange(synapses.output_shape[1 + axis])
    seen = outputs * synapses.stride[axis] - synapses.padding[axis]
    seen += element * synapses.dilation[axis]
    inside = (seen >= 0) & (seen < synapses.input_shape[1 + axis])
    return seen[inside], outputs[inside]


def largest_sum(synapses: Synapses) -> int:
    """Largest sum of weight magnitudes over a target's synapses, in weight units."""
    if isinstance(synapses, SparseSynapses):
        magnitudes = np.abs(synapses.weights.astype(np.float64))
        sums = np.bincount(synapses.targets, magnitudes, synapses.n_targets)
    else:
        axes = tuple(range(1, synapses.weights.ndim))
        sums = np.abs(synapses.weights).sum(axis=axes, dtype=np.int64)
    return int(sums.max())
