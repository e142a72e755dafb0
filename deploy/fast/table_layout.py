"""Convolutions by tables: their geometry and weights, and from how many spikes on they pay."""

from __future__ import annotations

import math

import numpy as np

from kipuka.convert.synapses import ConvSynapses
from kipuka.deploy.fast import synapse_layout
from kipuka.deploy.fast.kernels import constants as at
from kipuka.deploy.fast.kernels.constants import LANES, RUN

START_SPIKE, ADD_TAP, ADD_RUN = 8.0, 0.9, 0.5
"""Time of a spike by itself, of each output pixel that sees it, and of each run of weights that it
adds, in nanoseconds on an AMD EPYC of the third generation.

Only ratios of these measured numbers matter: they decide from how many spikes on tables take less
time. Results do not depend on them.
"""

LIST_SPIKE = 5.0
"""Time to list a spike, and to count what the list's entry reaches."""

DRAW_SPIKE, DRAW_WORD = 1.2, 1.5
"""Time to set a spike's bit, and for each word of the image."""

TABULATE, TAKE_BITS, LOOK_UP, START_LOOK_UP = 5.0, 0.2, 0.15, 3.0
"""Time to make a table; of an output pixel to find the bits for one, to add a vector of it, and to
begin with each set of tables."""


def by_tables(synapses: ConvSynapses, gates: int) -> bool:
    """Whether a convolution may run by tables at all."""
    return synapses.groups == 1 and synapses.dilation[1] == 1 and gates == 1


