"""Layers onto neuro cores, cores onto chips and routers, under the limits of a profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert.formats.net.differences import weight_bits
from kipuka.convert.program import Program
from kipuka.deploy.costs.mapping.axons import Axons
from kipuka.deploy.costs.mapping.blocks import Partition
from kipuka.deploy.costs.mapping.limits import CoreLimits, core_limits
from kipuka.deploy.costs.mapping.splitting import Split, split_layer
from kipuka.deploy.costs.mapping.spreading import (
    Spread,
    check_spread,
    spread_over,
    within_output_axons,
)
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

ROUTERS_X, ROUTERS_Y, CORES_PER_ROUTER = 8, 4, 4
"""Mesh of a chip ([Timcheck26] sec. II-1; assumed for both generations)."""


@dataclass(frozen=True, eq=False)
class LayerMapping:
    """One layer on its cores.

    Attributes
    ----------
    layer : int
        Number in the file.
    first_core : int
        Its cores are ``first_core`` and those that follow.
    parts : Partition
    axons : tuple of Axons
        Of each projection; their cores count from 0 within the layer.
    needs : dict of str to int64 array (cores,)
        Under each limit of `limits.NAMES`.
    """

    layer: int
    first_core: int
    parts: Partition
    axons: tuple[Axons, ...]
    needs: dict[str, np.ndarray]

    @property
    def n_cores(self) -> int:
        """Cores of the layer."""
        return self.parts.n_cores

    @property
    def cores(self) -> slice:
        """Its cores among all."""
        return slice(self.first_core, self.first_core + self.n_cores)


@dataclass(frozen=True, eq=False)
class Mapping:
    """A network on a chip, or on several.

    Attributes
    ----------
    hardware : str
    limits : CoreLimits
    layers : tuple of LayerMapping
    chips : int64 array (cores,)
        Chip of each core.
    routers : int64 array (cores, 2)
        Column and row of each core's router on the mesh of its chip.
    """

    hardware: str
    limits: CoreLimits
    layers: tuple[LayerMapping, ...]
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
        return np.concatenate([layer.needs[name] for layer in self.layers])

    def utilisation(self, name: str) -> np.ndarray | None:
        """Share of a limit that each core uses; None where the limit is not published."""
        available = self.limits.per_core[name]
        return None if available is None else self.needs(name) / max(available, 1)


def map_program(
    program: Program,
    hardware: HardwareProfile,
    load: tuple[np.ndarray, ...] | None = None,
    spread: Spread | None = None,
) -> Mapping:
    """Place a network on the neuro cores of a chip.

    Each layer gets cores of its own, the fewest that keep every published limit: dense layers are
    cut along their outputs, convolutions by region and channel.

    Parameters
    ----------
    program : Program
    hardware : HardwareProfile
        Of a chip, with as many chips as are needed, or of a system with those that it has.
    load : tuple of array (neurons,), optional
        Work of each neuron of each layer, such as ``arrivals_per_neuron`` of the counters; the
        cores of a layer share it evenly.
    spread : Spread, optional
        Cores to use beyond the fewest, for the busiest layers.

    Returns
    -------
    Mapping

    Raises
    ------
    KipukaError
        If the network does not fit; it names layer, limit, needed, available and a change.
    """
    limits = core_limits(hardware)
    for position, number in enumerate(program.numbers):
        _check_layer(program, position, number, limits)
    loads = load or (None,) * len(program.layers)
    splits = [split_layer(program, k, limits, loads[k]) for k in range(len(program.layers))]
    splits = within_output_axons(program, splits, limits, loads)
    if spread is not None:
        check_spread(splits, spread)
        splits = spread_over(program, splits, limits, loads, spread.cores)
    return _placed(program, hardware, limits, splits)


def _check_layer(program: Program, position: int, number: int, limits: CoreLimits) -> None:
    """Refuse weights and delays that no core can hold."""
    for projection in program.layers[position].projections:
        bits = weight_bits(projection.synapses.weights)
        longest = int(projection.delays.max(initial=0))
        for name, needed, limit, remedy in (
            ("bits of a weight", bits, limits.weight_bits, "quantize to fewer bits"),
            ("longest delay", longest, limits.delay_steps, "train with a smaller largest delay"),
        ):
            if limit is not None and needed > limit:
                raise KipukaError(
                    "the network does not fit the chip",
                    where=f"layer {number}, {name}",
                    limit=f"{limit} {'bits' if 'bits' in name else 'steps'}",
                    value=needed,
                    remedy=remedy,
                )


def _placed(
    program: Program, hardware: HardwareProfile, limits: CoreLimits, splits: list[Split]
) -> Mapping:
    layers, first = [], 0
    for number, split in zip(program.numbers, splits, strict=True):
        layers.append(LayerMapping(number, first, split.parts, split.axons, split.needs))
        first += split.parts.n_cores
    chips, slots = _chips(layers, limits)
    _check_chips(int(chips.max()) + 1, limits, hardware)
    places = slots // CORES_PER_ROUTER
    columns, rows = places % ROUTERS_X, places // ROUTERS_X
    # Boustrophedon: cores that follow each other lie on the same router or on neighbours.
    columns = np.where(rows % 2 == 1, ROUTERS_X - 1 - columns, columns)
    routers = np.stack([columns, rows], axis=1)
    return Mapping(hardware.name, limits, tuple(layers), chips, routers)


def _chips(layers: list[LayerMapping], limits: CoreLimits) -> tuple[np.ndarray, np.ndarray]:
    """Chip of each core and its place there; a chip is full at the first limit that it meets."""
    neurons = np.concatenate([layer.needs["neurons"] for layer in layers])
    synapses = np.zeros(neurons.size, dtype=np.int64)
    for layer in layers:
        for axons in layer.axons:
            np.add.at(synapses, axons.cores + layer.first_core, axons.synapses)
    ends = (limits.cores_per_chip, limits.neurons_per_chip, limits.synapses_per_chip)
    chips, slots = np.zeros_like(neurons), np.zeros_like(neurons)
    chip, used = 0, [0, 0, 0]
    for core, amounts in enumerate(zip(np.ones_like(neurons), neurons, synapses, strict=True)):
        full = any(
            end is not None and have + int(more) > end
            for have, more, end in zip(used, amounts, ends, strict=True)
        )
        if full and used[0]:
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
