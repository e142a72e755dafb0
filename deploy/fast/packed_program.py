"""A Program as the kernels want it, and the workspace that a thread runs it in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kipuka.deploy.fast import synapse_layout
from kipuka.deploy.fast.addresses import aligned, table_of
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import (
    GAP,
    LANES,
    MEMORY,
    MOST_GATES,
    SLACK_WORDS,
    TABLE,
    TABLES_AT_ONCE,
)

COUNTED = ("emitted", "saturations", "wraps")
"""Arrays of a workspace that results keep."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A Program as the kernels want it.

    Attributes
    ----------
    network : Network
    places : tuple of Places
        Of each layer.
    states : int32 array
        Initial blocks, parameters included.
    ring, spread, filled, sums, arrived, pending, image, tally : int
        Sizes of those arrays in a workspace.
    """

    network: at.Network
    places: tuple[synapse_layout.Places, ...]
    states: np.ndarray
    ring: int
    spread: int
    filled: int
    sums: int
    arrived: int
    pending: int
    image: int
    tally: int

    @cached_property
    def table(self) -> np.ndarray:
        """Where the network's arrays lie: to find that out takes longer than a short run."""
        return table_of(self.network)

    @cached_property
    def kernels_there(self) -> np.ndarray:
        """Where the weights of convolutions are not 0: bool, in the order of `Network.dense`."""
        return self.network.dense != 0 if self.network.convolved else np.zeros(0, bool)

    @cached_property
    def input_order(self) -> np.ndarray | None:
        """Neurons of the first layer by place, if they lie in another order than their own."""
        order = self.places[0].order[: self.network.layers[1]["neurons"]]
        return None if np.array_equal(order, np.arange(order.size)) else order

    def counts(self) -> np.ndarray:
        """Zeros for the counts of a workspace that results keep: int64 (`COUNTED`, units).

        In one piece, as the C library gives small ones back to the system after each call: to get
        them again takes as long as some steps.
        """
        return np.zeros((len(COUNTED), self.network.order.size), np.int64)

    def workspace(self) -> at.Workspace:
        """Fresh arrays for one thread."""
        layers = self.network.layers
        units = self.network.order.size
        states = aligned(self.states.size, np.int32)
        states[:] = self.states
        emitted, saturations, wraps = self.counts()
        return at.Workspace(
            states=states,
            # Tables add vectors, and strips blocks, that may end behind the last sum.
            sums=aligned(self.sums + MOST_GATES * LANES, np.int32),
            ring=np.zeros(self.ring + SLACK_WORDS, np.int32),
            loads=np.zeros(self.ring if layers["graded"].any() else 1, np.int32),
            filled=np.zeros(self.filled, np.int64),
            spread=np.zeros(self.spread, np.int64),
            spikes=np.zeros(int(layers["neurons"].max()), np.int32),
            payloads=np.zeros(int(layers["neurons"].max()), np.int32),
            masks=np.zeros(int(layers["blocks"].max()) + SLACK_WORDS, np.int32),
            emitted=emitted,
            saturations=saturations,
            wraps=wraps,
            tally=np.zeros(self.tally, np.int32),
            current_sums=np.zeros(int(layers["blocks"].max()) * LANES, np.int32),
            messages=np.zeros(units if self.network.currents.size else 0, np.int64),
            pending=np.zeros(self.pending, np.int64),
            arrived=np.zeros(self.arrived + LANES, np.int64),
            peaks=np.zeros(len(layers) * at.STATES * LANES, np.int32),
            settled=np.zeros(len(layers), bool),
            kept=np.zeros(int(layers["blocks"].max()) * MEMORY * LANES, np.int32),
            seen=np.zeros(self.image * LANES, np.int8),
            image=np.zeros(self.image, np.int32),
            tables=aligned(TABLES_AT_ONCE * (TABLE + GAP) if self.image else 0, np.int16),
            few=np.zeros(self.arrived, np.int32),
        )
