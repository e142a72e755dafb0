"""Links of the mesh and what goes over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kipuka.deploy.costs.cost import Cost
from kipuka.deploy.costs.mapping.limits import Mesh
from kipuka.deploy.costs.mapping.traffic import Link
from kipuka.deploy.report.plots.cores import MAX_CHIPS
from kipuka.deploy.report.plots.style import ACCENT, DATA, MUTED, Plot, as_svg
from kipuka.hardware_profiles.numbers import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BESIDE = 0.11
"""Distance of a link from the line between its routers, so that both directions are seen."""


def plot_links(profile: Cost) -> Plot | None:
    """Draw messages on each link between routers as lines of that width.

    Parameters
    ----------
    profile : Cost

    Returns
    -------
    Plot or None
        None if no message left its router.
    """
    activity, routes = profile.activity, profile.activity.routes
    loads = {
        link: int(n) for link, n in zip(routes.links, activity.link_messages, strict=True) if n
    }
    between = {
        pair: int(n)
        for pair, n in zip(routes.chip_links, activity.chip_link_messages, strict=True)
        if n
    }
    if not loads and not between:
        return None
    shown = min(profile.mapping.n_chips, MAX_CHIPS)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(shown, 1, squeeze=False)[:, 0]
        for chip, ax in enumerate(axes):
            _mesh(ax, profile.mapping.limits.mesh)
            for link, messages in loads.items():
                if link[0] == chip:
                    _arrow(ax, link, messages, max(loads.values()))
            ax.set_title(f"chip {chip}" if profile.mapping.n_chips > 1 else "")

    text = _described(loads, between)
    return Plot(
        name="links",
        title="Messages per link",
        caption="Spike messages of the whole run on each directed link between routers; the wider "
        f"the line, the more, the busiest in the second colour. {text}.",
        alt=f"Map of links between routers. {text}.",
        svg=as_svg("links", draw, height_in=0.3 + 3.3 * shown),
    )


def _described(loads: dict[Link, int], between: dict[tuple[int, int], int]) -> str:
    parts = []
    if loads:
        busiest = max(loads, key=lambda link: loads[link])
        chip, *ends = busiest
        parts.append(
            f"{len(loads)} links in use; busiest: chip {chip}, ({ends[0]}, {ends[1]}) to "
            f"({ends[2]}, {ends[3]}) with {count(loads[busiest])} messages"
        )
    if between:
        named = sorted(between, key=lambda pair: -between[pair])[:MAX_CHIPS]
        listed = ", ".join(f"{a} to {b}: {count(between[a, b])}" for a, b in named)
        parts.append(f"between chips (busiest first) {listed}")
    return "; ".join(parts)


def _mesh(ax: Axes, mesh: Mesh) -> None:
    for x in range(mesh.columns):
        for y in range(mesh.rows):
            ax.plot([x], [y], marker="s", color=MUTED, markersize=5)
    ax.set_xlim(-0.5, mesh.columns - 0.5)
    ax.set_ylim(mesh.rows - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.set_xticks(range(mesh.columns))
    ax.set_yticks(range(mesh.rows))
    ax.set_xlabel("column")
    ax.set_ylabel("row")


def _arrow(ax: Axes, link: Link, messages: int, most: int) -> None:
    """Line to the right of the direction in which the messages go."""
    _, x0, y0, x1, y1 = link
    dx, dy = x1 - x0, y1 - y0
    start = (x0 + 0.18 * dx - BESIDE * dy, y0 + 0.18 * dy + BESIDE * dx)
    end = (x1 - 0.18 * dx - BESIDE * dy, y1 - 0.18 * dy + BESIDE * dx)
    look = {
        "arrowstyle": "-|>",
        "color": ACCENT if messages == most else DATA,
        "linewidth": 0.6 + 3.4 * messages / most,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.annotate("", end, start, arrowprops=look)
