"""The chip's arithmetic in 32-bit lanes: each function equals its namesake in `convert.fixed`.

Numba computes in 64 bits unless told otherwise; the casts to int32 stand where a shift, a
comparison or a limit would else need the upper half.
"""

from __future__ import annotations

from typing import Any

from numba import int16, int32

from kipuka.compiling import inlined
from kipuka.convert import fixed

UNITY_BITS = fixed.UNITY_BITS
FRACTION = fixed.UNITY - 1
FACTOR_MASK = 2 * fixed.UNITY - 1
"""Changes no factor, but shows LLVM that it fits 16 bits."""

CUBA_LIMIT = fixed.CUBA_STATE_LIMIT
CUBA_PERIOD_MASK = 2 * fixed.CUBA_STATE_LIMIT - 1
FAR = 1 << 24
"""Activation, in weight units, that is beyond all states and fits 32 bits in state units."""

PERIOD = 2 * fixed.CUBA_STATE_LIMIT >> fixed.STATE_SHIFT
"""Difference of activations that add the same to a current that wraps."""

GRU_LIMIT = fixed.GRU_STATE_LIMIT
GATE_OFFSET, GATE_SLOPE = fixed.GATE_OFFSET, fixed.GATE_SLOPE
GATE_REACH = fixed.GATE_OFFSET // fixed.GATE_SLOPE
"""Activation beyond which a gate is fully open or shut."""


@inlined
def decayed(state: Any, factor: Any) -> Any:
    """``shift_toward_zero(state * factor, 12)`` of a 24-bit state and a factor up to 4096.

    The product needs 37 bits. Splitting the state at bit 12 keeps all parts within 32:
    ``high * factor`` is exact, and only the lower part is shifted and so rounded. Adding the
    largest fraction to a negative state's lower part turns the floor into rounding towards zero.
    Both parts and the factor fit 16 bits, and products of such numbers cost half as much.
    """
    high = int32(int16(state >> UNITY_BITS))
    factor = int32(factor & FACTOR_MASK)
    towards_zero = int32(state >> int32(31)) & FRACTION
    low = int32((state & FRACTION) * factor + towards_zero)
    return int32(high * factor + int32(low >> UNITY_BITS))


@inlined
def wrapped_24_bits(x: Any) -> Any:
    """``wrap_24_bits(x)``."""
    return int32(CUBA_LIMIT - (int32(CUBA_LIMIT - x) & CUBA_PERIOD_MASK))


@inlined
def limited(x: Any, limit: Any) -> Any:
    """``clip(x, -limit, limit)``."""
    return max(min(x, int32(limit)), int32(-limit))


@inlined
def within_reach(activation: Any) -> Any:
    """Replace what is beyond `FAR`: it keeps its sign, and a current that wraps does not notice."""
    if activation > FAR:
        return int32(FAR + (activation & (PERIOD - 1)))
    if activation < -FAR:
        return int32((activation & (PERIOD - 1)) - PERIOD - FAR)
    return int32(activation)


@inlined
def gate(x: Any) -> Any:
    """``gate(x)``: limiting the activation limits the gate, and cannot overflow."""
    return int32(GATE_OFFSET + GATE_SLOPE * limited(x, GATE_REACH))


@inlined
def gated(state: Any, factor: Any) -> Any:
    """``shift_floor(state * factor, 12)`` of an 18- or 19-bit state and a gate."""
    return int32(int32(state * factor) >> UNITY_BITS)