def made_ahead(synapses: ConvSynapses) -> bool:
    """Whether the tables of a convolution are few enough to be made only once."""
    vectors = -(-synapses.output_shape[0] // at.OUTPUTS_AT_ONCE)
    n_tables = int(_runs(synapses)[:, 1].sum())
    return vectors <= at.VECTORS and vectors * n_tables <= at.TABLES_AHEAD


def tables(synapses: ConvSynapses) -> np.ndarray:
    """All tables, as the kernels would make them: int16."""
    weights = synapse_layout.halved(synapses.weights).transpose(2, 3, 1, 0)
    rows, outputs = len(weights), weights.shape[-1]
    lines = weights.reshape(rows, -1, outputs)
    of_a_row = sum(n_tables for _, n_tables in _runs_of_a_row(synapses))
    vectors = -(-outputs // at.OUTPUTS_AT_ONCE)
    filled = np.zeros((rows, of_a_row * at.TOGETHER, vectors * at.OUTPUTS_AT_ONCE), np.int16)
    filled[:, : lines.shape[1], :outputs] = lines
    parts = filled.reshape(rows * of_a_row, at.TOGETHER, -1)
    patterns = np.arange(at.SUMS)[:, np.newaxis] >> np.arange(at.TOGETHER) & 1
    sums = patterns.astype(np.int16) @ parts
    if vectors == at.SEPARATE:
        sums = sums.reshape(len(sums), at.SUMS, vectors, at.OUTPUTS_AT_ONCE).swapaxes(1, 2)
    return np.pad(sums.reshape(len(sums), -1), ((0, 0), (0, at.GAP)))


def table_geometry(synapses: ConvSynapses, first_weight: int, made: int) -> np.ndarray:
    """Entries that `kernels.tables` reads: int64.

    `made` is the place of tables that were made ahead, or -1.
    """
    (rows, columns), channels = _image_shape(synapses), synapses.input_shape[0]
    y, x = (
        np.arange(size) + padding
        for size, padding in zip(synapses.input_shape[1:], synapses.padding, strict=True)
    )
    places = np.add.outer(y * columns, x).ravel() * channels
    runs = _runs(synapses)
    lines, line_bits = synapses.input_shape[1], synapses.input_shape[2] * channels
    if line_bits == columns * channels:
        # Lines that follow each other without a gap are one.
        lines, line_bits = 1, lines * line_bits
    entries = {
        at.OUTPUT_ROWS: synapses.output_shape[1],
        at.OUTPUT_COLUMNS: synapses.output_shape[2],
        at.OUTPUTS: synapses.output_shape[0],
        at.ROW_BITS: synapses.stride[0] * columns * channels,
        at.COLUMN_BITS: synapses.stride[1] * channels,
        at.WORDS: -(-rows * columns * channels // LANES),
        at.LINES: lines,
        at.LINE_BITS: line_bits,
        at.FIRST_BIT: int(places[0]),
        at.LINE_STEP: columns * channels,
        at.RUNS: len(runs),
        at.FIRST_WEIGHT: first_weight,
        at.MADE: made,
        at.PLACES: at.FIRST_RUN + runs.size,
    }
    head = np.array([entries[place] for place in range(at.FIRST_RUN)], np.int64)
    return np.concatenate([head, runs.ravel(), places])


def table_weights(synapses: ConvSynapses) -> np.ndarray:
    """Halved weights in the order in which tables are made from them: int8."""
    weights = synapse_layout.halved(synapses.weights).transpose(2, 3, 1, 0)
    outputs = synapses.output_shape[0]
    vectors = -(-outputs // at.OUTPUTS_AT_ONCE)
    lines = weights.reshape(len(weights), -1, outputs)
    runs = _runs_of_a_row(synapses)
    parts = []
    for first in range(0, vectors, at.VECTORS):
        # Tables of a run stand together for each vector of outputs.
        for line in lines:
            for bit, n_tables in runs:
                for vector in range(first, min(first + at.VECTORS, vectors)):
                    block = np.zeros((n_tables * at.TOGETHER, at.OUTPUTS_AT_ONCE), np.int8)
                    there = line[bit : bit + len(block), vector * at.OUTPUTS_AT_ONCE :]
                    there = there[:, : at.OUTPUTS_AT_ONCE]
                    block[: there.shape[0], : there.shape[1]] = there
                    parts.append(block.ravel())
    return np.concatenate(parts)


def fewest_spikes(synapses: ConvSynapses, listed: bool = True) -> int:
    """Spikes of a step from which on tables take less time than one spike after the other.

    Spikes that are not `listed` are drawn from the blocks of their layer.
    """
    pixels, seen = (math.prod(shape[1:]) for shape in (synapses.input_shape, synapses.output_shape))
    outputs = synapses.output_shape[0]
    taps = math.prod(synapses.kernel) * seen / pixels
    spike = START_SPIKE + taps * (ADD_TAP + ADD_RUN * sum(divmod(outputs, RUN)))
    runs = _runs(synapses)
    n_tables = int(runs[:, 1].sum())
    vectors = -(-outputs // at.OUTPUTS_AT_ONCE)
    together = min(vectors, at.VECTORS)
    turns = -(-vectors // at.VECTORS)
    # A set of tables holds at least one run, of several rows where runs are short.
    ahead = made_ahead(synapses)
    at_once = at.TABLES_AT_ONCE // (1 if ahead else together)
    sets = -(-len(runs) // (at_once // int(runs[0, 1])))
    table = TAKE_BITS + LOOK_UP * together
    look_up = turns * seen * (table * n_tables + START_LOOK_UP * sets)
    words = math.prod(_image_shape(synapses)) * synapses.input_shape[0] / LANES
    make = 0.0 if ahead else vectors * n_tables * TABULATE
    fixed = look_up + make + words * DRAW_WORD
    by_list = spike - DRAW_SPIKE if listed else spike + LIST_SPIKE
    return max(1, math.ceil(fixed / by_list))


def reach(synapses: ConvSynapses, place: np.ndarray) -> np.ndarray:
    """How many targets sources reach, as `layout.Network` has it: int32.

    `place` is that of each source in the blocks of its layer: int64 array (sources,).
    """
    fan_out = synapses.fan_out()
    # Masks are read two at a time.
    blocks = -(-(place.max() + 1) // (2 * LANES)) * 2
    bits = range(int(fan_out.max()).bit_length())
    planes = np.zeros((len(bits), blocks * LANES), bool)
    for bit in bits:
        planes[bit, place] = fan_out >> bit & 1
    masks = np.packbits(planes, axis=1, bitorder="little").view("<i4")
    return np.concatenate([[len(bits)], masks.ravel()]).astype(np.int32)


def image_words(synapses: ConvSynapses) -> int:
    """Words of the image of bits, and those that may be read behind it."""
    bits = math.prod(_image_shape(synapses)) * synapses.input_shape[0]
    return -(-bits // LANES) + at.SLACK_WORDS


def _image_shape(synapses: ConvSynapses) -> tuple[int, int]:
    """Rows and columns of the input with all zeros beyond its edges that an output sees."""
    rows, columns = (
        max(
            padding + size,
            (seen - 1) * stride + (kernel - 1) * dilation + 1,
        )
        for size, padding, seen, stride, kernel, dilation in zip(
            synapses.input_shape[1:], synapses.padding, synapses.output_shape[1:],
            synapses.stride, synapses.kernel, synapses.dilation, strict=True,
        )
    )  # fmt: skip
    return rows, columns


def _runs(synapses: ConvSynapses) -> np.ndarray:
    """Runs of bits that an output pixel sees: first bit and number of tables, int64 (runs, 2)."""
    _, columns = _image_shape(synapses)
    row_bits = synapses.dilation[0] * columns * synapses.input_shape[0]
    one = _runs_of_a_row(synapses)
    rows = range(synapses.kernel[0])
    return np.array([(bit + row * row_bits, n) for row in rows for bit, n in one], np.int64)


def _runs_of_a_row(synapses: ConvSynapses) -> list[tuple[int, int]]:
    """First bit of each run of a kernel row, and its number of tables."""
    n_bits = synapses.kernel[1] * synapses.input_shape[0]
    at_once = at.RUN_TABLES * at.TOGETHER
    whole = at.UNROLLED * at.TOGETHER
    return [
        (bit, -(-min(at_once, n_bits - bit) // whole) * at.UNROLLED)
        for bit in range(0, n_bits, at_once)
    ]
