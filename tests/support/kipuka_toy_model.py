"""A neuron model that no engine but the reference knows: what adding one takes, kept as an example.

A leaky integrator that fires and starts again from zero. In the package this file would stand in
`convert/neurons/`, and one line of `convert/neurons/__init__.py` would enter its `MODEL`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.model import SPIKES, NeuronModel, Overflow, Parameter, StateVariable


class LeakyParameters(NamedTuple):
    """Leak per step (4096 is all) and threshold in weight units, int64 arrays (neurons,)."""

    leak: np.ndarray
    threshold: np.ndarray


class LeakyState(NamedTuple):
    """Membrane in state units."""

    v: np.ndarray


def leaky_step(p, state, a):
    """``v = clip((v (4096 - leak) >> 12) + (a << 6))``, spike and zero above the threshold."""
    exact = fixed.shift_floor(state.v * (fixed.UNITY - p.leak), fixed.UNITY_BITS)
    exact = exact + fixed.to_state_units(a["a"])
    limit = fixed.GRU_STATE_LIMIT
    v = fixed.clip(exact, -limit, limit)
    spikes = v > fixed.to_state_units(p.threshold)
    return LeakyState(v * ~spikes), spikes, Overflow(v != exact, v != v)


def _parameter(name, key, low, high, rule, unit):
    return Parameter(name, key, low, high, 1, rule, unit, "choose a value inside the range", None)


MODEL = NeuronModel(
    name="LEAKY",
    parameter_type=LeakyParameters,
    parameters=(
        _parameter("leak", "neuron/leak", 0, fixed.UNITY, "leak_within_unity", "4096 is 1.0"),
        _parameter("threshold", "neuron/vThMant", 1, 2047, "threshold_in_reach", "weight units"),
    ),
    initial_state=LeakyState,
    states=(StateVariable("v", fixed.GRU_STATE_LIMIT, "saturate"),),
    targets=("a",),
    messages=(SPIKES,),
    state_words=1,
    reset="hard",
    programmable=True,
    takes_input=False,
    receives="spikes",
    readouts=lambda p: ("spike_count",),
    step=leaky_step,
)
