"""Groups onto neuro cores, cores onto chips and routers, under the limits of a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert.program import Program
from kipuka.deploy.costs.mapping.abilities import check_abilities
from kipuka.deploy.costs.mapping.axons import Axons
from kipuka.deploy.costs.mapping.blocks import Partition
from kipuka.deploy.costs.mapping.groups import Group, groups_of
from kipuka.deploy.costs.mapping.halving import halve
from kipuka.deploy.costs.mapping.limits import AXONS_OUT, NEURONS, SYNAPSES, CoreLimits, core_limits
from kipuka.deploy.costs.mapping.splitting import Split, split_group
from kipuka.deploy.costs.mapping.spreading import (
    Spread,
    check_spread,
    output_axons,
    spread_over,
    times_of,
    within_output_axons,
)
from kipuka.display import Shown
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile


@dataclass(frozen=True, eq=False)
class GroupMapping(Shown):
    """One group on its cores.

    Attributes
    ----------
    name : str
    layer : int
        Number in the file.
    first_core : int
        Its cores are ``first_core`` and those that follow; `map_shared` gives some to several.
    parts : Partition
    axons : tuple of Axons
        Of each bundle; their cores count from 0 within the group.
    needs : dict of str to int64 array (cores,)
        Under each limit of `limits.NAMES`.
    """

    name: str
    layer: int
    first_core: int
    parts: Partition
    axons: tuple[Axons, ...]
    needs: dict[str, np.ndarray]

    @property
    def n_cores(self) -> int:
        """Cores of the group."""
        return self.parts.n_cores

    @property
    def cores(self) -> slice:
        """Its cores among all."""
        return slice(self.first_core, self.first_core + self.n_cores)


@dataclass(frozen=True, eq=False)
class Mapping(Shown):
    """A network on a chip, or on several.

    Attributes
    ----------
    hardware : str
    limits : CoreLimits
    groups : tuple of GroupMapping
    chips : int64 array (cores,)
        Chip of each core.
    routers : int64 array (cores, 2)
        Column and row of each core's router on the mesh of its chip.
    """

    hardware: str
    limits: CoreLimits
    groups: tuple[GroupMapping, ...]
    chips: np.ndarray
    routers: np.ndarray

    @property
    def n_cores(self) -> int:
        """Cores in use."""
        return int(self.chips.size)

    @property
    def n_chips(self) -> int:
        """Chips in use."""
        return int(self.chips.max(initial=0)) + 1

    def needs(self, name: str) -> np.ndarray:
        """What each core uses of a limit: int64 array (cores,)."""
        return needs_by_core(self.groups, name)

    def utilisation(self, name: str) -> np.ndarray | None:
        """Share of a limit that each core uses; None where the limit is not published."""
        available = self.limits.per_core[name]
        return None if available is None else self.needs(name) / max(available, 1)


def needs_by_core(groups: Sequence[GroupMapping], name: str) -> np.ndarray:
    """Add up what groups use of a limit on each core, which several may share: int64 array."""
    total = np.zeros(max(group.cores.stop for group in groups), dtype=np.int64)
    for group in groups:
        total[group.cores] += group.needs[name]
    return total


def map_program(
    program: Program,
    hardware: HardwareProfile,
    load: tuple[np.ndarray, ...] | None = None,
    spread: Spread | None = None,
) -> Mapping:
    """Place a network, fused, on the neuro cores of a chip: see `map_groups`."""
    return map_groups(groups_of(program), hardware, load, spread)


def map_groups(
    groups: tuple[Group, ...],
    hardware: HardwareProfile,
    load: tuple[np.ndarray, ...] | None = None,
    spread: Spread | None = None,
    limits: CoreLimits | None = None,
) -> Mapping:
    """Place groups of neurons on the neuro cores of a chip.

    Each group gets cores of its own, the fewest that keep every published limit: dense layers are
    cut along their outputs, convolutions by region and channel.

    Parameters
    ----------
    groups : tuple of Group
    hardware : HardwareProfile
        Of a chip, with as many chips as are needed, or of a system with those that it has.
    load : tuple of array (neurons,), optional
        Work of each neuron of each group, such as ``arrivals_per_neuron`` of the counters; the
        cores of a group share it evenly.
    spread : Spread, optional
        Cores to use beyond the fewest, for the busiest groups.
    limits : CoreLimits, optional
        Others than the profile's own.

    Returns
    -------
    Mapping

    Raises
    ------
    KipukaError
        If the chip cannot compute the network, or it does not fit; the message names layer, limit,
        needed, available and a change.
    """
    limits = limits or core_limits(hardware)
    check_groups(groups, hardware, limits)
    loads = load or (None,) * len(groups)
    splits = [split_group(g, limits, own) for g, own in zip(groups, loads, strict=True)]
    splits = within_output_axons(groups, splits, limits, loads)
    if spread is not None:
        check_spread(splits, spread)
        times = times_of(hardware, spread)
        splits = spread_over(groups, splits, limits, loads, spread.cores, times)
    return placed_within(groups, hardware, limits, splits, in_turn(splits))


def map_by_halving(groups: tuple[Group, ...], hardware: HardwareProfile) -> Mapping:
    """Place groups as a splitter by halving does, which knows nothing of the work: see `halve`.

    Parameters and errors are those of `map_groups`, except that it takes as many chips as it needs.
    """
    limits = core_limits(hardware)
    check_groups(groups, hardware, limits)
    splits = [_halved(group, hardware) for group in groups]
    for split, needed in zip(splits, output_axons(groups, splits), strict=True):
        split.needs[AXONS_OUT] = needed
    return _placed(groups, hardware, limits, splits, in_turn(splits))


def in_turn(splits: Sequence[Split]) -> list[int]:
    """First core of each group where every group has cores of its own."""
    ends = np.cumsum([0, *(split.parts.n_cores for split in splits)])
    return [int(end) for end in ends[:-1]]


def _halved(group: Group, hardware: HardwareProfile) -> Split:
    """Halve a group under the most cautious limits that leave room for it."""
    # Cores of convolutions were seen filled to the ceiling, those of dense layers were not.
    for cautious in (False,) if group.convolutional else (True, False):
        try:
            return halve(group, core_limits(hardware, "high", cautious))
        except KipukaError:
            continue
    return halve(group, core_limits(hardware))


def check_groups(groups: tuple[Group, ...], hardware: HardwareProfile, limits: CoreLimits) -> None:
    """Refuse groups that no core of the chip can compute or hold, however they are cut."""
    check_abilities(groups, hardware)
    for group in groups:
        _check_widths(group, limits)
    if limits.cores_per_chip is not None and limits.cores_per_chip < 1:
        raise KipukaError(
            "the chip has no neuro cores",
            where=f"hardware profile {hardware.name}, limits.cores_per_chip",
            limit="at least 1 core",
            value=limits.cores_per_chip,
            remedy="correct the profile, or take another chip",
        )


def _check_widths(group: Group, limits: CoreLimits) -> None:
    """Refuse weights, payloads and delays that no core can hold."""
    for bundle in group.bundles:
        bits = bundle.weight_bits
        longest = int(bundle.delays.max(initial=0))
        for name, needed, limit, remedy in (
            ("bits of a weight", bits, limits.weight_bits, "quantize to fewer bits"),
            (
                "bits of a payload",
                bundle.payload_bits,
                limits.payload_bits,
                "take a neuron model that sends fewer bits, or another chip",
            ),
            ("longest delay", longest, limits.delay_steps, "train with a smaller largest delay"),
        ):
            if limit is not None and needed > limit:
                raise KipukaError(
                    "the network does not fit the chip",
                    where=f"{group.name}, {name}",
                    limit=f"{limit} {'bits' if 'bits' in name else 'steps'}",
                    value=needed,
                    remedy=remedy,
                )


def placed_within(
    groups: tuple[Group, ...],
    hardware: HardwareProfile,
    limits: CoreLimits,
    splits: Sequence[Split],
    firsts: Sequence[int],
) -> Mapping:
    """Place groups that were cut, each from its first core on.

    Raises
    ------
    KipukaError
        If a system has not so many chips.
    """
    placed = _placed(groups, hardware, limits, splits, firsts)
    _check_chips(placed.n_chips, limits, hardware)
    return placed


def _placed(
    groups: tuple[Group, ...],
    hardware: HardwareProfile,
    limits: CoreLimits,
    splits: Sequence[Split],
    firsts: Sequence[int],
) -> Mapping:
    placed = [
        GroupMapping(group.name, group.layer, first, split.parts, split.axons, split.needs)
        for group, split, first in zip(groups, splits, firsts, strict=True)
    ]
    chips, slots = _chips(placed, limits)
    columns, rows, cores_per_router = limits.mesh
    places = slots // cores_per_router
    across, down = places % columns, places // columns % rows
    # Boustrophedon: cores that follow each other lie on the same router or on neighbours.
    across = np.where(down % 2 == 1, columns - 1 - across, across)
    routers = np.stack([across, down], axis=1)
    return Mapping(hardware.name, limits, tuple(placed), chips, routers)


def _chips(groups: list[GroupMapping], limits: CoreLimits) -> tuple[np.ndarray, np.ndarray]:
    """Chip of each core and its place there; a chip is full at the first limit that it meets."""
    neurons, synapses = needs_by_core(groups, NEURONS), needs_by_core(groups, SYNAPSES)
    ends = (limits.cores_per_chip, limits.neurons_per_chip, limits.synapses_per_chip)
    chips, slots = np.zeros_like(neurons), np.zeros_like(neurons)
    chip, used = 0, [0, 0, 0]
    for core, amounts in enumerate(zip(np.ones_like(neurons), neurons, synapses, strict=True)):
        full = any(
            end is not None and have + int(more) > end
            for have, more, end in zip(used, amounts, ends, strict=True)
        )
        # No core alone exceeds a chip: its limits stand among those of a core.
        if full:
            chip, used = chip + 1, [0, 0, 0]
        chips[core], slots[core] = chip, used[0]
        used = [have + int(more) for have, more in zip(used, amounts, strict=True)]
    return chips, slots


def _check_chips(needed: int, limits: CoreLimits, hardware: HardwareProfile) -> None:
    if limits.chips is not None and needed > limits.chips:
        raise KipukaError(
            "the network does not fit the system",
            where=f"all layers on {hardware.name}",
            limit=f"{limits.chips} chips",
            value=f"{needed} chips",
            remedy="take a larger system, or a network of fewer neurons and synapses",
        )
