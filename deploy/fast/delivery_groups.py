"""Delivery groups: where the spikes of one or more layers arrive at a layer, and in which form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from kipuka.convert.program import Layer, Program, Projection
from kipuka.convert.synapses import ConvSynapses, SparseSynapses
from kipuka.deploy.fast.kernels import layout as at

SPARSE_BELOW = 1 / 40
"""Density below which a dense matrix runs as sparse rows.

Adding a synapse of a sparse row takes about as long as 40 entries of a dense one.
"""

MANY_WEIGHTS = 1 << 17
"""Weights of a group that are worth taking the steps' arrivals together."""

MANY_ROWS = 32
"""Rows a step that are worth it: with fewer, sums that are kept for each step cost too much."""

STEPS_TOGETHER = 64
"""Steps whose arrivals are added together."""

MOST_SOURCES = 1 << 13
"""Sources of a network whose spikes of so many steps wait in a near cache until they are added."""


@dataclass
class Link:
    """Rows that the spikes of a layer add."""

    source: int
    n_sources: int
    delays: np.ndarray
    projections: tuple[Projection, ...]


@dataclass
class DeliveryGroup:
    """A place of a layer where the spikes of one or more links arrive."""

    position: int
    kind: int
    exponent: int
    gate: int | None
    links: list[Link] = field(default_factory=list)

    @property
    def n_sources(self) -> int:
        """Sources of all links."""
        return sum(link.n_sources for link in self.links)

    @property
    def together(self) -> bool:
        """Whether the arrivals of some steps are added together.

        They must be known before the first of these steps: none comes from the layer itself.
        """
        return (
            self.kind == at.DENSE
            and self.weights >= MANY_WEIGHTS
            and all(link.source != self.position for link in self.links)
        )

    @property
    def weights(self) -> int:
        """Weights of all links, zeros included."""
        return sum(p.synapses.weights.size for link in self.links for p in link.projections)

    def slots(self, steps_together: int) -> int:
        """Slots for spikes that are on their way, a power of two.

        The steps in which one may arrive after it was sent in the last of those that the layer
        takes together.
        """
        longest = max(int(link.delays.max()) for link in self.links)
        return 1 << (longest + steps_together).bit_length()


def delivery_groups_of(program: Program, position: int) -> list[DeliveryGroup]:
    """Sort the projections of a layer into delivery groups."""
    layer = program.layers[position]
    groups: dict[object, DeliveryGroup] = {}
    for projections in _merged(layer):
        first = projections[0]
        kind = _kind(first)
        if kind == at.DENSE and layer.neuron_model.receives == "graded":
            kind = at.WEIGHED
        gate = None if len(projections) == len(layer.targets) else layer.targets.index(first.target)
        # Convolutions have a geometry each; other links of a kind share one list of rows.
        alone = len(groups) if kind == at.CONVOLUTION else None
        key = (kind, first.weight_exponent, gate if kind == at.DENSE else None, alone)
        group = groups.setdefault(key, DeliveryGroup(position, kind, first.weight_exponent, gate))
        source = position - first.source
        delays = _per_source(first.delays) if kind != at.PER_SYNAPSE else first.delays
        group.links.append(Link(source, first.synapses.n_sources, delays, projections))
    return list(groups.values())


def steps_together(groups: Iterable[DeliveryGroup]) -> int:
    """Steps that a network runs layer after layer: more than one only where that is faster."""
    groups = list(groups)
    few = sum(group.n_sources for group in groups) <= MOST_SOURCES
    return STEPS_TOGETHER if few and any(group.together for group in groups) else 1


def _merged(layer: Layer) -> list[tuple[Projection, ...]]:
    """Projections of a layer; those to all activations of a GRU are one where spikes allow it."""
    alike: dict[object, list[Projection]] = {}
    spiking = [p for p in layer.projections if p.message == "spikes"]
    for number, projection in enumerate(spiking):
        dense = _kind(projection) == at.DENSE
        delays = _per_source(projection.delays).tobytes()
        key = (projection.source, projection.weight_exponent, delays) if dense else number
        alike.setdefault(key, []).append(projection)
    merged: list[tuple[Projection, ...]] = []
    for together in alike.values():
        whole = len(together) == len(layer.targets)
        merged += [tuple(together)] if whole else [(projection,) for projection in together]
    return merged


def _kind(projection: Projection) -> int:
    synapses = projection.synapses
    if isinstance(synapses, ConvSynapses):
        return at.CONVOLUTION
    if isinstance(synapses, SparseSynapses):
        return at.SPARSE
    if _per_source(projection.delays).ndim > 1:
        return at.PER_SYNAPSE
    density = np.count_nonzero(synapses.weights) / synapses.weights.size
    return at.SPARSE if density < SPARSE_BELOW else at.DENSE


def _per_source(delays: np.ndarray) -> np.ndarray:
    """Delays per source, where a matrix of delays per synapse says no more than that."""
    same = delays.ndim > 1 and bool(np.all(delays == delays[0]))
    return delays[0] if same else delays
