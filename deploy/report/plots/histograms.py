"""Histograms of axonal delays and of firing rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kipuka.deploy.counters import Counters
from kipuka.deploy.report.plots.style import ACCENT, DATA, Plot, as_svg, stacked, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
        axes = stacked(figure, len(used))
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
        svg=as_svg("delays", draw, height_in=0.7 + 1.55 * len(used)),
    )


def _histogram(ax: Axes, delays: NDArray[Any], before: NDArray[Any] | None, longest: int) -> None:
    counts = np.bincount(delays.ravel(), minlength=longest + 1)
    ax.bar(np.arange(counts.size), counts, width=0.9, color=DATA, label="in use")
    if before is not None:
        earlier = np.bincount(before.ravel(), minlength=longest + 1)
        edges = np.arange(earlier.size + 1) - 0.5
        ax.stairs(earlier, edges, color=ACCENT, linewidth=1.4, label="before training")
    ax.set_xlim(-1, max(longest + 1, 8))
    ax.yaxis.set_major_locator(ticks(4))
    ax.xaxis.set_major_locator(ticks(10))


NAMED = 8
"""Silent or saturated neurons of a layer that a caption names; the others are counted."""


def plot_rates(counters: Counters) -> Plot:
    """Draw how many neurons of each layer spike how often.

    Parameters
    ----------
    counters : Counters
    """
    n_steps = max(counters.n_steps * counters.n_samples, 1)
    rates = {layer.layer: layer.spikes_per_neuron / n_steps for layer in counters.layers}

    def draw(figure: Figure) -> None:
        axes = stacked(figure, len(rates))
        highest = max(max(float(rate.max()) for rate in rates.values()), 1e-9)
        for ax, (number, rate) in zip(axes, rates.items(), strict=True):
            counts, edges = np.histogram(rate, bins=30, range=(0.0, highest))
            ax.stairs(counts, edges, fill=True, color=DATA)
            ax.set_title(f"layer {number}")
            ax.set_ylabel("neurons")
            ax.yaxis.set_major_locator(ticks(3))
        axes[-1].set_xlabel("spikes per step and neuron")

    silent = _named({n: np.flatnonzero(rate == 0) for n, rate in rates.items()})
    saturated = _named({n: np.flatnonzero(rate == 1) for n, rate in rates.items()})
    listed = f"Silent: {silent}. In every step: {saturated}"
    return Plot(
        name="rates",
        title="Firing rates",
        caption=f"Neurons by their spikes per step, mean over the run. {listed}.",
        alt=f"Histograms of firing rates. {listed}.",
        svg=as_svg("rates", draw, height_in=0.7 + 1.2 * len(rates)),
    )


def _named(neurons: Mapping[int, NDArray[Any]]) -> str:
    parts = []
    for layer, found in neurons.items():
        if found.size:
            more = f" and {found.size - NAMED} more" if found.size > NAMED else ""
            parts.append(f"layer {layer}: {', '.join(str(n) for n in found[:NAMED])}{more}")
    return "; ".join(parts) or "none"
