"""The `Program`: the one description of a network that everything downstream reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from kipuka.convert.by_value import ByValue, owned
from kipuka.convert.encoder import Encoder
from kipuka.convert.neurons import NeuronModel, model_of
from kipuka.convert.rules.arrays import check_parts
from kipuka.convert.rules.program import check_program
from kipuka.convert.synapses import PREVIOUS, RECURRENT, ConvSynapses, Synapses, weight_bits
from kipuka.display import Table
from kipuka.errors import expect
from kipuka.lazy import listing

Target = str
"""Name of an activation that a neuron model receives, such as ``a``; see `NeuronModel.targets`."""

ReadoutKind = Literal["spike_count", "membrane", "value"]

__all__ = [
    "PREVIOUS",
    "RECURRENT",
    "Encoder",
    "Layer",
    "Program",
    "Projection",
    "Readout",
    "ReadoutKind",
    "Reset",
    "Target",
    "layer_numbers",
    "needs_flatten",
]

__dir__ = listing(__all__)


@dataclass(frozen=True, eq=False)
class Projection(ByValue):
    """Synapses from one set of neurons to one activation of a layer.

    A spike that source j emits in step t is added to the targets' activation in step t + 1 + its
    delay; spikes of the network's input are emitted one step before they count, so that input
    of step t with delay 0 arrives in step t.

    Attributes
    ----------
    synapses : DenseSynapses, ConvSynapses or SparseSynapses
        Weights in weight units.
    source : int
        Where the spikes come from, in layers back: `RECURRENT`, `PREVIOUS`, or farther.
    target : str
        One of the neuron model's `targets`: ``a`` of a CUBA neuron; ``i``, ``r`` or ``z``, current,
        reset gate or update gate, of a spiking GRU.
    delays : int16 array (sources,) or (targets, sources)
        Axonal delay per source, or (dense synapses only) delay per synapse, in steps.
    weight_exponent : int
        The sum of weights is shifted left by this many bits, 0 to 7; -1 halves the even sum.
    message : str
        What travels, one of the sending model's `messages`. ``spikes`` is what the sender emits; a
        graded spike adds its payload times the weight.
        ``current`` is the graded message of a spiking GRU's own current to its own
        update gate, sent in every step and received in the next one:
        ``((weights . (i[t - 1] >> 6)) >> 6)``. It has no further delay and no exponent. A message
        that is on its way stays when the layer is reset, as spikes do.
    """

    synapses: Synapses
    source: int
    target: Target
    delays: np.ndarray
    weight_exponent: int = 0
    message: str = "spikes"


@dataclass(frozen=True, eq=False)
class Layer(ByValue):
    """A group of neurons of one model with the projections that feed it.

    Attributes
    ----------
    neuron : named tuple
        Parameters of one of `kipuka.convert.neurons.MODELS`, such as `CubaParameters`: int64 arrays
        (neurons,).
    shape : tuple of int
        Shape of the group, ``(units,)`` or ``(channels, height, width)``.
    projections : tuple of Projection
    """

    neuron: Any
    shape: tuple[int, ...]
    projections: tuple[Projection, ...]

    @property
    def n_neurons(self) -> int:
        """Neurons in the layer."""
        return int(math.prod(self.shape))

    @property
    def model(self) -> str:
        """Name of the neuron model."""
        return self.neuron_model.name

    @property
    def neuron_model(self) -> NeuronModel:
        """All facts about the neuron model."""
        return model_of(self.neuron)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Activations that the neuron model receives, in order."""
        return self.neuron_model.targets

    @property
    def sources(self) -> tuple[int, ...]:
        """Sources of the projections but its own spikes, nearest first."""
        return tuple(sorted({p.source for p in self.projections} - {RECURRENT}))

    @property
    def convolutional(self) -> bool:
        """Whether the projections from other layers are convolutions."""
        return any(
            p.source != RECURRENT and isinstance(p.synapses, ConvSynapses) for p in self.projections
        )

    def from_source(self, source: int) -> tuple[Projection, ...]:
        """Projections that bring spikes from `source`, in the order of the targets."""
        found = [p for p in self.projections if p.source == source and p.message == "spikes"]
        return tuple(sorted(found, key=lambda p: self.targets.index(p.target)))

    @property
    def of_current(self) -> Projection | None:
        """Projection that brings the layer's own current to its update gate, if there is one."""
        return next((p for p in self.projections if p.message == "current"), None)

    def delays_from(self, source: int) -> np.ndarray:
        """Delays of the projections from `source`, flat, in steps; empty if there are none.

        Where all projections share them, as a trained GRU's do, they are given once.
        """
        return _once_if_shared([p.delays.ravel() for p in self.from_source(source)])


