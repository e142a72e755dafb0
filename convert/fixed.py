"""Integer arithmetic of the chip, and the only place where its constants are written.

Every function takes 64-bit integer arrays, numpy or torch alike, and uses only operators that the
two libraries share; that is why clipping is spelled with comparisons here. Floor and toward-zero
shifts are different functions because the neuron models need both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

IntArray = Any
"""A numpy or torch array of int64, or a plain int; functions return what came in."""

UNITY_BITS = 12
UNITY = 1 << UNITY_BITS
"""Decay or gate that stands for 1.0 (12 bits)."""

STATE_SHIFT = 6
"""Left shift from weight units (activation, bias, threshold) to state units."""

WEIGHT_SCALE_BITS = 6
WEIGHT_SCALE = 1 << WEIGHT_SCALE_BITS
"""Weight units in one nominal unit, the ``scale`` of SLAYER's CUBA neuron."""

STATE_SCALE = WEIGHT_SCALE << STATE_SHIFT
"""State units in one nominal unit."""

WEIGHT_MIN, WEIGHT_MAX, WEIGHT_STEP = -256, 254, 2
"""Weights and GRU biases: even integers, 8 bits with a step of two (NetX convention)."""

WEIGHT_EXPONENT_MIN, WEIGHT_EXPONENT_MAX = -1, 7
"""Bits by which sums of weights are shifted left; one to the right rounds no even sum."""

CUBA_BIAS_MIN, CUBA_BIAS_MAX = -(1 << 12), (1 << 12) - 1
"""Signed 13-bit ``bias_mant`` of the CUBA neuron, in weight units."""

CUBA_STATE_LIMIT = 1 << 23
"""Magnitude at which the 24-bit current wraps; the membrane stops one short of it."""

GRU_STATE_LIMIT = (1 << 17) - 1
"""Largest magnitude of the 18-bit GRU current and membrane, in state units."""

MESSAGE_BITS = 12
"""Bits, with the sign, of a GRU current that is sent as a graded message in weight units."""

GRADED_SHIFT = 2 * STATE_SHIFT
"""Left shift from weight units to the states of sigma-delta neurons: Lava's ``spike_exp``, 6, and
``state_exp``, 6. Payloads have the first shift alone.
"""

GRADED_BITS = 16
GRADED_LIMIT = (1 << (GRADED_BITS - 1)) - 1
"""Largest magnitude of the signed payload that sigma-delta neurons send (NetX's message bits)."""

SIGMA_BITS = 24
SIGMA_LIMIT = (1 << (SIGMA_BITS - 1)) - 1
"""Largest magnitude of the sums and activations of sigma-delta neurons."""

GRADED_THRESHOLD_MAX = SIGMA_LIMIT >> GRADED_SHIFT
"""Largest ``vThMant`` of a sigma-delta neuron, and largest magnitude of its bias: 24-bit states."""

INT32_MAX = (1 << 31) - 1
"""Largest sum that the 32-bit words of the simulators and of Lava hold."""

THRESHOLD_MAX = (1 << 17) - 1
"""Largest 17-bit ``vThMant`` of the CUBA neuron, in weight units."""

NEVER_SPIKES = (1 << 18) - 1
"""``vThMant`` that lava-dl writes for a neuron without spikes: no 24-bit membrane reaches it."""

NEURONS_MAX = 1 << 24
"""Neurons that a layer in a file may declare: 16 chips' worth, and little memory."""

GRU_THRESHOLD_MAX = GRU_STATE_LIMIT >> STATE_SHIFT
"""Largest ``vThMant`` that an 18-bit membrane can exceed, in weight units."""

GATE_OFFSET, GATE_SLOPE = UNITY // 2, 16
"""Hard sigmoid ``gate(x) = clip(2048 + 16 x, 0, 4096)``: slope 1/4 at 0 in nominal units."""

DELAY_MAX = 62
"""Longest axonal delay in algorithmic steps."""


def clip(x: IntArray, low: int, high: int) -> IntArray:
    """Limit `x` to [`low`, `high`]."""
    return x + (x < low) * (low - x) + (x > high) * (high - x)


def shift_floor(x: IntArray, bits: int) -> IntArray:
    """Divide by ``2**bits`` and round towards minus infinity (arithmetic shift)."""
    return x >> bits


def shift_toward_zero(x: IntArray, bits: int) -> IntArray:
    """Divide by ``2**bits`` and round towards zero: shift the magnitude, keep the sign."""
    sign = (x > 0) * 2 - 1
    return sign * ((sign * x) >> bits)


def shift_left(x: IntArray, bits: int) -> IntArray:
    """Multiply by ``2**bits``; a negative number of bits divides, as a shift to the right does."""
    return x << bits if bits >= 0 else x >> -bits


def wrap_24_bits(x: IntArray) -> IntArray:
    """Wrap a current modulo 2**24 into (-2**23, 2**23], the interval of Lava's LIF.

    The upper end stays and the lower end maps to it: Lava keeps +2**23 and turns -2**23 into
    +2**23, so the usual two's-complement interval would differ in that one value.
    """
    period = 2 * CUBA_STATE_LIMIT
    return CUBA_STATE_LIMIT - ((CUBA_STATE_LIMIT - x) & (period - 1))


def to_state_units(x: IntArray) -> IntArray:
    """Weight units to state units: the chip's MSB alignment by 6 bits."""
    return x << STATE_SHIFT


def gate(x: IntArray) -> IntArray:
    """Hard sigmoid of an activation in weight units; 4096 stands for 1.0."""
    return clip(GATE_OFFSET + GATE_SLOPE * x, 0, UNITY)


def as_int64(x: object) -> np.ndarray:
    """Array as int64, the width in which no product of this module overflows."""
    return np.asarray(x, dtype=np.int64)
