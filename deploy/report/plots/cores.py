"""Cores on the mesh as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kipuka.deploy.costs.cost import Profile
from kipuka.deploy.costs.mapping.mapping import CORES_PER_ROUTER, ROUTERS_X, ROUTERS_Y
from kipuka.deploy.report.plots.style import DATA, MUTED, Plot, as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CHIPS = 4
"""Chips that are drawn; those that follow are left out, and the caption says so."""


def plot_cores(profile: Profile) -> Plot:
    """Draw synaptic operations of each core at its place on the mesh.

    Parameters
    ----------
    profile : Profile
    """
    mapping, work = profile.mapping, profile.work
    share = work.synaptic_operations / max(int(work.synaptic_operations.max(initial=0)), 1)
    owner = np.concatenate([np.full(own.n_cores, own.layer) for own in mapping.layers])
    shown = min(mapping.n_chips, MAX_CHIPS)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(shown, 1, squeeze=False)[:, 0]
        for chip, ax in enumerate(axes):
            _empty_mesh(ax)
            filled = np.zeros((ROUTERS_X, ROUTERS_Y), dtype=int)
            for core in np.flatnonzero(mapping.chips == chip):
                x, y = (int(n) for n in mapping.routers[core])
                left, top = _corner(x, y, int(filled[x, y]))
                filled[x, y] += 1
                alpha = 0.08 + 0.57 * float(share[core])
                ax.add_patch(_square(left, top, facecolor=DATA, alpha=alpha))
                ax.text(
                    left + 0.215,
                    top + 0.215,
                    f"{owner[core]}",
                    ha="center",
                    va="center",
                    fontsize=7,
                )
            ax.set_title(f"chip {chip}" if mapping.n_chips > 1 else "")

    busiest = int(work.synaptic_operations.argmax()) if mapping.n_cores else 0
    more = (
        f"; {mapping.n_chips - shown} more chips are not drawn" if mapping.n_chips > shown else ""
    )
    text = (
        f"{mapping.n_cores} cores on {mapping.n_chips} chip{'s' * (mapping.n_chips > 1)}{more}. "
        f"Busiest: core {busiest} of layer {owner[busiest]}"
    )
    return Plot(
        name="cores",
        title="Core map",
        caption="Mesh of 8 x 4 routers with 4 neuro cores each. Number: layer; the stronger the "
        f"colour, the more synaptic operations in the whole run. {text}.",
        alt=f"Heat map of cores: {text}.",
        svg=as_svg("cores", draw, height_in=0.3 + 3.3 * shown),
    )


def _empty_mesh(ax) -> None:  # type: ignore[no-untyped-def]
    for x in range(ROUTERS_X):
        for y in range(ROUTERS_Y):
            for place in range(CORES_PER_ROUTER):
                left, top = _corner(x, y, place)
                ax.add_patch(_square(left, top, facecolor="none", edgecolor=MUTED, linewidth=0.4))
    ax.set_xlim(-0.1, ROUTERS_X)
    ax.set_ylim(ROUTERS_Y, -0.1)
    ax.set_aspect("equal")
    ax.axis("off")


def _corner(x: int, y: int, place: int) -> tuple[float, float]:
    return x + 0.45 * (place % 2), y + 0.45 * (place // 2)


def _square(left: float, top: float, **look):  # type: ignore[no-untyped-def]
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), 0.43, 0.43, **look)
