"""The memory law and the range of cores against every table that Intel's compiler printed."""

import numpy as np
import pytest

from kipuka.convert.synapses import weight_bits
from kipuka.deploy.costs.mapping import core_limits, map_by_halving, map_groups
from kipuka.deploy.costs.mapping.demand import list_words, tap_words
from kipuka.deploy.costs.mapping.limits import (
    AXON_MAP,
    AXONS_IN,
    MEMORY,
    NEURONS,
    SYNAPTIC_MEMORY,
)
from kipuka.hardware_profiles import load_profile
from kipuka_observations import (
    CONVOLUTIONS,
    DENSE_CORES,
    DENSE_WORDS,
    SHARES,
    YOLO,
    conv_group,
    dense_group,
    weights_of,
)

CHIP = load_profile("loihi2")
LIMITS = core_limits(CHIP)
NEURONS_PER_CORE = LIMITS.per_core[NEURONS]
TOTAL_POINTS = 0.02
"""Largest error of a total in points of a percentage; the columns are rounded to 0.01."""


def named(rows):
    return [pytest.param(row, id=row.source.replace("->", " to ")) for row in rows]


@pytest.mark.parametrize("bound", ["low", "typical", "high"])
@pytest.mark.parametrize("row", named(DENSE_WORDS))
def test_words_of_dense_axons_are_those_that_were_printed(row, bound):
    packing = core_limits(CHIP, bound).packing
    bits = row.weight_bits + packing.synapse_index
    assert list_words(np.array([row.neurons]), bits, packing).tolist() == [row.words]


@pytest.mark.parametrize("row", named(SHARES))
def test_totals_follow_from_the_other_columns(row):
    words = row.axons, row.synapses, row.axon_map, row.axon_memory
    ceilings = (
        LIMITS.per_core[AXONS_IN],
        LIMITS.per_core[SYNAPTIC_MEMORY],
        LIMITS.per_core[AXON_MAP],
        LIMITS.per_core[AXON_MAP],
    )
    used = sum(share * ceiling for share, ceiling in zip(words, ceilings, strict=True))
    used += row.neurons * NEURONS_PER_CORE
    assert used / LIMITS.per_core[MEMORY] == pytest.approx(row.total, abs=TOTAL_POINTS)


@pytest.mark.parametrize(
    ("row", "axons", "neurons"),
    [
        pytest.param(row, axons, neurons, id=row.source.replace("->", " to "))
        for row, axons, neurons in zip(
            SHARES, (64, 128, 784, 512, 592), (10, 64, 50, 35, 41), strict=False
        )
    ],
)
def test_every_column_of_a_dense_layer_is_predicted(row, axons, neurons):
    words = int(list_words(np.array([neurons]), 8 + 12, LIMITS.packing)[0]) * axons
    used = {AXONS_IN: axons, SYNAPTIC_MEMORY: words, AXON_MAP: neurons, NEURONS: neurons}
    printed = {AXONS_IN: row.axons, SYNAPTIC_MEMORY: row.synapses}
    printed |= {AXON_MAP: row.axon_map, NEURONS: row.neurons}
    for name, value in used.items():
        # Percentages are printed with two decimals, some cut and some rounded.
        assert 100 * value / LIMITS.per_core[name] == pytest.approx(printed[name], abs=0.01)
    total = axons + words + neurons + neurons
    assert 100 * total / LIMITS.per_core[MEMORY] == pytest.approx(row.total, abs=TOTAL_POINTS)


def widths(row, packing):
    """Widths of weights with which a kernel takes the words that were printed."""
    moves_on = row.stride > 1
    return [
        bits
        for bits in (range(1, 9) if row.weight_bits is None else [row.weight_bits])
        if tap_words(np.array([row.region[0]]), bits, moves_on, packing)[0] == row.words_per_tap
    ]


@pytest.mark.parametrize("bound", ["low", "typical", "high"])
@pytest.mark.parametrize("row", named(CONVOLUTIONS))
def test_words_of_kernels_are_those_that_were_printed(row, bound):
    # With public weights in their own width, with others in some width.
    assert widths(row, core_limits(CHIP, bound).packing) != []


@pytest.mark.slow
@pytest.mark.parametrize("row", named(CONVOLUTIONS))
def test_convolutions_are_halved_into_the_cores_that_the_compiler_took(row):
    bits = widths(row, LIMITS.packing)[0]
    groups = conv_group(row, bits)
    assert weight_bits(groups[0].bundles[0].synapses.weights) == bits
    fewest, halved = map_groups(groups, CHIP), map_by_halving(groups, CHIP)
    assert fewest.n_cores <= row.cores
    assert halved.n_cores == row.cores
    assert halved.needs(SYNAPTIC_MEMORY).max() == row.words


@pytest.mark.parametrize("row", named([row for row in CONVOLUTIONS if YOLO in row.source]))
def test_totals_of_convolutions_lie_inside_their_bounds(row):
    # Axon memory is not predicted: 0 to 3 % of its ceiling were seen.
    (share,) = [one for one in SHARES if one.source == row.source.replace("twice", "first")]
    neurons, positions = np.prod(row.region), np.prod(row.region[1:])
    mapped = (positions, 2 * positions) if row.before_a_convolution else (neurons, neurons)
    low = 1 + row.words + mapped[0] + neurons
    high = 2 + row.words + mapped[1] + neurons + 0.03 * LIMITS.per_core[AXON_MAP]
    printed = share.total / 100 * LIMITS.per_core[MEMORY]
    points = LIMITS.per_core[MEMORY] / 100
    assert low - TOTAL_POINTS * points <= printed <= high


@pytest.mark.parametrize("row", named(DENSE_CORES))
def test_the_compiler_s_cores_of_a_dense_layer_lie_in_the_range(row):
    groups = dense_group(row)
    fewest, halved = map_groups(groups, CHIP), map_by_halving(groups, CHIP)
    assert fewest.n_cores <= row.cores <= halved.n_cores


def test_rows_say_what_they_ask_for():
    for bits in range(2, 9):
        assert weight_bits(weights_of((3, 4), bits)) == bits
