"""Static range analysis."""

from __future__ import annotations

import numpy as np

from kipuka.convert.program import Layer, Target


def activation_bounds(layer: Layer) -> dict[Target, tuple[np.ndarray, np.ndarray]]:
    """Least and greatest sum of weights that can arrive in one step, bias not included.

    Every synapse carries at most one spike per step, whatever the delays.

    Parameters
    ----------
    layer : Layer

    Returns
    -------
    mapping of target to (low, high)
        int64 arrays (neurons,), in weight units.
    """
    zero = np.zeros(layer.n_neurons, dtype=np.int64)
    bounds = dict.fromkeys(layer.targets, (zero, zero))
    for projection in layer.projections:
        entries = projection.synapses.entries()
        weights = entries.weights << projection.weight_exponent
        low, high = (
            np.bincount(entries.targets, part, layer.n_neurons).astype(np.int64)
            for part in (np.minimum(weights, 0), np.maximum(weights, 0))
        )
        old = bounds[projection.target]
        bounds[projection.target] = (old[0] + low, old[1] + high)
    return bounds
