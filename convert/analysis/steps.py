"""One step of the range analysis: what the neuron models have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kipuka.convert.analysis.arrivals import Bounds, CanSpike, Sent


class Given(NamedTuple):
    """What the analysis of a layer starts from.

    Attributes
    ----------
    can_spike : CanSpike
    largest_input : int or None
        Largest magnitude of the encoded input in weight units; None where there is no encoder.
    n_steps : int
        Longest run between two resets.
    resets : bool
        Whether the network is reset within a sample, which messages on their way outlive.
    """

    can_spike: CanSpike
    largest_input: int | None
    n_steps: int
    resets: bool


class Range:
    """Ranges of a layer's states over the steps so far.

    Attributes
    ----------
    now : list of Bounds
        Of the states at the end of this step.
    seen : list of Bounds
        The same over all steps.
    reach : list of int64 arrays
        Largest magnitudes before wrap, saturation and reset.
    can_spike : bool array (neurons,)
    """

    def __init__(self, n_neurons: int, n_states: int = 2) -> None:
        zero = np.zeros(n_neurons, dtype=np.int64)
        self.now = [Bounds(zero, zero)] * n_states
        self.seen = list(self.now)
        self.reach = [zero] * n_states
        self.can_spike = zero.astype(bool)

    @property
    def sent(self) -> Sent:
        """What later layers may take for granted about what this one sends."""
        return self.can_spike

    def advance(self) -> bool:
        """Go one step on; false if nothing changes any more."""
        raise NotImplementedError

    def take(self, exact: list[Bounds], now: list[Bounds]) -> bool:
        """Add a step; false if nothing changes any more."""
        changed = any(not np.array_equal(a, b) for a, b in zip(now, self.now, strict=True))
        self.now = now
        self.seen = [
            Bounds(np.minimum(a.low, b.low), np.maximum(a.high, b.high))
            for a, b in zip(self.seen, now, strict=True)
        ]
        self.reach = [
            np.maximum(reach, np.maximum(np.abs(e.low), np.abs(e.high)))
            for reach, e in zip(self.reach, exact, strict=True)
        ]
        return changed
