"""What a lowered layer is, and the bookkeeping that the cells share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kipuka.convert.program import Layer
from kipuka.deploy.lowered.graph import Kind, LayerReadings, Node, Wire
from kipuka.deploy.lowered.wiring import constants, multiples

Senders = Mapping[int, tuple[str, int]]
"""By source of a projection: node, and algorithmic steps that its spikes take without a delay."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Nodes and wires of a layer, and where its spikes and states are."""

    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...]
    readings: LayerReadings


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

    def constant(
        self,
        target: str,
        values: Sequence[int | np.ndarray],
        port: str = "a_in",
        steps: int = 0,
    ) -> None:
        """Give each block of a role a constant, one for all or one per neuron."""
        blocks = [np.broadcast_to(np.int64(value), (self.n,)) for value in values]
        self.wires += constants(self.role(target), np.concatenate(blocks), port, steps)


def power_above(bound: int) -> int:
    """Smallest power of two that is not below `bound`."""
    return 1 << max(bound - 1, 0).bit_length()
