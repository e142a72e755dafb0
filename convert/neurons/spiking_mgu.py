"""The spiking minimal gated unit: a spiking GRU neuron with one gate in the place of two.

The minimal gated unit (Zhou, Wu, Zhang and Zhou, "Minimal gated unit for recurrent neural
networks", arXiv:1603.09420) is a GRU whose one gate says both how much of the past the candidate
sees and how much of the candidate is taken. Here the current is the candidate: the gate `f` is what
the current keeps, and its complement what the membrane keeps, so that an open gate lets the
membrane follow a current that lasts, and a shut one holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from kipuka.convert.neurons import spiking_gru
from kipuka.convert.neurons.model import SPIKES, Overflow
from kipuka.convert.neurons.spiking_gru import (
    SpikingGruActivations,
    SpikingGruParameters,
    SpikingGruState,
    spiking_gru_step,
)


class SpikingMguParameters(NamedTuple):
    """Parameters of the spiking minimal gated unit.

    Attributes
    ----------
    threshold : int64 array
        ``vThMant`` in weight units.
    bias_i, bias_f : int64 array
        Biases of the current and the gate, in weight units.
    """

    threshold: Any
    bias_i: Any
    bias_f: Any


class SpikingMguActivations(NamedTuple):
    """What arrives at the current and the gate, in weight units."""

    i: Any
    f: Any


def spiking_mgu_step(
    p: SpikingMguParameters, state: SpikingGruState, a: SpikingMguActivations
) -> tuple[SpikingGruState, Any, Overflow]:
    """Advance the spiking minimal gated unit by one step.

    ``f = gate(a_f + b_f)``, ``i = ((i f) >> 12) + ((a_i + b_i) << 6)``,
    ``v = i + (((v - i) (4096 - f)) >> 12) - (vThMant << 6) s_previous``, ``s = v > vThMant << 6``:
    the step of a spiking GRU neuron whose reset gate is `f`, and whose update gate is
    ``4096 - f = gate(-(a_f + b_f))``, exactly.

    Parameters
    ----------
    p : SpikingMguParameters
    state : SpikingGruState
    a : SpikingMguActivations

    Returns
    -------
    state : SpikingGruState
    spikes : bool array
    overflow : Overflow
        ``saturated`` counts the states that were clipped, 0 to 2 per neuron.
    """
    both = SpikingGruParameters(p.threshold, p.bias_i, p.bias_f, -p.bias_f)
    return spiking_gru_step(both, state, SpikingGruActivations(a.i, a.f, -a.f))


def _step(
    p: SpikingMguParameters, state: SpikingGruState, a: Mapping[str, Any]
) -> tuple[Any, Any, Overflow]:
    return spiking_mgu_step(p, state, SpikingMguActivations(a["i"], a["f"]))


MODEL = replace(
    spiking_gru.MODEL,
    name="SPIKING_MGU",
    parameter_type=SpikingMguParameters,
    parameters=(*spiking_gru.MODEL.parameters[:2], spiking_gru.bias_of("f")),
    targets=("i", "f"),
    messages=(SPIKES,),
    # `i` and `v` of 18 bits with the last spike, and two activations of 24 bits.
    state_words=2,
    step=_step,
)
"""What is not said here is as for a spiking GRU neuron."""
