"""The steps of the neuron models on int32 scalars, for the kernels of simulation and training.

Each function equals its namesake in `kipuka.convert.fixed`, or the step of a model in its own file.
Numba computes in 64 bits unless told otherwise; the casts to int32 stand where a shift, a
comparison or a limit would else need the upper half. Importing this module loads Numba.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numba import int32

from kipuka.compiling import inlined
from kipuka.convert import fixed

SOURCES = (Path(__file__), Path(fixed.__file__))
"""Files that a kernel is compiled from as soon as it calls a function of this module."""

UNITY_BITS, STATE_SHIFT = fixed.UNITY_BITS, fixed.STATE_SHIFT

GRU_LIMIT = fixed.GRU_STATE_LIMIT
GATE_OFFSET, GATE_SLOPE = fixed.GATE_OFFSET, fixed.GATE_SLOPE
GATE_REACH = fixed.GATE_OFFSET // fixed.GATE_SLOPE
"""Activation in weight units at which a gate is fully open or shut."""


SIGMA_LIMIT, GRADED_LIMIT = fixed.SIGMA_LIMIT, fixed.GRADED_LIMIT
GRADED_SHIFT = fixed.GRADED_SHIFT
INPUT_REACH = fixed.GRADED_THRESHOLD_MAX + 1
"""Input in weight units from which on an encoder's activation meets its limit."""


@inlined
def limited(x: Any, limit: Any) -> Any:
    """``clip(x, -limit, limit)``."""
    return max(min(x, int32(limit)), int32(-limit))


@inlined
def gate(x: Any) -> Any:
    """``gate(x)``: limiting the activation limits the gate, and cannot overflow."""
    return int32(GATE_OFFSET + GATE_SLOPE * limited(x, GATE_REACH))


@inlined
def gated(state: Any, factor: Any) -> Any:
    """``shift_floor(state * factor, 12)`` of an 18- or 19-bit state and a gate."""
    return int32(int32(state * factor) >> UNITY_BITS)


@inlined
def spiking_gru_step(i: Any, v: Any, a_i: Any, a_r: Any, a_z: Any, spent: Any) -> Any:
    """One spiking GRU neuron; activations in weight units with biases, the rest in state units.

    `spent` is the threshold if the neuron spiked in the step before, else 0.

    Returns
    -------
    i, v : int32
    saturated : int32
        States that were clipped, 0 to 2.
    """
    # A current beyond the limit saturates whatever is added, so limiting it here changes nothing
    # but keeps the shift within 32 bits.
    current = int32(limited(a_i, GRU_LIMIT) << STATE_SHIFT)
    exact_i = int32(gated(i, gate(a_r)) + current)
    new_i = limited(exact_i, GRU_LIMIT)
    exact_v = int32(new_i + gated(int32(v - new_i), gate(a_z)) - spent)
    new_v = limited(exact_v, GRU_LIMIT)
    return new_i, new_v, int32(new_i != exact_i) + int32(new_v != exact_v)


@inlined
def delta_encoded(act: Any, known: Any, threshold: Any) -> Any:
    """Send an activation's change where it reaches the threshold; all states but the payload.

    `known` is the activation as it was sent last, so that the model's residue is ``act - known``.

    Returns
    -------
    known, payload : int32
    limited : bool
        Whether the payload met its limit.
    """
    delta = int32(act - known)
    passes = abs(delta) >= threshold
    exact = int32(delta >> STATE_SHIFT) if passes else int32(0)
    payload = limited(exact, GRADED_LIMIT)
    return act if passes else known, payload, payload != exact


@inlined
def delta_step(known: Any, a: Any, threshold: Any) -> Any:
    """One encoder; the input in weight units, the threshold in states.

    Returns
    -------
    act, known, payload : int32
    saturated : int32
        Limits that were met, 0 to 2.
    """
    exact = int32(limited(a, INPUT_REACH) << GRADED_SHIFT)
    act = limited(exact, SIGMA_LIMIT)
    known, payload, over = delta_encoded(act, known, threshold)
    return act, known, payload, int32(act != exact) + int32(over)


@inlined
def activated(sigma: Any, bias: Any, lowest: Any) -> Any:
    """Activation of a sum, and whether it met its limit; all in states."""
    exact = max(int32(sigma + bias), lowest)
    act = limited(exact, SIGMA_LIMIT)
    return act, act != exact


@inlined
def sigma_delta_step(sigma: Any, known: Any, a: Any, bias: Any, threshold: Any, lowest: Any) -> Any:
    """One sigma-delta neuron, all in states; `lowest` is what the activation is never below.

    Returns
    -------
    sigma, act, known, payload : int32
    saturated : int32
        Limits that were met, 0 to 3.
    """
    exact = int32(sigma + a)
    new_sigma = limited(exact, SIGMA_LIMIT)
    act, over_act = activated(new_sigma, bias, lowest)
    known, payload, over = delta_encoded(act, known, threshold)
    saturated = int32(new_sigma != exact) + int32(over_act) + int32(over)
    return new_sigma, act, known, payload, saturated
