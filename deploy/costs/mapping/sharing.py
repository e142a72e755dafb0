"""Several groups on the same cores: the populations of a layer, cut at the same neurons.

A layer of a network that was lowered is several groups of neurons, most of whose messages go from
one to the next, neuron by neuron. Where they share cores such a message stays on its core, and the
cores are as many as the layer needs, not as it has groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kipuka.deploy.costs.mapping.blocks import Grid, as_grid, partition
from kipuka.deploy.costs.mapping.groups import Group
from kipuka.deploy.costs.mapping.limits import AXONS_OUT, CoreLimits, core_limits
from kipuka.deploy.costs.mapping.mapping import Mapping, check_groups, placed_within
from kipuka.deploy.costs.mapping.splitting import Split, does_not_fit, exceeded, split_at
from kipuka.deploy.costs.mapping.spreading import Spread, output_axons, slowest_s, times_of
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile


@dataclass(frozen=True, eq=False)
class Shared:
    """Groups that share cores.

    Attributes
    ----------
    members : tuple of int
        Positions of the groups.
    splits : tuple of Split
        One for each.
    n_cores : int
        That they share; a group of fewer neurons lies on the first of them.
    """

    members: tuple[int, ...]
    splits: tuple[Split, ...]
    n_cores: int

    def needs(self, name: str) -> np.ndarray:
        """Add up what the groups need of a limit on each core: int64 array (cores,)."""
        total = np.zeros(self.n_cores, dtype=np.int64)
        for split in self.splits:
            needed = split.needs[name]
            total[: needed.size] += needed
        return total

    def worst(self, limits: CoreLimits) -> tuple[str, int, int] | None:
        """Limit that is exceeded most, with what is needed and available."""
        return exceeded({name: self.needs(name) for name in self.splits[0].needs}, limits)


def map_shared(
    groups: tuple[Group, ...],
    together: Sequence[tuple[int, ...]],
    hardware: HardwareProfile,
    loads: Sequence[np.ndarray],
    spread: Spread | None = None,
) -> Mapping:
    """Place groups so that those of one layer share cores.

    All groups that share cores are cut into as many parts of equal size, in rows if they have rows
    and else in channels, so that rows are what their messages go along.

    Parameters
    ----------
    groups : tuple of Group
        Those with several neurons for one of the layer have them in channels, the layer in rows.
    together : sequence of tuple of int
        Positions of the groups that share cores; each group once.
    hardware : HardwareProfile
    loads : sequence of array (neurons,)
        Work of each neuron of each group.
    spread : Spread, optional
        Cores to use beyond those that are needed.

    Returns
    -------
    Mapping
        The needs of a core are sums over the groups on it. Axons and messages stay those of each
        group, as if none listened to the message of another.

    Raises
    ------
    KipukaError
        As `map_groups`.
    """
    limits = core_limits(hardware)
    check_groups(groups, hardware, limits)
    found = [_cut_until_it_fits(groups, members, limits, 1) for members in together]
    found = _within_output_axons(groups, found, limits)
    if spread is not None:
        found = _spread_over(groups, found, limits, loads, hardware, spread)
    splits, firsts, first = _in_order(groups, found), [0] * len(groups), 0
    for one in found:
        for member in one.members:
            firsts[member] = first
        first += one.n_cores
    return placed_within(groups, hardware, limits, splits, firsts)


def _cut(
    groups: tuple[Group, ...], members: tuple[int, ...], parts: int, limits: CoreLimits
) -> Shared:
    splits = []
    for member in members:
        shape = as_grid(groups[member].shape)
        rows = min(parts, shape[1])
        grid: Grid = (1, rows, 1) if shape[1] > 1 else (min(parts, shape[0]), 1, 1)
        splits.append(split_at(groups[member], grid, partition(shape, grid, None), limits.packing))
    return Shared(members, tuple(splits), max(split.parts.n_cores for split in splits))


def _most_parts(groups: tuple[Group, ...], members: tuple[int, ...]) -> int:
    shapes = [as_grid(groups[member].shape) for member in members]
    return max(shape[1] if shape[1] > 1 else shape[0] for shape in shapes)


def _cut_until_it_fits(
    groups: tuple[Group, ...], members: tuple[int, ...], limits: CoreLimits, parts: int
) -> Shared:
    """Cut into more parts until none exceeds a limit, by the factor by which one was exceeded."""
    most = _most_parts(groups, members)
    while True:
        shared = _cut(groups, members, parts, limits)
        worst = shared.worst(limits)
        if worst is None:
            return shared
        _, needed, available = worst
        if parts >= most or not available:
            raise _does_not_fit(groups, members, worst)
        parts = min(most, max(parts + 1, parts * needed // available))


def _in_order(groups: tuple[Group, ...], found: Sequence[Shared]) -> list[Split]:
    by_member = {m: s for one in found for m, s in zip(one.members, one.splits, strict=True)}
    return [by_member[member] for member in range(len(groups))]


def _within_output_axons(
    groups: tuple[Group, ...], found: list[Shared], limits: CoreLimits
) -> list[Shared]:
    """Cut further whose neurons reach too many cores, the last first."""
    while True:
        splits = _in_order(groups, found)
        for split, needs in zip(splits, output_axons(groups, splits), strict=True):
            split.needs[AXONS_OUT] = needs
        over = [(k, worst) for k, one in enumerate(found) if (worst := one.worst(limits))]
        if not over:
            return found
        k, worst = over[-1]
        members, n_cores = found[k].members, found[k].n_cores
        if n_cores >= _most_parts(groups, members):
            raise _does_not_fit(groups, members, worst)
        found[k] = _cut_until_it_fits(groups, members, limits, n_cores + 1)


def _does_not_fit(
    groups: tuple[Group, ...], members: tuple[int, ...], worst: tuple[str, int, int]
) -> KipukaError:
    return does_not_fit(" and ".join(groups[member].name for member in members), *worst)


def _spread_over(
    groups: tuple[Group, ...],
    found: list[Shared],
    limits: CoreLimits,
    loads: Sequence[np.ndarray],
    hardware: HardwareProfile,
    spread: Spread,
) -> list[Shared]:
    """Cut the slowest further while there are cores, and until the barrier takes longer."""
    times = times_of(hardware, spread)
    while True:
        work = [slowest_s(one.splits, [loads[m] for m in one.members], times) for one in found]
        k = int(np.argmax(work))
        used = sum(one.n_cores for one in found)
        finer = used < spread.cores and found[k].n_cores < _most_parts(groups, found[k].members)
        if work[k] <= times.enough_s or not finer:
            return _within_output_axons(groups, found, limits)
        found[k] = _cut_until_it_fits(groups, found[k].members, limits, found[k].n_cores + 1)
