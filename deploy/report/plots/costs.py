"""What the run cost: spikes and energy by layer, time by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kipuka.deploy.costs.cost import TERMS, Cost
from kipuka.deploy.report.plots.style import (
    ACCENT,
    BESIDE,
    DATA,
    INK,
    MUTED,
    Plot,
    as_svg,
    bars,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TERM_COLOURS = dict(zip(TERMS, (DATA, ACCENT, INK, INK, MUTED, INK), strict=True))


def plot_spikes(profile: Cost) -> Plot:
    """Draw spikes per sample of the input and of each layer as bars.

    Parameters
    ----------
    profile : Cost
    """
    names = ["input", *(f"layer {layer.layer}" for layer in profile.layers)]
    spikes = [profile.input_spikes, *(layer.spikes for layer in profile.layers)]

    def draw(figure: Figure) -> None:
        ax = bars(figure, names, spikes, [MUTED] + [DATA] * len(profile.layers))
        for row, count in enumerate(spikes):
            ax.annotate(f"{count:.4g}", (count, row), (4, 0), **BESIDE)
        ax.set_xlim(0, 1.18 * max(*spikes, 1))
        ax.set_xlabel("spikes per sample")

    listed = ", ".join(f"{name} {count:.4g}" for name, count in zip(names, spikes, strict=True))
    return Plot(
        name="spikes",
        title="Spikes by layer",
        caption="Spikes per sample, mean over samples; counted, not estimated. Grey: the input.",
        alt=f"Bars of spikes per sample: {listed}.",
        svg=as_svg("spikes", draw, height_in=0.8 + 0.48 * len(names)),
    )


def plot_energy(profile: Cost, chip: str, texts: Sequence[str]) -> Plot:
    """Draw dynamic energy of each layer as bars with low and high.

    Parameters
    ----------
    profile : Cost
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
        ax = bars(figure, names, typical, [DATA] * len(names))
        for row, (text, bound, middle) in enumerate(zip(texts, bounds, typical, strict=True)):
            for end in (bound.low, bound.high):
                if end is not None and bound.typical is not None:
                    ax.plot([middle, end], [row, row], color=INK, linewidth=1.2)
                    ax.plot([end], [row], marker="|", color=INK, markersize=9)
            ax.annotate(text, (max(middle, bound.high or 0.0), row), (7, 0), **BESIDE)
        ax.set_xlim(0, 1.3 * max([*typical, *(bound.high or 0.0 for bound in bounds)]) or 1)
        ax.xaxis.set_major_formatter(EngFormatter(unit="J"))
        ax.xaxis.set_major_locator(ticks(5, integer=False))
        ax.set_xlabel("dynamic energy per sample (estimate)")

    listed = ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
    return Plot(
        name="energy",
        title=f"Dynamic energy by layer, {chip} (estimate)",
        caption="Dynamic energy per sample, mean over samples. An estimate, not a measurement: "
        "bars and numbers are typical, whiskers reach from low to high; a whisker that is "
        "missing is a bound that is not published.",
        alt=f"Bars of estimated dynamic energy per sample: {listed}.",
        svg=as_svg("energy", draw, height_in=0.9 + 0.48 * len(names)),
    )


def plot_timeline(profile: Cost, sample: int) -> Plot:
    """Draw the time of each step of one sample, coloured by what bounds it.

    Parameters
    ----------
    profile : Cost
    sample : int
    """
    step_us = profile.timing.step_s[sample] * 1e6
    bottleneck = profile.timing.bottleneck[sample]
    present = [k for k in range(len(TERMS)) if np.any(bottleneck == k)]

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        for k in present:
            ax.bar(
                np.flatnonzero(bottleneck == k),
                step_us[bottleneck == k],
                width=1.0,
                color=TERM_COLOURS[TERMS[k]],
                label=TERMS[k],
            )
        ax.set_xlim(-0.5, max(step_us.size, 1) - 0.5)
        ax.set_ylim(0, 1.25 * max(float(step_us.max(initial=0)), 1e-9))
        ax.set_xlabel("step")
        ax.set_ylabel("time (µs)")
        ax.xaxis.set_major_locator(ticks(10))
        ax.legend(loc="upper right", ncols=2)

    shares = ", ".join(
        f"{TERMS[k]} in {int((bottleneck == k).sum())} of {bottleneck.size} steps" for k in present
    )
    return Plot(
        name="timeline",
        title="What bounds each step (estimate)",
        caption=f"Sample {sample}: typical lower bound of the time of each step; the colour is the "
        f"term that bounds it: {shares}.",
        alt=f"Time by step of sample {sample}; bounded by {shares}.",
        svg=as_svg("timeline", draw, height_in=2.6),
    )
