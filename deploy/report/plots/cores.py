"""Cores on the mesh as a heat map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kipuka.deploy.costs.cost import Cost
from kipuka.deploy.costs.mapping.limits import Mesh
from kipuka.deploy.report.plots.style import DATA, MUTED, Plot, as_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SQUARES, GAP = 0.9, 0.02
"""Room for the cores of a router, out of 1, and between two of them."""

MAX_CHIPS = 4
"""Chips that are drawn; those that follow are left out, and the caption says so."""


def plot_cores(profile: Cost) -> Plot:
    """Draw synaptic operations of each core at its place on the mesh.

    Parameters
    ----------
    profile : Cost
    """
    mapping, activity, mesh = profile.mapping, profile.activity, profile.mapping.limits.mesh
    owner, shown = owners(profile), min(mapping.n_chips, MAX_CHIPS)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(shown, 1, squeeze=False)[:, 0]
        for chip, ax in enumerate(axes):
            draw_chip(ax, profile, chip, colour=DATA, muted=MUTED)
            ax.set_title(f"chip {chip}" if mapping.n_chips > 1 else "")

    busiest = int(activity.synaptic_operations.argmax()) if mapping.n_cores else 0
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
        caption=f"Mesh of {mesh.columns} x {mesh.rows} routers with {mesh.cores_per_router} neuro "
        "cores each. Number: layer; the stronger the colour, the more synaptic operations in the "
        f"whole run. {text}.",
        alt=f"Heat map of cores: {text}.",
        svg=as_svg("cores", draw, height_in=0.3 + 3.3 * shown),
    )


def owners(profile: Cost) -> np.ndarray:
    """Return the layer of each core: int64 (cores,)."""
    return np.concatenate([np.full(own.n_cores, own.layer) for own in profile.mapping.groups])


def draw_chip(ax: Axes, profile: Cost, chip: int, colour: str, muted: str) -> None:
    """Draw the mesh of a chip, and in it the cores that a network takes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    profile : Cost
    chip : int
    colour, muted : str
        Of cores in use, and of the outlines of all.
    """
    mapping, mesh, owner = profile.mapping, profile.mapping.limits.mesh, owners(profile)
    operations = profile.activity.synaptic_operations
    share = operations / max(int(operations.max(initial=0)), 1)
    _empty_mesh(ax, mesh, muted)
    filled = np.zeros((mesh.columns, mesh.rows), dtype=int)
    for core in np.flatnonzero(mapping.chips == chip):
        x, y = (int(n) for n in mapping.routers[core])
        left, top, side = _corner(x, y, int(filled[x, y]), mesh)
        filled[x, y] += 1
        alpha = 0.08 + 0.57 * float(share[core])
        ax.add_patch(_square(left, top, side, facecolor=colour, alpha=alpha))
        middle = left + side / 2, top + side / 2
        ax.text(*middle, f"{owner[core]}", ha="center", va="center", fontsize=7)


def _empty_mesh(ax: Axes, mesh: Mesh, muted: str) -> None:
    from matplotlib.collections import PatchCollection

    free = [
        _square(*_corner(x, y, place, mesh))
        for x in range(mesh.columns)
        for y in range(mesh.rows)
        for place in range(mesh.cores_per_router)
    ]
    outlines = PatchCollection(free, facecolor="none", edgecolor=muted, linewidth=0.4)
    ax.add_collection(outlines)
    ax.set_xlim(-0.1, mesh.columns)
    ax.set_ylim(mesh.rows, -0.1)
    ax.set_aspect("equal")
    ax.axis("off")


def _corner(x: int, y: int, place: int, mesh: Mesh) -> tuple[float, float, float]:
    """Left, top and side of a core's square beside its router's others."""
    across = math.ceil(math.sqrt(mesh.cores_per_router))
    step = SQUARES / across
    return x + step * (place % across), y + step * (place // across), step - GAP


def _square(left: float, top: float, side: float, **look):  # type: ignore[no-untyped-def]
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), side, side, **look)
