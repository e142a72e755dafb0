"""What can arrive at a layer's neurons in one step: bounds from the weights alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import RECURRENT, Layer, Projection, Target
from kipuka.convert.synapses import Synapses

DENSE_LIMIT = 1 << 24
"""Weights of one activation up to which its inputs are looked at one by one."""


class Bounds(NamedTuple):
    """Least and greatest value per neuron, int64 arrays (neurons,)."""

    low: np.ndarray
    high: np.ndarray


Sent = np.ndarray | Bounds
"""What is known of senders: which of them can ever spike, bool (sources,), or between what the sum
of all payloads that each has sent so far stays.
"""

CanSpike = Mapping[int, Any]
"""`Sent` by source of a projection, in layers back."""


def brings_spikes(projection: Projection) -> bool:
    """Tell whether a projection carries spikes, and not graded messages."""
    return projection.message == "spikes"


def activation_bounds(layer: Layer, can_spike: CanSpike | None = None) -> dict[Target, Bounds]:
    """Least and greatest sum of weights that spikes can bring in one step, bias not included.

    Every synapse carries at most one spike per step, whatever the delays.

    Parameters
    ----------
    layer : Layer
    can_spike : mapping of int to bool array (sources,), optional
        Sources that are known to stay silent are left out.

    Returns
    -------
    mapping of target to Bounds
        In weight units.
    """
    zero = np.zeros(layer.n_neurons, dtype=np.int64)
    bounds = {target: Bounds(zero, zero) for target in layer.targets}
    for projection in filter(brings_spikes, layer.projections):
        synapses = projection.synapses
        spiking = np.ones(synapses.n_sources, dtype=bool)
        if can_spike is not None:
            spiking = can_spike[projection.source]
        nothing = np.zeros_like(spiking)
        low, high = (
            split_sum(projection, *both) for both in ((nothing, spiking), (spiking, nothing))
        )
        old = bounds[projection.target]
        bounds[projection.target] = Bounds(old.low + low, old.high + high)
    return bounds


def split_sum(
    projection: Projection, at_positive: np.ndarray, at_negative: np.ndarray
) -> np.ndarray:
    """Weighted sum per target, int64 (targets,), of values that depend on the weight's sign.

    Parameters
    ----------
    projection : Projection
    at_positive, at_negative : arrays (sources,)
        What comes over positive, and over negative weights.
    """
    synapses = projection.synapses
    # Sums, not a list of synapses: a small file can mean very many of a convolution.
    total: np.ndarray = sum(
        replace(synapses, weights=part).weighted_sum(values[np.newaxis])[0]
        for part, values in (
            (np.maximum(synapses.weights, 0), at_positive),
            (np.minimum(synapses.weights, 0), at_negative),
        )
    )
    return fixed.shift_left(total, projection.weight_exponent)


def largest_fan_in(projection: Projection) -> int:
    """Largest sum of weight magnitudes over a target's synapses, in weight units."""
    synapses = projection.synapses
    magnitudes = replace(synapses, weights=np.abs(synapses.weights))
    return int(magnitudes.weighted_sum(np.ones((1, synapses.n_sources), dtype=bool)).max())


def shared_inputs(
    layer: Layer, first: Target, second: Target, can_spike: CanSpike
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of two activations column by column: a column is a spike that reaches both at once.

    Parameters
    ----------
    layer : Layer
    first, second : Target
    can_spike : CanSpike

    Returns
    -------
    weights, weights : float64 arrays (neurons, columns)
        Sources whose delays differ between the two have a column for each. If there are very
        many, columns are summed up with all other positive or negative ones, which loses the
        connection between the two activations.
    """
    columns = [(np.zeros((layer.n_neurons, 0)),) * 2]
    for back in (*layer.sources, RECURRENT):
        found = {p.target: p for p in layer.from_source(back)}
        one, other = (_columns(found.get(target), layer, can_spike) for target in (first, second))
        if _arrive_together(found.get(first), found.get(second)) and one.shape == other.shape:
            columns.append((one, other))
        else:
            columns += [(one, np.zeros_like(one)), (np.zeros_like(other), other)]
    return (
        np.concatenate([a for a, _ in columns], axis=1),
        np.concatenate([b for _, b in columns], axis=1),
    )


def _arrive_together(one: Projection | None, other: Projection | None) -> bool:
    if one is None or other is None or _large(one.synapses) or _large(other.synapses):
        return False
    same = one.delays.ndim == 1 and other.delays.ndim == 1
    return same and np.array_equal(one.delays, other.delays)


def _large(synapses: Synapses) -> bool:
    return synapses.n_targets * synapses.n_sources > DENSE_LIMIT


def _columns(projection: Projection | None, layer: Layer, can_spike: CanSpike) -> np.ndarray:
    """Weights (neurons, sources); if they are too many, all negative and all positive in one."""
    if projection is None:
        return np.zeros((layer.n_neurons, 0))
    if _large(projection.synapses):
        alone = Layer(layer.neuron, layer.shape, (projection,))
        bounds = activation_bounds(alone, can_spike)[projection.target]
        return np.stack(bounds, axis=1).astype(np.float64)
    matrix = np.zeros((layer.n_neurons, projection.synapses.n_sources))
    entries = projection.synapses.entries()
    matrix[entries.targets, entries.sources] = fixed.shift_left(
        entries.weights, projection.weight_exponent
    )
    return matrix * can_spike[projection.source]
