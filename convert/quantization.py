"""From layers in floats to a Program in integers, with what the rounding did.

A layer has one scale ``s`` that turns its membrane into weight units: weights become
``even(s gain w / 2^e)`` with the layer's weight exponent ``e``, thresholds
``round(s v_threshold)``, biases likewise, and decays ``round(4096 dt / tau)``. The scale is the
largest for which weights have 8 bits and thresholds 17; the exponent is the smallest that keeps
thresholds and biases exact to `COARSE` of the threshold.

A scale for each channel would need a threshold for each, and Lava's ``LIF`` has one per process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.state_ranges import RangeAnalysis, analyse_ranges
from kipuka.convert.float_network import FloatLayer, FloatNetwork, FloatProjection
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.operands import real_number, whole_number
from kipuka.convert.program import Layer, Program, Projection, Readout
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, Synapses
from kipuka.display import Shown, Table, counted
from kipuka.errors import KipukaError, choose, expect

EXACT_BELOW = 1e-6
"""Relative loss below which a number of a file in float32 counts as kept."""

Rounding = Callable[[np.ndarray], np.ndarray]
ROUNDINGS: dict[str, Rounding] = {"nearest": np.round, "down": np.floor}

TAU_NOISE = 1
"""Difference of rounded decays within a layer that is taken for float noise in its file."""

VALUE_NOISE = 1e-5
"""Relative difference of thresholds within a layer that is taken for float noise in its file."""

COARSE = 2.0**-10
"""Share of the threshold by which rounding may move a threshold or a bias; more raises the weight
exponent. A bias acts in every step, so that its error adds up over the steps of a leak."""

MAGNITUDE_MAX = 1e100
"""Largest weight, threshold or bias in floats, and 1 over the smallest."""

SEPARATOR = " | "
"""Stands between the layers in a Program's metadata."""

RANGE_STEPS = 1000
"""Steps of the runs that the range analysis answers for."""


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
        Smallest ``vThMant``; `headroom` says what is above the largest.
    threshold_error : float
        Largest rounding error of a threshold, relative.
    weight_exponent : int
        Bits by which the integer weights are shifted left.
    bias_error : float
        Largest rounding error of a bias, relative to the smallest threshold.
    headroom : float
        Factor between the largest threshold and the 17-bit limit; infinite without spikes.
    uniform : bool
        Whether all neurons share decays and threshold, without which Lava's LIF refuses the layer.
    range_verdict : str
        What the range analysis proves of the states over `RANGE_STEPS` steps.
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
    weight_exponent: int
    bias_error: float
    headroom: float
    uniform: bool
    range_verdict: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.outcome}"

    @property
    def outcome(self) -> str:
        """All of it in a sentence, without the name."""
        ends = f"; {self.range_verdict}"
        if not self.uniform:
            ends += "; several decays or thresholds, which no Lava backend takes"
        if self.rating == "exact":
            return f"exact, scale {self.scale:g}{ends}"
        threshold = "no threshold"
        if np.isfinite(self.headroom):
            threshold = (
                f"threshold {self.threshold} ({self.threshold_error:.2%}), head-room "
                f"{self.headroom:.1f} times"
            )
        return (
            f"rounded, scale {self.scale:g}, weights {self.weight_error:.2%} rms, exponent "
            f"{self.weight_exponent}, clipped {self.clipped:.2%}, decays "
            f"{self.current_decay_error:.2f} and {self.voltage_decay_error:.2f} of 4096, "
            f"biases {self.bias_error:.2%}, {threshold}{ends}"
        )


@dataclass(frozen=True)
class Quantized(Shown):
    """A network in integers, and what rounding did to it.

    Attributes
    ----------
    program : Program
    layers : tuple of LayerQuantization
        What became of each layer.
    """

    program: Program
    layers: tuple[LayerQuantization, ...]

    def _line(self) -> str:
        exact = sum(one.rating == "exact" for one in self.layers)
        return f"{self.program._line()}; {exact} of {counted(len(self.layers), 'layer')} exact"

    def _table(self) -> Table:
        return Table(["layer", "outcome"], [(one.layer, one.outcome) for one in self.layers])


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
    made = "kipuka.convert.floats_of reads a NIR graph"
    expect(network, FloatNetwork, "argument network", made)
    largest = whole_number(weight_max, 2, fixed.WEIGHT_MAX, "argument or option weight_max")
    share = real_number(percentile)
    if share is None or not 50 <= share <= 100:
        raise KipukaError(
            "the network cannot be quantized so",
            where="argument or option percentile",
            limit="50 to 100",
            value=repr(percentile),
            remedy="leave the option out",
        )
    rounding = choose(ROUNDINGS, decays, "rounding of decays", "argument or option decays")
    layers, reports = [], []
    for one in network.layers:
        layer, report = _quantized(one, largest, share, rounding)
        layers.append(layer)
        reports.append(report)
    silent = network.layers[-1].threshold is None
    delays = network.readout_delays_steps.astype(np.int16)
    readout = Readout("membrane" if silent else "spike_count", delays)
    program = Program(network.input_shape, tuple(layers), readout)
    ranges = analyse_ranges(program, RANGE_STEPS)
    reports = [
        replace(report, range_verdict=_verdict(ranges, number))
        for report, number in zip(reports, program.numbers, strict=True)
    ]
    text = SEPARATOR.join(str(report) for report in reports)
    return Quantized(replace(program, metadata={"quantization": text}), tuple(reports))


