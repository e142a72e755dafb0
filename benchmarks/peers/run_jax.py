"""JAX: the network as one compiled function, `lax.scan` over the steps of each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from arrays import INPUT, Layer, Network, Projection
from child import Built, UnsupportedError, serve
from jax import lax


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Compile the forward pass of a batch."""
    del variant, folder
    if any(p.kind == "sparse" for layer in network.layers for p in layer.projections):
        raise UnsupportedError("sparse weights")
    fed = network.layers[0].projections
    lags = fed[0].lags if fed else None
    count = min(samples, len(network.samples))
    x0 = jnp.asarray(np.stack([network.dense_input(k, lags) for k in range(count)], axis=1))
    # Handed over at each call: as constants they would be folded into the program.
    weights = [[jnp.asarray(p.weights) for p in layer.projections] for layer in network.layers]

    @jax.jit
    def forward(x: Any, weights: Any) -> list[Any]:
        counts = []
        for layer, own in zip(network.layers, weights, strict=True):
            x = _layer(layer, x, own)
            counts.append(x.sum())
        return counts

    def run(chosen: Sequence[int]) -> tuple[list[int], None]:
        del chosen
        return [int(n) for n in forward(x0, weights)], None

    return Built(run, "floating point, states unrounded", jax.__version__)


def _layer(layer: Layer, x: Any, weights: list[Any]) -> Any:
    """Spikes (steps, samples, neurons) of a layer from what it is sent (steps, samples, units)."""
    a = x
    if layer.projections:
        first = layer.projections[0]
        a = _sums(_arrived(x, first), first, weights[0])
    back = _back(layer.projections[1], weights[1]) if layer.recurrent else None
    keep_u, keep_v = 1 - layer.current_decay, 1 - layer.voltage_decay
    threshold, bias = (jnp.asarray(y, jnp.float32) for y in (layer.threshold, layer.bias))
    zero = jnp.zeros_like(a[0])
    depth = int(layer.projections[1].lags.max()) + 1 if layer.recurrent else 1
    history = jnp.zeros((depth, *zero.shape), jnp.float32)

    def step(state: Any, given: Any) -> Any:
        u, v, history = state
        t, now = given
        u = u * keep_u + now
        if back is not None:
            u = u + back(history, t)
        v = v * keep_v + u + bias
        spikes = v > threshold
        v = jnp.where(spikes, 0, v)
        sent = spikes.astype(jnp.float32)
        if back is not None:
            history = lax.dynamic_update_index_in_dim(history, sent, t % depth, 0)
        return (u, v, history), sent

    return lax.scan(step, (zero, zero, history), (jnp.arange(len(a)), a))[1]


def _back(projection: Projection, weights: Any) -> Callable[[Any, Any], Any]:
    """Sums of what a layer sends to itself, read from the spikes of its last steps."""
    lags, depth = jnp.asarray(projection.lags), int(projection.lags.max()) + 1
    units = jnp.arange(len(projection.lags))
    same = bool(np.all(projection.lags == projection.lags[0]))

    def sums(history: Any, t: Any) -> Any:
        if same:
            return history[(t - int(projection.lags[0])) % depth] @ weights.T
        return history[(t - lags) % depth, :, units].T @ weights.T

    return sums


def _arrived(x: Any, projection: Projection) -> Any:
    if projection.source == INPUT:
        return x
    lags = projection.lags
    if np.all(lags == lags[0]):
        return jnp.pad(x, ((int(lags[0]), 0), (0, 0), (0, 0)))[: len(x)]
    steps = np.arange(len(x))[:, None] - lags
    moved = jnp.take_along_axis(x, jnp.asarray(np.maximum(steps, 0))[:, None, :], axis=0)
    return jnp.where(jnp.asarray(steps >= 0)[:, None, :], moved, 0)


def _sums(x: Any, projection: Projection, weights: Any) -> Any:
    if projection.kind == "dense":
        return x @ weights.T
    g = projection.geometry
    maps = x.reshape(-1, *g["input_shape"])
    found = lax.conv_general_dilated(
        maps,
        weights,
        window_strides=g["stride"],
        padding=[(n, n) for n in g["padding"]],
        rhs_dilation=g["dilation"],
        feature_group_count=g["groups"],
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
    )
    return found.reshape(*x.shape[:2], -1)


if __name__ == "__main__":
    serve(build)
