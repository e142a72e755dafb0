"""Plain data of a network of Lava's own processes: populations, wires, and where to read states.

First without times (`Draft`: a wire says how many algorithmic steps later a message counts), then
scheduled (`LoweredGraph`: a wire says how many hardware steps it delays).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kipuka.display import Shown

Kind = Literal["source", "LIF", "LIFReset", "GradedVec", "ProdNeuron"]
"""Neuron processes by Lava's own names, and the sources of what arrives from outside."""

GRADED_BITS = 24
"""What Lava's ports for graded messages carry (``precision`` of ``GradedVec`` and others)."""

SPARSE_BELOW = 0.25
"""Share of nonzero weights under which synapses without delays become ``Sparse``."""

INPUT, CONSTANT, CLOSING = "input", "constant", "closing"
"""Names of the sources: the network's input, the constants of every algorithmic step, and those of
the steps after the last one, in which the cells are closed."""


@dataclass(frozen=True, eq=False)
class Node(Shown):
    """A population: one neuron process, or a source.

    Attributes
    ----------
    name : str
        Number of the layer and role, such as ``layer 1 current``.
    kind : Kind
    size : int
        Neurons.
    layer : int
        Position of the layer that it belongs to; -1 for the sources.
    parameters : mapping
        By the process's own names: ``vth``, ``exp``, ``du``, ``dv``, ``bias_mant``,
        ``reset_interval``, ``reset_offset``.
    low, high : int
        Bounds of what a neuron sends while there are constants, from the weights; 0 and 1 for
        spikes.
    either_half : bool
        Of what belongs to one neuron of the layer, only the first or the second half of the
        population sends in a step.
    """

    name: str
    kind: Kind
    size: int
    layer: int
    parameters: Mapping[str, int | np.ndarray] = field(default_factory=dict)
    low: int = 0
    high: int = 1
    either_half: bool = False

    @property
    def graded(self) -> bool:
        """Whether it sends numbers rather than spikes."""
        return not (self.low == 0 and self.high == 1)


@dataclass(frozen=True, eq=False)
class Wire:
    """Synapses between two populations: one Lava synapse process.

    A sum of weights times messages is shifted by `exponent`, to the right (floor) if it is
    negative.

    Attributes
    ----------
    source, target : str
        Names of nodes.
    port : str
        ``a_in``, or ``a_in1`` and ``a_in2`` of a product.
    targets, sources, weights : int64 array (synapses,)
        Weights are even integers in [-256, 254].
    steps : int64 array (synapses,)
        In a draft, algorithmic steps between sending and counting; in a graph, the delay in
        hardware steps, to which each synapse process adds one.
    exponent : int
    """

    source: str
    target: str
    targets: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    steps: np.ndarray
    port: str = "a_in"
    exponent: int = 0

    @property
    def name(self) -> str:
        """Where from and where to."""
        return f"{self.source} to {self.target}"

    def process(self, n_sources: int, n_targets: int) -> str:
        """Lava's name of the synapse process that holds so many sources and targets."""
        if np.any(self.steps):
            return "DelayDense"
        sparse = self.weights.size < SPARSE_BELOW * n_targets * n_sources
        return "Sparse" if sparse else "Dense"


@dataclass(frozen=True, eq=False)
class Term:
    """A summand of a reading: `factor` times what some neurons of a node sent.

    Attributes
    ----------
    node : str
    neurons : int64 array (neurons,)
    factor : int64 array (neurons,)
    steps : int
        Algorithmic steps that lie between sending and reading.
    """

    node: str
    neurons: np.ndarray
    factor: np.ndarray
    steps: int = 0


@dataclass(frozen=True, eq=False)
class Reading:
    """A state variable of the Program in terms of the graph, per neuron.

    Attributes
    ----------
    terms : tuple of Term
        Messages to add up; empty for a variable of a process.
    offset : int64 array (neurons,)
        Added at last.
    variable : tuple of str or None
        Node and name of the process variable.
    """

    offset: np.ndarray
    terms: tuple[Term, ...] = ()
    variable: tuple[str, str] | None = None


@dataclass(frozen=True, eq=False)
class LayerReadings:
    """Where a layer's spikes and states are found."""

    spikes: str
    states: Mapping[str, Reading]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes that are read."""
        names = [self.spikes]
        for reading in self.states.values():
            names += [term.node for term in reading.terms]
            names += [reading.variable[0]] if reading.variable else []
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, eq=False)
class Draft(Shown):
    """A lowered network without times.

    Attributes
    ----------
    nodes : tuple of Node
    wires : tuple of Wire
        With algorithmic steps.
    layers : tuple of LayerReadings
    payloads : mapping of str to int64 array (channels,)
        What the sources `CONSTANT` and `CLOSING` send; empty for one that nothing listens to.
    closing_steps : int
        Algorithmic steps after a sample's last one in which `CLOSING` sends, and after which
        nothing is under way any more.
    """

    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...]
    layers: tuple[LayerReadings, ...]
    payloads: Mapping[str, np.ndarray]
    closing_steps: int


@dataclass(frozen=True, eq=False)
class LoweredGraph(Draft):
    """A lowered network with times, ready to be built or interpreted.

    Attributes
    ----------
    period : int
        K, hardware steps in one algorithmic step.
    phases : mapping of str to int
        Hardware step, counted from the source's first message, in which each node works on
        algorithmic step 0; step t follows t x K later.
    """

    period: int = 1
    phases: Mapping[str, int] = field(default_factory=dict)

    def node(self, name: str) -> Node:
        """Node of that name."""
        return next(node for node in self.nodes if node.name == name)

    @property
    def latency_steps(self) -> int:
        """Hardware steps from an algorithmic step's first message to the last state of it."""
        return max(self.phases[name] for layer in self.layers for name in layer.nodes)

    def hardware_steps(self, n_steps: int) -> int:
        """Hardware steps that a sample of `n_steps` algorithmic steps takes."""
        return (n_steps - 1) * self.period + self.latency_steps + 1

    def processes(self, position: int) -> tuple[int, int]:
        """Neuron processes and synapse processes of the layer at that position."""
        own = {node.name for node in self.nodes if node.layer == position}
        return len(own), sum(wire.target in own for wire in self.wires)
