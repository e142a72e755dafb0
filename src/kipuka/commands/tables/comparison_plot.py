"""The plot of a comparison: accuracy against estimated energy, with what is uncertain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kipuka.errors import printable

SIZE_IN = (6.4, 4.2)
DOTS_PER_INCH = 150


def plot_accuracy_against_energy(results: Mapping[str, Any], path: Path) -> None:
    """Draw one point per network; the suffix of `path` decides the format.

    Horizontal bars reach from the low to the high estimate of dynamic energy, vertical ones over
    one standard deviation of the seeds. The dashed line is what counting spikes achieves.

    Parameters
    ----------
    results : mapping
        As `kipuka.commands.compare.compare_networks` returns it.
    path : Path
    """
    import matplotlib

    # Names are text, and no mathematics.
    with matplotlib.rc_context({"text.parse_math": False}):
        _draw(results, path)


def _draw(results: Mapping[str, Any], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_IN, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for network in results["networks"]:
        energy, accuracy = network["dynamic_energy_j"], network["test_accuracy"]
        if energy["typical"] is None:
            continue
        typical = energy["typical"]
        low, high = (energy[key] if energy[key] is not None else typical for key in ("low", "high"))
        axes.errorbar(
            1e6 * typical,
            100 * accuracy["mean"],
            xerr=[[1e6 * (typical - low)], [1e6 * (high - typical)]],
            yerr=100 * (accuracy["deviation"] or 0),
            fmt="o",
            capsize=3,
            label=network["network"],
        )
    baseline = 100 * results["baseline"]["test_accuracy"]
    axes.axhline(baseline, linestyle="--", color="gray", label=results["baseline"]["network"])
    axes.set_xscale("log")
    hardware, data = printable(results["hardware"]), printable(results["data"])
    axes.set_xlabel(f"dynamic energy per sample on {hardware}, estimated (µJ)")
    axes.set_ylabel(f"test accuracy on {data}, integer network (%)")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata=None)
