"""Activations of any size, brought into 32 bits before a neuron sees them."""

from __future__ import annotations

from typing import Any

from numba import int32, int64

from kipuka.compiling import inlined
from kipuka.convert import fixed

STATE_SHIFT = fixed.STATE_SHIFT

FAR = 1 << 24
"""Activation, in weight units, that is beyond all states and fits 32 bits in state units."""

PERIOD = 2 * fixed.CUBA_STATE_LIMIT >> fixed.STATE_SHIFT
"""Difference of activations that add the same to a current that wraps."""


@inlined
def states_within_reach(activation: Any) -> Any:
    """Do the same to an activation in state units."""
    reach = int64(FAR) << STATE_SHIFT
    rest = activation & ((PERIOD << STATE_SHIFT) - 1)
    if activation > reach:
        return int32(reach + rest)
    if activation < -reach:
        return int32(rest - (PERIOD << STATE_SHIFT) - reach)
    return int32(activation)


@inlined
def within_reach(activation: Any) -> Any:
    """Replace what is beyond `FAR`: it keeps its sign, and a current that wraps does not notice."""
    if activation > FAR:
        return int32(FAR + (activation & (PERIOD - 1)))
    if activation < -FAR:
        return int32((activation & (PERIOD - 1)) - PERIOD - FAR)
    return int32(activation)
