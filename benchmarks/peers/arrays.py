"""A network and its input as plain arrays, as every engine reads them.

Runs in the environments of the engines: nothing but numpy is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

INPUT = -1
"""Source of the projections from the network's input."""


@dataclass(frozen=True)
class Projection:
    """Synapses from the input or a layer to a layer.

    Attributes
    ----------
    source : int
        Position of the sending layer, or `INPUT`.
    kind : str
        ``dense``: weights (targets, sources); ``conv``: weights (output channels, input channels /
        groups, height, width); ``sparse``: weights (synapses,) with `targets` and `offsets`.
    weights : float32 array
    lags : int array (sources,)
        Steps from the step in which a source spikes to the one in which its spike is added.
    geometry : dict
        Of a convolution: input_shape, output_shape, stride, padding, dilation, groups.
    targets, offsets : int array
        Of sparse synapses: the targets of source j are ``targets[offsets[j] : offsets[j + 1]]``.
    """

    source: int
    kind: str
    weights: np.ndarray
    lags: np.ndarray
    geometry: dict[str, Any]
    targets: np.ndarray
    offsets: np.ndarray

    def synapses(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """List source, target and weight of each synapse whose weight is not zero."""
        if self.kind == "sparse":
            sources = np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))
            return sources, self.targets, self.weights
        if self.kind == "dense":
            targets, sources = np.nonzero(self.weights)
            return sources, targets, self.weights[targets, sources]
        return self._unrolled()

    def _unrolled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        g, weights = self.geometry, self.weights
        inputs, outputs = g["input_shape"], g["output_shape"]
        in_group, out_group = weights.shape[1], outputs[0] // g["groups"]
        o, c, i, j, y, x = np.indices((*weights.shape, *outputs[1:])).reshape(6, -1)
        row = y * g["stride"][0] - g["padding"][0] + i * g["dilation"][0]
        column = x * g["stride"][1] - g["padding"][1] + j * g["dilation"][1]
        inside = (row >= 0) & (row < inputs[1]) & (column >= 0) & (column < inputs[2])
        inside &= weights[o, c, i, j] != 0
        channel = c + o // out_group * in_group
        sources = (channel * inputs[1] + row) * inputs[2] + column
        targets = (o * outputs[1] + y) * outputs[2] + x
        return sources[inside], targets[inside], weights[o, c, i, j][inside]


@dataclass(frozen=True)
class Layer:
    """Neurons ``u = u (1 - current_decay) + a``, ``v = v (1 - voltage_decay) + u + bias``.

    A neuron spikes where ``v > threshold`` and its `v` is then 0; all in units of the weights.
    `resets` are the steps before which `u` and `v` are set to 0.
    """

    n: int
    current_decay: float
    voltage_decay: float
    threshold: np.ndarray
    bias: np.ndarray
    projections: tuple[Projection, ...]
    resets: frozenset[int]

    @property
    def recurrent(self) -> bool:
        """Whether it has more than the one projection that feeds it."""
        return len(self.projections) > 1


@dataclass(frozen=True)
class Network:
    """All of it; a sample is an array of steps and one of units, or (units, steps) of values."""

    name: str
    n_inputs: int
    n_steps: int
    layers: tuple[Layer, ...]
    samples: tuple[tuple[np.ndarray, np.ndarray] | np.ndarray, ...]

    @property
    def graded(self) -> bool:
        """Whether the input has values instead of spikes."""
        return isinstance(self.samples[0], np.ndarray)

    @property
    def sparse(self) -> bool:
        """Whether any synapses are listed one by one."""
        return any(p.kind == "sparse" for layer in self.layers for p in layer.projections)

    @property
    def reset(self) -> bool:
        """Whether any state is set to 0 on the way."""
        return any(layer.resets for layer in self.layers)

    @property
    def delayed(self) -> bool:
        """Whether any spike takes more than its least time."""
        return any(np.any(p.lags > 1) for layer in self.layers for p in layer.projections)

    @property
    def n_synapses(self) -> int:
        """Synapses that are stored, a convolution's kernel once."""
        return sum(p.weights.size for layer in self.layers for p in layer.projections)

    def dense_input(self, sample: int, lags: np.ndarray | None = None) -> np.ndarray:
        """Input (steps, units) as float32, each unit's moved by its lag where they are given."""
        given = self.samples[sample]
        if isinstance(given, np.ndarray):
            return np.ascontiguousarray(given.T.astype(np.float32))
        times, units = given
        if lags is not None:
            times = times + lags[units]
        inside = times < self.n_steps
        x = np.zeros((self.n_steps, self.n_inputs), np.float32)
        x[times[inside], units[inside]] = 1
        return x


def load_network(path: Path) -> Network:
    """Read what `peers.networks.write_network` wrote."""
    with np.load(path) as stored:
        arrays = dict(stored)
    text = json.loads(str(arrays["description"]))
    layers = []
    for k, layer in enumerate(text["layers"]):
        projections = tuple(
            Projection(
                **{key: p[key] for key in ("source", "kind", "geometry")},
                **{
                    key: arrays[f"{k}.{number}.{key}"]
                    for key in ("weights", "lags", "targets", "offsets")
                },
            )
            for number, p in enumerate(layer["projections"])
        )
        ends = {key: arrays[f"{k}.{key}"].astype(np.float64) for key in ("threshold", "bias")}
        decays = {key: layer[key] for key in ("current_decay", "voltage_decay")}
        resets = _resets(k, text["reset_interval"], text["n_steps"])
        layers.append(Layer(layer["n"], projections=projections, resets=resets, **ends, **decays))
    if "values" in arrays:
        samples = tuple(arrays["values"])
    else:
        count = range(text["samples"])
        samples = tuple((arrays[f"times.{k}"], arrays[f"units.{k}"]) for k in count)
    return Network(text["name"], text["n_inputs"], text["n_steps"], tuple(layers), samples)


def _resets(position: int, interval: int, n_steps: int) -> frozenset[int]:
    # A layer is reset a step later than the one below it, as spikes move on.
    return frozenset(range(position, n_steps, interval) if interval else ()) - {0}
