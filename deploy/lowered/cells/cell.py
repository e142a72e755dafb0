"""What a lowered layer is, and the bookkeeping that the cells share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from kipuka.convert.program import Layer
from kipuka.deploy.lowered.graph import CONSTANT, Kind, LayerReadings, Node, Reading, Term, Wire
from kipuka.deploy.lowered.schedule import MEMORYLESS
from kipuka.deploy.lowered.wiring import constants, multiples

Senders = Mapping[int, tuple[str, int]]
"""By source of a projection: node, and algorithmic steps that its spikes take without a delay."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Nodes and wires of a layer, and where its spikes and states are.

    Attributes
    ----------
    nodes : tuple of Node
    wires : tuple of Wire
    readings : LayerReadings
    least_period : int
        Hardware steps per algorithmic step with which it is exact.
    """

    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...]
    readings: LayerReadings
    least_period: int = 1


class Part(NamedTuple):
    """A summand of a quantity that no single population sends.

    Attributes
    ----------
    role : str
        Of the population.
    block : int
    factor : int or int64 array (neurons,)
    steps : int
        Algorithmic steps that lie between sending and counting.
    """

    role: str
    block: int
    factor: int | np.ndarray
    steps: int = 0


class CellBuilder:
    """Collects the populations of one layer, each a few blocks of as many neurons as the layer has.

    Parameters
    ----------
    layer : Layer
    position : int
        Of the layer in the Program.
    name : str
        Such as ``layer 1``; the populations' names start with it.
    """

    def __init__(self, layer: Layer, position: int, name: str) -> None:
        self.layer, self.position, self.name = layer, position, name
        self.n = layer.n_neurons
        self.nodes: list[Node] = []
        self.wires: list[Wire] = []

    def role(self, role: str) -> str:
        """Full name of the layer's population of that role."""
        return f"{self.name} {role}"

    def add(
        self,
        role: str,
        kind: Kind,
        blocks: int,
        bounds: tuple[int, int],
        either_half: bool = False,
        **parameters: int | np.ndarray,
    ) -> None:
        """Add a population; `bounds` are the least and greatest message."""
        size = blocks * self.n
        node = Node(self.role(role), kind, size, self.position, parameters, *bounds, either_half)
        self.nodes.append(node)

    def add_forgetful(self, role: str, blocks: int, vth: int) -> None:
        """Add a population of ``LIF`` that keep nothing that matters from step to step."""
        self.add(role, "LIF", blocks, (0, 1), vth=vth, du=MEMORYLESS["du"], dv=MEMORYLESS["dv"])

    def feed(
        self,
        source: str,
        target: str,
        factors: Sequence[tuple[int, int, int | np.ndarray]],
        port: str = "a_in",
        steps: int = 0,
        shift_right: int = 0,
    ) -> None:
        """Wire roles by blocks: see `multiples`."""
        names = self.role(source), self.role(target)
        self.wires += multiples(*names, self.n, factors, port, steps, shift_right)

    def feed_sum(
        self,
        parts: Sequence[Part],
        target: str,
        factors: Sequence[int],
        port: str = "a_in",
        steps: int = 0,
    ) -> None:
        """Wire a quantity to every block of a role, times a factor for each block."""
        for (role, late), found in groupby(parts, lambda part: (part.role, part.steps)):
            own = list(found)
            blocks = [(k, p.block, p.factor * f) for k, f in enumerate(factors) for p in own]
            self.feed(role, target, blocks, port, late + steps)

    def constant(
        self,
        target: str,
        values: Sequence[int | np.ndarray],
        port: str = "a_in",
        source: str = CONSTANT,
    ) -> None:
        """Give each block of a role a constant, one for all or one per neuron."""
        blocks = [np.broadcast_to(np.int64(value), (self.n,)) for value in values]
        self.wires += constants(self.role(target), np.concatenate(blocks), port, source)

    def reading(self, parts: Sequence[Part]) -> Reading:
        """Where a quantity is read."""
        each = np.arange(self.n)
        terms = [
            Term(
                self.role(p.role),
                each + p.block * self.n,
                np.broadcast_to(np.int64(p.factor), (self.n,)),
                p.steps,
            )
            for p in parts
        ]
        return Reading(np.zeros(self.n, dtype=np.int64), tuple(terms))


def power_above(bound: int) -> int:
    """Smallest power of two that is not below `bound`."""
    return 1 << max(bound - 1, 0).bit_length()
