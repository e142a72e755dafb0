"""The CUBA neuron: current-based leaky integrate-and-fire with a hard reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.model import (
    FRACTION,
    SPIKES,
    NeuronModel,
    Overflow,
    Parameter,
    StateVariable,
)


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


def cuba_step(
    p: CubaParameters, state: CubaState, a: Any, fraction: Any = 0
) -> tuple[CubaState, Any, Overflow]:
    """Advance the CUBA neuron by one step (Lava 0.10.0, ``PyLifModelBitAcc``).

    ``u = wrap24(rtz(u (4096 - iDecay) >> 12) + (a << 6) + f)``,
    ``v = clip(rtz(v (4096 - vDecay) >> 12) + u + (bias << 6))``, ``s = v > vThMant << 6``,
    and ``v = 0`` where ``s``.

    Parameters
    ----------
    p : CubaParameters
    state : CubaState
    a : int64 array
        Activation in weight units.
    fraction : int64 array or 0
        ``f``: what an input has beyond whole weight units, in state units. SLAYER's neurons take
        it, Lava's do not.

    Returns
    -------
    state : CubaState
    spikes : bool array
    overflow : Overflow
    """
    exact_u = (
        fixed.shift_toward_zero(state.u * (fixed.UNITY - p.current_decay), fixed.UNITY_BITS)
        + fixed.to_state_units(a)
        + fraction
    )
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


def _step(p: CubaParameters, state: CubaState, a: Mapping[str, Any]) -> tuple[Any, Any, Overflow]:
    return cuba_step(p, state, a["a"], a.get(FRACTION, 0))


def _initial_state(zero: Any) -> CubaState:
    return CubaState(zero, zero)


def _readouts(p: CubaParameters) -> tuple[str, ...]:
    # At the 17-bit limit itself both make sense: such a neuron spikes in one of 2^23 states.
    kinds = []
    if np.any(p.threshold <= fixed.THRESHOLD_MAX):
        kinds.append("spike_count")
    if np.all(p.threshold >= fixed.THRESHOLD_MAX):
        kinds.append("membrane")
    return tuple(kinds)


def _decay(name: str, key: str) -> Parameter:
    return Parameter(
        name,
        key,
        low=0,
        high=fixed.UNITY,
        step=1,
        rule="decays_within_unity",
        unit="4096 stands for 1.0",
        remedy="train with decays between 0 and 1",
        default=None,
    )


MODEL = NeuronModel(
    name="CUBA",
    parameter_type=CubaParameters,
    parameters=(
        _decay("current_decay", "neuron/iDecay"),
        _decay("voltage_decay", "neuron/vDecay"),
        Parameter(
            "threshold",
            "neuron/vThMant",
            low=1,
            # lava-dl writes thresholds beyond 17 bits for neurons without spikes.
            high=fixed.NEVER_SPIKES,
            step=1,
            rule="threshold_can_be_reached",
            unit=f"weight units; above {fixed.THRESHOLD_MAX} without spikes",
            remedy="choose a threshold inside the range and scale the weights with it",
            default=None,
        ),
        Parameter(
            "bias",
            "bias",
            low=fixed.CUBA_BIAS_MIN,
            high=fixed.CUBA_BIAS_MAX,
            step=1,
            rule="bias_within_bits",
            unit="signed 13-bit weight units",
            remedy="scale the layer down or train with smaller biases",
            default=0,
        ),
    ),
    initial_state=_initial_state,
    states=(
        StateVariable("u", fixed.CUBA_STATE_LIMIT - 1, "wrap"),
        StateVariable("v", fixed.CUBA_STATE_LIMIT - 1, "saturate"),
    ),
    targets=("a",),
    messages=(SPIKES,),
    # `u` and `v` of 24 bits fit one word.
    state_words=1,
    reset="hard",
    programmable=False,
    takes_input=True,
    receives="spikes",
    readouts=_readouts,
    step=_step,
)
