"""Cutting one layer until every block fits its core, or saying why none can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.convert.program import Layer, Program
from kipuka.deploy.costs.mapping.axons import Axons, axons_of
from kipuka.deploy.costs.mapping.blocks import Grid, Partition, as_grid, partition
from kipuka.deploy.costs.mapping.demand import demands
from kipuka.deploy.costs.mapping.limits import (
    AXONS_IN,
    AXONS_OUT,
    DELAY_SLOTS,
    MEMORY,
    NEURONS,
    SYNAPTIC_MEMORY,
    UNITS,
    CoreLimits,
)
from kipuka.errors import KipukaError

REMEDIES = {
    NEURONS: "make the layer smaller, or take a chip with more neurons on a core",
    AXONS_IN: "reduce the layer's inputs (a pool or a layer of fewer neurons before it), or prune "
    "all weights of some inputs",
    AXONS_OUT: "make the layers that receive its spikes smaller, so that they need fewer cores, or "
    "the layer itself",
    SYNAPTIC_MEMORY: "prune weights, or give the layer fewer inputs",
    MEMORY: "prune weights, or give the layer fewer inputs",
    DELAY_SLOTS: "shorten the longest delay that arrives at the layer",
}


SHARES_OF_LOAD = (0.75, 0.5, 0.25, 0.1)
"""Parts of the load that blocks share evenly where the limits do not allow all of it."""


@dataclass(frozen=True, eq=False)
class Split:
    """A layer on cores of its own.

    Attributes
    ----------
    grid : tuple of int
    parts : Partition
    axons : tuple of Axons
        Of each projection.
    needs : dict of str to int64 array (cores,)
    """

    grid: Grid
    parts: Partition
    axons: tuple[Axons, ...]
    needs: dict[str, np.ndarray]


def split_layer(
    program: Program,
    position: int,
    limits: CoreLimits,
    load: np.ndarray | None,
    start: Grid = (1, 1, 1),
) -> Split:
    """Cut a layer into the fewest blocks that fit, from a grid on.

    Parameters
    ----------
    program : Program
    position : int
        Of the layer.
    limits : CoreLimits
    load : array (neurons,) or None
        Work of each neuron, which the blocks share evenly where the limits allow.
    start : tuple of int
        Smallest grid to try.

    Raises
    ------
    KipukaError
        If not even blocks of one neuron, row or channel fit.
    """
    layer = program.layers[position]
    shape = as_grid(layer.shape)
    grid = _room_for_neurons(shape, limits, start)
    while True:
        split, worst = _balanced(layer, shape, grid, load, limits)
        if worst is None:
            return split
        name, needed, available = worst
        larger = _larger(shape, grid, name, needed / available, layer.convolutional)
        if larger is None:
            raise does_not_fit(program.numbers[position], name, needed, available)
        grid = larger


def _balanced(
    layer: Layer, shape: Grid, grid: Grid, load: np.ndarray | None, limits: CoreLimits
) -> tuple[Split, tuple[str, int, int] | None]:
    """Blocks that fit and share the load as evenly as that allows; else those of equal size.

    Where little work is to be done, balanced blocks have many neurons. So the load that is shared
    is mixed, as much as it takes, with an equal share for every neuron.
    """
    balanced = _at(layer, shape, grid, load)
    worst = _worst(balanced.needs, limits)
    if load is None or worst is None:
        return balanced, worst
    equal = _at(layer, shape, grid, None)
    worst = _worst(equal.needs, limits)
    if worst is not None:
        return equal, worst
    for share in SHARES_OF_LOAD:
        mixed = _at(layer, shape, grid, share * load + (1 - share) * load.mean())
        if _worst(mixed.needs, limits) is None:
            return mixed, None
    return equal, None


def more_blocks(shape: Grid, grid: Grid) -> Grid | None:
    """Grid with one more part along the axis whose parts are longest; None at single neurons."""
    lengths = [extent / parts for extent, parts in zip(shape, grid, strict=True)]
    order = np.argsort(lengths, kind="stable")[::-1]
    for axis in order:
        if grid[axis] < shape[axis]:
            return _with(grid, int(axis), grid[axis] + 1)
    return None


def does_not_fit(number: int, name: str, needed: int, available: int) -> KipukaError:
    """Describe the limit that no way of cutting the layer keeps."""
    return KipukaError(
        "the network does not fit the chip",
        where=f"layer {number}, {name} of a neuro core",
        limit=f"{available:,} {UNITS[name]}",
        value=f"{needed:,} {UNITS[name]} on the busiest core, however the layer is cut",
        remedy=REMEDIES[name],
    )


def _at(layer: Layer, shape: Grid, grid: Grid, load: np.ndarray | None) -> Split:
    parts = partition(shape, grid, load)
    axons = [axons_of(projection, parts) for projection in layer.projections]
    return Split(grid, parts, tuple(axons), demands(layer, parts, axons))


def _worst(needs: dict[str, np.ndarray], limits: CoreLimits) -> tuple[str, int, int] | None:
    """Limit that is exceeded by the largest factor, with what is needed and available."""
    found: list[tuple[float, str, int, int]] = []
    for name, values in needs.items():
        available = limits.per_core[name]
        needed = int(values.max(initial=0))
        if available is not None and needed > available:
            found.append((needed / max(available, 1), name, needed, available))
    return max(found)[1:] if found else None


def _room_for_neurons(shape: Grid, limits: CoreLimits, start: Grid) -> Grid:
    """Smallest grid from `start` on whose blocks have no more neurons than a core holds."""
    available = limits.per_core[NEURONS]
    grid = start
    while available is not None:
        sizes = [-(-extent // parts) for extent, parts in zip(shape, grid, strict=True)]
        ratio = float(np.prod(sizes)) / available
        larger = _larger(shape, grid, NEURONS, ratio, convolutional=True) if ratio > 1 else None
        if larger is None:
            break
        grid = larger
    return grid


def _larger(shape: Grid, grid: Grid, name: str, ratio: float, convolutional: bool) -> Grid | None:
    """Grid with more parts along the axis that relieves a limit; None if that is exhausted."""
    if name in (SYNAPTIC_MEMORY, MEMORY) and convolutional:
        # A kernel is stored whole for each output channel, wherever the region ends.
        axes = [0, 1, 2] if name == MEMORY else [0]
    elif name == AXONS_IN and convolutional:
        axes = [1, 2] if shape[1] / grid[1] >= shape[2] / grid[2] else [2, 1]
        axes.append(0)
    else:
        lengths = [extent / parts for extent, parts in zip(shape, grid, strict=True)]
        axes = [int(axis) for axis in np.argsort(lengths, kind="stable")[::-1]]
    for axis in axes:
        if grid[axis] < shape[axis]:
            grown = max(grid[axis] + 1, int(grid[axis] * min(ratio, 2.0)))
            return _with(grid, axis, min(grown, shape[axis]))
    return None


def _with(grid: Grid, axis: int, parts: int) -> Grid:
    changed = list(grid)
    changed[axis] = parts
    return changed[0], changed[1], changed[2]
