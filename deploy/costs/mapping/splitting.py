"""Cutting one group until every block fits its core, or saying why none can."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kipuka.convert.synapses import ConvSynapses
from kipuka.deploy.costs.mapping.axons import NOTHING, Axons, axons_of
from kipuka.deploy.costs.mapping.blocks import Grid, Partition, as_grid, of_size, partition
from kipuka.deploy.costs.mapping.demand import demands, synaptic_words
from kipuka.deploy.costs.mapping.groups import Group
from kipuka.deploy.costs.mapping.limits import (
    AXON_MAP,
    AXONS_IN,
    AXONS_OUT,
    DELAY_SLOTS,
    MEMORY,
    NEURONS,
    SYNAPSES,
    SYNAPTIC_MEMORY,
    UNITS,
    CoreLimits,
    Packing,
)
from kipuka.errors import KipukaError

REMEDIES = {
    NEURONS: "make the layer smaller, or take a chip with more neurons on a core",
    AXONS_IN: "reduce the layer's inputs (a pool or a layer of fewer neurons before it), or prune "
    "all weights of some inputs",
    AXONS_OUT: "make the layers that receive its spikes smaller, so that they need fewer cores, or "
    "the layer itself",
    AXON_MAP: "make the layer smaller",
    SYNAPTIC_MEMORY: "give the layer fewer inputs, or prune weights that are stored as a list",
    MEMORY: "give the layer fewer inputs, or prune weights that are stored as a list",
    SYNAPSES: "prune weights, or take a chip that holds more synapses",
    DELAY_SLOTS: "shorten the longest delay that arrives at the layer",
}


SHARES_OF_LOAD = (0.75, 0.5, 0.25, 0.1)
"""Parts of the load that blocks share evenly where the limits do not allow all of it."""


@dataclass(frozen=True, eq=False)
class Split:
    """A group on cores of its own.

    Attributes
    ----------
    grid : tuple of int
        Parts along channels, rows and columns.
    parts : Partition
    axons : tuple of Axons
        Of each bundle.
    needs : dict of str to int64 array (cores,)
    """

    grid: Grid
    parts: Partition
    axons: tuple[Axons, ...]
    needs: dict[str, np.ndarray]


def split_group(
    group: Group, limits: CoreLimits, load: np.ndarray | None, start: Grid = (1, 1, 1)
) -> Split:
    """Cut a group into the fewest blocks that fit, from a grid on.

    Parameters
    ----------
    group : Group
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
    shape = as_grid(group.shape)
    grid, before = _start(group, shape, limits, start), None
    while True:
        split, worst = _balanced(group, shape, grid, load, limits)
        if worst is None:
            return split if before is None else _fewest(group, shape, before, split, load, limits)
        name, needed, available = worst
        larger = None
        if available:
            larger = _larger(shape, grid, name, needed / available, group.convolutional)
        if larger is None:
            raise does_not_fit(group.name, name, needed, available)
        grid, before = larger, grid


def _fewest(
    group: Group,
    shape: Grid,
    before: Grid,
    found: Split,
    load: np.ndarray | None,
    limits: CoreLimits,
) -> Split:
    """Search the grids between one that did not fit and the next that did, which is one axis away.

    The search halves the range, as if every finer grid fitted where a coarser one does, and leaves
    out those that would fill a core beyond its limit if all needs grew alike.
    """
    (axis,) = (k for k in range(3) if before[k] != found.grid[k])
    high = found.grid[axis]
    low = max(before[axis] + 1, math.ceil(high * _fullness(found.needs, limits)))
    while low < high:
        middle = (low + high) // 2
        split, worst = _balanced(group, shape, _with(before, axis, middle), load, limits)
        if worst is None:
            found, high = split, middle
        else:
            low = middle + 1
    return found


