"""Synapses as rows of weights by source, in the forms that the kernels add up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import Layer
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, SparseSynapses, Synapses
from kipuka.deploy.kernels.convolution import TABLES
from kipuka.deploy.kernels.lanes import BYTE_BITS, HALF, LANES, LOWER_BIAS


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


def places(layer: Layer) -> Places:
    """Places of a layer's neurons: channels last, where a convolution adds runs of channels."""
    neurons = np.arange(layer.n_neurons)
    if any(isinstance(p.synapses, ConvSynapses) for p in layer.projections):
        neurons = np.moveaxis(neurons.reshape(layer.shape), 0, -1).ravel()
    order = np.zeros(-(-layer.n_neurons // LANES) * LANES, dtype=np.int32)
    order[: layer.n_neurons] = neurons
    place = np.empty(layer.n_neurons, dtype=np.int64)
    place[neurons] = np.arange(layer.n_neurons)
    return Places(order, place, len(layer.targets))


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
    channels, height, width = synapses.output_shape
    entries = [
        *synapses.input_shape[1:],
        channels,
        width,
        synapses.weights.shape[1],
        channels // synapses.groups,
        *synapses.kernel,
        gates,
        gate,
    ]
    starts: list[int] = []
    pairs: list[tuple[int, int]] = []
    # Starts count pairs from the beginning of the entries, so that one base serves all.
    first = TABLES + sum(n + 1 for n in synapses.input_shape[1:])
    padded = first % 2
    for axis, n_outputs in enumerate((height, width)):
        for position in range(synapses.input_shape[1 + axis]):
            starts.append((first + padded) // 2 + len(pairs))
            pairs += _seen_by(synapses, axis, position, n_outputs)
        starts.append((first + padded) // 2 + len(pairs))
    flat = [number for pair in pairs for number in pair]
    return np.array([*entries, *starts, *[0] * padded, *flat], dtype=np.int64)


def _seen_by(
    synapses: ConvSynapses, axis: int, position: int, n_outputs: int
) -> list[tuple[int, int]]:
    """Pairs of kernel element and output position that see an input position."""
    pairs = []
    for element in range(synapses.kernel[axis]):
        moved = position + synapses.padding[axis] - element * synapses.dilation[axis]
        output, rest = divmod(moved, synapses.stride[axis])
        if rest == 0 and 0 <= output < n_outputs:
            pairs.append((element, output))
    return pairs


def largest_sum(synapses: Synapses) -> int:
    """Largest sum of weight magnitudes over a target's synapses, in weight units."""
    if isinstance(synapses, SparseSynapses):
        magnitudes = np.abs(synapses.weights.astype(np.float64))
        sums = np.bincount(synapses.targets, magnitudes, synapses.n_targets)
    else:
        axes = tuple(range(1, synapses.weights.ndim))
        sums = np.abs(synapses.weights).sum(axis=axes, dtype=np.int64)
    return int(sums.max())
