"""Changes of a network that may save energy, time or memory, each as a network of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kipuka.convert.program import Program, Projection
from kipuka.convert.synapses import DenseSynapses, weight_bits
from kipuka.deploy.counters import Counters

LAYERS = 3
"""Layers, those with most synaptic operations first, whose weights are changed on trial."""

PRUNED = 5
"""One in so many of a layer's nonzero weights, the smallest, is pruned on trial."""


class Change(NamedTuple):
    """A changed network.

    Attributes
    ----------
    text : str
        What to do.
    layer : int or None
        Number of the layer in the file, if it is about one.
    program : Program
    """

    text: str
    layer: int | None
    program: Program


def changes(program: Program, counters: Counters) -> Iterator[Change]:
    """Yield every change that there is something to change for.

    Parameters
    ----------
    program : Program
    counters : Counters
        Of a run of it.
    """
    operations = [int(layer.synaptic_operations.sum()) for layer in counters.layers]
    busiest = sorted(range(len(operations)), key=lambda k: -operations[k])[:LAYERS]
    for position in busiest:
        yield from _without_small_weights(program, position)
        yield from _with_fewer_bits(program, position)
    yield from _without_silent_neurons(program, counters)
    yield from _with_shorter_delays(program)


def _without_small_weights(program: Program, position: int) -> Iterator[Change]:
    """Prune the weakest of the nonzero weights of a layer, projection by projection."""
    changed, removed, there = [], 0, 0
    for projection in program.layers[position].projections:
        weights = projection.synapses.weights
        sizes = np.abs(weights[weights != 0].astype(np.int64))
        if sizes.size:
            cut = np.sort(sizes)[(sizes.size - 1) // PRUNED]
            keep = np.abs(weights.astype(np.int64)) > cut
            removed += sizes.size - int(np.count_nonzero(keep))
            there += sizes.size
            projection = _with_weights(projection, np.where(keep, weights, 0))
        changed.append(projection)
    number = program.numbers[position]
    if 0 < removed < there:
        text = f"prune the {removed} smallest of {there} weights of layer {number}"
        yield Change(text, number, _with_layer(program, position, changed))


def _with_fewer_bits(program: Program, position: int) -> Iterator[Change]:
    """Round the weights of a layer so that each projection needs a bit less."""
    changed = []
    before = after = 0
    for projection in program.layers[position].projections:
        weights = projection.synapses.weights
        rounded = _coarser(weights)
        before = max(before, weight_bits(weights))
        after = max(after, weight_bits(rounded))
        changed.append(_with_weights(projection, rounded))
    number = program.numbers[position]
    if 0 < after < before:
        text = f"round the weights of layer {number} to {after} bits instead of {before}"
        yield Change(text, number, _with_layer(program, position, changed))


def _coarser(weights: np.ndarray) -> np.ndarray:
    """Weights in steps of twice their largest common power of two, cut to a bit less."""
    common = int(np.bitwise_or.reduce(np.abs(weights.astype(np.int64)), axis=None))
    if not common:
        return weights
    # The lowest bit that any weight has is their common step.
    step = 2 * (common & -common)
    bits, negative = weight_bits(weights) - 1, int(weights.min()) < 0
    sign = negative and int(weights.max()) > 0
    # A sign takes a bit of its own only where there are weights of both signs.
    half = 1 << max(bits - sign, 0)
    # Halves go to the even multiple: all of them upwards would be a bias that the network feels.
    rounded = np.rint(weights / step).astype(np.int64) * step
    return np.clip(rounded, -half * step if negative else 0, (half - 1) * step)


def _without_silent_neurons(program: Program, counters: Counters) -> Iterator[Change]:
    """Prune every synapse into and out of neurons that never spiked, but of the readout."""
    silent = [layer.spikes_per_neuron == 0 for layer in counters.layers]
    silent[-1] = np.zeros_like(silent[-1])
    changed, pruned = program, 0
    for position, layer in enumerate(program.layers):
        projections = []
        for projection in layer.projections:
            if isinstance(projection.synapses, DenseSynapses):
                weights = projection.synapses.weights.copy()
                weights[silent[position]] = 0
                sender = position - projection.source
                # A neuron that never spikes may still send its current.
                if sender >= 0 and projection.message == "spikes":
                    weights[:, silent[sender]] = 0
                pruned += int(np.count_nonzero(projection.synapses.weights != weights))
                projection = _with_weights(projection, weights)
            projections.append(projection)
        changed = _with_layer(changed, position, projections)
    if pruned:
        count = int(sum(one.sum() for one in silent))
        text = f"prune the {pruned} synapses of {count} neurons that never spiked on this data"
        yield Change(text, None, changed)


def _with_shorter_delays(program: Program) -> Iterator[Change]:
    """Halve the longest delay, which saves bits of synaptic memory and delay slots."""
    longest = {
        number: max((int(p.delays.max(initial=0)) for p in layer.projections), default=0)
        for number, layer in zip(program.numbers, program.layers, strict=True)
    }
    number = max(longest, key=lambda key: longest[key])
    if not longest[number]:
        return
    half = longest[number] // 2
    changed = program
    for position, layer in enumerate(program.layers):
        shorter = [
            dataclasses.replace(p, delays=np.minimum(p.delays, half)) for p in layer.projections
        ]
        changed = _with_layer(changed, position, shorter)
    text = f"train with delays up to {half} instead of {longest[number]} steps (layer {number})"
    yield Change(text, None, changed)


def _with_weights(projection: Projection, weights: np.ndarray) -> Projection:
    weights = weights.astype(projection.synapses.weights.dtype)
    return dataclasses.replace(
        projection, synapses=dataclasses.replace(projection.synapses, weights=weights)
    )


def _with_layer(program: Program, position: int, projections: list[Projection]) -> Program:
    layers = list(program.layers)
    layers[position] = dataclasses.replace(layers[position], projections=tuple(projections))
    return dataclasses.replace(program, layers=tuple(layers))