@dataclass(frozen=True, eq=False)
class Readout(ByValue):
    """How the last layer's activity becomes a class, or the values of a regression.

    Attributes
    ----------
    kind : {"spike_count", "membrane", "value"}
        Argmax over classes of the spikes, of the membrane, or of the value that a sigma-delta layer
        has (a decoder's sum or a neuron's activation), summed over time.
    delays : int16 array (neurons,)
        Axonal delay between the last layer and the readout, in steps; spikes that would arrive
        after the last step of a sample are not counted.
    population : int
        Neurons per class, neighbours in the last layer, whose mean stands for the class.
    """

    kind: ReadoutKind
    delays: np.ndarray
    population: int = 1


@dataclass(frozen=True)
class Reset:
    """Return of every neuron's state to zero at regular intervals, for samples in one stream.

    Layer k (counted from 0) is reset before it computes step t where
    ``(t - offset - k) % interval == 0``: one step later per layer, as the spikes of a sample move
    on. Spikes in flight stay.

    Attributes
    ----------
    interval : int
        Steps between resets, at least 1.
    offset : int
        Step of the first layer's first reset.
    """

    interval: int
    offset: int = 0

    def due(self, layer: int, step: int) -> bool:
        """Tell whether the layer of that position is reset before that step."""
        return (step - self.offset - layer) % self.interval == 0


