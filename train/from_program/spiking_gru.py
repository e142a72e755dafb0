"""The training block of a spiking GRU layer of a Program, dense or convolutional."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.program import PREVIOUS, RECURRENT, Layer, Projection
from kipuka.convert.synapses import ConvSynapses
from kipuka.train.from_program.values import (
    axonal_delay,
    dense_weights,
    no_block,
    one_value,
    per_channel,
    set_weights,
)
from kipuka.train.gru.block import GruBlock
from kipuka.train.gru.convolutional import ConvSpikingGRU
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.gru.gates import GATES, GateNames


def gru_block(layer: Layer, neuron: Any, where: str) -> GruBlock:
    """Block that computes a layer of spiking GRU neurons or minimal gated units.

    The delays of its output are not in it.

    Raises
    ------
    KipukaError
        If no block has the layer's projections, geometry, or values that differ within a channel.
    """
    arriving, own = layer.from_source(PREVIOUS), layer.from_source(RECURRENT)
    name = _gates(layer)
    if name is None:
        limit = "what one of the gates of SpikingGRU feeds, from the layer before and recurrent"
        raise no_block(where, "missing projections", limit)
    kind: dict[str, Any] = {"gates": name}
    if layer.of_current is not None:
        kind["update_gate_input"] = "current"
    delays = [p.delays for p in own]
    if any(d.ndim > 1 or not np.array_equal(d, delays[0]) for d in delays):
        raise no_block(where, "different recurrent delays per gate", "one delay per neuron")
    params = {"threshold": one_value(neuron.threshold, where, "vThMant") / fixed.WEIGHT_SCALE}
    own = (*own, layer.of_current) if layer.of_current else own
    if any(isinstance(p.synapses, ConvSynapses) for p in (*arriving, *own)):
        block: GruBlock = _convolutional(layer, params, arriving, own, kind, where)
    else:
        block = _dense(layer, params, arriving, own, kind, where)
    bias = [getattr(neuron, f"bias_{t}") for t in layer.targets]
    nominal = [per_channel(values, layer.shape, where, "biases") for values in bias]
    block.bias.data = torch.from_numpy(np.concatenate(nominal) / fixed.WEIGHT_SCALE).float()
    if np.any(delays[0]):
        steps = per_channel(delays[0], layer.shape, where, "recurrent delays")
        block.delay_rec = axonal_delay(steps)
    return block


def _gates(layer: Layer) -> GateNames | None:
    """Name of the gates that a block needs for the layer's projections; None if none has them."""
    arriving, own = (
        tuple(p.target for p in layer.from_source(source)) for source in (PREVIOUS, RECURRENT)
    )
    if layer.of_current is not None:
        both = GATES["both"].fed
        return "both" if (arriving, own) == (both[:-1], both) else None
    fits = ((arriving, own), layer.model)
    return next((k for k, g in GATES.items() if fits == ((g.fed, g.fed), g.model)), None)


def _dense(
    layer: Layer,
    params: dict[str, float],
    arriving: tuple[Projection, ...],
    own: tuple[Projection, ...],
    kind: dict[str, Any],
    where: str,
) -> SpikingGRU:
    weights = [dense_weights(p, where) for p in arriving]
    recurrent = [dense_weights(p, where) for p in own]
    block = SpikingGRU(params, weights[0].shape[1], layer.n_neurons, **kind)
    set_weights(block.input_synapse, np.concatenate(weights))
    _set_own(block, recurrent)
    return block


def _convolutional(
    layer: Layer,
    params: dict[str, float],
    arriving: tuple[Projection, ...],
    own: tuple[Projection, ...],
    kind: dict[str, Any],
    where: str,
) -> ConvSpikingGRU:
    fed = [_kernels(p, where) for p in arriving]
    recurrent = [_kernels(p, where) for p in own]
    first, same = fed[0], recurrent[0]
    geometries = {(s.kernel, s.dilation, s.groups, s.stride) for s in recurrent}
    if geometries != {(same.kernel, same.dilation, 1, (1, 1))}:
        found = "recurrent convolutions in groups, or of different geometry"
        raise no_block(where, found, "1 group, one kernel size and dilation")
    if first.output_shape != first.formula_shape():
        raise no_block(where, "windows past the edge", f"the shape {first.formula_shape()}")
    block = ConvSpikingGRU(
        params,
        first.input_shape[0],
        layer.shape[0],
        first.kernel,
        first.stride,
        first.padding,
        first.dilation,
        first.groups,
        **kind,
        kernel_size_rec=same.kernel,
        dilation_rec=same.dilation,
    )
    # A grouped convolution gives all activations of a group before those of the next one.
    by_group = [s.weights.reshape(first.groups, -1, *s.weights.shape[1:]) for s in fed]
    set_weights(block.input_synapse, np.stack(by_group, axis=1))
    _set_own(block, [s.weights for s in recurrent])
    return block


def _set_own(block: Any, weights: list[np.ndarray]) -> None:
    set_weights(block.recurrent_synapse, np.concatenate(weights[: len(block.gates.fed)]))
    if block.current_synapse is not None:
        set_weights(block.current_synapse, weights[-1])


def _kernels(projection: Projection, where: str) -> ConvSynapses:
    synapses = projection.synapses
    if not isinstance(synapses, ConvSynapses):
        kind = type(synapses).__name__
        raise no_block(where, f"{kind} beside convolutions", "convolutions alone")
    if projection.weight_exponent:
        raise no_block(where, "a weight exponent", "weight exponent 0")
    return synapses
