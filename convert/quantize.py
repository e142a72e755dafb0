"""From the blocks of a trained SLAYER model to a Program.

Blocks are recognised by what they carry, not by their classes, so that nothing here imports torch
or the training code: a ``neuron`` with ``device_params`` as SLAYER has it, one synapse or two, each
with its quantization hook, and learnable delays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons import CubaParameters, SpikingGruParameters
from kipuka.convert.program import (
    MODEL_NAMES,
    Layer,
    Program,
    Projection,
    Readout,
    ReadoutKind,
    Source,
    Target,
)
from kipuka.convert.synapses import DenseSynapses
from kipuka.errors import KipukaError

CUBA = MODEL_NAMES[CubaParameters]
SPIKING_GRU = MODEL_NAMES[SpikingGruParameters]


def program_from_blocks(
    blocks: Iterable[Any],
    readout: ReadoutKind = "spike_count",
    metadata: Mapping[str, str] | None = None,
) -> Program:
    """Quantize the blocks of a SLAYER network.

    Parameters
    ----------
    blocks : iterable of torch modules
        ``cuba.Dense``, ``cuba.Recurrent`` or Kipuka's ``SpikingGRU``, in order.
    readout : {"spike_count", "membrane"}
    metadata : mapping of str to str, optional

    Returns
    -------
    Program
        Exactly the network that the blocks' quantized forward pass computes.

    Raises
    ------
    KipukaError
        If a block has no exact counterpart; the message names it by number and class.
    """
    blocks = list(blocks)
    layers: list[Layer] = []
    delays: np.ndarray | None = None
    for number, block in enumerate(blocks):
        where = f"block {number} ({type(block).__name__})"
        if number + 1 < len(blocks) and not getattr(block, "delay_shift", False):
            raise _unsupported(where, "delay_shift = False before another block", "delay_shift")
        layers.append(_layer(block, delays, where))
        delays = _delays(block.delay, layers[-1].n_neurons)
    if delays is None:
        raise _unsupported("network", "no blocks", "at least one block")
    n_inputs = layers[0].from_source("previous")[0].synapses.n_sources
    return Program((n_inputs,), tuple(layers), Readout(readout, delays), metadata or {})


def _layer(block: Any, delays: np.ndarray | None, where: str) -> Layer:
    device = getattr(getattr(block, "neuron", None), "device_params", {})
    model = device.get("type")
    if model == SPIKING_GRU:
        return _spiking_gru_layer(block, delays)
    synapse = getattr(block, "input_synapse", getattr(block, "synapse", None))
    dense = synapse is not None and type(synapse).__name__ == "Dense"
    if model != CUBA or not dense or not hasattr(block, "delay_shift"):
        raise _unsupported(where, f"neuron type {model}", "cuba.Dense, cuba.Recurrent, SpikingGRU")
    if block.neuron.norm is not None:
        raise _unsupported(where, "a normalization in the neuron", "neurons without norm")
    if device["gradedSpike"]:
        raise _unsupported(where, "graded spikes", "binary spikes")
    weights = _weights(synapse, getattr(block, "mask", None))
    n = weights.shape[0]
    projections = [_projection(weights, "previous", "a", delays)]
    if hasattr(block, "recurrent_synapse"):
        projections.append(_projection(_weights(block.recurrent_synapse), "self", "a", None))
    neuron = CubaParameters(
        _per_neuron(device["iDecay"], n),
        _per_neuron(device["vDecay"], n),
        _per_neuron(device["vThMant"], n),
        np.zeros(n, dtype=np.int64),
    )
    return Layer(neuron, (n,), tuple(projections))


def _spiking_gru_layer(block: Any, delays: np.ndarray | None) -> Layer:
    weights = np.split(_weights(block.input_synapse), 3)
    recurrent = np.split(_weights(block.recurrent_synapse), 3)
    bias = np.split(_integers(block.input_synapse.pre_hook_fx(block.bias)), 3)
    n = weights[0].shape[0]
    own = _delays(block.delay_rec, n)
    targets: tuple[Target, ...] = ("i", "r", "z")
    projections = [
        *(_projection(w, "previous", t, delays) for w, t in zip(weights, targets, strict=True)),
        *(_projection(w, "self", t, own) for w, t in zip(recurrent, targets, strict=True)),
    ]
    threshold = _per_neuron(block.neuron.device_params["vThMant"], n)
    return Layer(SpikingGruParameters(threshold, *bias), (n,), tuple(projections))


def _projection(
    weights: np.ndarray, source: Source, target: Target, delays: np.ndarray | None
) -> Projection:
    if delays is None:
        delays = np.zeros(weights.shape[1], dtype=np.int16)
    return Projection(DenseSynapses(weights.astype(np.int16)), source, target, delays)


def _weights(synapse: Any, mask: Any = None) -> np.ndarray:
    if synapse.weight_norm_enabled:
        # Weight normalization writes `weight` in a pre-hook of the forward pass only.
        for hook in synapse._forward_pre_hooks.values():
            hook(synapse, None)
    weight = synapse.weight if mask is None else synapse.weight * mask
    quantized = _integers(synapse.pre_hook_fx(weight))
    return quantized.reshape(quantized.shape[0], -1)


def _integers(quantized: Any) -> np.ndarray:
    """Quantized tensor in nominal units as int64 weight units."""
    values = quantized.detach().cpu().numpy() * fixed.WEIGHT_SCALE
    integers: np.ndarray = np.rint(values).astype(np.int64)
    if not np.array_equal(integers, values):
        raise _unsupported(
            "quantization hook", "weights that are not multiples of 1/64", "SLAYER's 8-bit hook"
        )
    return integers


def _delays(delay: Any, neurons: int) -> np.ndarray:
    """Integer delays of a SLAYER or Kipuka delay module; zeros where there is none."""
    if delay is None:
        return np.zeros(neurons, dtype=np.int16)
    delay.clamp()
    steps = np.floor(delay.delay.detach().cpu().numpy()).astype(np.int16)
    return np.array(np.broadcast_to(steps, (neurons,)))


def _per_neuron(value: Any, neurons: int) -> np.ndarray:
    return np.array(np.broadcast_to(np.asarray(value, dtype=np.int64), (neurons,)))


def _unsupported(where: str, value: str, limit: str) -> KipukaError:
    return KipukaError(
        "the block has no exact counterpart in integers",
        where=where,
        limit=limit,
        value=value,
        remedy="train the network with the blocks that the limit names",
    )
