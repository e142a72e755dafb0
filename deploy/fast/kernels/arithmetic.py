"""Activations of any size, brought into 32 bits before a neuron sees them."""

from __future__ import annotations

from typing import Any

from numba import int32

from kipuka.compiling import inlined
from kipuka.convert import fixed

FAR = 1 << 24
"""Activation, in weight units, that is beyond all states and fits 32 bits in state units."""

PERIOD = 2 * fixed.CUBA_STATE_LIMIT >> fixed.STATE_SHIFT
"""Difference of activations that add the same to a current that wraps."""


@inlined
def within_reach(activation: Any) -> Any:
    """Replace what is beyond `FAR`: it keeps its sign, and a current that wraps does not notice."""
    if activation > FAR:
        return int32(FAR + (activation & (PERIOD - 1)))
    if activation < -FAR:
        return int32((activation & (PERIOD - 1)) - PERIOD - FAR)
    return int32(activation)
