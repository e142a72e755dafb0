"""What stock NetX (lava-dl 0.6.0) would do differently with the file of a Program."""

from __future__ import annotations

import numpy as np

from kipuka.convert.formats.net.keys import SDNN_MODELS
from kipuka.convert.neurons import CUBA, DELTA, SIGMA, SIGMA_DELTA
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.neurons.sigma_delta import UNIT
from kipuka.convert.program import RECURRENT, Layer, Program, Projection
from kipuka.convert.synapses import ConvSynapses

NETX_MODELS = {CUBA: "LIF", DELTA: "Delta", SIGMA_DELTA: "SigmaDelta", SIGMA: "Sigma"}
"""Models that stock NetX builds as Kipuka runs them, with the process that it takes."""


def netx_differences(program: Program) -> dict[int, tuple[str, ...]]:
    """Sentences by layer number; empty where NetX computes the same spikes.

    Parameters
    ----------
    program : Program

    Returns
    -------
    dict of int to tuple of str
        One entry for each layer.
    """
    found = {
        number: _of_layer(program, position, layer)
        for position, (number, layer) in enumerate(
            zip(program.numbers, program.layers, strict=True)
        )
    }
    last = program.numbers[-1]
    if program.readout.population > 1:
        found[last] = (*found[last], "refuses the average layer behind it")
    if np.any(program.readout.delays):
        found[last] = (*found[last], "has no delay between the last layer and the readout")
    return found


def _of_layer(program: Program, position: int, layer: Layer) -> tuple[str, ...]:
    if layer.model not in NETX_MODELS:
        unknown = (
            f"does not know the layer type {layer.model.lower()}"
            if len(layer.targets) > 1
            else f"does not know the neuron type {layer.model}"
        )
        graded = "has no graded messages between the neurons of a layer"
        return (unknown, graded) if layer.of_current else (unknown,)
    notes = []
    if len(layer.sources) > 1:
        notes.append("refuses the concat layer before it")
    feeding = [p for p in layer.projections if p.source != RECURRENT]
    own = layer.from_source(RECURRENT)
    if any(isinstance(p.synapses, ConvSynapses) for p in feeding):
        notes += _of_convolution(feeding)
    if any(np.any(p.delays) for p in own):
        notes.append("ignores the delays inside the recurrence (key delay_rec)")
    if own and any(np.any(p.delays) for p in feeding):
        notes.append("gives the arriving delays to the recurrence too, or fails on their shape")
    if _clipped(layer):
        notes.append("scales the smallest weight to -256, which Lava clips (all weights negative)")
    # Sums of odd weights, doubled and halved, are as NetX has them.
    if any(p.weight_exponent > 0 for p in layer.projections):
        notes.append("ignores the weight exponent")
    for parameter in layer.neuron_model.parameters:
        values = getattr(layer.neuron, parameter.name)
        if parameter.key.startswith("neuron/") and np.any(values != values[0]):
            notes.append(f"has one {parameter.label} per layer")
    if layer.model in SDNN_MODELS:
        return tuple(notes + _of_sigma_delta(program, layer))
    if program.encoder and position == 0:
        notes += _of_input(layer.neuron)
    return tuple(notes)


def _of_sigma_delta(program: Program, layer: Layer) -> list[str]:
    notes = []
    if layer.model == SIGMA_DELTA and np.any(layer.neuron.activation == UNIT):
        notes.append("rectifies every activation")
    if program.reset:
        notes.append("resets no sigma-delta neurons")
    return notes


def _clipped(layer: Layer) -> bool:
    """Tell whether a dense layer has negative weights only, the smallest a power of two.

    NetX shifts such weights until the smallest is -256. Without a positive weight Lava takes the
    layer as inhibitory, clips at -255, and then cuts off the bits that were not needed.
    """
    arrays = [p.synapses.weights for p in layer.projections]
    if layer.convolutional or not arrays:
        return False
    low, high = min(int(a.min()) for a in arrays), max(int(a.max()) for a in arrays)
    return high < 0 and (-low & (-low - 1)) == 0


def _of_convolution(feeding: list[Projection]) -> list[str]:
    notes = []
    if any(np.any(p.delays) for p in feeding):
        notes.append("drops the delays of spikes that reach a convolution")
    if any(
        p.synapses.output_shape != p.synapses.formula_shape()
        for p in feeding
        if isinstance(p.synapses, ConvSynapses)
    ):
        notes.append("refuses an output shape beyond the convolution's formula")
    return notes


def _of_input(neuron: CubaParameters) -> list[str]:
    return ["has no bias besides the encoder's"] if np.any(neuron.bias) else []
