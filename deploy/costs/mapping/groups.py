"""What the mapper places: groups of neurons, and the bundles of synapses by which they are reached.

A layer of a Program is a group; so is a process of a network that was lowered.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kipuka.convert.delivery import sent_message
from kipuka.convert.program import Program, Projection
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, Synapses, weight_bits

INPUT = -1
"""Sender of what comes from outside the chip."""

SPIKES = "spikes"
"""What most groups send: see `kipuka.convert.program.Projection.message`."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """Synapses through which the messages of one group reach another.

    Attributes
    ----------
    sender : int
        Position of the group that sends, or `INPUT`.
    synapses : Synapses
    delays : int array (sources,) or (synapses,)
        In steps; see `by_synapse`.
    by_synapse : bool
        Whether each synapse has a delay of its own, in the order of ``synapses.entries()``.
    keeps_zeros : bool
        Whether weights of 0 are stored too.
    transit_steps : int
        Steps from sending to arriving without a delay.
    message : str
        Kind of message, such as ``spikes``.
    payload_bits : int
        Bits of the signed number that a message carries; 0 of a spike.
    """

    sender: int
    synapses: Synapses
    delays: np.ndarray
    by_synapse: bool = False
    keeps_zeros: bool = False
    transit_steps: int = 1
    message: str = SPIKES
    payload_bits: int = 0

    @property
    def graded(self) -> bool:
        """Whether messages carry numbers."""
        return self.payload_bits > 0

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Target and source of each synapse, in the order of ``synapses.entries()``."""
        targets, sources, _ = self.synapses.entries()
        return targets, sources

    @cached_property
    def weight_bits(self) -> int:
        """Bits of a weight in memory."""
        # A single power of two needs no more bits than one.
        return max(1, weight_bits(self.synapses.weights))

    @property
    def channel(self) -> tuple[int, str]:
        """Who sends what."""
        return self.sender, self.message


@dataclass(frozen=True, eq=False)
class Group:
    """Neurons of one kind that share cores.

    Attributes
    ----------
    name : str
        For people, such as ``layer 1``.
    layer : int
        Number of the layer in the file that it belongs to.
    kind : str
        Neuron model or process.
    shape : tuple of int
    state_words : int
        Of one neuron.
    programmable : bool
        Whether the chip must let its neurons be programmed.
    bundles : tuple of Bundle
        What arrives.
    feeds_kernels_only : bool
        Whether all its messages go to convolutions; see `with_receivers`.
    """

    name: str
    layer: int
    kind: str
    shape: tuple[int, ...]
    state_words: int
    programmable: bool
    bundles: tuple[Bundle, ...]
    feeds_kernels_only: bool = False

    @property
    def n_neurons(self) -> int:
        """Neurons of the group."""
        return int(np.prod(self.shape))

    @property
    def convolutional(self) -> bool:
        """Whether something reaches it through a convolution."""
        return any(isinstance(bundle.synapses, ConvSynapses) for bundle in self.bundles)

    @property
    def is_image(self) -> bool:
        """Whether its neurons lie in rows and columns."""
        return len(self.shape) > 1 and math.prod(self.shape[1:]) > 1


def with_receivers(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Note at each group whether all its messages go to convolutions."""
    found: list[set[bool]] = [set() for _ in groups]
    for group in groups:
        for bundle in group.bundles:
            if bundle.sender != INPUT:
                found[bundle.sender].add(isinstance(bundle.synapses, ConvSynapses))
    pairs = zip(groups, found, strict=True)
    return tuple(dataclasses.replace(g, feeds_kernels_only=kinds == {True}) for g, kinds in pairs)


def groups_of(program: Program) -> tuple[Group, ...]:
    """Take the layers of a Program, fused, as groups."""
    return with_receivers([_group(program, k) for k in range(len(program.layers))])


def _group(program: Program, position: int) -> Group:
    layer, number = program.layers[position], program.numbers[position]
    model = layer.neuron_model
    return Group(
        name=f"layer {number}",
        layer=number,
        kind=model.name,
        shape=layer.shape,
        state_words=model.state_words,
        programmable=model.programmable,
        bundles=tuple(_bundle(program, position, one) for one in layer.projections),
    )


def _bundle(program: Program, position: int, projection: Projection) -> Bundle:
    sender = position - projection.source
    delays, by_synapse = projection.delays, projection.delays.ndim == 2
    if by_synapse:
        targets, sources, _ = projection.synapses.entries()
        delays = delays[targets, sources]
    return Bundle(
        sender=max(sender, INPUT),
        synapses=projection.synapses,
        delays=delays.astype(np.int64),
        by_synapse=by_synapse,
        keeps_zeros=isinstance(projection.synapses, DenseSynapses),
        transit_steps=int(sender >= 0),
        message=projection.message,
        payload_bits=_payload_bits(program, position, projection),
    )


def _payload_bits(program: Program, position: int, projection: Projection) -> int:
    if not program.carries_payloads(position, projection):
        return 0
    model = program.layers[position - projection.source].neuron_model
    return sent_message(model, projection.message).bits
