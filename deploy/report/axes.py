"""`kipuka.plot`: rasters, membranes, delays and cores on matplotlib axes of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.operands import as_numbers, whole_number
from kipuka.convert.program import Program, expect_program
from kipuka.deploy.costs.cost import Cost
from kipuka.deploy.report.plots.cores import draw_chip, owners
from kipuka.deploy.report.plots.style import ticks
from kipuka.deploy.report.tables import delays_by_label
from kipuka.errors import KipukaError, expect
from kipuka.lazy import listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["core_map", "delays", "membranes", "raster"]

__dir__ = listing(__all__)

MAX_LINES = 1000
"""Neurons of a plot that has a line for each."""


def raster(spikes: np.ndarray, axes: Axes | None = None) -> Axes:
    """Draw the spikes of one sample, a mark each.

    Parameters
    ----------
    spikes : bool array (units, steps)
        Such as ``run.trace.layers[0].spikes[0]``, or one sample of the input.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KipukaError
        If the array has another number of axes.
    """
    spikes = _one_sample(spikes, "spikes")
    axes = _axes(axes)
    units, steps = np.nonzero(spikes)
    axes.scatter(steps, units, s=16, marker="|")
    axes.set(xlim=(-0.5, spikes.shape[1] - 0.5), ylim=(-0.5, spikes.shape[0] - 0.5))
    axes.set(xlabel="step", ylabel="unit", title=f"{len(units):,} spikes")
    axes.xaxis.set_major_locator(ticks(8))
    axes.yaxis.set_major_locator(ticks(8))
    return axes


def membranes(
    states: np.ndarray,
    axes: Axes | None = None,
    *,
    most: int = 8,
    threshold: np.ndarray | None = None,
) -> Axes:
    """Draw a state variable of one sample over time, a line per neuron.

    Parameters
    ----------
    states : int32 array (neurons, steps)
        Such as ``run.trace.layers[0].states["v"][0]``, in state units.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    most : int
        Neurons that are drawn, the first ones.
    threshold : int64 array (neurons,), optional
        Thresholds of the neurons in weight units, such as ``program.layers[0].neuron.threshold``;
        each is a dashed line in its neuron's colour.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KipukaError
        If the array has another number of axes, or there are other thresholds than neurons.
    """
    states = _one_sample(states, "states")
    most = whole_number(most, 1, MAX_LINES, "argument most")
    limits = None if threshold is None else as_numbers(threshold, "kipuka.plot, threshold")
    if limits is not None and limits.shape != states.shape[:1]:
        raise KipukaError(
            "the thresholds are not those of the neurons",
            where="kipuka.plot, threshold",
            limit=f"an array ({states.shape[0]},), one for each neuron",
            value=f"shape {limits.shape}",
            remedy="take those of the same layer: program.layers[0].neuron.threshold",
        )
    axes = _axes(axes)
    for neuron, values in enumerate(states[:most]):
        axes.step(np.arange(len(values)), values, where="post", label=f"neuron {neuron}")
    drawn = list(axes.lines)[-len(states[:most]) :]
    shown = [] if limits is None else list(zip(drawn, limits[: len(drawn)], strict=True))
    for line, limit in shown:
        height = float(fixed.to_state_units(limit))
        axes.axhline(height, color=line.get_color(), linestyle="--", linewidth=0.8)
    axes.set(xlabel="step", ylabel="state units (1/64 weight unit)")
    axes.set_title(f"first {len(drawn)} of {states.shape[0]} neurons")
    axes.xaxis.set_major_locator(ticks(8))
    axes.legend(fontsize="small")
    return axes


def delays(
    program: Program,
    axes: Axes | None = None,
    *,
    before: Mapping[str, np.ndarray] | None = None,
) -> Axes:
    """Draw how many neurons have which delay, by layer and by recurrence or output.

    Parameters
    ----------
    program : Program
        Recurrences and outputs without any delay are left out, unless there is no delay at all.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    before : mapping of str to int array, optional
        Delays before training, drawn as an outline: ``delays_before`` of what
        `kipuka.train.train` returns.

    Returns
    -------
    matplotlib.axes.Axes
    """
    expect_program(program)
    every = {label: steps for label, steps in delays_by_label(program).items() if steps.size}
    used = {label: steps for label, steps in every.items() if steps.any()} or every
    earlier = [np.ravel(steps) for label, steps in (before or {}).items() if label in used]
    axes = _axes(axes)
    most = max((int(steps.max()) for steps in (*used.values(), *earlier)), default=0)
    edges = np.arange(most + 2) - 0.5
    axes.hist(
        [np.ravel(steps) for steps in used.values()],
        bins=list(edges),
        label=list(used),
        histtype="barstacked",
    )
    if earlier:
        counts = np.bincount(np.concatenate(earlier), minlength=most + 1)
        axes.stairs(counts, edges, color="black", linewidth=1.2, label="before training")
    axes.set(xlabel="delay (steps)", ylabel="neurons", title="axonal delays")
    axes.margins(y=0.3)  # Room for the legend above the bars.
    axes.xaxis.set_major_locator(ticks(10))
    axes.yaxis.set_major_locator(ticks(6))
    axes.legend(fontsize="small", loc="upper right", ncols=2)
    return axes


def core_map(cost: Cost, axes: Axes | None = None, *, chip: int = 0) -> Axes:
    """Draw a chip's neuro cores on its mesh: whose layer each has, and how busy it is.

    The number on a core is that of its layer. The stronger the colour, the more synaptic
    operations it had; the title says how many the busiest had.

    Parameters
    ----------
    cost : Cost
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    chip : int
        Which of several chips.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KipukaError
        If the network takes no such chip.
    """
    expect(cost, Cost, "argument cost", "profile(program, inputs, simulation, chip) gives one")
    chip = whole_number(chip, 0, cost.mapping.n_chips - 1, "argument chip")
    axes = _axes(axes)
    draw_chip(axes, cost, chip, colour="C0", muted="0.6")
    operations, samples = cost.activity.synaptic_operations, len(cost.activity.busiest_core)
    busiest = int(operations.argmax())
    which = f", chip {chip} of {cost.mapping.n_chips}" if cost.mapping.n_chips > 1 else ""
    most = (
        f"layer {owners(cost)[busiest]}, {operations[busiest] / samples:,.0f} operations a sample"
    )
    cores = f"{cost.mapping.n_cores} cores of {cost.hardware}{which}"
    axes.set_title(f"{cores}; busiest: {most}", fontsize="medium")
    return axes


def _axes(axes: Axes | None) -> Axes:
    """Axes of a new figure, where none are given: what another cell drew stays as it is."""
    if axes is None:
        from matplotlib import pyplot

        return pyplot.subplots(layout="constrained")[1]
    return axes


SAMPLE = "run.trace.layers[0].spikes[0]"


def _one_sample(values: np.ndarray, what: str) -> np.ndarray:
    values = as_numbers(values, f"kipuka.plot, {what}")
    if values.ndim != 2:
        raise KipukaError(
            "one sample is drawn at a time",
            where=f"kipuka.plot, {what}",
            limit="an array (neurons, steps)",
            value=f"shape {values.shape}",
            remedy="take one, for example "
            + ("run.trace.layers[0].states['v'][0]" if what == "states" else SAMPLE),
        )
    return values
