"""Wires from what a cell's equations say: multiples of blocks, constants, projections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import RECURRENT, Layer, Target
from kipuka.deploy.lowered.graph import CONSTANT, Wire

DIGIT_BITS = 7
"""Sources of constants send powers of ``2**7``, from which weights pick digits of 7 bits."""

EXPONENT_MIN, EXPONENT_MAX = fixed.WEIGHT_EXPONENT_MIN, fixed.WEIGHT_EXPONENT_MAX
"""Exponents for integer factors; -1 makes every integer of 8 bits out of the even weights."""


def planes(factors: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Write integers as sums of even 8-bit weights with a common exponent per summand.

    Parameters
    ----------
    factors : int64 array

    Returns
    -------
    list of (weights, exponent)
        One pair if there is an exponent that fits all of them.

    Examples
    --------
    >>> planes(np.array([64, -12800]))
    [(array([   1, -200]), 6)]
    """
    for exponent in range(EXPONENT_MIN, EXPONENT_MAX + 1):
        weights = factors >> exponent if exponent >= 0 else factors << -exponent
        again = weights << exponent if exponent >= 0 else weights >> -exponent
        if np.array_equal(again, factors) and _storable(weights):
            return [(weights, exponent)]
    # The largest exponent at which there is something to take off; the rest gets smaller.
    exponent = min(EXPONENT_MAX, int(np.abs(factors).max()).bit_length() - 2)
    weights = fixed.shift_toward_zero(factors, exponent + 1) * fixed.WEIGHT_STEP
    weights = fixed.clip(weights, fixed.WEIGHT_MIN, fixed.WEIGHT_MAX)
    return [(weights, exponent), *planes(factors - (weights << exponent))]


def _storable(weights: np.ndarray) -> bool:
    inside = (weights >= fixed.WEIGHT_MIN) & (weights <= fixed.WEIGHT_MAX)
    return bool(np.all(inside & (weights % fixed.WEIGHT_STEP == 0)))


def multiples(
    source: str,
    target: str,
    n: int,
    factors: Sequence[tuple[int, int, int | np.ndarray]],
    port: str = "a_in",
    steps: int = 0,
    shift_right: int = 0,
) -> list[Wire]:
    """Neuron by neuron: add multiples of the source's blocks to the target's blocks.

    Parameters
    ----------
    source, target, port : str
    n : int
        Neurons in a block.
    factors : sequence of (target block, source block, factor)
        Factors are integers, one for all or one per neuron.
    steps : int
        Algorithmic steps between sending and counting.
    shift_right : int
        The sum is divided by ``2**shift_right`` and rounded down.

    Returns
    -------
    list of Wire
        One, unless the factors need more bits than a weight has.
    """
    each = np.arange(n)
    targets = np.concatenate([each + n * row for row, _, _ in factors])
    sources = np.concatenate([each + n * column for _, column, _ in factors])
    values = np.concatenate([np.broadcast_to(factor, (n,)) for *_, factor in factors])
    wires = []
    for weights, exponent in planes(values.astype(np.int64)):
        kept = weights != 0
        wires.append(
            Wire(
                source,
                target,
                targets[kept],
                sources[kept],
                weights[kept],
                np.full(int(kept.sum()), steps),
                port,
                exponent - shift_right,
            )
        )
    return wires


def constants(
    target: str, values: np.ndarray, port: str = "a_in", source: str = CONSTANT
) -> list[Wire]:
    """Wire that gives each neuron a constant in every algorithmic step; none if all are 0.

    Parameters
    ----------
    target, port : str
    values : int64 array (neurons,)
    source : str
        `CONSTANT`, or `CLOSING` for the steps after the last one.
    """
    whole = planes(values.astype(np.int64))
    if np.any(values) and len(whole) == 1:
        weights, exponent = whole[0]
        neurons = np.flatnonzero(weights)
        none = np.zeros_like(neurons)
        return [Wire(source, target, neurons, none, weights[neurons], none, port, exponent)]
    half = 1 << (DIGIT_BITS - 1)
    digits, rest = [], values.astype(np.int64)
    while np.any(rest):
        digit = ((rest + half) & (2 * half - 1)) - half
        digits.append(digit)
        rest = (rest - digit) >> DIGIT_BITS
    if not digits:
        return []
    channels, neurons = np.nonzero(np.stack(digits))
    weights = np.stack(digits)[channels, neurons] * fixed.WEIGHT_STEP
    none = np.zeros_like(neurons)
    return [Wire(source, target, neurons, channels, weights, none, port, EXPONENT_MIN)]


def payloads_of(source: str, wires: Sequence[Wire]) -> np.ndarray:
    """What a source of constants sends: a power of ``2**7`` on each channel that is needed."""
    channels = 1 + max((int(w.sources.max()) for w in wires if w.source == source), default=-1)
    return np.int64(1) << DIGIT_BITS * np.arange(channels)


def projections(
    layer: Layer,
    senders: Mapping[int, tuple[str, int]],
    target: str,
    blocks: Mapping[Target, int],
    shift_left: int = 0,
) -> list[Wire]:
    """Wires of a layer's projections to the blocks of its activations.

    Parameters
    ----------
    layer : Layer
    senders : mapping of int to (str, int)
        By source of the projection: node, and algorithmic steps that it takes without a delay.
    target : str
        Node with a block of neurons for each of some activations.
    blocks : mapping of activation to int
        The block of each; projections to others are left out.
    shift_left : int
        Added to the weight exponents.

    Returns
    -------
    list of Wire
        One per source and weight exponent.
    """
    wires = []
    for back in (*layer.sources, RECURRENT):
        found = [p for p in layer.from_source(back) if p.target in blocks]
        for exponent in sorted({p.weight_exponent for p in found}):
            chosen = [p for p in found if p.weight_exponent == exponent]
            entries = [p.synapses.entries() for p in chosen]
            delays = [
                p.delays[e.sources] if p.delays.ndim == 1 else p.delays[e.targets, e.sources]
                for p, e in zip(chosen, entries, strict=True)
            ]
            rows = [
                e.targets + layer.n_neurons * blocks[p.target]
                for p, e in zip(chosen, entries, strict=True)
            ]
            node, steps = senders[back]
            wires.append(
                Wire(
                    node,
                    target,
                    np.concatenate(rows),
                    np.concatenate([e.sources for e in entries]),
                    np.concatenate([e.weights for e in entries]),
                    np.concatenate(delays).astype(np.int64) + steps,
                    exponent=exponent + shift_left,
                )
            )
    return [wire for wire in wires if wire.targets.size]
