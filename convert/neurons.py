"""One pure step function per neuron model; parameters and state are named tuples of int64 arrays.

The arrays may be numpy arrays or torch tensors and broadcast against each other, neurons last.
Nothing here clips or wraps without saying so: each step returns where it did.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kipuka.convert import fixed


class CubaParameters(NamedTuple):
    """Parameters of the CUBA neuron (``CUBA`` and ``LOIHI`` in NetX, ``LIF`` in Lava).

    Attributes
    ----------
    current_decay, voltage_decay : int64 array
        ``iDecay`` and ``vDecay``, 0 to 4096 (4096 = 1.0).
    threshold : int64 array
        ``vThMant`` in weight units.
    bias : int64 array
        ``bias_mant`` in weight units (``bias_exp`` is 6).
    """

    current_decay: Any
    voltage_decay: Any
    threshold: Any
    bias: Any


class CubaState(NamedTuple):
    """Current `u` (24 bits) and membrane `v` (24 bits), in state units."""

    u: Any
    v: Any


class SpikingGruParameters(NamedTuple):
    """Parameters of the spiking GRU neuron.

    Attributes
    ----------
    threshold : int64 array
        ``vThMant`` in weight units.
    bias_i, bias_r, bias_z : int64 array
        Biases of the current, the reset gate and the update gate, in weight units.
    """

    threshold: Any
    bias_i: Any
    bias_r: Any
    bias_z: Any


class SpikingGruState(NamedTuple):
    """Current `i` and membrane `v` (18 bits, state units), and `s`, the neuron's last spike."""

    i: Any
    v: Any
    s: Any


class SpikingGruActivations(NamedTuple):
    """What arrives at the current, the reset gate and the update gate, in weight units."""

    i: Any
    r: Any
    z: Any


class Overflow(NamedTuple):
    """Where a state left its range in this step: boolean arrays.

    Attributes
    ----------
    saturated
        A state was clipped to its limit (a GRU state may do so twice in a step; it counts once
        for `i` and once for `v`, hence the integer type there).
    wrapped
        The 24-bit current wrapped; always false for the GRU.
    """

    saturated: Any
    wrapped: Any


def cuba_step(p: CubaParameters, state: CubaState, a: Any) -> tuple[CubaState, Any, Overflow]:
    """Advance the CUBA neuron by one step (Lava 0.10.0, ``PyLifModelBitAcc``).

    ``u = wrap24(rtz(u (4096 - iDecay) >> 12) + (a << 6))``,
    ``v = clip(rtz(v (4096 - vDecay) >> 12) + u + (bias << 6))``, ``s = v > vThMant << 6``,
    and ``v = 0`` where ``s``.

    Parameters
    ----------
    p : CubaParameters
    state : CubaState
    a : int64 array
        Activation in weight units.

    Returns
    -------
    state : CubaState
    spikes : bool array
    overflow : Overflow
    """
    exact_u = fixed.shift_toward_zero(
        state.u * (fixed.UNITY - p.current_decay), fixed.UNITY_BITS
    ) + fixed.to_state_units(a)
    u = fixed.wrap_24_bits(exact_u)
    exact_v = (
        fixed.shift_toward_zero(state.v * (fixed.UNITY - p.voltage_decay), fixed.UNITY_BITS)
        + u
        + fixed.to_state_units(p.bias)
    )
    limit = fixed.CUBA_STATE_LIMIT - 1
    v = fixed.clip(exact_v, -limit, limit)
    spikes = v > fixed.to_state_units(p.threshold)
    return CubaState(u, v * ~spikes), spikes, Overflow(v != exact_v, u != exact_u)


def current_message(i: Any) -> Any:
    """Own current of a spiking GRU as the graded message that its update gate may receive.

    ``i >> 6``, 12 bits in weight units, rounded towards minus infinity. It is sent in each step and
    arrives in the next one.
    """
    return fixed.shift_floor(i, fixed.STATE_SHIFT)


def current_activation(total: Any) -> Any:
    """Activation in weight units of weighted graded messages: ``(W_z . (i >> 6)) >> 6``."""
    return fixed.shift_floor(total, fixed.WEIGHT_SCALE_BITS)


def spiking_gru_step(
    p: SpikingGruParameters, state: SpikingGruState, a: SpikingGruActivations
) -> tuple[SpikingGruState, Any, Overflow]:
    """Advance the spiking GRU neuron by one step.

    ``r = gate(a_r + b_r)``, ``z = gate(a_z + b_z)``,
    ``i = ((i r) >> 12) + ((a_i + b_i) << 6)``,
    ``v = i + (((v - i) z) >> 12) - (vThMant << 6) s_previous``, ``s = v > vThMant << 6``.
    Both states saturate at 18 bits; the shifts are floors; the reset is soft.

    Parameters
    ----------
    p : SpikingGruParameters
    state : SpikingGruState
    a : SpikingGruActivations

    Returns
    -------
    state : SpikingGruState
    spikes : bool array
    overflow : Overflow
        ``saturated`` counts the states that were clipped, 0 to 2 per neuron.
    """
    r = fixed.gate(a.r + p.bias_r)
    z = fixed.gate(a.z + p.bias_z)
    limit = fixed.GRU_STATE_LIMIT
    threshold = fixed.to_state_units(p.threshold)
    exact_i = fixed.shift_floor(state.i * r, fixed.UNITY_BITS) + fixed.to_state_units(
        a.i + p.bias_i
    )
    i = fixed.clip(exact_i, -limit, limit)
    exact_v = i + fixed.shift_floor((state.v - i) * z, fixed.UNITY_BITS) - threshold * state.s
    v = fixed.clip(exact_v, -limit, limit)
    spikes = v > threshold
    saturated = (i != exact_i) * 1 + (v != exact_v) * 1
    return SpikingGruState(i, v, spikes), spikes, Overflow(saturated, saturated < 0)
