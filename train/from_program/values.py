"""Values of a Program in the form that training blocks take, or a refusal of what they lack."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.program import Projection
from kipuka.convert.synapses import DenseSynapses
from kipuka.errors import KipukaError
from kipuka.train.delays.axonal import AxonalDelay


def no_block(where: str, value: str, limit: str) -> KipukaError:
    """Refusal, to be raised by the caller."""
    return KipukaError(
        "the layer has no counterpart among the training blocks",
        where=where,
        limit=limit,
        value=value,
        remedy="verify the network with the backends reference and lava",
    )


def dense_weights(projection: Projection, where: str) -> np.ndarray:
    """Weight matrix of a projection without exponent: int16 (targets, sources) in weight units.

    Raises
    ------
    KipukaError
        If its synapses are not dense, or have an exponent.
    """
    if not isinstance(projection.synapses, DenseSynapses):
        kind = type(projection.synapses).__name__
        raise no_block(where, f"{kind} in this place", "dense weights")
    if projection.weight_exponent:
        raise no_block(where, "a weight exponent", "weight exponent 0")
    return projection.synapses.weights


def set_weights(synapse: Any, weights: np.ndarray) -> None:
    """Give a synapse weights, in weight units, in its own shape."""
    nominal = torch.from_numpy(weights / fixed.WEIGHT_SCALE).float()
    synapse.weight.data = nominal.reshape(synapse.weight.shape)


def axonal_delay(delays: np.ndarray) -> AxonalDelay:
    """Learnable delays that begin with the given ones, in steps."""
    module = AxonalDelay(delays.size)
    module.delay.data = torch.from_numpy(delays.astype(np.float32))
    return module


def per_channel(values: np.ndarray, shape: tuple[int, ...], where: str, name: str) -> np.ndarray:
    """One value for each channel of `shape`, from one per neuron.

    Raises
    ------
    KipukaError
        If they differ within a channel.
    """
    rows = values.reshape(shape[0], -1)
    if np.any(rows != rows[:, :1]):
        raise no_block(where, f"{name} that differ within a channel", "one value per channel")
    return rows[:, 0]


def one_value(values: np.ndarray, where: str, name: str) -> int:
    """The one value that all neurons of a layer share.

    Raises
    ------
    KipukaError
        If they have several.
    """
    if np.any(values != values[0]):
        raise no_block(where, f"{name} that differs between neurons", "one value per layer")
    return int(values[0])
