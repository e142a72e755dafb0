"""From layers in floats to a Program in integers, with what the rounding did.

A layer has one scale ``s`` that turns its membrane into weight units: weights become
``even(s gain w)``, thresholds ``round(s v_threshold)``, biases likewise, and decays
``round(4096 dt / tau)``. The scale is the largest for which weights have 8 bits and thresholds 17.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.program import OWN, Layer, Program, Projection, Readout
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, Synapses
from kipuka.errors import KipukaError, choose

EXACT_BELOW = 1e-6
"""Relative loss below which a number of a file in float32 counts as kept."""

Rounding = Callable[[np.ndarray], np.ndarray]
ROUNDINGS: dict[str, Rounding] = {"nearest": np.round, "down": np.floor}

TAU_NOISE = 1
"""Difference of rounded decays within a layer that is taken for float noise in its file."""


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


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """Layers in floats, as in a `Program`."""

    input_shape: tuple[int, ...]
    layers: tuple[FloatLayer, ...]
    readout_delays_steps: np.ndarray


@dataclass(frozen=True)
class LayerQuantization:
    """What rounding did to a layer.

    Attributes
    ----------
    layer : str
        Name in the file.
    rating : {"exact", "rounded"}
        ``exact`` if nothing was lost.
    scale : float
        Weight units per unit of the membrane.
    weight_error : float
        Root mean square of the rounding error over that of the weights.
    clipped : float
        Share of weights beyond the largest integer weight; more than 0 only with a percentile.
    current_decay_error, voltage_decay_error : float
        Largest rounding error of a decay, in 1 / 4096.
    threshold : int
        Smallest ``vThMant``; its share of 17 bits is the head-room.
    threshold_error : float
        Largest rounding error of a threshold, relative.
    """

    layer: str
    rating: str
    scale: float
    weight_error: float
    clipped: float
    current_decay_error: float
    voltage_decay_error: float
    threshold: int
    threshold_error: float

    def __str__(self) -> str:
        if self.rating == "exact":
            return f"{self.layer}: exact, scale {self.scale:g}"
        return (
            f"{self.layer}: rounded, scale {self.scale:g}, weights {self.weight_error:.2%} rms, "
            f"clipped {self.clipped:.2%}, decays {self.current_decay_error:.2f} and "
            f"{self.voltage_decay_error:.2f} of 4096, threshold {self.threshold} "
            f"({self.threshold_error:.2%})"
        )


@dataclass(frozen=True)
class Quantized:
    """A Program, and what became of each layer."""

    program: Program
    layers: tuple[LayerQuantization, ...]


def quantize(
    network: FloatNetwork,
    weight_max: int = fixed.WEIGHT_MAX,
    percentile: float = 100.0,
    decays: str = "nearest",
) -> Quantized:
    """Round a network in floats to integers.

    Parameters
    ----------
    network : FloatNetwork
    weight_max : int
        Integer that the largest weight of each layer becomes, up to 254.
    percentile : float
        Percentile of the weights' magnitudes that `weight_max` stands for; those beyond are
        clipped, and reported.
    decays : {"nearest", "down"}
        How decays are rounded; converters that cut a float off round down.

    Returns
    -------
    Quantized

    Raises
    ------
    KipukaError
        If a layer does not fit the integers; it names layer, limit and value.
    """
    if not 1 < weight_max <= fixed.WEIGHT_MAX or not 50 <= percentile <= 100:
        raise KipukaError(
            "the network cannot be quantized so",
            where="options weight_max, percentile",
            limit=f"2 to {fixed.WEIGHT_MAX}; 50 to 100",
            value=f"{weight_max}; {percentile}",
            remedy="leave the options out",
        )
    rounding = choose(ROUNDINGS, decays, "rounding of decays", "option decays")
    layers, reports = [], []
    for one in network.layers:
        layer, report = _quantized(one, weight_max, percentile, rounding)
        layers.append(layer)
        reports.append(report)
    silent = network.layers[-1].threshold is None
    delays = network.readout_delays_steps.astype(np.int16)
    readout = Readout("membrane" if silent else "spike_count", delays)
    text = "; ".join(str(report) for report in reports)
    program = Program(network.input_shape, tuple(layers), readout, {"quantization": text})
    return Quantized(program, tuple(reports))


def _quantized(
    layer: FloatLayer, weight_max: int, percentile: float, rounding: Rounding
) -> tuple[Layer, LayerQuantization]:
    exact = [_scaled(layer, p) for p in layer.projections]
    magnitudes = np.concatenate([np.abs(weights).ravel() for weights in exact])
    scale = _scale(layer, magnitudes, weight_max, percentile)
    rounded = [_even(weights * scale) for weights in exact]
    parameters, reached = _neurons(layer, scale, rounding)
    projections = tuple(
        Projection(_synapses(p, weights), p.source, "a", _delays(p))
        for p, weights in zip(layer.projections, rounded, strict=True)
    )
    return Layer(parameters, layer.shape, projections), _report(
        layer, scale, exact, rounded, parameters, reached
    )


def _scaled(layer: FloatLayer, projection: FloatProjection) -> np.ndarray:
    """Weights times the gain of their targets."""
    weights, gain = projection.weights, layer.gain
    if weights.ndim == 2:
        return weights * gain[:, None]
    per_channel = gain.reshape(layer.shape[0], -1)
    if np.any(per_channel != per_channel[:, :1]):
        raise _misfit(layer, "gain", "one gain for each channel of a convolution", "several")
    return weights * per_channel[:, :1, None, None]


def _scale(layer: FloatLayer, magnitudes: np.ndarray, weight_max: int, percentile: float) -> float:
    if layer.scale is not None:
        return layer.scale
    largest = float(np.percentile(magnitudes, percentile)) if magnitudes.size else 0.0
    if largest == 0.0:
        largest = float(magnitudes.max(initial=0.0))
    if largest == 0.0:
        raise _misfit(layer, "weights", "a weight that is not 0", "weights of 0 only")
    scale = weight_max / largest
    if layer.threshold is not None:
        scale = min(scale, fixed.THRESHOLD_MAX / float(layer.threshold.max()))
    room = float(np.abs(layer.bias).max(initial=0.0))
    return min(scale, fixed.CUBA_BIAS_MAX / room) if room else scale


def _even(values: np.ndarray) -> np.ndarray:
    halves = np.round(values / fixed.WEIGHT_STEP)
    limited = np.clip(halves * fixed.WEIGHT_STEP, fixed.WEIGHT_MIN, fixed.WEIGHT_MAX)
    return limited.astype(np.int16)


def _neurons(
    layer: FloatLayer, scale: float, rounding: Rounding
) -> tuple[CubaParameters, np.ndarray]:
    n = layer.gain.size
    thresholds = np.full(n, fixed.NEVER_SPIKES, dtype=np.int64)
    if layer.threshold is not None:
        thresholds = fixed.as_int64(np.round(layer.threshold * scale))
        if np.any(thresholds < 1):
            limit = f"at least 1 weight unit at the scale {scale:g}"
            raise _misfit(layer, "threshold", limit, f"{layer.threshold.min() * scale:g}")
    decays = [
        _common(fixed.as_int64(rounding(share * fixed.UNITY)))
        for share in (layer.current_decay, layer.voltage_decay)
    ]
    bias = fixed.as_int64(np.round(layer.bias * scale))
    return CubaParameters(decays[0], decays[1], thresholds, bias), thresholds


def _common(decays: np.ndarray) -> np.ndarray:
    """Decays of a layer, one for all where they differ by float noise only."""
    if decays.max() - decays.min() <= TAU_NOISE:
        return np.full_like(decays, int(np.median(decays)))
    return decays


def _synapses(projection: FloatProjection, weights: np.ndarray) -> Synapses:
    geometry: ConvSynapses | None = getattr(projection.linear, "geometry", None)
    return DenseSynapses(weights) if geometry is None else replace(geometry, weights=weights)


def _delays(projection: FloatProjection) -> np.ndarray:
    delays = projection.delays_steps
    if np.any(delays > fixed.DELAY_MAX):
        raise KipukaError(
            "a delay is longer than the hardware's",
            where=f"spikes from {projection.source} layers back, which wait for those in between",
            limit=f"{fixed.DELAY_MAX} steps",
            value=int(delays.max()),
            remedy="use a shorter delay, or a larger dt",
        )
    return delays.astype(np.int16)


def _report(
    layer: FloatLayer,
    scale: float,
    exact: Sequence[np.ndarray],
    rounded: Sequence[np.ndarray],
    parameters: CubaParameters,
    thresholds: np.ndarray,
) -> LayerQuantization:
    wanted = np.concatenate([weights.ravel() for weights in exact]) * scale
    got = np.concatenate([weights.ravel() for weights in rounded]).astype(float)
    power = float(np.sqrt(np.mean(wanted**2)))
    error = float(np.sqrt(np.mean((got - wanted) ** 2))) / power if power else 0.0
    current_error, voltage_error = (
        float(np.abs(share * fixed.UNITY - got_decay).max())
        for share, got_decay in (
            (layer.current_decay, parameters.current_decay),
            (layer.voltage_decay, parameters.voltage_decay),
        )
    )
    wrong = 0.0
    if layer.threshold is not None:
        wrong = float(np.abs(thresholds / (layer.threshold * scale) - 1).max())
    bias_error = float(np.abs(layer.bias * scale - parameters.bias).max(initial=0.0))
    # Float32 files carry noise of 1e-7; what is far below a unit of the integers is none.
    lost = max(error, wrong, current_error / fixed.UNITY, voltage_error / fixed.UNITY, bias_error)
    return LayerQuantization(
        layer.name,
        "exact" if lost < EXACT_BELOW else "rounded",
        scale,
        error,
        float(np.mean(wanted > fixed.WEIGHT_MAX + 1) + np.mean(wanted < fixed.WEIGHT_MIN - 1)),
        current_error,
        voltage_error,
        int(thresholds.min()),
        wrong,
    )


def _misfit(layer: FloatLayer, what: str, limit: str, value: object) -> KipukaError:
    return KipukaError(
        f"the {what} of a layer cannot become integers",
        where=f"node {layer.name}",
        limit=limit,
        value=value,
        remedy="scale the layer before exporting it, or see what dt it was made for",
    )


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
                sent = own if projection.source == OWN else arriving[position - projection.source]
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
