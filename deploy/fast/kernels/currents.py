"""Graded messages: the currents of a spiking GRU layer on their way to its own update gates."""

from __future__ import annotations

from typing import Any

from numba import int32, int64, uintp

from kipuka.convert import fixed
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import FIRST, LANES
from kipuka.deploy.fast.kernels.convolution import scatter_message
from kipuka.deploy.fast.kernels.parts import compiled_where

STATE_SHIFT = fixed.STATE_SHIFT
WEIGHT_SHIFT = fixed.WEIGHT_SCALE_BITS - 1
"""Right shift of sums of halved weights."""

GATES, UPDATE_GATE = 3, 2
"""Activations of a GRU, and which of them is the update gate's."""


@compiled_where("gated")
def sum_currents(network: Any, work: Any, row: Any) -> Any:
    """Add the weights of all currents of the step before; return the synaptic operations."""
    current = network.currents[row.current - 1]
    width = row.blocks * LANES
    for lane in range(width):
        work.current_sums[uintp(lane)] = 0
    operations = int64(0)
    for place in range(row.neurons):
        block = place // LANES
        here = row.first_state + block * row.rows * LANES + FIRST + place - block * LANES
        message = int32(work.states[here] >> STATE_SHIFT)
        if message == 0:
            continue
        source = int64(network.order[row.first_unit + place])
        work.messages[row.first_unit + source] += 1
        operations += network.fan_out[current.first_fan_out + source]
        if current.kind == at.DENSE:
            weights = current.first_weight + source * width
            for lane in range(width):
                weight = int32(network.dense[uintp(weights + lane)])
                work.current_sums[uintp(lane)] += int32(message * weight)
        else:
            scatter_message(
                network, source, message, current.first_geometry, current.first_weight,
                work.current_sums, 0,
            )  # fmt: skip
    return operations


@compiled_where("gated")
def add_currents(network: Any, work: Any, row: Any, first_sum: Any) -> None:
    """Add the weighted sums to the update gates' activations, which are in weight units."""
    for block in range(row.blocks):
        there = first_sum + (block * GATES + UPDATE_GATE) * LANES
        for lane in range(LANES):
            total = work.current_sums[uintp(block * LANES + lane)]
            work.sums[uintp(there + lane)] += total >> WEIGHT_SHIFT
