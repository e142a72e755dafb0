"""Sigma-delta layers of a Program as training blocks, and the trace of such blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.neurons.sigma_delta import RELU, UNIT
from kipuka.convert.program import PREVIOUS, RECURRENT, Encoder, Layer, Projection
from kipuka.convert.synapses import ConvSynapses
from kipuka.convert.trace import LayerTrace
from kipuka.train.from_program.values import dense_weights, no_block, one_value, set_weights
from kipuka.train.sigma_delta import blocks

FUNCTIONS = {UNIT: torch.nn.Identity(), RELU: torch.nn.functional.relu}
"""Activation functions by their number in a Program."""

PAYLOADS = fixed.STATE_SCALE
STATES = fixed.STATE_SCALE << fixed.STATE_SHIFT
"""Units of a payload and of a state in a nominal unit."""


def input_block(layer: Layer, encoder: Encoder, where: str) -> Any:
    """Block of an encoder layer, which makes whole 1/64 of the input as `encoder` does."""
    block = blocks.Input(
        _settings(layer.neuron.threshold, FUNCTIONS[UNIT], where),
        encoder.weight / fixed.WEIGHT_SCALE,
        encoder.bias / fixed.WEIGHT_SCALE,
    )
    if not encoder.eight_bit:
        block.pre_hook_fx = torch.nn.Identity()
    block.input_shape = block.neuron.shape = torch.Size(layer.shape)
    return block.eval()


def layer_block(layer: Layer, where: str) -> Any:
    """Block of a layer of sigma-delta neurons.

    Raises
    ------
    KipukaError
        If the training blocks have no such layer.
    """
    neuron = layer.neuron
    activation = FUNCTIONS[one_value(neuron.activation, where, "activation")]
    settings = _settings(neuron.threshold, activation, where)
    own = layer.from_source(RECURRENT)
    (arriving,) = layer.from_source(PREVIOUS)
    if own:
        block = _recurrent(settings, arriving, own, where)
    elif layer.convolutional:
        block = _convolution(settings, arriving, where)
    else:
        weights = dense_weights(arriving, where)
        block = blocks.Dense(settings, weights.shape[1], layer.n_neurons)
        set_weights(block.synapse, weights)
    if np.any(neuron.bias):
        bias = torch.from_numpy(neuron.bias / fixed.WEIGHT_SCALE).float()
        block.neuron.bias.data = bias.reshape(layer.shape)
        block.neuron.bias_is_set = True
    return block.eval()


def output_block(layer: Layer, where: str) -> Any:
    """Block of a decoder layer."""
    (arriving,) = layer.projections
    weights = dense_weights(arriving, where)
    settings = _settings(np.zeros(1, dtype=np.int64), FUNCTIONS[UNIT], where)
    block = blocks.Output(settings, weights.shape[1], layer.n_neurons)
    set_weights(block.synapse, weights)
    return block.eval()


def trace_block(block: Any, x: torch.Tensor) -> tuple[LayerTrace, torch.Tensor]:
    """Run a block in evaluation.

    Parameters
    ----------
    block : one of `kipuka.train.sigma_delta.blocks.SIGMA_DELTA_BLOCKS`
    x : tensor (samples, ..., steps)
        Payloads that arrive in nominal units; of an input block its activation in weight units.

    Returns
    -------
    trace : LayerTrace
    arriving : tensor (samples, ..., steps)
        What reaches the next block.
    """
    if isinstance(block, blocks.Output):
        values = block.neuron.sigma(block.synapse(x))
        sums = _units(values, STATES)
        return LayerTrace(sums, {"sigma": sums}), values
    states = {}
    if isinstance(block, blocks.Input):
        act = x.reshape(len(x), *block.input_shape, x.shape[-1]) / fixed.WEIGHT_SCALE
        sent = block.neuron.delta(act)
    else:
        total, act, sent = block.dynamics(x)
        states["sigma"] = _units(total, STATES)
    states["act"] = _units(act, STATES)
    states["residue"] = _units(_residues(block.neuron.delta, act), STATES)
    return LayerTrace(_units(sent, PAYLOADS), states), block.late(sent)


def _residues(changes: Any, act: torch.Tensor) -> torch.Tensor:
    """What each step leaves over of an activation (samples, ..., steps)."""
    before = residue = torch.zeros_like(act[..., 0])
    found = []
    for step in range(act.shape[-1]):
        _, residue = changes.step(act[..., step] - before, residue)
        before = act[..., step]
        found.append(residue)
    return torch.stack(found, dim=-1)


def _settings(threshold: np.ndarray, activation: Any, where: str) -> dict[str, Any]:
    weight_units = one_value(threshold, where, "vThMant")
    return {"threshold": weight_units / fixed.WEIGHT_SCALE, "activation": activation}


def _recurrent(
    settings: dict[str, Any], arriving: Projection, own: tuple[Projection, ...], where: str
) -> Any:
    weights, recurrent = dense_weights(arriving, where), dense_weights(own[0], where)
    if np.any(own[0].delays):
        raise no_block(where, "delays inside a recurrence", "no recurrent delays")
    block = blocks.Recurrent(settings, weights.shape[1], weights.shape[0])
    set_weights(block.input_synapse, weights)
    set_weights(block.recurrent_synapse, recurrent)
    return block


def _convolution(settings: dict[str, Any], arriving: Projection, where: str) -> Any:
    synapses = arriving.synapses
    if not isinstance(synapses, ConvSynapses) or arriving.weight_exponent:
        raise no_block(where, "a weight exponent", "weight exponent 0")
    if synapses.output_shape != synapses.formula_shape():
        limit = f"{synapses.formula_shape()}"
        raise no_block(where, f"the output shape {synapses.output_shape} of a convolution", limit)
    block = blocks.Conv(
        settings,
        synapses.input_shape[0],
        synapses.output_shape[0],
        synapses.kernel,
        synapses.stride,
        synapses.padding,
        synapses.dilation,
        groups=synapses.groups,
    )
    set_weights(block.synapse, synapses.weights)
    return block


def _units(x: torch.Tensor, units: int) -> np.ndarray:
    """Integers (samples, neurons, steps) of nominal values, which are multiples of a unit."""
    return np.rint(x.flatten(1, -2).double().numpy() * units).astype(np.int32)
