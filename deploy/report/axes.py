"""`kipuka.plot`: rasters, membranes, delays and cores on matplotlib axes of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert.operands import as_numbers, whole_number
from kipuka.convert.program import Program
from kipuka.deploy.costs.cost import Cost
from kipuka.deploy.report.tables import delays_by_label
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["core_map", "delays", "membranes", "raster"]

MAX_LINES = 1000
"""Neurons of a plot that has a line for each."""


def raster(spikes: np.ndarray, axes: Axes | None = None) -> Axes:
    """Draw the spikes of one sample, a point each.

    Parameters
    ----------
    spikes : bool array (neurons, steps)
        Such as ``run.trace.layers[0].spikes[0]``.
    axes : matplotlib.axes.Axes, optional
        Where to draw; the current ones if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KipukaError
        If the array has another number of axes.
    """
    axes, spikes = _axes(axes), _one_sample(spikes, "spikes")
    neurons, steps = np.nonzero(spikes)
    axes.scatter(steps, neurons, s=16, marker="|")
    axes.set(xlim=(-0.5, spikes.shape[1] - 0.5), ylim=(-0.5, spikes.shape[0] - 0.5))
    axes.set(xlabel="step", ylabel="neuron")
    return axes


def membranes(states: np.ndarray, axes: Axes | None = None, *, most: int = 8) -> Axes:
    """Draw a state variable of one sample over time, a line per neuron.

    Parameters
    ----------
    states : int32 array (neurons, steps)
        Such as ``run.trace.layers[0].states["v"][0]``, in state units.
    axes : matplotlib.axes.Axes, optional
    most : int
        Neurons that are drawn, the first ones.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KipukaError
        If the array has another number of axes.
    """
    axes, most = _axes(axes), whole_number(most, 1, MAX_LINES, "argument most")
    for neuron, values in enumerate(_one_sample(states, "states")[:most]):
        axes.step(np.arange(len(values)), values, where="post", label=f"neuron {neuron}")
    axes.set(xlabel="step", ylabel="state units")
    axes.legend(fontsize="small")
    return axes


def delays(program: Program, axes: Axes | None = None) -> Axes:
    """Draw how many neurons have which delay, by layer and by recurrence or output.

    Parameters
    ----------
    program : Program
    axes : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = _axes(axes)
    found = {label: steps for label, steps in delays_by_label(program).items() if steps.size}
    most = max((int(steps.max()) for steps in found.values()), default=0)
    axes.hist(
        list(found.values()),
        bins=[step - 0.5 for step in range(most + 2)],
        label=list(found),
        histtype="barstacked",
    )
    axes.set(xlabel="delay (steps)", ylabel="neurons")
    axes.legend(fontsize="small")
    return axes


def core_map(cost: Cost, axes: Axes | None = None) -> Axes:
    """Draw the synaptic operations of a run on each neuro core, in the order of the mapping.

    Parameters
    ----------
    cost : Cost
    axes : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = _axes(axes)
    operations = cost.activity.synaptic_operations
    axes.bar(np.arange(len(operations)), operations)
    axes.set(xlabel=f"core of {cost.hardware}", ylabel="synaptic operations of the run")
    return axes


def _axes(axes: Axes | None) -> Axes:
    if axes is None:
        from matplotlib import pyplot

        return pyplot.gca()
    return axes


def _one_sample(values: np.ndarray, what: str) -> np.ndarray:
    values = as_numbers(values, f"kipuka.plot, {what}")
    if values.ndim != 2:
        raise KipukaError(
            "one sample is drawn at a time",
            where=f"kipuka.plot, {what}",
            limit="an array (neurons, steps)",
            value=f"shape {values.shape}",
            remedy="take one, for example run.trace.layers[0].spikes[0]",
        )
    return values
