"""The CUBA neuron as ``LIF``: alone at any decay, beside a GRU where idle steps change nothing."""

from __future__ import annotations

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


def cuba_cell(layer: Layer, position: int, name: str, senders: Senders, *, idles: bool) -> Cell:
    """Lower a layer of CUBA neurons.

    Parameters
    ----------
    layer, position, name
        See `CellBuilder`.
    senders : Senders
    idles : bool
        Whether an algorithmic step has several hardware steps. The bias then arrives as an
        activation, once per algorithmic step, and comes off the current when it is read.

    Returns
    -------
    Cell

    Raises
    ------
    KipukaError
        If the idle steps would change the neuron's state.
    """
    neuron = CubaParameters(*layer.neuron)
    if idles:
        _check_idling(layer, neuron, name)
    builder = CellBuilder(layer, position, name)
    builder.add(
        "spikes",
        "LIF",
        1,
        (0, 1),
        # Lava adds one to du (its ds_offset), so that iDecay 4096 fits 12 bits.
        du=int(neuron.current_decay[0]) - 1,
        # With two idle steps 4095 forgets as 4096 does, and fits 12 bits.
        dv=min(int(neuron.voltage_decay[0]), MEMORYLESS["dv"] if idles else fixed.UNITY),
        vth=int(neuron.threshold[0]),
        bias_mant=np.zeros_like(neuron.bias) if idles else neuron.bias,
    )
    builder.wires += projections(layer, senders, builder.role("spikes"))
    if not layer.projections:
        builder.wires += multiples(INPUT, builder.role("spikes"), layer.n_neurons, [(0, 0, 1)])
    if idles:
        builder.constant("spikes", [neuron.bias])
    none = np.zeros_like(neuron.bias)
    biased = none - fixed.to_state_units(neuron.bias) if idles else none
    spikes = builder.role("spikes")
    states = {
        "u": Reading(biased, variable=(spikes, "u")),
        "v": Reading(none, variable=(spikes, "v")),
    }
    return Cell(tuple(builder.nodes), tuple(builder.wires), LayerReadings(spikes, states))


def _check_idling(layer: Layer, neuron: CubaParameters, name: str) -> None:
    memoryless = neuron.voltage_decay == fixed.UNITY
    if np.any(neuron.current_decay != fixed.UNITY) or np.any(
        (neuron.voltage_decay != 0) & ~memoryless
    ):
        raise KipukaError(
            "the lowering has no cell for a leaky CUBA layer beside a spiking GRU",
            where=f"{name}, keys iDecay and vDecay",
            limit=f"iDecay {fixed.UNITY}, vDecay 0 (integrate and fire) or {fixed.UNITY}",
            value=f"iDecay {neuron.current_decay[0]}, vDecay {neuron.voltage_decay[0]}",
            remedy="train the layer as integrate-and-fire, or run it in the fused form",
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
