"""Layers that have settled: without arrivals nothing in them changes, so their update can wait.

An update is a function of states and sums. Once it has turned the states into themselves, without
a sum, a spike or an overflow, it will do so again in every step until something arrives. States
decay towards zero in whole numbers and so settle soon; a bias only moves the place where they do.
"""

from __future__ import annotations

from typing import Any

from numba import int64, uintp

from kipuka.compiling import inlined
from kipuka.deploy.fast.kernels.constants import EVENTS, LANES, MEMORY
from kipuka.deploy.fast.kernels.lanes import any_lane_with

ALL_BITS = -1

LOOK_EVERY = 8
"""Steps between two looks: a look costs a third of an update, and rest can wait."""


@inlined
def keep(states: Any, first: Any, blocks: Any, rows: Any, kept: Any) -> None:
    """Copy what the blocks of a layer remember; `rows` is the number of rows in a block."""
    for block in range(blocks):
        here, there = first + block * rows * LANES, block * MEMORY
        for lane in range(MEMORY):
            kept[uintp(there + lane)] = states[uintp(here + lane)]


@inlined
def has_settled(states: Any, first: Any, blocks: Any, rows: Any, kept: Any) -> Any:
    """Whether nothing has changed since `keep`, and nothing happened before or after."""
    for block in range(blocks):
        here, there = first + block * rows * LANES, block * MEMORY
        changed = int64(0)
        for lane in range(MEMORY):
            changed |= states[uintp(here + lane)] ^ kept[uintp(there + lane)]
        if changed or any_lane_with(states, here + EVENTS, ALL_BITS):
            return False
    return True
