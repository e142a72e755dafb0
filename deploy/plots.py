"""Plots of a report as inline SVG that takes its colours from the page around it.

Whatever is drawn gets a placeholder colour; in the SVG text it becomes ``currentColor`` or a
variable of the page's style sheet, so that one picture reads well on light and dark paper.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kipuka.convert import fixed
from kipuka.convert.neurons import CubaParameters
from kipuka.convert.program import Layer, Program
from kipuka.convert.trace import LayerTrace, Trace, decide
from kipuka.deploy.profile import Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

INK, DATA, ACCENT, MUTED = "#010203", "#010204", "#010205", "#010206"
PAGE_COLOURS: Mapping[str, str] = {
    INK: "currentColor",
    DATA: "var(--data)",
    ACCENT: "var(--accent)",
    MUTED: "var(--muted)",
}
"""Placeholder colours and what stands for them in the page."""

WIDTH_IN = 6.4
FONT_PT = 10.5
MAX_STROKES = 16_000
"""Strokes of all rasters of a figure that stay vectors; beyond, pictures keep the file small."""

IMAGE_DATA, IMAGE_ACCENT = (74, 144, 217, 255), (222, 112, 42, 255)
"""Colours in a picture, which cannot follow the page: readable on light and dark."""

MAX_HIDDEN_RASTERS = 3
MAX_MEMBRANES = 3

STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kipuka",
    "font.size": FONT_PT,
    "axes.titlesize": FONT_PT,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": FONT_PT,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Plot:
    """A picture with its words.

    Attributes
    ----------
    name : str
        Prefix of all ids in the SVG, unique in a page.
    title, caption : str
        What the picture shows, with units.
    alt : str
        What it shows, for those who cannot see it.
    svg : str
        Inline SVG element.
    """

    name: str
    title: str
    caption: str
    alt: str
    svg: str


def plot_rasters(program: Program, inputs: NDArray[Any], trace: Trace, sample: int) -> Plot:
    """Draw input, hidden layers (if there are few) and output over one time axis.

    Parameters
    ----------
    program : Program
    inputs : bool array (samples, units, steps)
    trace : Trace
    sample : int
    """
    last = trace.layers[-1]
    chosen = int(decide(program, last)[sample])
    panels = [("input unit", inputs[sample])]
    if len(trace.layers) - 1 <= MAX_HIDDEN_RASTERS:
        hidden = zip(program.numbers, trace.layers[:-1], strict=False)
        panels += [(f"layer {n}", layer.spikes[sample]) for n, layer in hidden]
    membrane = program.readout.kind == "membrane"

    def draw(figure: Figure) -> None:
        axes = _stacked(figure, len(panels) + 1)
        rasters = [spikes for _, spikes in panels] + ([] if membrane else [last.spikes[sample]])
        vector = sum(_runs(spikes)[0].size for spikes in rasters) <= MAX_STROKES
        for ax, (name, spikes) in zip(axes, panels, strict=False):
            _raster(ax, spikes, vector=vector)
            ax.set_ylabel(name)
        if membrane:
            _output_membranes(axes[-1], last.states["v"][sample], chosen)
        else:
            _raster(axes[-1], last.spikes[sample], vector=vector, marked=chosen)
        axes[-1].set_ylabel("output (nominal)" if membrane else "output")
        axes[-1].set_xlabel("step")

    shown = "membranes" if membrane else "spikes"
    caption = (
        f"Sample {sample}. One mark per spike in the step in which it is emitted, before any "
        f"delay; neurons are numbered from 0. Orange: output {shown} of class {chosen}, which "
        "the readout decides for."
    )
    return Plot(
        name="rasters",
        title="Spikes of one sample",
        caption=caption,
        alt=f"Spike rasters over {inputs.shape[-1]} steps: input {int(inputs[sample].sum())} "
        f"spikes, output {int(last.spikes[sample].sum())} spikes, decision class {chosen}.",
        svg=_svg("rasters", draw, height_in=1.2 + 1.25 * (len(panels) + 1)),
    )


def plot_membranes(layer: Layer, trace: LayerTrace, sample: int) -> Plot:
    """Draw the membrane of a busy, a median and a quiet neuron of the first layer.

    Parameters
    ----------
    layer : Layer
    trace : LayerTrace
        Trace of that layer.
    sample : int
    """
    spikes, membranes = trace.spikes[sample], trace.states["v"][sample] / fixed.STATE_SCALE
    neurons = _typical_neurons(spikes.sum(axis=1))
    thresholds = fixed.to_state_units(layer.neuron.threshold) / fixed.STATE_SCALE
    hard = isinstance(layer.neuron, CubaParameters)
    reset = (
        "a spike has already reset it to 0"
        if hard
        else "a spike lowers it by the threshold in the step that follows"
    )

    def draw(figure: Figure) -> None:
        axes = _stacked(figure, len(neurons))
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
        caption=f"Sample {sample}, neurons {listed} of layer 1 ({layer.model}): the busiest, the "
        "median and the quietest of those that spike. Membrane in nominal units "
        f"({fixed.STATE_SCALE} state units = 1) at the end of each step; {reset}; "
        "dashed: threshold; orange marks: spikes.",
        alt=f"Membrane over time of neurons {listed} of layer 1 with threshold and spikes; "
        f"{int(spikes[neurons].sum())} spikes in {spikes.shape[1]} steps.",
        svg=_svg("membranes", draw, height_in=0.7 + 1.45 * len(neurons)),
    )


def plot_delays(
    after: Mapping[str, NDArray[Any]], before: Mapping[str, NDArray[Any]]
) -> Plot | None:
    """Draw histograms of the delays in use, and of those before training.

    Parameters
    ----------
    after, before : mapping of str to integer array
        Label such as ``layer 1, recurrence`` to delays in steps; `before` may lack labels.

    Returns
    -------
    Plot or None
        None if no delay is or was above zero.
    """
    used = {
        label: delays
        for label, delays in after.items()
        if np.any(delays) or np.any(before.get(label, 0))
    }
    if not used:
        return None
    longest = max(
        int(np.max(d)) for d in [*used.values(), *(before[k] for k in used if k in before)]
    )

    def draw(figure: Figure) -> None:
        axes = _stacked(figure, len(used))
        for ax, (label, delays) in zip(axes, used.items(), strict=True):
            _histogram(ax, delays, before.get(label), longest)
            ax.set_title(label)
            ax.set_ylabel("delays")
        axes[-1].set_xlabel("delay (steps)")
        if before:
            axes[0].legend(loc="lower right", bbox_to_anchor=(1.0, 0.96), ncols=2)

    spans = "; ".join(f"{k}: {v.min()} to {v.max()} steps" for k, v in used.items())
    outline = "; outline: before training" if before else ""
    return Plot(
        name="delays",
        title="Axonal delays",
        caption=f"Number of delays of each length, in steps. Bars: delays in use{outline}.",
        alt=f"Histograms of delays, {spans}.",
        svg=_svg("delays", draw, height_in=0.7 + 1.55 * len(used)),
    )


def plot_spikes(profile: Profile) -> Plot:
    """Draw spikes per sample of the input and of each layer as bars.

    Parameters
    ----------
    profile : Profile
    """
    names = ["input", *(f"layer {layer.layer}" for layer in profile.layers)]
    spikes = [profile.input_spikes, *(layer.spikes for layer in profile.layers)]

    def draw(figure: Figure) -> None:
        ax = _bars(figure, names, spikes, [MUTED] + [DATA] * len(profile.layers))
        for row, count in enumerate(spikes):
            ax.annotate(f"{count:.4g}", (count, row), (4, 0), **_BESIDE)
        ax.set_xlim(0, 1.18 * max(*spikes, 1))
        ax.set_xlabel("spikes per sample")

    listed = ", ".join(f"{name} {count:.4g}" for name, count in zip(names, spikes, strict=True))
    return Plot(
        name="spikes",
        title="Spikes by layer",
        caption="Spikes per sample, mean over samples; counted, not estimated. Grey: the input.",
        alt=f"Bars of spikes per sample: {listed}.",
        svg=_svg("spikes", draw, height_in=0.8 + 0.48 * len(names)),
    )


def plot_energy(profile: Profile, chip: str, texts: Sequence[str]) -> Plot:
    """Draw dynamic energy of each layer as bars with low and high.

    Parameters
    ----------
    profile : Profile
    chip : str
        Name of the chip for people.
    texts : sequence of str
        Typical energy of each layer with its unit, to stand at its bar.
    """
    from matplotlib.ticker import EngFormatter

    names = [f"layer {layer.layer}" for layer in profile.layers]
    bounds = [layer.dynamic_energy_j for layer in profile.layers]
    typical = [b.typical or 0.0 for b in bounds]

    def draw(figure: Figure) -> None:
        ax = _bars(figure, names, typical, [DATA] * len(names))
        for row, (text, bound, middle) in enumerate(zip(texts, bounds, typical, strict=True)):
            for end in (bound.low, bound.high):
                if end is not None and bound.typical is not None:
                    ax.plot([middle, end], [row, row], color=INK, linewidth=1.2)
                    ax.plot([end], [row], marker="|", color=INK, markersize=9)
            ax.annotate(text, (max(middle, bound.high or 0.0), row), (7, 0), **_BESIDE)
        ax.set_xlim(0, 1.3 * max([*typical, *(bound.high or 0.0 for bound in bounds)]) or 1)
        ax.xaxis.set_major_formatter(EngFormatter(unit="J"))
        ax.xaxis.set_major_locator(_ticks(5, integer=False))
        ax.set_xlabel("dynamic energy per sample (estimate)")

    listed = ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
    return Plot(
        name="energy",
        title=f"Dynamic energy by layer, {chip} (estimate)",
        caption="Dynamic energy per sample, mean over samples. An estimate, not a measurement: "
        "bars and numbers are typical, whiskers reach from low to high; a whisker that is "
        "missing is a bound that is not published.",
        alt=f"Bars of estimated dynamic energy per sample: {listed}.",
        svg=_svg("energy", draw, height_in=0.9 + 0.48 * len(names)),
    )


_BESIDE: Mapping[str, Any] = {"textcoords": "offset points", "va": "center", "ha": "left"}


def _stacked(figure: Figure, count: int) -> list[Axes]:
    axes: list[Axes] = list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    figure.align_ylabels(axes)
    return axes


def _bars(
    figure: Figure, names: Sequence[str], values: Sequence[float], colours: Sequence[str]
) -> Axes:
    ax: Axes = figure.subplots()
    rows = np.arange(len(names))
    ax.barh(rows, values, height=0.62, color=list(colours))
    ax.set_yticks(rows, list(names))
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    return ax


def _ticks(at_most: int, *, integer: bool = True) -> Locator:
    """Place ticks at round numbers: steps of 1, 2 or 5, never of 15."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(at_most, integer=integer, steps=[1, 2, 5, 10])


