"""The CUBA neuron as ``LIF``: alone at any decay, beside a GRU where idle steps change nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.arrivals import activation_bounds
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.program import Layer
from kipuka.deploy.lowered.cells.cell import Cell, CellBuilder, Senders
from kipuka.deploy.lowered.graph import INPUT, LayerReadings, Reading
from kipuka.deploy.lowered.schedule import MEMORYLESS
from kipuka.deploy.lowered.wiring import multiples, projections
from kipuka.errors import KipukaError

NO_IDLE_STEPS = (
    "; or let no step of the gated layers idle: SpikingGRU(..., delay_rec=True, "
    "delay_rec_min_steps=4) with kipuka.train.keep_in_range(block) after each update, or kipuka "
    "train --set delays.recurrent_min_steps=4 --set proven_ranges=true"
)
"""Training that lets a gated layer begin an algorithmic step in each hardware step (K = 1)."""


@dataclass(frozen=True)
class Beat:
    """What a CUBA layer meets in its network.

    Attributes
    ----------
    idle_steps : bool
        Whether an algorithmic step has several hardware steps.
    constants : bool
        Whether the bias arrives as an activation, once per algorithmic step and only while a
        sample lasts, because other layers need time before the first step reaches this one. It
        comes off the current when that is read.
    """

    idle_steps: bool
    constants: bool


def cuba_cell(layer: Layer, position: int, name: str, senders: Senders, beat: Beat) -> Cell:
    """Lower a layer of CUBA neurons, for which `check_beat` finds nothing.

    Parameters
    ----------
    layer, position, name
        See `CellBuilder`.
    senders : Senders
    beat : Beat

    Returns
    -------
    Cell
    """
    neuron = CubaParameters(*layer.neuron)
    builder = CellBuilder(layer, position, name)
    none = np.zeros_like(neuron.bias)
    builder.add(
        "spikes",
        "LIF",
        1,
        (0, 1),
        # Lava adds one to du (its ds_offset), so that iDecay 4096 fits 12 bits.
        du=int(neuron.current_decay[0]) - 1,
        # With an idle step 4095 forgets as 4096 does, and fits 12 bits.
        dv=min(int(neuron.voltage_decay[0]), MEMORYLESS["dv"] if beat.idle_steps else fixed.UNITY),
        vth=int(neuron.threshold[0]),
        bias_mant=none if beat.constants else neuron.bias,
    )
    spikes = builder.role("spikes")
    builder.wires += projections(layer, senders, spikes, {"a": 0})
    if not layer.projections:
        builder.wires += multiples(INPUT, spikes, layer.n_neurons, [(0, 0, 1)])
    if beat.constants:
        builder.constant("spikes", [neuron.bias])
    biased = none - fixed.to_state_units(neuron.bias) if beat.constants else none
    states = {
        "u": Reading(biased, variable=(spikes, "u")),
        "v": Reading(none, variable=(spikes, "v")),
    }
    return Cell(tuple(builder.nodes), tuple(builder.wires), LayerReadings(spikes, states))


def check_beat(layer: Layer, name: str, beat: Beat) -> None:
    """Check that idle steps and biases that arrive as activations leave the neurons what they are.

    Raises
    ------
    KipukaError
        Naming the layer.
    """
    neuron = CubaParameters(*layer.neuron)
    memoryless = neuron.voltage_decay == fixed.UNITY
    lasting = np.any(neuron.current_decay != fixed.UNITY)
    leaky = np.any((neuron.voltage_decay != 0) & ~memoryless)
    if (lasting or leaky) if beat.idle_steps else (lasting and np.any(neuron.bias)):
        biased = "" if beat.idle_steps else ", or no bias"
        integrating = "current_decay=1 and voltage_decay=0 in the neuron_params of its block"
        no_bias = "current_decay=1, or no norm, in the neuron_params of its block"
        raise KipukaError(
            "the lowering has no cell for a leaky CUBA layer beside a spiking GRU",
            where=f"{name}, keys iDecay and vDecay",
            limit=f"iDecay {fixed.UNITY}, vDecay 0 (integrate and fire) or {fixed.UNITY}{biased}",
            value=f"iDecay {neuron.current_decay[0]}, vDecay {neuron.voltage_decay[0]}",
            remedy=f"train with {integrating if beat.idle_steps else no_bias}"
            f"{NO_IDLE_STEPS if beat.idle_steps else ''}; or run the fused form",
        )
    low, high = activation_bounds(layer)["a"]
    reach = np.maximum(np.abs(low + neuron.bias), np.abs(high + neuron.bias))
    room = fixed.CUBA_STATE_LIMIT >> fixed.STATE_SHIFT
    if np.any(neuron.bias) and np.any(reach >= room):
        worst = int(np.argmax(reach))
        raise KipukaError(
            "the bias of a CUBA layer beside a spiking GRU could make its current wrap",
            where=f"{name}, neuron {worst}",
            limit=f"less than {room} weight units together with all weights of one sign",
            value=int(reach[worst]),
            remedy="use smaller weights or no bias",
        )
