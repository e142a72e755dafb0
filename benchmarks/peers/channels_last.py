"""A convolutional network with the channels of a place side by side, which products prefer.

Units of a layer of shape (channels, height, width) are numbered as if it were (height, width,
channels). Nothing else about the network changes.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from arrays import INPUT, Layer, Network, Projection

Orders = dict[int, np.ndarray]


def channels_last(network: Network) -> Network:
    """Give the network and its samples in that order, where there are convolutions."""
    orders: Orders = {}
    for position, layer in enumerate(network.layers):
        for projection in layer.projections:
            if projection.kind == "conv":
                orders[projection.source] = _order(projection.geometry["input_shape"])
                orders[position] = _order(projection.geometry["output_shape"])
    if not orders:
        return network
    if not network.layers[0].projections and 0 in orders:
        orders[INPUT] = orders[0]
    return dataclasses.replace(
        network,
        layers=tuple(_layer(k, layer, orders) for k, layer in enumerate(network.layers)),
        samples=tuple(_sample(sample, orders.get(INPUT)) for sample in network.samples),
    )


def _order(shape: tuple[int, int, int]) -> np.ndarray:
    """Number by channels first of each unit, in the order of channels last."""
    return np.arange(np.prod(shape)).reshape(shape).transpose(1, 2, 0).ravel()


def _layer(position: int, layer: Layer, orders: Orders) -> Layer:
    projections = tuple(_projection(p, position, orders) for p in layer.projections)
    own = orders.get(position, np.arange(layer.n))
    threshold, bias = (np.broadcast_to(x, layer.n)[own] for x in (layer.threshold, layer.bias))
    return dataclasses.replace(layer, threshold=threshold, bias=bias, projections=projections)


def _projection(projection: Projection, position: int, orders: Orders) -> Projection:
    before = orders.get(projection.source)
    if before is None:
        return projection
    weights = projection.weights
    if projection.kind == "dense":
        weights = weights[np.ix_(orders.get(position, np.arange(len(weights))), before)]
    return dataclasses.replace(projection, weights=weights, lags=projection.lags[before])


def _sample(
    sample: tuple[np.ndarray, np.ndarray] | np.ndarray, order: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
    if order is None:
        return sample
    if isinstance(sample, np.ndarray):
        return sample[order]
    times, units = sample
    return times, np.argsort(order)[units]