def _runs(spikes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Row, first step and step after the last of each unbroken run of spikes."""
    edges = np.diff(np.pad(spikes.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def _raster(ax: Axes, spikes: NDArray[Any], *, vector: bool, marked: int | None = None) -> None:
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
            picture[marked, spikes[marked]] = IMAGE_ACCENT
        ax.imshow(picture, origin="lower", aspect="auto", interpolation="none")
    ax.set_xlim(-1, n_steps)
    ax.set_ylim(-1, n_neurons)
    ax.yaxis.set_major_locator(_ticks(4))
    ax.xaxis.set_major_locator(_ticks(10))


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


def _output_membranes(ax: Axes, membranes: NDArray[Any], chosen: int) -> None:
    for neuron, membrane in enumerate(membranes / fixed.STATE_SCALE):
        if neuron != chosen:
            ax.plot(membrane, color=DATA, linewidth=0.9, alpha=0.65)
    ax.plot(membranes[chosen] / fixed.STATE_SCALE, color=ACCENT, linewidth=1.8)


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
    ax.xaxis.set_major_locator(_ticks(10))
    ax.yaxis.set_major_locator(_ticks(4, integer=False))


def _typical_neurons(counts: NDArray[Any]) -> list[int]:
    """Busiest, median and quietest of the neurons that spike, then the first of the others."""
    order = np.argsort(-counts, kind="stable")
    active = order[counts[order] > 0]
    places = np.unique(np.linspace(0, active.size - 1, MAX_MEMBRANES).astype(int))
    picked = active[places] if active.size else active
    rest = [neuron for neuron in order if neuron not in picked]
    return [int(neuron) for neuron in [*picked, *rest][:MAX_MEMBRANES]]


def _histogram(ax: Axes, delays: NDArray[Any], before: NDArray[Any] | None, longest: int) -> None:
    counts = np.bincount(delays.ravel(), minlength=longest + 1)
    ax.bar(np.arange(counts.size), counts, width=0.9, color=DATA, label="in use")
    if before is not None:
        earlier = np.bincount(before.ravel(), minlength=longest + 1)
        edges = np.arange(earlier.size + 1) - 0.5
        ax.stairs(earlier, edges, color=ACCENT, linewidth=1.4, label="before training")
    ax.set_xlim(-1, max(longest + 1, 8))
    ax.yaxis.set_major_locator(_ticks(4))
    ax.xaxis.set_major_locator(_ticks(10))


def _svg(name: str, draw: Callable[[Figure], None], *, height_in: float) -> str:
    """Run `draw` on a new figure and return it as an SVG element that can stand in a page."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    text = io.StringIO()
    with mpl.rc_context():
        # A user's own style sheet must not change what a report looks like.
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        draw(figure)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing)
    return _inline(name, text.getvalue())


def _inline(name: str, document: str) -> str:
    """Turn an SVG document into an element: page colours, own ids, no namespaces, fewer digits."""
    svg = document[document.index("<svg") :]
    view_box = re.search(r'viewBox="([^"]*)"', svg)
    body = svg[svg.index(">") + 1 :]
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'\b(id=")', rf"\1{name}-", body)
    body = re.sub(r'((?:href="|url\()#)', rf"\1{name}-", body)
    body = re.sub(r' d="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m.group()), body)
    for placeholder, colour in PAGE_COLOURS.items():
        body = body.replace(placeholder, colour)
    box = view_box.group(1) if view_box else ""
    return f'<svg viewBox="{box}" aria-hidden="true">{body.strip()}'
