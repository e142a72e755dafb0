"""The `Program`: the one description of a network that everything downstream reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from kipuka.convert import rules
from kipuka.convert.neurons import CubaParameters, SpikingGruParameters
from kipuka.convert.synapses import DenseSynapses

NeuronParameters = CubaParameters | SpikingGruParameters
Source = Literal["previous", "self"]
Target = Literal["a", "i", "r", "z"]
ReadoutKind = Literal["spike_count", "membrane"]

TARGETS: Mapping[type, tuple[Target, ...]] = MappingProxyType(
    {CubaParameters: ("a",), SpikingGruParameters: ("i", "r", "z")}
)
"""Activations that each neuron model receives, in the order of its rows."""

MODEL_NAMES: Mapping[type, str] = MappingProxyType(
    {CubaParameters: "CUBA", SpikingGruParameters: "SPIKING_GRU"}
)
"""Neuron model names as they stand in files and tables."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one set of neurons to one activation of a layer.

    A spike that source j emits in step t is added to the targets' activation in step t + 1 + its
    delay; spikes of the network's input are emitted one step before they count, so that input
    of step t with delay 0 arrives in step t.

    Attributes
    ----------
    synapses : DenseSynapses
        Weights (targets, sources) in weight units.
    source : {"previous", "self"}
        The layer before (or the network's input), or the layer's own spikes.
    target : {"a", "i", "r", "z"}
        ``a`` of a CUBA neuron; current, reset gate or update gate of a spiking GRU.
    delays : int16 array (sources,) or (targets, sources)
        Axonal delay per source, or delay per synapse, in steps.
    weight_exponent : int
        The sum of weights is shifted left by this many bits, 0 to 7.
    """

    synapses: DenseSynapses
    source: Source
    target: Target
    delays: np.ndarray
    weight_exponent: int = 0


@dataclass(frozen=True, eq=False)
class Layer:
    """A group of neurons of one model with the projections that feed it.

    Attributes
    ----------
    neuron : CubaParameters or SpikingGruParameters
        Parameters as int64 arrays of shape (neurons,).
    shape : tuple of int
        Shape of the group, ``(units,)`` or ``(channels, height, width)``.
    projections : tuple of Projection
    """

    neuron: NeuronParameters
    shape: tuple[int, ...]
    projections: tuple[Projection, ...]

    @property
    def n_neurons(self) -> int:
        """Neurons in the layer."""
        return int(np.prod(self.shape))

    @property
    def model(self) -> str:
        """Name of the neuron model."""
        return MODEL_NAMES[type(self.neuron)]

    @property
    def targets(self) -> tuple[Target, ...]:
        """Activations that the neuron model receives, in order."""
        return TARGETS[type(self.neuron)]

    def from_source(self, source: Source) -> tuple[Projection, ...]:
        """Projections that come from `source`, in the order of the targets."""
        found = [p for p in self.projections if p.source == source]
        return tuple(sorted(found, key=lambda p: self.targets.index(p.target)))

    def delays_from(self, source: Source) -> np.ndarray:
        """Delays of the projections from `source`, flat, in steps; empty if there are none.

        Where all projections share them, as a trained GRU's do, they are given once.
        """
        parts = [p.delays.ravel() for p in self.from_source(source)]
        if parts and all(np.array_equal(part, parts[0]) for part in parts):
            parts = parts[:1]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)


@dataclass(frozen=True, eq=False)
class Readout:
    """How the last layer's activity becomes a class.

    Attributes
    ----------
    kind : {"spike_count", "membrane"}
        Argmax over classes of the spikes, or of the membrane, summed over time.
    delays : int16 array (neurons,)
        Axonal delay between the last layer and the readout, in steps; spikes that would arrive
        after the last step of a sample are not counted.
    """

    kind: ReadoutKind
    delays: np.ndarray


@dataclass(frozen=True, eq=False)
class Program:
    """A network in integers, checked on construction and immutable afterwards.

    Attributes
    ----------
    input_shape : tuple of int
        ``(units,)`` or ``(channels, height, width)``.
    layers : tuple of Layer
        Wherever layers are numbered, the input is layer 0 and the first of these layer 1, as in
        NetX files.
    readout : Readout
    metadata : mapping of str to str
        Origin of the network, hashes and the like.

    Raises
    ------
    KipukaError
        If a design rule is broken; the message names layer, limit and value.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    readout: Readout
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules.check_program(self)
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        for array in self._arrays():
            array.setflags(write=False)

    def _arrays(self) -> list[np.ndarray]:
        arrays = [self.readout.delays]
        for layer in self.layers:
            arrays += list(layer.neuron)
            for projection in layer.projections:
                arrays += [projection.synapses.weights, projection.delays]
        return arrays

    @property
    def n_inputs(self) -> int:
        """Input units."""
        return int(np.prod(self.input_shape))

    @property
    def n_outputs(self) -> int:
        """Neurons of the last layer, one per class."""
        return self.layers[-1].n_neurons
