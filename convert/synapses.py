"""Connectivity of a projection: which weights a spike reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class DenseSynapses:
    """All-to-all synapses.

    Attributes
    ----------
    weights : int16 array (targets, sources)
        Even integers in [-256, 254], in weight units.
    """

    weights: np.ndarray

    @property
    def n_targets(self) -> int:
        """Neurons that receive."""
        return int(self.weights.shape[0])

    @property
    def n_sources(self) -> int:
        """Neurons that send."""
        return int(self.weights.shape[1])

    def fan_out(self) -> np.ndarray:
        """Nonzero weights that one spike of each source reaches: int64 array (sources,)."""
        return np.count_nonzero(self.weights, axis=0).astype(np.int64)

    def matrix(self) -> np.ndarray:
        """Weights as one int64 matrix (targets, sources)."""
        return self.weights.astype(np.int64)
