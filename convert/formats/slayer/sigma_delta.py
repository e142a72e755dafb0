"""Neurons of sigma-delta blocks: SLAYER's, as they are deployed, and Kipuka's, which are that."""

from __future__ import annotations

from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.block_values import cuba_neurons, norm_bias, spread
from kipuka.convert.formats.slayer.blocks import Block, unsupported
from kipuka.convert.neurons.sigma_delta import (
    RELU,
    UNIT,
    DeltaParameters,
    SigmaDeltaParameters,
)

NEURONS = ("lava.lib.dl.slayer.neuron.sigma_delta", "kipuka.train.sigma_delta.blocks")
"""Where classes of sigma-delta neurons are defined."""

ACTIVATIONS = {"relu": RELU, "ReLU": RELU, "identity": UNIT, "Identity": UNIT}
"""Names of activation functions, or of the classes of modules."""


def is_sigma_delta(block: Block) -> bool:
    """Tell whether the neurons of a block are sigma-delta neurons."""
    return type(block.module.neuron).__module__ in NEURONS


def input_neurons(block: Block, shape: tuple[int, ...]) -> Any:
    """Neurons of an input block: encoders, or CUBA neurons."""
    if not is_sigma_delta(block):
        return cuba_neurons(block, shape)
    return DeltaParameters(_threshold(block, shape))


def neurons(block: Block, shape: tuple[int, ...]) -> Any:
    """Neurons behind synapses.

    Raises
    ------
    KipukaError
        If they do something that no neurons of a Program do.
    """
    if not is_sigma_delta(block):
        return cuba_neurons(block, shape)
    neuron = block.module.neuron
    bias = norm_bias(block, neuron.norm)
    if neuron.bias_is_set:
        values = neuron.bias.detach().cpu().numpy() * fixed.WEIGHT_SCALE
        bias = bias + np.trunc(values).astype(np.int64).ravel()
    return SigmaDeltaParameters(
        _threshold(block, shape),
        spread(bias, shape, f"{block.where}, key bias"),
        np.full(int(np.prod(shape)), _activation(block), dtype=np.int64),
    )


def _threshold(block: Block, shape: tuple[int, ...]) -> np.ndarray:
    """Thresholds as SLAYER exports them: the whole 1/64 below, per channel or for all."""
    neuron = block.module.neuron
    if neuron.w_scale != fixed.WEIGHT_SCALE or neuron.s_scale != fixed.STATE_SCALE:
        raise unsupported(block.where, f"scale {neuron.w_scale}", f"scale = {fixed.WEIGHT_SCALE}")
    if neuron.delta.cum_error:
        raise unsupported(block.where, "cum_error = True", "cum_error = False")
    values = neuron.delta.threshold.detach().cpu().numpy().ravel() * fixed.WEIGHT_SCALE
    return spread(np.trunc(values), shape, f"{block.where}, key threshold")


def _activation(block: Block) -> int:
    function = block.module.neuron.activation
    name = getattr(function, "__name__", type(function).__name__)
    if name not in ACTIVATIONS:
        limit = "torch.nn.functional.relu, torch.nn.ReLU() or torch.nn.Identity()"
        raise unsupported(block.where, f"the activation function {name}", limit)
    return ACTIVATIONS[name]