def _balanced(
    group: Group, shape: Grid, grid: Grid, load: np.ndarray | None, limits: CoreLimits
) -> tuple[Split, tuple[str, int, int] | None]:
    """Blocks that fit and share the load as evenly as that allows; else those of equal size.

    Where little work is to be done, balanced blocks have many neurons. So the load that is shared
    is mixed, as much as it takes, with an equal share for every neuron.
    """

    def at(load: np.ndarray | None) -> Split:
        return split_at(group, grid, partition(shape, grid, load), limits.packing)

    balanced = at(load)
    worst = exceeded(balanced.needs, limits)
    if load is None or worst is None:
        return balanced, worst
    equal = at(None)
    worst = exceeded(equal.needs, limits)
    if worst is not None:
        return equal, worst
    for share in SHARES_OF_LOAD:
        mixed = at(share * load + (1 - share) * load.mean())
        if exceeded(mixed.needs, limits) is None:
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


def does_not_fit(name: str, limit: str, needed: int, available: int) -> KipukaError:
    """Describe the limit that no way of cutting the group keeps."""
    return KipukaError(
        "the network does not fit the chip",
        where=f"{name}, {limit} of a neuro core",
        limit=f"{available:,} {UNITS[limit]}",
        value=f"{needed:,} {UNITS[limit]} on the busiest core, however the layer is cut",
        remedy=REMEDIES[limit],
    )


def split_at(group: Group, grid: Grid, parts: Partition, packing: Packing) -> Split:
    """Count what a group asks for that is cut in a certain way."""
    axons = [axons_of(bundle, parts) for bundle in group.bundles]
    return Split(grid, parts, tuple(axons), demands(group, parts, axons, packing))


def exceeded(needs: dict[str, np.ndarray], limits: CoreLimits) -> tuple[str, int, int] | None:
    """Limit that is exceeded by the largest factor, with what is needed and available."""
    found: list[tuple[float, str, int, int]] = []
    for name, values in needs.items():
        available = limits.per_core[name]
        needed = int(values.max(initial=0))
        if available is not None and needed > available:
            found.append((needed / max(available, 1), name, needed, available))
    return max(found)[1:] if found else None


def _fullness(needs: dict[str, np.ndarray], limits: CoreLimits) -> float:
    """Largest share of a limit that a block uses."""
    pairs = ((values.max(initial=0), limits.per_core[name]) for name, values in needs.items())
    return max((most / limit for most, limit in pairs if limit), default=0.0)


def _start(group: Group, shape: Grid, limits: CoreLimits, start: Grid) -> Grid:
    """Fewest blocks from `start` on that keep the limits of kernels and of neurons."""
    channels, words = start[0], limits.per_core[SYNAPTIC_MEMORY]
    while words is not None and channels < shape[0]:
        if kernel_words(group, shape, -(-shape[0] // channels), limits.packing) <= words:
            break
        channels += 1
    return _room_for_neurons(shape, limits.per_core[NEURONS], (channels, start[1], start[2]))


def kernel_words(group: Group, shape: Grid, channels: int, packing: Packing) -> int:
    """Words of a group's kernels on a core with so many output channels, whatever its region."""
    kernels = [b for b in group.bundles if isinstance(b.synapses, ConvSynapses)]
    if not kernels:
        return 0
    parts = of_size(shape, (channels, shape[1], shape[2]))
    words = [synaptic_words(kernel, parts, NOTHING, packing) for kernel in kernels]
    return int(np.sum(words, axis=0).max())


def _room_for_neurons(shape: Grid, available: int | None, start: Grid) -> Grid:
    """Grid of the fewest blocks, from `start` on, that have no more neurons than a core holds."""
    if available is None:
        return start
    best, fewest = shape, math.prod(shape) + 1
    for channels in range(start[0], shape[0] + 1):
        if channels * start[1] * start[2] >= fewest:
            break
        for rows in range(start[1], shape[1] + 1):
            room = available // (-(-shape[0] // channels) * -(-shape[1] // rows))
            columns = max(start[2], -(-shape[2] // room)) if room else shape[2]
            if room and channels * rows * columns < fewest:
                best, fewest = (channels, rows, columns), channels * rows * columns
    return best


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
            grown = max(grid[axis] + 1, int(grid[axis] * ratio))
            return _with(grid, axis, min(grown, shape[axis]))
    return None


def _with(grid: Grid, axis: int, parts: int) -> Grid:
    changed = list(grid)
    changed[axis] = parts
    return changed[0], changed[1], changed[2]
