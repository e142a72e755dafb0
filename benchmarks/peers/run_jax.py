"""JAX: the network as one compiled function, `lax.scan` over the steps of each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from arrays import INPUT, Layer, Network, Projection
from channels_last import channels_last
from child import Built, UnsupportedError, serve
from jax import lax


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Compile the forward pass of a batch."""
    del variant, folder
    network = channels_last(network)
    x0 = (
        _events(network) if network.sparse else _arrays(network, min(samples, len(network.samples)))
    )
    # Handed over at each call: as constants they would be folded into the program.
    weights = [[_weights(p) for p in layer.projections] for layer in network.layers]

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


def _arrays(network: Network, samples: int) -> Any:
    """Give the samples' input (steps, samples, units), moved by the delays of the input."""
    count = min(samples, len(network.samples))
    fed = network.layers[0].projections
    lags = fed[0].lags if fed else None
    return jnp.asarray(np.stack([network.dense_input(k, lags) for k in range(count)], axis=1))


def _events(network: Network) -> Any:
    """Give the units whose spikes arrive in each step (steps, most in any); none is `n_inputs`."""
    if len(network.layers) > 1 or network.layers[0].recurrent:
        raise UnsupportedError("sparse weights between neurons")
    times, units = network.samples[0]
    times = times + network.layers[0].projections[0].lags[units]
    steps = [units[times == t] for t in range(network.n_steps)]
    listed = np.full((len(steps), max(map(len, steps))), network.n_inputs, np.int32)
    for row, found in zip(listed, steps, strict=True):
        row[: len(found)] = found
    return jnp.asarray(listed)


def _weights(projection: Projection) -> Any:
    """Weights as they are multiplied; sparse ones (sources + 1, synapses of each) and targets."""
    if projection.kind == "conv":
        return jnp.asarray(projection.weights.transpose(2, 3, 1, 0))
    if projection.kind == "dense":
        return jnp.asarray(projection.weights)
    (fan_out,) = set(np.diff(projection.offsets).tolist())
    listed = (x.reshape(-1, fan_out) for x in (projection.weights, projection.targets))
    return [jnp.asarray(np.pad(x, ((0, 1), (0, 0)))) for x in listed]


def _layer(layer: Layer, x: Any, weights: list[Any]) -> Any:
    """Spikes (steps, samples, neurons) of a layer from what it is sent (steps, samples, units)."""
    a = x
    if layer.projections:
        first = layer.projections[0]
        if first.kind == "sparse":
            a = _scattered(x, layer.n, *weights[0])
        else:
            a = _sums(_arrived(x, first), first, weights[0])
    back = _back(layer.projections[1], weights[1]) if layer.recurrent else None
    keep_u, keep_v = 1 - layer.current_decay, 1 - layer.voltage_decay
    threshold, bias = (jnp.asarray(y, jnp.float32) for y in (layer.threshold, layer.bias))
    zero = jnp.zeros_like(a[0])
    kept = np.ones(len(a), np.float32)
    kept[sorted(layer.resets)] = 0
    depth = int(layer.projections[1].lags.max()) + 1 if layer.recurrent else 1
    history = jnp.zeros((depth, *zero.shape), jnp.float32)

    def step(state: Any, given: Any) -> Any:
        u, v, history = state
        t, now, keep = given
        u = u * keep * keep_u + now
        if back is not None:
            u = u + back(history, t)
        v = v * keep * keep_v + u + bias
        spikes = v > threshold
        v = jnp.where(spikes, 0, v)
        sent = spikes.astype(jnp.float32)
        if back is not None:
            history = lax.dynamic_update_index_in_dim(history, sent, t % depth, 0)
        return (u, v, history), sent

    return lax.scan(step, (zero, zero, history), (jnp.arange(len(a)), a, kept))[1]


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


def _scattered(listed: Any, n: int, weights: Any, targets: Any) -> Any:
    """Sums (steps, 1, neurons) of the synapses of the units that are listed in each step."""

    def sums(units: Any) -> Any:
        return jnp.zeros((1, n), jnp.float32).at[0, targets[units]].add(weights[units])

    return lax.map(sums, listed)


def _sums(x: Any, projection: Projection, weights: Any) -> Any:
    if projection.kind == "dense":
        return x @ weights.T
    g = projection.geometry
    channels, *places = g["input_shape"]
    found = lax.conv_general_dilated(
        x.reshape(-1, *places, channels),
        weights,
        window_strides=g["stride"],
        padding=[(n, n) for n in g["padding"]],
        rhs_dilation=g["dilation"],
        feature_group_count=g["groups"],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return found.reshape(*x.shape[:2], -1)


if __name__ == "__main__":
    serve(build)