def _verdict(ranges: RangeAnalysis, number: int) -> str:
    unsafe = [one for one in ranges.states if one.layer == number and not one.safe]
    if not unsafe:
        return f"no state can overflow in {ranges.n_steps} steps"
    return ", ".join(f"{one.variable} may {one.overflow}" for one in unsafe)


def _quantized(
    layer: FloatLayer, weight_max: int, percentile: float, rounding: Rounding
) -> tuple[Layer, LayerQuantization]:
    exact = [_scaled(layer, p) for p in layer.projections]
    _check_size(layer, exact)
    magnitudes = np.concatenate([np.abs(weights).ravel() for weights in exact])
    scale, exponent = _scale(layer, magnitudes, weight_max, percentile)
    unit = 1 << exponent
    rounded = [_even(weights * (scale / unit)) for weights in exact]
    parameters, reached = _neurons(layer, scale, rounding)
    projections = tuple(
        Projection(_synapses(p, weights), p.source, "a", _delays(p), exponent)
        for p, weights in zip(layer.projections, rounded, strict=True)
    )
    return Layer(parameters, layer.shape, projections), _report(
        layer, (scale, exponent), exact, rounded, parameters, reached
    )


def _check_size(layer: FloatLayer, weights: Sequence[np.ndarray]) -> None:
    """Refuse numbers with which the scale would no longer be one in double precision."""
    thresholds = layer.threshold if layer.threshold is not None else np.ones(1)
    values = {"weights": np.concatenate([w.ravel() for w in weights]), "bias": layer.bias}
    sizes = {what: float(np.abs(numbers).max(initial=0.0)) for what, numbers in values.items()}
    sizes |= {"threshold": float(thresholds.max()), "smallest threshold": float(thresholds.min())}
    for what, size in sizes.items():
        if size != 0 and not 1 / MAGNITUDE_MAX <= size <= MAGNITUDE_MAX:
            limit = f"magnitudes from {1 / MAGNITUDE_MAX:g} to {MAGNITUDE_MAX:g}, times their gain"
            raise _misfit(layer, what, limit, f"{size:g}")


def _scaled(layer: FloatLayer, projection: FloatProjection) -> np.ndarray:
    """Weights times the gain of their targets."""
    weights, gain = projection.weights, layer.gain
    if weights.ndim == 2:
        return weights * gain[:, None]
    per_channel = gain.reshape(layer.shape[0], -1)
    if np.any(per_channel != per_channel[:, :1]):
        raise _misfit(layer, "gain", "one gain for each channel of a convolution", "several")
    return weights * per_channel[:, :1, None, None]


def _scale(
    layer: FloatLayer, magnitudes: np.ndarray, weight_max: int, percentile: float
) -> tuple[float, int]:
    """Weight units per unit of the membrane, and the weight exponent."""
    if layer.scale is not None:
        return layer.scale, layer.weight_exponent
    largest = float(np.percentile(magnitudes, percentile)) if magnitudes.size else 0.0
    if largest == 0.0:
        largest = float(magnitudes.max(initial=0.0))
    if largest == 0.0:
        raise _misfit(layer, "weights", "a weight that is not 0", "weights of 0 only")
    limit = float("inf")
    if layer.threshold is not None:
        limit = fixed.THRESHOLD_MAX / float(layer.threshold.max())
    room = float(np.abs(layer.bias).max(initial=0.0))
    limit = min(limit, fixed.CUBA_BIAS_MAX / room) if room else limit
    scale, exponent = weight_max / largest, 0
    while exponent < fixed.WEIGHT_EXPONENT_MAX and 2 * scale <= limit and _coarse(layer, scale):
        scale, exponent = 2 * scale, exponent + 1
    return min(scale, limit), exponent


def _coarse(layer: FloatLayer, scale: float) -> bool:
    """Whether rounding at that scale moves a threshold or a bias by more than `COARSE`."""
    if layer.threshold is None:
        return False
    unit = float(layer.threshold.min()) * scale
    moved = [np.abs(np.round(x * scale) - x * scale).max() for x in (layer.threshold, layer.bias)]
    return bool(max(moved) > COARSE * unit)


