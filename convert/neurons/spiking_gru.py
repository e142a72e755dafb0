"""The spiking GRU neuron: a current and a membrane whose decays are gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kipuka.convert import fixed
from kipuka.convert.neurons.model import (
    SPIKES,
    Message,
    NeuronModel,
    Overflow,
    Parameter,
    StateVariable,
)


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


def _step(
    p: SpikingGruParameters, state: SpikingGruState, a: Mapping[str, Any]
) -> tuple[Any, Any, Overflow]:
    return spiking_gru_step(p, state, SpikingGruActivations(a["i"], a["r"], a["z"]))


def _initial_state(zero: Any) -> SpikingGruState:
    return SpikingGruState(zero, zero, zero.astype(bool))


def _payload(state: SpikingGruState, emitted: Any) -> Any:
    del emitted
    return current_message(state.i)


def _readouts(p: SpikingGruParameters) -> tuple[str, ...]:
    del p
    return ("spike_count",)


def bias_of(target: str) -> Parameter:
    """Bias of an activation, which is stored like a weight."""
    return Parameter(
        f"bias_{target}",
        f"bias/{target}",
        low=fixed.WEIGHT_MIN,
        high=fixed.WEIGHT_MAX,
        step=fixed.WEIGHT_STEP,
        rule="bias_within_bits",
        unit="even integers, 8 bits",
        remedy="quantize with SLAYER's 8-bit hook, which gives even integers in weight units",
        default=None,
    )


CURRENT = Message("current", fixed.MESSAGE_BITS, _payload, current_activation)
"""The own current, which the update gate may receive; it is sent in each step."""

MODEL = NeuronModel(
    name="SPIKING_GRU",
    parameter_type=SpikingGruParameters,
    parameters=(
        Parameter(
            "threshold",
            "neuron/vThMant",
            low=1,
            high=fixed.GRU_THRESHOLD_MAX,
            step=1,
            rule="threshold_can_be_reached",
            unit="weight units",
            remedy="choose a threshold inside the range and scale the weights with it",
            default=None,
        ),
        *(bias_of(target) for target in ("i", "r", "z")),
    ),
    initial_state=_initial_state,
    states=(
        StateVariable("i", fixed.GRU_STATE_LIMIT, "saturate"),
        StateVariable("v", fixed.GRU_STATE_LIMIT, "saturate"),
    ),
    targets=("i", "r", "z"),
    messages=(SPIKES, CURRENT),
    # `i` and `v` of 18 bits with the last spike, and three activations of 24 bits.
    state_words=3,
    reset="soft",
    programmable=True,
    takes_input=False,
    receives="spikes",
    readouts=_readouts,
    step=_step,
)
