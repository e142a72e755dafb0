"""What a splitter by halving makes of a group: the cores that the compiler may take.

The compiler halves a layer until its constraints pass ([OzU-CAST] README). For convolutions that is
known to the core from what it printed: the channels are halved until the kernel fits a core, then
the width, which starts at the power of two above it. Dense layers it cut otherwise, into 1 to 3
times the fewest parts; halving them, with cores no fuller than the fullest recurrent one that it
printed, takes at least as many.
"""

from __future__ import annotations

from kipuka.deploy.costs.mapping.blocks import Grid, as_grid, of_size
from kipuka.deploy.costs.mapping.groups import Group
from kipuka.deploy.costs.mapping.limits import NEURONS, SYNAPTIC_MEMORY, CoreLimits
from kipuka.deploy.costs.mapping.splitting import (
    Split,
    does_not_fit,
    exceeded,
    kernel_words,
    split_at,
)

CHANNELS, ROWS, COLUMNS = range(3)


def halve(group: Group, limits: CoreLimits) -> Split:
    """Halve a group until every part fits a core.

    Parameters
    ----------
    group : Group
    limits : CoreLimits

    Raises
    ------
    KipukaError
        If not even single neurons fit.
    """
    shape = as_grid(group.shape)
    sizes = _start(group, shape, limits)
    while True:
        parts = of_size(shape, sizes)
        grid = tuple(edges.size - 1 for edges in parts.edges)
        split = split_at(group, (grid[0], grid[1], grid[2]), parts, limits.packing)
        worst = exceeded(split.needs, limits)
        if worst is None:
            return split
        smaller = _halved(sizes, _axes(group, sizes, worst[0]))
        if smaller is None:
            raise does_not_fit(group.name, *worst)
        sizes = smaller


def _start(group: Group, shape: Grid, limits: CoreLimits) -> Grid:
    """Largest part that keeps the limits of kernels and of neurons."""
    sizes, most = shape, limits.per_core[NEURONS]
    if group.is_image:
        sizes = _channels_for_kernels(group, shape, limits), shape[ROWS], _power_above(shape[2])
    while most is not None and sizes[0] * sizes[1] * sizes[2] > most:
        smaller = _halved(sizes, _axes(group, sizes, NEURONS))
        if smaller is None:
            break
        sizes = smaller
    return sizes


def _channels_for_kernels(group: Group, shape: Grid, limits: CoreLimits) -> int:
    """Output channels whose kernels fit a core, by halving."""
    channels, words = shape[CHANNELS], limits.per_core[SYNAPTIC_MEMORY]
    while words is not None and channels > 1:
        if kernel_words(group, shape, channels, limits.packing) <= words:
            break
        channels = -(-channels // 2)
    return channels


def _axes(group: Group, sizes: Grid, limit: str) -> tuple[int, ...]:
    """Axes to halve under a limit, the first that can be."""
    if not group.is_image:
        return tuple(sorted(range(3), key=lambda axis: -sizes[axis]))
    if limit == SYNAPTIC_MEMORY and group.convolutional:
        return (CHANNELS,)
    return COLUMNS, ROWS, CHANNELS


def _halved(sizes: Grid, axes: tuple[int, ...]) -> Grid | None:
    for axis in axes:
        if sizes[axis] > 1:
            changed = list(sizes)
            changed[axis] = -(-sizes[axis] // 2)
            return changed[0], changed[1], changed[2]
    return None


def _power_above(number: int) -> int:
    """Smallest power of two that is not below a number."""
    return 1 << max(number - 1, 0).bit_length()
