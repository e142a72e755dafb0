"""Synapses as rows of weights by source, in the forms that the kernels add up."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import Layer
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, SparseSynapses, Synapses
from kipuka.deploy.fast.kernels import constants as at
from kipuka.deploy.fast.kernels.constants import BYTE_BITS, HALF, LANES, LOWER_BIAS

_Seen: TypeAlias = list[tuple[int, int]]

MOST_FILLED_IN = 256
"""Zeros that a spike may add: less work than what a processor began with and throws away where it
took the number of taps for another."""


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


def in_windows(synapses: ConvSynapses, gates: int) -> bool:
    """Whether zeros are filled in, so that all pixels of a convolution's input have equal taps.

    What neighbouring outputs see of a kernel row is then one tap, and the processor, which need not
    wait to see how much a spike adds, begins with the next one meanwhile.
    """
    if gates > 1 or synapses.groups > 1 or synapses.stride[1] % synapses.dilation[1]:
        return False
    pixels, seen = (math.prod(shape[1:]) for shape in (synapses.input_shape, synapses.output_shape))
    filled_in = math.prod(_window(synapses)) - math.prod(synapses.kernel) * seen / pixels
    return filled_in * synapses.output_shape[0] <= MOST_FILLED_IN


def convolution_weights(synapses: ConvSynapses, windows: bool) -> np.ndarray:
    """Halved weights (input channel, kernel row, kernel column, output channel of its group).

    With windows, columns are those of `_columns`, and a row of zeros is the last one.
    """
    grouped = halved(synapses.weights).reshape(synapses.groups, -1, *synapses.weights.shape[1:])
    weights = grouped.transpose(0, 2, 3, 4, 1)
    if windows:
        filled = np.pad(weights, ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0)))
        weights = filled[..., _columns(synapses), :]
    return np.ascontiguousarray(weights)


def convolution_geometry(
    synapses: ConvSynapses, gates: int, gate: int, windows: bool
) -> np.ndarray:
    """Entries and tables that `kernels.convolution` reads: int64."""
    n_channels, n_pixels = synapses.input_shape[0], math.prod(synapses.input_shape[1:])
    outputs = synapses.output_shape[0] // synapses.groups
    rows, columns = synapses.kernel
    if windows:
        rows, columns = rows + 1, len(_columns(synapses))
    channel = np.arange(n_channels)
    kernels = channel * rows * columns * outputs
    neurons = channel // synapses.weights.shape[1] * outputs
    starts = at.CHANNELS + 2 * n_channels
    pixels, taps = _taps(synapses, windows, columns, starts + 2 * n_pixels)
    # Granlund and Montgomery, "Division by invariant integers using multiplication", 1994.
    shift = at.UNIT_BITS + (n_pixels - 1).bit_length()
    entries = {
        at.PIXELS: n_pixels,
        at.MULTIPLIER: (1 << shift) // n_pixels + 1,
        at.SHIFT: shift,
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


def _taps(
    synapses: ConvSynapses, windows: bool, row_size: int, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """List of taps and first output of each pixel, int64 (pixels, 2), and all lists, from `first`.

    Most pixels see the same of the kernel as many others do, at other outputs. A kernel row has
    `row_size` columns.
    """
    channels, _, width = synapses.output_shape
    outputs, together = channels // synapses.groups, 1
    seen_rows, seen_columns = (_seen(synapses, axis) for axis in range(2))
    if windows:
        n_rows, together = _window(synapses)
        seen_rows = [_filled(seen, n_rows, synapses.kernel[0]) for seen in seen_rows]
        seen_columns = _in_line(seen_columns, together, synapses)
    (rows, first_y, kinds_of_row), (columns, first_x, kinds_of_column) = map(
        _alike, (seen_rows, seen_columns)
    )
    begins = np.empty((len(kinds_of_row), len(kinds_of_column)), np.int64)
    lists = []
    for (row, ys), (column, xs) in itertools.product(
        enumerate(kinds_of_row), enumerate(kinds_of_column)
    ):
        begins[row, column] = first
        taps = [
            number
            for (element_y, y), (element_x, x) in itertools.product(ys, xs)
            for number in (
                (element_y * row_size + element_x) * outputs,
                (y * width + x) * channels,
            )
        ]
        lists += [len(taps) // 2, together * outputs, *taps]
        first += at.TAPS + len(taps)
    neurons = np.add.outer(first_y * width, first_x) * channels
    return np.stack([begins[np.ix_(rows, columns)], neurons], axis=-1), np.array(lists, np.int64)


def _seen(synapses: ConvSynapses, axis: int) -> list[_Seen]:
    """What each position along an axis sees of the kernel: elements, each with its output."""
    n_outputs = synapses.output_shape[1 + axis]
    stride, padding, dilation = (
        pair[axis] for pair in (synapses.stride, synapses.padding, synapses.dilation)
    )
    positions = []
    for position in range(synapses.input_shape[1 + axis]):
        outputs = [
            (element, (position + padding - element * dilation) // stride)
            for element in reversed(range(synapses.kernel[axis]))
            if (position + padding - element * dilation) % stride == 0
        ]
        positions.append([(element, y) for element, y in outputs if 0 <= y < n_outputs])
    return positions


def _alike(positions: list[_Seen]) -> tuple[np.ndarray, np.ndarray, list[tuple[Any, ...]]]:
    """What each position sees, as a number, and its first output.

    The numbers count the last result: kernel elements with their outputs from that first one on.
    """
    numbers, firsts = np.zeros((2, len(positions)), np.int64)
    alike: dict[tuple[Any, ...], int] = {}
    for position, seen in enumerate(positions):
        firsts[position] = min((output for _, output in seen), default=0)
        relative = tuple((element, output - int(firsts[position])) for element, output in seen)
        numbers[position] = alike.setdefault(relative, len(alike))
    return numbers, firsts, list(alike)


def _window(synapses: ConvSynapses) -> tuple[int, int]:
    """Most rows and columns of outputs that a pixel sees."""
    rows, columns = (max(map(len, _seen(synapses, axis))) for axis in range(2))
    return rows, columns


def _columns(synapses: ConvSynapses) -> list[int]:
    """Columns of a kernel row, such that what any line of outputs sees of it follows each other.

    Those that a pixel sees come from the last one to the first, with zeros, as number -1, about
    them: for outputs that see none of them.
    """
    _, together = _window(synapses)
    apart = synapses.stride[1] // synapses.dilation[1]
    columns = [-1]
    for first in range(apart):
        seen = range(first, synapses.kernel[1], apart)
        columns += [-1] * (together - 1) + list(reversed(seen))
    return columns + [-1] * (together - 1)


def _filled(seen: _Seen, n: int, zeros: int) -> _Seen:
    """Fill what a position sees up with a kernel row of zeros."""
    _, first = seen[0] if seen else (zeros, 0)
    return seen + [(zeros, first)] * (n - len(seen))


def _in_line(positions: list[_Seen], together: int, synapses: ConvSynapses) -> list[_Seen]:
    """Place of `together` neighbouring columns that each position sees, with the first output."""
    place = {column: number for number, column in enumerate(_columns(synapses))}
    last = synapses.output_shape[2] - together
    # Where nothing is seen, a row's first columns are zeros.
    return [
        [(place[seen[0][0]] + min(last - seen[0][1], 0), min(last, seen[0][1]))]
        if seen
        else [(0, 0)]
        for seen in positions
    ]


def largest_sum(synapses: Synapses) -> int:
    """Largest sum of weight magnitudes over a target's synapses, in weight units."""
    if isinstance(synapses, SparseSynapses):
        magnitudes = np.abs(synapses.weights.astype(np.float64))
        sums = np.bincount(synapses.targets, magnitudes, synapses.n_targets)
    else:
        axes = tuple(range(1, synapses.weights.ndim))
        sums = np.abs(synapses.weights).sum(axis=axes, dtype=np.int64)
    return int(sums.max())
