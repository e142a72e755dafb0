"""A Program cut into smaller ones that threads may run side by side: stages, and shares of them.

A stage is a range of layers. What it takes from outside are the spikes of the one layer before it,
so that it is a Program whose input they are. The neurons of a stage of one layer that hears nothing
of itself need not know of each other: each share of them is a Program, too.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import cast

import numpy as np

from kipuka.convert.neurons.model import SPIKES
from kipuka.convert.program import Layer, Program, Projection, Readout, ReadoutKind, Reset
from kipuka.convert.synapses import (
    RECURRENT,
    ConvSynapses,
    DenseSynapses,
    SparseSynapses,
    Synapses,
)

FEWEST_NEURONS = 512
"""Neurons of a share: with fewer, what each share does for itself is most of its work."""

ACTIVITY = 0.05
"""Spikes of a neuron in a step that times are reckoned with."""

STEP_TIME = 100.0
"""Nanoseconds of a step of a layer, however small it is."""

UPDATE_TIME = 0.4
"""Nanoseconds that a neuron takes in a step, for each of its activations."""

SYNAPSE_TIMES = {DenseSynapses: 0.03, ConvSynapses: 0.1, SparseSynapses: 1.0}
"""Nanoseconds that a synaptic operation takes."""

ARRIVAL_TIME, IMAGE_TIME = 3.0, 9.0
"""Nanoseconds that it takes to hand a spike over to a share; to a convolution, which draws again
what it is given as a list."""

SET_UP_TIME = 25.0
"""Nanoseconds that it takes to cut off a weight and to lay it out."""


@dataclass(frozen=True)
class Share:
    """Some neurons of a stage.

    Attributes
    ----------
    first_layer, end_layer : int
        The stage's layers, by their position in the Program.
    first_neuron, end_neuron : int
        Of the last layer; a stage of several layers has one share, with all of them.
    time : float
        Nanoseconds that a step takes, roughly.
    """

    first_layer: int
    end_layer: int
    first_neuron: int
    end_neuron: int
    time: float

    def of(self, program: Program) -> Program:
        """Make a Program of the share; what it is read out by does not matter."""
        layers = program.layers[self.first_layer : self.end_layer]
        if self.end_neuron - self.first_neuron < layers[-1].n_neurons:
            layers = (_neurons(layers[-1], self.first_neuron, self.end_neuron),)
        last, reset = layers[-1], program.reset
        kind = cast(ReadoutKind, last.neuron_model.readouts(last.neuron)[0])
        if reset:
            reset = Reset(reset.interval, (reset.offset + self.first_layer) % reset.interval)
        return Program(
            program.shape_of(self.first_layer - 1),
            layers,
            Readout(kind, np.zeros(last.n_neurons, np.int16)),
            encoder=program.encoder if self.first_layer == 0 else None,
            reset=reset,
            numbers=program.numbers[self.first_layer : self.end_layer],
        )


Stage = tuple[Share, ...]


def stages_of(program: Program, n_threads: int) -> tuple[Stage, ...]:
    """Cut a Program into stages, and what is large in them into as many shares as threads."""
    n_layers = len(program.layers)
    starts = [0, *(n for n in range(1, n_layers) if _may_begin(program, n))]
    ranges = zip(starts, [*starts[1:], n_layers], strict=True)
    return tuple(_shares(program, first, end, n_threads) for first, end in ranges)


def step_time(program: Program) -> float:
    """Nanoseconds that a step of a Program takes on one thread, roughly."""
    return sum(_layer_time(layer) for layer in program.layers)


def set_up_time(program: Program) -> float:
    """Nanoseconds that it takes to cut a Program, roughly."""
    return SET_UP_TIME * sum(
        p.synapses.weights.size for layer in program.layers for p in layer.projections
    )


def step_time_of(stages: tuple[Stage, ...], n_threads: int) -> float:
    """Nanoseconds that a step takes on several threads, roughly."""
    times = [share.time for stage in stages for share in stage]
    return max(*times, sum(times) / n_threads)


def _may_begin(program: Program, position: int) -> bool:
    """Whether a stage may begin with that layer: all else hears of the layer before it alone."""
    return not program.layers[position - 1].neuron_model.sends.graded and all(
        projection.source <= later - position + 1
        for later in range(position, len(program.layers))
        for projection in program.layers[later].projections
    )


def _shares(program: Program, first: int, end: int, n_threads: int) -> Stage:
    layers = program.layers[first:end]
    n_neurons, n_sources = layers[-1].n_neurons, math.prod(program.shape_of(first - 1))
    bounds = [0, n_neurons]
    if len(layers) == 1 and not (program.encoder and first == 0) and _can_be_shared(layers[0]):
        n_shares = max(1, min(n_threads, n_neurons // FEWEST_NEURONS))
        bounds = np.linspace(0, n_neurons, n_shares + 1).astype(int).tolist()
    arrivals = ACTIVITY * n_sources * (IMAGE_TIME if layers[0].convolutional else ARRIVAL_TIME)
    handed_over = 0.0 if first == 0 and len(bounds) == 2 else STEP_TIME + arrivals
    time = sum(_layer_time(layer) for layer in layers)
    return tuple(
        Share(first, end, begin, stop, handed_over + time * (stop - begin) / n_neurons)
        for begin, stop in itertools.pairwise(bounds)
    )


def _can_be_shared(layer: Layer) -> bool:
    """Whether no neuron hears of another one, and what neighbours need is not the same anyway."""
    hears_itself = any(projection.source == RECURRENT for projection in layer.projections)
    return not (hears_itself or layer.convolutional)


def _neurons(layer: Layer, begin: int, end: int) -> Layer:
    """Neurons `begin` to `end` of a layer, as one."""
    neuron = type(layer.neuron)(*(values[begin:end] for values in layer.neuron))
    projections = tuple(_to_neurons(projection, begin, end) for projection in layer.projections)
    return Layer(neuron, (end - begin,), projections)


def _to_neurons(projection: Projection, begin: int, end: int) -> Projection:
    """Those synapses of a projection that reach neurons `begin` to `end`."""
    synapses, delays = projection.synapses, projection.delays
    if isinstance(synapses, SparseSynapses):
        ours = (synapses.targets >= begin) & (synapses.targets < end)
        offsets = np.concatenate([[0], np.cumsum(ours)])[synapses.offsets]
        targets = synapses.targets[ours] - np.int32(begin)
        part = SparseSynapses(synapses.weights[ours], targets, offsets, end - begin)
        return dataclasses.replace(projection, synapses=part)
    return dataclasses.replace(
        projection,
        synapses=DenseSynapses(synapses.weights[begin:end]),
        delays=delays[begin:end] if delays.ndim > 1 else delays,
    )


def _layer_time(layer: Layer) -> float:
    """Nanoseconds that a step of a layer takes, roughly."""
    update = STEP_TIME + UPDATE_TIME * layer.n_neurons * len(layer.targets)
    return update + sum(
        SYNAPSE_TIMES[type(p.synapses)] * ACTIVITY * _n_synapses(p.synapses)
        for p in layer.projections
        if p.message == SPIKES.name
    )


def _n_synapses(synapses: Synapses) -> int:
    """Synapses, weights of 0 among them: to count those would take as long as some steps."""
    pixels = math.prod(synapses.output_shape[1:]) if isinstance(synapses, ConvSynapses) else 1
    return synapses.weights.size * pixels
