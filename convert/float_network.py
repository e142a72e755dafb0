"""Layers of CUBA neurons in floats, as a network is before it is rounded, and their steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kipuka.convert.program import RECURRENT


@dataclass(frozen=True, eq=False)
class FloatProjection:
    """Weights in floats.

    Attributes
    ----------
    linear : float array (targets, sources), or an object with ``weights`` and ``geometry``
        Of a convolution: floats, and a `ConvSynapses` for all else.
    source : int
        In layers back; see `Projection`.
    delays_steps : int64 array (sources,)
    """

    linear: Any
    source: int
    delays_steps: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """The weights alone."""
        found: np.ndarray = getattr(self.linear, "weights", self.linear)
        return found


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """A layer of CUBA neurons in floats; arrays are (neurons,).

    Attributes
    ----------
    name : str
    shape : tuple of int
    projections : tuple of FloatProjection
    gain : float array
        What a weight of 1 adds to the membrane's drive in the step of a spike.
    current_decay, voltage_decay : float array
        Share that is lost in a step, 0 to 1.
    threshold : float array or None
        None for neurons without spikes, which are read by their membrane.
    bias : float array
        What is added to the membrane in each step.
    scale : float or None
        Weight units per unit of the membrane, where a file that Kipuka wrote says it.
    weight_exponent : int
        Of the integer weights, where a file that Kipuka wrote says it.
    """

    name: str
    shape: tuple[int, ...]
    projections: tuple[FloatProjection, ...]
    gain: np.ndarray
    current_decay: np.ndarray
    voltage_decay: np.ndarray
    threshold: np.ndarray | None
    bias: np.ndarray
    scale: float | None
    weight_exponent: int = 0


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """Layers in floats, as in a `Program`."""

    input_shape: tuple[int, ...]
    layers: tuple[FloatLayer, ...]
    readout_delays_steps: np.ndarray


def simulate_floats(network: FloatNetwork, spikes: np.ndarray) -> list[np.ndarray]:
    """Run a network in floats, step by step, to compare its rounding with.

    Parameters
    ----------
    network : FloatNetwork
    spikes : bool array (samples, units, steps)

    Returns
    -------
    list of array (samples, neurons, steps)
        For each layer its spikes as bool; for a last layer without spikes its membrane in floats.
    """
    arriving: dict[int, np.ndarray] = {-1: spikes}
    found: list[np.ndarray] = []
    n_samples, _, n_steps = spikes.shape
    for position, layer in enumerate(network.layers):
        n = layer.gain.size
        matrices = [_matrix(layer, p) for p in layer.projections]
        own = np.zeros((n_samples, n, n_steps + 1), dtype=bool)
        out = np.zeros((n_samples, n, n_steps), dtype=float if layer.threshold is None else bool)
        u, v = np.zeros((n_samples, n)), np.zeros((n_samples, n))
        for step in range(n_steps):
            drive = np.zeros((n_samples, n))
            for projection, matrix in zip(layer.projections, matrices, strict=True):
                back = projection.source
                sent = own if back == RECURRENT else arriving[position - back]
                when = step - projection.delays_steps
                here = sent[:, np.arange(when.size), np.maximum(when, 0)] & (when >= 0)
                drive += here.astype(float) @ matrix.T
            u = u * (1 - layer.current_decay) + drive
            v = v * (1 - layer.voltage_decay) + u + layer.bias
            if layer.threshold is None:
                out[..., step] = v
                continue
            fired = v > layer.threshold
            v = np.where(fired, 0.0, v)
            out[..., step] = own[..., step + 1] = fired
        found.append(out)
        arriving[position] = own[..., :n_steps]
    return found


def _matrix(layer: FloatLayer, projection: FloatProjection) -> np.ndarray:
    linear = projection.linear
    matrix = linear if isinstance(linear, np.ndarray) else linear.matrix()
    scaled: np.ndarray = matrix * layer.gain[:, None]
    return scaled
