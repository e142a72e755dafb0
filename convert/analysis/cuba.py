"""How far the states of CUBA neurons get."""

from __future__ import annotations

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.arrivals import Bounds, activation_bounds
from kipuka.convert.analysis.steps import Given, Range
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.program import Layer


def cuba_range(layer: Layer, given: Given) -> Range:
    """Begin the analysis of a layer; an encoded input can be any number of its magnitude."""
    if given.largest_input is not None:
        any_number = np.full(layer.n_neurons, min(given.largest_input, fixed.CUBA_STATE_LIMIT))
        return CubaRange(layer.neuron, Bounds(-any_number, any_number))
    return CubaRange(layer.neuron, activation_bounds(layer, given.can_spike)["a"])


class CubaRange(Range):
    """The CUBA neuron: both updates are monotone, so the ends of the intervals run on their own.

    Parameters
    ----------
    neuron : CubaParameters
    activation : Bounds
    """

    def __init__(self, neuron: CubaParameters, activation: Bounds) -> None:
        super().__init__(activation.low.size)
        self.neuron = neuron
        self.activation = activation

    def advance(self) -> bool:
        """One step: `Range.take`."""
        neuron, limit = self.neuron, fixed.CUBA_STATE_LIMIT
        exact_u = Bounds(
            *(
                _decayed(u, neuron.current_decay) + fixed.to_state_units(a)
                for u, a in zip(self.now[0], self.activation, strict=True)
            )
        )
        # A current that wraps can be anything.
        wraps = (exact_u.low <= -limit) | (exact_u.high > limit)
        u = Bounds(np.where(wraps, 1 - limit, exact_u.low), np.where(wraps, limit, exact_u.high))
        exact_v = Bounds(
            *(
                _decayed(v, neuron.voltage_decay) + end + fixed.to_state_units(neuron.bias)
                for v, end in zip(self.now[1], u, strict=True)
            )
        )
        clipped = Bounds(*(fixed.clip(end, 1 - limit, limit - 1) for end in exact_v))
        threshold = fixed.to_state_units(neuron.threshold)
        spikes = clipped.high > threshold
        v = Bounds(
            np.where(spikes, np.minimum(clipped.low, 0), clipped.low),
            np.where(spikes, threshold, clipped.high),
        )
        self.can_spike = self.can_spike | spikes
        return self.take([exact_u, exact_v], [u, v])


def _decayed(x: np.ndarray, decay: np.ndarray) -> np.ndarray:
    decayed: np.ndarray = fixed.shift_toward_zero(x * (fixed.UNITY - decay), fixed.UNITY_BITS)
    return decayed
