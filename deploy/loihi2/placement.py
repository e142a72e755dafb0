"""Neuro cores that the processes of a stream need, by the mapper of the costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kipuka.deploy.costs.mapping import GroupMapping, map_by_halving, map_groups
from kipuka.deploy.costs.mapping.limits import AXONS_IN, NEURONS, SYNAPTIC_MEMORY
from kipuka.deploy.lowered.groups import groups_of_graph
from kipuka.deploy.lowered.streaming import Stream
from kipuka.hardware_profiles import HardwareProfile


@dataclass(frozen=True)
class Placement:
    """Cores of one neuron process with the synapses that lead to it.

    Attributes
    ----------
    process : str
        Name of the node.
    neurons, axons, words : int
        The most on one of the fewest cores.
    cores, most_cores : int
        The fewest that hold it, and what a splitter by halving takes.
    """

    process: str
    neurons: int
    axons: int
    words: int
    cores: int
    most_cores: int


class Placed(NamedTuple):
    """Placements of all processes, and how many chips they need: the fewest, and by halving."""

    placements: tuple[Placement, ...]
    chips: tuple[int, int]


def place(stream: Stream, hardware: HardwareProfile) -> Placed:
    """Spread every process over cores of its own.

    Raises
    ------
    KipukaError
        If not even single neurons of a process fit a core.
    """
    groups = groups_of_graph(stream.graph, stream.numbers)
    fewest, halved = map_groups(groups, hardware), map_by_halving(groups, hardware)
    pairs = zip(fewest.groups, halved.groups, strict=True)
    placements = tuple(_placement(own, other) for own, other in pairs)
    chips = fewest.n_chips, halved.n_chips
    return Placed(placements, (min(chips), max(chips)))


def _placement(own: GroupMapping, other: GroupMapping) -> Placement:
    neurons, axons, words = (
        int(own.needs[name].max()) for name in (NEURONS, AXONS_IN, SYNAPTIC_MEMORY)
    )
    cores = own.n_cores, other.n_cores
    return Placement(own.name, neurons, axons, words, min(cores), max(cores))
