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
def within_reach(activation: Any, shift: Any) -> Any:
    """Replace what is beyond `FAR`: it keeps its sign, and a current that wraps does not notice.

    `shift` is 0 for an activation in weight units and `STATE_SHIFT` for one in state units.
    """
    far, period = int64(FAR) << shift, int64(PERIOD) << shift
    if activation > far:
        return int32(far + (activation & (period - 1)))
    if activation < -far:
        return int32((activation & (period - 1)) - period - far)
    return int32(activation)
