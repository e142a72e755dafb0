"""How far a network in integers is from the floats that it was rounded from, measured on inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.float_network import FloatNetwork, simulate_floats
from kipuka.convert.operands import as_numbers, checked_inputs
from kipuka.convert.quantization import Quantized, quantize
from kipuka.convert.trace import LayerTrace, decide, largest_class, readout_input
from kipuka.deploy.fast.simulator import simulate
from kipuka.display import Shown, Table, counted
from kipuka.errors import KipukaError, expect

CALIBRATION_PERCENTILES = (100.0, 99.9, 99.5, 99.0, 98.0)
"""Percentiles of the weights' magnitudes that a calibration tries."""

FLOATS_MADE = "kipuka.convert.floats_of reads a NIR graph"


@dataclass(frozen=True)
class LayerFidelity:
    """One layer in integers beside the same layer in floats.

    Attributes
    ----------
    layer : str
        Name in the file.
    float_spikes, integer_spikes : int
        Of all samples, neurons and steps.
    agreement : float or None
        Share of neurons and steps in which both spike or neither does. None for neurons without
        spikes.
    coincidence : float or None
        Share of the spikes of both that the other has in the same step; 1 if there are none.
    rate_difference : float or None
        Mean over samples and neurons of the difference of rates, in spikes per step.
    membrane_error : float or None
        Of neurons without spikes: root mean square of the membranes' difference over that of the
        floats' membranes.
    """

    layer: str
    float_spikes: int
    integer_spikes: int
    agreement: float | None
    coincidence: float | None
    rate_difference: float | None
    membrane_error: float | None


@dataclass(frozen=True)
class Fidelity(Shown):
    """Outcome of a comparison.

    Attributes
    ----------
    samples, steps : int
    layers : tuple of LayerFidelity
    same_decisions : int
        Samples for which floats and integers decide alike.
    """

    samples: int
    steps: int
    layers: tuple[LayerFidelity, ...]
    same_decisions: int

    def _line(self) -> str:
        return (
            f"floats and integers decide alike on {self.same_decisions:,} of "
            f"{counted(self.samples, 'sample')} of {counted(self.steps, 'step')}; "
            f"{counted(len(self.layers), 'layer')}"
        )

    def _table(self) -> Table:
        rows = [
            (
                one.layer,
                one.float_spikes,
                one.integer_spikes,
                _percent(one.coincidence),
                _percent(one.membrane_error),
            )
            for one in self.layers
        ]
        columns = ["layer", "spikes in floats", "in integers", "spikes in the same step"]
        return Table([*columns, "error of membranes that do not spike"], rows)


def measure_fidelity(floats: FloatNetwork, quantized: Quantized, spikes: np.ndarray) -> Fidelity:
    """Run floats and integers on the same inputs and compare their layers and decisions.

    The floats are stepped by forward Euler in the integers' order, so that every difference is
    rounding's: `kipuka.convert.float_network.simulate_floats`.

    Parameters
    ----------
    floats : FloatNetwork
    quantized : Quantized
        What became of it.
    spikes : bool array (samples, units, steps)

    Returns
    -------
    Fidelity

    Raises
    ------
    KipukaError
        If an argument is of another class, or the spikes are none of the network's.
    """
    expect(floats, FloatNetwork, "argument floats", FLOATS_MADE)
    made = "kipuka.convert.quantized_nir reads and rounds a NIR graph"
    expect(quantized, Quantized, "argument quantized", made)
    program = quantized.program
    spikes = checked_inputs(program, spikes, "argument spikes")
    expected = simulate_floats(floats, spikes)
    found = simulate(program, spikes).trace.layers
    layers = tuple(
        _compared(report.layer, wanted, layer, report.scale)
        for report, wanted, layer in zip(quantized.layers, expected, found, strict=True)
    )
    same = int(np.sum(_float_decisions(quantized, expected[-1]) == decide(program, found[-1])))
    return Fidelity(len(spikes), spikes.shape[-1], layers, same)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _compared(name: str, wanted: np.ndarray, layer: LayerTrace, scale: float) -> LayerFidelity:
    if wanted.dtype != bool:
        membrane = layer.states["v"] / (scale * (1 << fixed.STATE_SHIFT))
        power = float(np.sqrt(np.mean(wanted**2)))
        error = float(np.sqrt(np.mean((membrane - wanted) ** 2))) / power if power else 0.0
        return LayerFidelity(name, 0, 0, None, None, None, error)
    spikes = layer.spikes
    both, total = int((wanted & spikes).sum()), int(wanted.sum()) + int(spikes.sum())
    rates = np.abs(wanted.mean(axis=-1) - spikes.mean(axis=-1))
    return LayerFidelity(
        layer=name,
        float_spikes=int(wanted.sum()),
        integer_spikes=int(spikes.sum()),
        agreement=float(np.mean(wanted == spikes)),
        coincidence=2 * both / total if total else 1.0,
        rate_difference=float(rates.mean()),
        membrane_error=None,
    )


def _float_decisions(quantized: Quantized, last: np.ndarray) -> np.ndarray:
    """Decide from the floats as `decide` does from the integers."""
    values = last
    if last.dtype == bool:
        values = readout_input(quantized.program.readout, last)
    return largest_class(quantized.program, values.sum(axis=-1))


def calibrated(
    floats: FloatNetwork,
    spikes: np.ndarray,
    percentiles: Sequence[float] = CALIBRATION_PERCENTILES,
    *,
    weight_max: int = fixed.WEIGHT_MAX,
    decays: str = "nearest",
) -> tuple[float, Quantized, Fidelity]:
    """Choose how many of the largest weights to clip, by what floats and integers do on samples.

    Clipping a few large weights leaves a finer grid to the others. Which of the two loses more
    shows only in what the network does.

    Parameters
    ----------
    floats : FloatNetwork
    spikes : bool array (samples, units, steps)
        Samples for calibration; take none that the accuracy is reported on.
    percentiles : sequence of float
        To be tried, of the weights' magnitudes in each layer; the first of equals is taken.
    weight_max, decays
        See `kipuka.convert.quantization.quantize`.

    Returns
    -------
    percentile : float
    quantized : Quantized
        Its reports say what share of each layer's weights was clipped.
    fidelity : Fidelity
        On the samples.

    Raises
    ------
    KipukaError
        If there are no samples, or no percentile to be tried.
    """
    expect(floats, FloatNetwork, "argument floats", FLOATS_MADE)
    spikes = np.atleast_1d(as_numbers(spikes, "argument spikes"))
    tries = as_numbers(percentiles, "argument percentiles").ravel().tolist()
    if len(spikes) == 0 or not tries:
        raise KipukaError(
            "there is nothing to calibrate with",
            where="samples and percentiles of a calibration",
            limit="at least one of each",
            value=f"{len(spikes)} samples, {len(tries)} percentiles",
            remedy="give samples of the data that the network was trained on",
        )
    tried = [
        (percentile, quantized, measure_fidelity(floats, quantized, spikes))
        for percentile in tries
        for quantized in [quantize(floats, weight_max, percentile, decays)]
    ]
    return max(tried, key=lambda one: _closeness(one[2]))


def _closeness(fidelity: Fidelity) -> tuple[float, int]:
    """How closely the layers follow, then decisions: of few samples these tell little."""
    layers = [
        one.coincidence if one.coincidence is not None else 1.0 - (one.membrane_error or 0.0)
        for one in fidelity.layers
    ]
    return float(np.mean(layers)), fidelity.same_decisions
