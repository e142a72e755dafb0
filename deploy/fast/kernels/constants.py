"""What the kernels share with those who lay out their memory; it loads no Numba."""

from __future__ import annotations

import numpy as np

from kipuka.convert import fixed

LANES = 32
"""Neurons per block: two 512-bit vectors of int32, or one 256-bit vector of weights."""

BLOCKS_AT_HAND = 16
"""Blocks that are updated before it is noted what happened in them."""

PLANES = 8
MOST_MASKS = (1 << PLANES) - 1
"""Masks that a tally counts; for a layer's blocks it has ``1 + (1 + PLANES) * blocks`` words."""

MOST_GATES = 3
"""Activations of a neuron: those of a block of neurons are as many neighbouring blocks."""

HALF = LANES // 2
BYTE_BITS, LOWER_BIAS = 8, 128
"""Weights of dense rows share 16 bits: lane j, plus the bias, below lane j + `HALF` of the block.

With the bias the lower byte is never negative, so that the upper one is the number shifted right.
"""

BLOCKS_AT_ONCE = 2
"""Blocks of a dense row that are added at a time: a whole cache line, from one look at the list."""

RUN = 8
"""Neighbouring weights that are added at a time where a row is short."""

# Convolutions by spikes.

PIXELS, MULTIPLIER, SHIFT, GATES, GATE, STARTS, CHANNELS = range(7)
"""Entries of a convolution's geometry, all places counted from the first of them.

`PIXELS` is the number of units of an input channel; multiplying by `MULTIPLIER` and shifting right
by `SHIFT` divides by it. From `CHANNELS` on, a pair for each input channel: where its kernel
begins, and its group's first neuron. From where `STARTS` says, a pair for each pixel: where its
list of taps begins, and what to add to the first neuron. A list is the number of taps and that of
each one's weights, then from `TAPS` on a pair for each: what to add to the kernel's beginning, and
to the neuron.
"""

TAPS = 2
"""Entries of a list before its taps."""

UNIT_BITS = 31
"""Numbers of units have no more."""

# Convolutions by tables.

(
    OUTPUT_ROWS, OUTPUT_COLUMNS, OUTPUTS, ROW_BITS, COLUMN_BITS, WORDS, LINES, LINE_BITS,
    FIRST_BIT, LINE_STEP, RUNS, FIRST_WEIGHT, MADE, PLACES, FIRST_RUN,
) = range(15)  # fmt: skip
"""Entries of a convolution by tables in the pool of geometries, places counted from the first.

An output pixel sees bits that begin `ROW_BITS` after those of the pixel above, `COLUMN_BITS` after
those of the pixel to the left. The image has `WORDS` words of `LANES` bits; `LINES` of its lines,
of `LINE_BITS` bits each, are the sources', the first from `FIRST_BIT` on and each `LINE_STEP` after
the one before. From `FIRST_RUN` on, a pair for each of `RUNS` runs of bits: where it begins, and
its number of tables. From where `PLACES` says, for each input pixel, its first bit. Weights begin
`FIRST_WEIGHT` after the group's own. Where `MADE` is not negative, all tables were made ahead and
begin there.
"""

RUN_ENTRIES = 2

TOGETHER = 4
"""Bits whose sums stand in one table."""

SUMS = 1 << TOGETHER

OUTPUTS_AT_ONCE = 16
"""Output channels of a table: what a vector of 16-bit sums holds."""

VECTORS = 4
"""Vectors that an output pixel adds at a time where there are as many output channels."""

WEIGHTS = TOGETHER * OUTPUTS_AT_ONCE
"""Weights that a table of one vector is made from."""

TABLE, GAP = SUMS * OUTPUTS_AT_ONCE, 32
"""Entries of a table of one vector, and a cache line of none behind the tables for the same bits.

Most bits are zeros: without the gap, what all tables have for zeros would fall to a few sets of the
nearest cache.
"""

SEPARATE = 3
"""Vectors whose tables for the same bits lie one behind the other. Those of two or four lie pattern
by pattern, so that they share cache lines; but no shift multiplies a pattern by three.
"""

UNROLLED = 2
"""Tables between two looks at whether there are more."""

TABLES_AT_ONCE = 56
"""Tables of one vector, or half as many of two, that are made and added before the next ones: they
stay in the nearest cache. The sums of so many fit 16 bits; those that were made ahead are added
together, of however many vectors."""

TABLES_AHEAD = 2 * TABLES_AT_ONCE
"""Most tables of one vector that are made once, ahead: the second cache has room for them."""

RUN_TABLES = 14
"""Tables of a run: its bits come from 64, of which up to 7 belong to others."""

SLACK_WORDS = 2
"""Words that may be read behind an image."""

# Neurons.

FIRST, SECOND = (np.uintp(row * LANES) for row in range(2))
"""Rows of a block: ``u`` or ``i``, then ``v``."""

EVENTS = np.uintp(2 * LANES)
"""Row of the events of the last step, in blocks of all models but CUBA, which needs to know no more
of it than its states say."""

BIAS, CURRENT_FACTOR, VOLTAGE_FACTOR, CUBA_THRESHOLD = (
    np.uintp(row * LANES) for row in range(2, 6)
)
"""Further rows of a CUBA block whose neurons differ in more than their biases."""

BIAS_I, BIAS_R, BIAS_Z, GRU_THRESHOLD = (np.uintp(row * LANES) for row in range(3, 7))
SECOND_GATE, THIRD_GATE = np.uintp(LANES), np.uintp(2 * LANES)
"""Further rows of a GRU block; of a minimal gated unit, that of the update gate is the negative of
its gate's, whose complement it is."""

GRADED_BIAS, GRADED_THRESHOLD, LOWEST, PAYLOAD = (np.uintp(row * LANES) for row in range(3, 7))
"""Further rows of a sigma-delta block, whose second state is the activation that was sent last."""

SHARED_ROWS, CUBA_ROWS, OWN_ROWS = 2, 6, 7
"""Rows of a CUBA block with shared parameters, of one with its own, and of all other blocks."""

CUBA_MEMORY, MEMORY = 2, 3
"""Rows that a CUBA block remembers from one step to the next, and those of the other models: two
states, and the last step's events."""

FAR = 1 << 24
"""Activation, in weight units, that is beyond all states and fits 32 bits in state units."""

PERIOD = 2 * fixed.CUBA_STATE_LIMIT >> fixed.STATE_SHIFT
"""Difference of activations that add the same to a current that wraps."""
