"""Counts of what a network did: the only thing that energy and time are computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class LayerCounters:
    """Work of one layer.

    Attributes
    ----------
    spikes : int64 array (samples, steps)
        Spikes that the layer's neurons emitted.
    spikes_per_neuron : int64 array (neurons,)
        The same summed over samples and steps.
    synaptic_operations : int64 array (samples, steps)
        Nonzero weights that arriving spikes reached, in the step of their arrival.
    saturations : int64 array (neurons,)
        State updates that were clipped to the limit of their bits.
    wraps : int64 array (neurons,)
        Updates in which the 24-bit current wrapped.
    """

    spikes: np.ndarray
    spikes_per_neuron: np.ndarray
    synaptic_operations: np.ndarray
    saturations: np.ndarray
    wraps: np.ndarray

    @property
    def n_neurons(self) -> int:
        """Neurons of the layer."""
        return int(self.spikes_per_neuron.size)


@dataclass(frozen=True, eq=False)
class Counters:
    """Work of all layers.

    Attributes
    ----------
    layers : tuple of LayerCounters
    input_spikes : int64 array (samples, steps)
    """

    layers: tuple[LayerCounters, ...]
    input_spikes: np.ndarray

    @property
    def n_samples(self) -> int:
        """Samples that were run."""
        return int(self.input_spikes.shape[0])

    @property
    def n_steps(self) -> int:
        """Algorithmic steps of each sample."""
        return int(self.input_spikes.shape[1])

    @property
    def saturations(self) -> int:
        """State updates of the whole run that saturated."""
        return int(sum(layer.saturations.sum() for layer in self.layers))

    @property
    def wraps(self) -> int:
        """State updates of the whole run in which a current wrapped."""
        return int(sum(layer.wraps.sum() for layer in self.layers))
