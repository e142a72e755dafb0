"""One step of the range analysis: what the neuron models have in common."""

from __future__ import annotations

import numpy as np

from kipuka.convert.analysis.arrivals import Bounds


class Range:
    """Ranges of two states over the steps so far.

    Attributes
    ----------
    now : list of Bounds
        Of the two states at the end of this step.
    seen : list of Bounds
        The same over all steps.
    reach : list of int64 arrays
        Largest magnitudes before wrap, saturation and reset.
    can_spike : bool array (neurons,)
    """

    def __init__(self, n_neurons: int) -> None:
        zero = np.zeros(n_neurons, dtype=np.int64)
        self.now = [Bounds(zero, zero), Bounds(zero, zero)]
        self.seen = list(self.now)
        self.reach = [zero, zero]
        self.can_spike = zero.astype(bool)

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
