"""Look of the plots of a report: inline SVG that takes its colours from the page around it.

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

BESIDE: Mapping[str, Any] = {"textcoords": "offset points", "va": "center", "ha": "left"}


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


def stacked(figure: Figure, count: int) -> list[Axes]:
    """Panels over one another with a common horizontal axis."""
    axes: list[Axes] = list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    figure.align_ylabels(axes)
    return axes


def bars(
    figure: Figure, names: Sequence[str], values: Sequence[float], colours: Sequence[str]
) -> Axes:
    """Horizontal bars, the first on top."""
    ax: Axes = figure.subplots()
    rows = np.arange(len(names))
    ax.barh(rows, values, height=0.62, color=list(colours))
    ax.set_yticks(rows, list(names))
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    return ax


def ticks(at_most: int, *, integer: bool = True) -> Locator:
    """Place ticks at round numbers: steps of 1, 2 or 5, never of 15."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(at_most, integer=integer, steps=[1, 2, 5, 10])


def as_svg(name: str, draw: Callable[[Figure], None], *, height_in: float) -> str:
    """Run `draw` on a new figure and return it as an SVG element that can stand in a page."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    text = io.StringIO()
    with mpl.rc_context():
        # A user's own style sheet must not change what a report looks like.
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type, unused-ignore]
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
