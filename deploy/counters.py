"""Counts of what a network did: the only thing that energy and time are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kipuka.display import Shown, Table, counted


@dataclass(frozen=True, eq=False)
class LayerCounters(Shown):
    """Work of one layer.

    Attributes
    ----------
    layer : int
        Number in the file.
    spikes : int64 array (samples, steps)
        Spikes, or graded spikes with a payload besides 0, that the layer's neurons emitted; see
        `Counters.per_step`.
    spikes_per_neuron : int64 array (neurons,)
        The same summed over samples and steps.
    synaptic_operations : int64 array (samples, steps)
        Nonzero weights that arriving spikes reached, in the step of their arrival. A graded message
        of a current that is not 0 counts like a spike here, but is not one of the `spikes`.
    multiplications : int
        Those synaptic operations of the whole run that multiply a weight by a payload.
    arrivals_per_neuron : int64 array (neurons,)
        Synaptic operations by the neuron that was reached, summed over samples and steps.
    updates : int
        Neuron updates: neurons x steps x samples.
    saturations : int64 array (neurons,)
        State updates that were clipped to the limit of their bits.
    wraps : int64 array (neurons,)
        Updates in which the 24-bit current wrapped.
    peaks : mapping of str to int
        Largest magnitude of each state variable at the end of a step, in state units.
    """

    layer: int
    spikes: np.ndarray
    spikes_per_neuron: np.ndarray
    synaptic_operations: np.ndarray
    multiplications: int
    arrivals_per_neuron: np.ndarray
    updates: int
    saturations: np.ndarray
    wraps: np.ndarray
    peaks: Mapping[str, int]

    @property
    def n_neurons(self) -> int:
        """Neurons of the layer."""
        return int(self.spikes_per_neuron.size)

    def _line(self) -> str:
        return (
            f"layer {self.layer}: {counted(self.n_neurons, 'neuron')}, in the whole run "
            f"{counted(int(self.spikes_per_neuron.sum()), 'spike')}, "
            f"{counted(int(self.synaptic_operations.sum()), 'synaptic operation')}, "
            f"{counted(int(self.saturations.sum()), 'saturation')}, "
            f"{counted(int(self.wraps.sum()), 'wrap')}"
        )


@dataclass(frozen=True, eq=False)
class Counters(Shown):
    """Work of all layers.

    Attributes
    ----------
    layers : tuple of LayerCounters
    input_spikes : int64 array (samples, steps)
    n_steps : int
        Algorithmic steps of each sample.
    """

    layers: tuple[LayerCounters, ...]
    input_spikes: np.ndarray
    n_steps: int

    @property
    def n_samples(self) -> int:
        """Samples that were run."""
        return int(self.input_spikes.shape[0])

    @property
    def per_step(self) -> bool:
        """Whether counts stand step by step, and not as one column with their sums."""
        return bool(self.input_spikes.shape[1] == self.n_steps)

    @property
    def saturations(self) -> int:
        """State updates of the whole run that saturated."""
        return int(sum(layer.saturations.sum() for layer in self.layers))

    @property
    def wraps(self) -> int:
        """State updates of the whole run in which a current wrapped."""
        return int(sum(layer.wraps.sum() for layer in self.layers))

    def _line(self) -> str:
        spikes = ", ".join(f"{row[2]}" for row in self._table().rows)
        return (
            f"{counted(self.n_samples, 'sample')} x {counted(self.n_steps, 'step')}; "
            f"spikes per sample of each layer: {spikes}"
        )

    def _table(self) -> Table:
        samples = max(self.n_samples, 1)
        rows = [
            (
                layer.layer,
                layer.n_neurons,
                f"{layer.spikes_per_neuron.sum() / samples:,.1f}",
                f"{layer.synaptic_operations.sum() / samples:,.1f}",
                int(layer.saturations.sum()),
                int(layer.wraps.sum()),
            )
            for layer in self.layers
        ]
        columns = ["layer", "neurons", "spikes per sample", "synaptic operations per sample"]
        return Table([*columns, "saturations", "wraps"], rows)
