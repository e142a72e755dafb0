"""What the neurons of one sample did: rasters and membranes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kipuka.convert import fixed
from kipuka.convert.program import Layer, Program
from kipuka.convert.trace import LayerTrace, Trace, decide, read_state
from kipuka.deploy.report.plots.style import ACCENT, DATA, MUTED, Plot, as_svg, stacked, ticks
from kipuka.deploy.report.plots.values import scale_of, typical_neurons

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_STROKES = 16_000
"""Strokes of all rasters of a figure that stay vectors; beyond, pictures keep the file small."""

IMAGE_DATA, IMAGE_ACCENT = (74, 144, 217, 255), (222, 112, 42, 255)
"""Colours in a picture, which cannot follow the page: readable on light and dark."""

MAX_HIDDEN_RASTERS = 3


def plot_rasters(
    program: Program,
    inputs: NDArray[Any],
    trace: Trace,
    sample: int,
    names: Sequence[str] = (),
) -> Plot:
    """Draw input, hidden layers (if there are few) and output over one time axis.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
        Spikes; real numbers that an encoder takes are not drawn.
    trace : Trace
    sample : int
    names : sequence of str
        Of the classes; without them they are called by their numbers.
    """
    last = trace.layers[-1]
    chosen = int(decide(program, last)[sample])
    named = f"{chosen} ({names[chosen]})" if names and names[chosen] != str(chosen) else f"{chosen}"
    first = chosen * program.readout.population
    marked = np.arange(first, first + program.readout.population)
    panels = [] if program.encoder else [("input unit", inputs[sample])]
    if len(trace.layers) - 1 <= MAX_HIDDEN_RASTERS:
        hidden = zip(program.numbers, trace.layers[:-1], strict=False)
        panels += [(f"layer {n}", layer.spikes[sample] != 0) for n, layer in hidden]
    state = read_state(program)
    values = None if state is None else last.states[state][sample] / scale_of(state)

    def draw(figure: Figure) -> None:
        axes = stacked(figure, len(panels) + 1)
        rasters = [spikes for _, spikes in panels]
        rasters += [last.spikes[sample]] if values is None else []
        vector = sum(_runs(spikes)[0].size for spikes in rasters) <= MAX_STROKES
        for ax, (name, spikes) in zip(axes, panels, strict=False):
            _raster(ax, spikes, vector=vector)
            ax.set_ylabel(name)
        if values is not None:
            _output_values(axes[-1], values, marked)
        else:
            _raster(axes[-1], last.spikes[sample], vector=vector, marked=marked)
        axes[-1].set_ylabel("output" if values is None else "output (nominal)")
        axes[-1].set_xlabel("step")

    shown = {None: "spikes", "v": "membranes"}.get(state, "values")
    given = f"{np.count_nonzero(inputs[sample])} {'values' if program.encoder else 'spikes'}"
    graded = any(layer.neuron_model.sends.graded for layer in program.layers)
    caption = (
        f"Sample {sample}. One mark per {'graded ' if graded else ''}spike in the step in which it "
        "is emitted, before any "
        f"delay; neurons are numbered from 0. Orange: output {shown} of class {named}, which "
        "the readout decides for."
    )
    return Plot(
        name="rasters",
        title="Spikes of one sample",
        caption=caption,
        alt=f"Spike rasters over {inputs.shape[-1]} steps: input {given}, "
        f"output {np.count_nonzero(last.spikes[sample])} spikes, decision class {named}.",
        svg=as_svg("rasters", draw, height_in=1.2 + 1.25 * (len(panels) + 1)),
    )


def plot_membranes(number: int, layer: Layer, trace: LayerTrace, sample: int) -> Plot:
    """Draw the membrane of a busy, a median and a quiet neuron of the first layer.

    Parameters
    ----------
    number : int
        Of the layer in the file.
    layer : Layer
    trace : LayerTrace
        Trace of that layer.
    sample : int
    """
    spikes, membranes = trace.spikes[sample], trace.states["v"][sample] / fixed.STATE_SCALE
    neurons = typical_neurons(spikes.sum(axis=1))
    thresholds = fixed.to_state_units(layer.neuron.threshold) / fixed.STATE_SCALE
    hard = layer.neuron_model.reset == "hard"
    reset = (
        "a spike has already reset it to 0"
        if hard
        else "a spike lowers it by the threshold in the step that follows"
    )

    def draw(figure: Figure) -> None:
        axes = stacked(figure, len(neurons))
        for ax, neuron in zip(axes, neurons, strict=True):
            _membrane(ax, membranes[neuron], spikes[neuron])
            if layer.neuron.threshold[neuron] != fixed.NEVER_SPIKES:
                ax.axhline(thresholds[neuron], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.1)
            ax.set_ylabel(f"neuron {neuron}")
        axes[-1].set_xlabel("step")

    listed = ", ".join(str(neuron) for neuron in neurons)
    return Plot(
        name="membranes",
        title="Membranes in the first layer",
        caption=f"Sample {sample}, neurons {listed} of layer {number} ({layer.model}): the "
        "busiest, the median and the quietest of those that spike. Membrane in nominal units "
        f"({fixed.STATE_SCALE} state units = 1) at the end of each step; {reset}; "
        "dashed: threshold; orange marks: spikes.",
        alt=f"Membrane over time of neurons {listed} of layer {number} with threshold and spikes; "
        f"{int(spikes[neurons].sum())} spikes in {spikes.shape[1]} steps.",
        svg=as_svg("membranes", draw, height_in=0.7 + 1.45 * len(neurons)),
    )


def _runs(spikes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Row, first step and step after the last of each unbroken run of spikes."""
    edges = np.diff(np.pad(spikes.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def _raster(
    ax: Axes, spikes: NDArray[Any], *, vector: bool, marked: NDArray[Any] | None = None
) -> None:
    n_neurons, n_steps = spikes.shape
    if vector:
        others = spikes.copy()
        if marked is not None:
            others[marked] = False
            only = np.zeros_like(spikes)
            only[marked] = spikes[marked]
            _strokes(ax, only, ACCENT)
        _strokes(ax, others, DATA)
    else:
        picture = np.zeros((n_neurons, n_steps, 4), dtype=np.uint8)
        picture[spikes] = IMAGE_DATA
        if marked is not None:
            picture[marked] = np.where(spikes[marked, :, None], IMAGE_ACCENT, picture[marked])
        ax.imshow(picture, origin="lower", aspect="auto", interpolation="none")
    ax.set_xlim(-1, n_steps)
    ax.set_ylim(-1, n_neurons)
    ax.yaxis.set_major_locator(ticks(4))
    ax.xaxis.set_major_locator(ticks(10))


def _strokes(ax: Axes, spikes: NDArray[Any], colour: str) -> None:
    """Draw all spikes as one path: a path per spike would be ten times as many bytes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    rows, starts, stops = _runs(spikes)
    if not rows.size:
        return
    ends = np.stack([np.stack([starts - 0.42, rows]), np.stack([stops - 0.58, rows])])
    vertices = ends.transpose(2, 0, 1).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO], rows.size)
    width = float(np.clip(60 / spikes.shape[0], 1.1, 5))
    path = Path(vertices, codes)
    ax.add_patch(PathPatch(path, facecolor="none", edgecolor=colour, linewidth=width))


def _output_values(ax: Axes, values: NDArray[Any], marked: NDArray[Any]) -> None:
    for neuron, value in enumerate(values):
        if neuron not in marked:
            ax.plot(value, color=DATA, linewidth=0.9, alpha=0.65)
    for value in values[marked]:
        ax.plot(value, color=ACCENT, linewidth=1.8)


def _membrane(ax: Axes, membrane: NDArray[Any], spikes: NDArray[Any]) -> None:
    ax.plot(membrane, color=DATA, linewidth=1.3, drawstyle="steps-mid")
    steps = np.flatnonzero(spikes)
    # Above the frame, where no membrane hides them; without spikes there is nothing to lay out.
    ax.plot(
        steps,
        np.full(steps.size, 1.05),
        transform=ax.get_xaxis_transform(),
        color=ACCENT,
        linestyle="none",
        marker="|",
        markersize=7,
        markeredgewidth=1.4,
        clip_on=False,
        in_layout=bool(steps.size),
    )
    ax.set_xlim(-1, membrane.size)
    ax.xaxis.set_major_locator(ticks(10))
    ax.yaxis.set_major_locator(ticks(4, integer=False))