@dataclass(frozen=True, eq=False)
class Program(ByValue):
    """A network in integers, checked on construction and immutable afterwards.

    A Program owns its arrays: what it is given is copied, once, and read-only from then on. It
    compares by value and can be pickled.

    Attributes
    ----------
    input_shape : tuple of int
        ``(units,)`` or ``(channels, height, width)``.
    layers : tuple of Layer
    readout : Readout
    metadata : mapping of str to str
        Origin of the network, hashes and the like.
    encoder : Encoder or None
        With an encoder the input is real-valued: the first layer has no projections and receives
        the encoder's activation instead.
    reset : Reset or None
        None means that every sample starts from zero and nothing is reset within it.
    numbers : tuple of int
        Numbers of the layers in the file, by which tables and messages name them. If left out,
        as `save_net` writes them: see `layer_numbers`.

    Raises
    ------
    KipukaError
        If a design rule is broken; the message names layer, limit and value.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    readout: Readout
    metadata: Mapping[str, str] = field(default_factory=dict)
    encoder: Encoder | None = None
    reset: Reset | None = None
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_parts(self)
        if not self.numbers:
            object.__setattr__(self, "numbers", layer_numbers(self))
        check_program(self)
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        object.__setattr__(self, "layers", owned(tuple(self.layers)))
        object.__setattr__(self, "readout", owned(self.readout))

    def _line(self) -> str:
        layers = "".join(
            f" -> {layer.model} {'x'.join(map(str, layer.shape))}" for layer in self.layers
        )
        inputs = "x".join(map(str, self.input_shape))
        return f"{inputs} inputs{layers} -> {self.n_classes} classes by {self.readout.kind}"

    def _table(self) -> Table:
        rows = [
            (
                number,
                layer.model,
                " x ".join(map(str, layer.shape)),
                sum(int(p.synapses.fan_out().sum()) for p in layer.projections),
                max((weight_bits(p.synapses.weights) for p in layer.projections), default=0),
                delay_text(self.output_delays(position)),
                delay_text(layer.delays_from(RECURRENT)),
            )
            for position, (number, layer) in enumerate(zip(self.numbers, self.layers, strict=True))
        ]
        columns = ["layer", "model", "shape", "nonzero synapses", "weight bits"]
        return Table([*columns, "delays of its output (steps)", "of its recurrence"], rows)

    def __reduce__(self) -> tuple[Any, ...]:
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return _rebuilt, ({**given, "metadata": dict(self.metadata)},)

    def __deepcopy__(self, memo: dict[int, Any]) -> Program:
        del memo
        return self

    @property
    def n_inputs(self) -> int:
        """Input units."""
        return math.prod(self.input_shape)

    @property
    def n_outputs(self) -> int:
        """Neurons of the last layer."""
        return self.layers[-1].n_neurons

    @property
    def n_classes(self) -> int:
        """Classes between which the readout decides."""
        return self.n_outputs // self.readout.population

    def output_delays(self, position: int) -> np.ndarray:
        """Axonal delays of what the layer at that position sends on, or the input for -1.

        They stand with whoever receives them: in the projections of the layers behind it, and in
        the readout for the last one. What a layer sends itself has delays of its own,
        ``layers[position].delays_from(RECURRENT)``.

        Parameters
        ----------
        position : int

        Returns
        -------
        int16 array
            Flat, in steps; where all receivers share them, given once. Empty if nobody receives
            anything.
        """
        behind = enumerate(self.layers[position + 1 :], start=1)
        parts = [layer.delays_from(back) for back, layer in behind if back in layer.sources]
        if position == len(self.layers) - 1:
            parts.append(self.readout.delays)
        return _once_if_shared(parts)

    def carries_payloads(self, position: int, projection: Projection) -> bool:
        """Tell whether what a projection of the layer at that position brings has a payload."""
        sender = position - projection.source
        if sender < 0:
            return False
        sent = self.layers[sender].neuron_model.message(projection.message)
        return sent is not None and sent.graded

    def shape_of(self, position: int) -> tuple[int, ...]:
        """Shape of the layer at that position, or of the input for -1."""
        return self.input_shape if position < 0 else self.layers[position].shape


def _rebuilt(given: dict[str, Any]) -> Program:
    """Make a Program from what `Program.__reduce__` kept of one."""
    return Program(**given)


def _once_if_shared(parts: list[np.ndarray]) -> np.ndarray:
    """Delays of several projections in a row; once if they are the same in all of them."""
    if parts and all(np.array_equal(part, parts[0]) for part in parts):
        parts = parts[:1]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)


def layer_numbers(program: Program) -> tuple[int, ...]:
    """Number of each layer in a file that `save_net` writes.

    The input is layer 0, together with its neurons if there is an encoder. A concat layer precedes
    a layer with skip connections and a flatten layer a dense one after channels x height x width;
    both take a number, as in NetX.
    """
    numbers: list[int] = []
    following = 0 if program.encoder else 1
    for position, layer in enumerate(program.layers):
        following += len(layer.sources) > 1
        following += needs_flatten(program, position)
        numbers.append(following)
        following += 1
    return tuple(numbers)


def needs_flatten(program: Program, position: int) -> bool:
    """Tell whether a layer reads the shape channels x height x width as one row of units."""
    layer = program.layers[position]
    flat = bool(layer.sources) and not layer.convolutional
    # Rules that are yet to come refuse other sources.
    before = [back for back in layer.sources if back > 0]
    return flat and any(len(program.shape_of(position - back)) > 1 for back in before)


def delay_range(delays: np.ndarray) -> tuple[int, int] | None:
    """Shortest and longest of some delays in steps; None if there are none."""
    return (int(delays.min()), int(delays.max())) if delays.size else None


def delay_text(delays: np.ndarray) -> str:
    """Return the range of some delays in steps for people."""
    low, high = delay_range(delays) or (0, 0)
    return f"{low} to {high}" if high else "none"


def expect_program(program: object) -> None:
    """Refuse what is no Program: the first thing that a function does that takes one from a user.

    Raises
    ------
    KipukaError
        If it is something else, such as the name of a file.
    """
    remedy = (
        "kipuka.convert.load_network(path) reads one from a file, program_from_blocks(blocks) "
        "makes one of a trained network"
    )
    expect(program, Program, "argument program", remedy)
