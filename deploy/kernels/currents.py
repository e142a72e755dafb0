"""Graded messages: the currents of a spiking GRU layer on their way to its own update gates."""

from __future__ import annotations

from typing import Any

from numba import int32, int64

from kipuka.convert import fixed
from kipuka.deploy.kernels import layout as at
from kipuka.deploy.kernels.convolution import scatter
from kipuka.deploy.kernels.lanes import LANES, inlined
from kipuka.deploy.kernels.neurons import FIRST, OWN_ROWS

STATE_SHIFT = fixed.STATE_SHIFT
WEIGHT_SHIFT = fixed.WEIGHT_SCALE_BITS - 1
"""Right shift of sums of halved weights."""

GATES, UPDATE_GATE = 3, 2
"""Activations of a GRU, and which of them is the update gate's."""


@inlined
def weigh_currents(network: Any, work: Any, row: Any) -> Any:
    """Add the weights of all currents of the step before; return the synaptic operations."""
    current = network.currents[row[at.CURRENT] - 1]
    width = row[at.BLOCKS] * LANES
    work.weighed[:width] = 0
    operations = int64(0)
    for place in range(row[at.NEURONS]):
        block = place // LANES
        here = row[at.FIRST_STATE] + block * OWN_ROWS * LANES + FIRST + place - block * LANES
        message = int32(work.states[here] >> STATE_SHIFT)
        if message == 0:
            continue
        source = int64(network.order[row[at.FIRST_UNIT] + place])
        work.messages[row[at.FIRST_UNIT] + source] += 1
        operations += network.fan_out[current[at.CURRENT_FAN_OUT] + source]
        if current[at.CURRENT_KIND] == at.DENSE:
            weights = current[at.CURRENT_WEIGHT] + source * width
            for k in range(width):
                work.weighed[k] += int32(message * int32(network.dense[weights + k]))
        else:
            scatter(
                source, message, network.geometry, current[at.CURRENT_GEOMETRY], network.dense,
                current[at.CURRENT_WEIGHT], work.weighed, 0,
            )  # fmt: skip
    return operations


@inlined
def add_currents(work: Any, row: Any) -> None:
    """Add what was weighed to the update gates' activations, which are in weight units."""
    for block in range(row[at.BLOCKS]):
        there = row[at.FIRST_SUM] + (block * GATES + UPDATE_GATE) * LANES
        for lane in range(LANES):
            work.sums[there + lane] += work.weighed[block * LANES + lane] >> WEIGHT_SHIFT
