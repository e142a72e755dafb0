"""Layers that have settled: without arrivals nothing in them changes, so their update can wait.

An update is a function of states and sums. Once it has turned the states into themselves, without
a sum, a spike or an overflow, it will do so again in every step until something arrives. States
decay towards zero in whole numbers and so settle soon; a bias only moves the place where they do.
"""

from __future__ import annotations

from typing import Any

from numba import int64, uintp

from kipuka.compiling import inlined
from kipuka.deploy.fast.kernels.constants import LANES

LOOK_EVERY = 8
"""Steps between two looks: a look costs a third of an update, and rest can wait."""


@inlined
def keep(states: Any, row: Any, kept: Any) -> None:
    """Copy what the blocks of a layer remember."""
    blocks, size, memory = row.blocks, row.rows * LANES, row.memory * LANES
    here, there = row.first_state, int64(0)
    for _ in range(blocks):
        for lane in range(memory):
            kept[uintp(there + lane)] = states[uintp(here + lane)]
        here, there = here + size, there + memory


@inlined
def has_settled(states: Any, row: Any, kept: Any) -> Any:
    """Whether nothing has changed since `keep`."""
    blocks, size, memory = row.blocks, row.rows * LANES, row.memory * LANES
    here, there = row.first_state, int64(0)
    for _ in range(blocks):
        changed = int64(0)
        for lane in range(memory):
            changed |= states[uintp(here + lane)] ^ kept[uintp(there + lane)]
        if changed:
            return False
        here, there = here + size, there + memory
    return True