def _even(values: np.ndarray) -> np.ndarray:
    halves = np.round(values / fixed.WEIGHT_STEP)
    limited = np.clip(halves * fixed.WEIGHT_STEP, fixed.WEIGHT_MIN, fixed.WEIGHT_MAX)
    return limited.astype(np.int16)


def _neurons(
    layer: FloatLayer, scale: float, rounding: Rounding
) -> tuple[CubaParameters, np.ndarray]:
    n = layer.gain.size
    thresholds = np.full(n, fixed.NEVER_SPIKES, dtype=np.int64)
    _check_fits(layer, "bias", layer.bias * scale, fixed.CUBA_BIAS_MAX)
    if layer.threshold is not None:
        _check_fits(layer, "threshold", layer.threshold * scale, fixed.THRESHOLD_MAX)
        thresholds = _common_thresholds(layer, scale)
        if np.any(thresholds < 1):
            limit = f"at least 1 weight unit at the scale {scale:g}"
            raise _misfit(layer, "threshold", limit, f"{layer.threshold.min() * scale:g}")
    decays = [
        _common(layer, fixed.as_int64(rounding(share * fixed.UNITY)))
        for share in (layer.current_decay, layer.voltage_decay)
    ]
    bias = fixed.as_int64(np.round(layer.bias * scale))
    return CubaParameters(decays[0], decays[1], thresholds, bias), thresholds


def _check_fits(layer: FloatLayer, what: str, values: np.ndarray, limit: int) -> None:
    """Refuse what the scale that a file says would make too large; our own scales fit."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest >= limit + 1:
        raise _misfit(layer, what, f"up to {limit} weight units", f"{largest:g}")


def _common_thresholds(layer: FloatLayer, scale: float) -> np.ndarray:
    """Thresholds in weight units, one for all where they differ by float noise only."""
    thresholds = np.ones(1) if layer.threshold is None else layer.threshold
    rounded = fixed.as_int64(np.round(thresholds * scale))
    if _noisy(layer) and np.ptp(thresholds) <= VALUE_NOISE * thresholds.max():
        return np.full_like(rounded, int(np.median(rounded)))
    return rounded


def _common(layer: FloatLayer, decays: np.ndarray) -> np.ndarray:
    """Decays of a layer, one for all where they differ by float noise only."""
    if _noisy(layer) and decays.max() - decays.min() <= TAU_NOISE:
        return np.full_like(decays, int(np.median(decays)))
    return decays


def _noisy(layer: FloatLayer) -> bool:
    """Whether small differences may be noise: what Kipuka wrote are integers, without any."""
    return layer.scale is None


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
    scale_and_exponent: tuple[float, int],
    exact: Sequence[np.ndarray],
    rounded: Sequence[np.ndarray],
    parameters: CubaParameters,
    thresholds: np.ndarray,
) -> LayerQuantization:
    scale, exponent = scale_and_exponent
    wanted = np.concatenate([weights.ravel() for weights in exact]) * (scale / (1 << exponent))
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
    wrong, headroom, smallest = 0.0, float("inf"), 1.0
    if layer.threshold is not None:
        wrong = float(np.abs(thresholds / (layer.threshold * scale) - 1).max())
        headroom = fixed.THRESHOLD_MAX / float(thresholds.max())
        smallest = float(thresholds.min())
    bias_error = float(np.abs(layer.bias * scale - parameters.bias).max(initial=0.0))
    # Float32 files carry noise of 1e-7; what is far below a unit of the integers is none.
    lost = max(error, wrong, current_error / fixed.UNITY, voltage_error / fixed.UNITY, bias_error)
    shared = (parameters.current_decay, parameters.voltage_decay, parameters.threshold)
    return LayerQuantization(
        layer=layer.name,
        rating="exact" if lost < EXACT_BELOW else "rounded",
        scale=scale,
        weight_error=error,
        clipped=float(
            np.mean(wanted > fixed.WEIGHT_MAX + 1) + np.mean(wanted < fixed.WEIGHT_MIN - 1)
        ),
        current_decay_error=current_error,
        voltage_decay_error=voltage_error,
        threshold=int(thresholds.min()),
        threshold_error=wrong,
        weight_exponent=exponent,
        bias_error=bias_error / smallest,
        headroom=headroom,
        uniform=all(np.all(values == values[0]) for values in shared),
        range_verdict="",
    )


def _misfit(layer: FloatLayer, what: str, limit: str, value: object) -> KipukaError:
    return KipukaError(
        f"the {what} of a layer cannot become integers",
        where=f"node {layer.name}",
        limit=limit,
        value=value,
        remedy="scale the layer before exporting it, or see what dt it was made for",
    )
