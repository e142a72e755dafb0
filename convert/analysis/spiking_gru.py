"""How far the states of spiking GRU neurons get."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.arrivals import Bounds, CanSpike, brings_spikes, shared_inputs
from kipuka.convert.analysis.steps import Given, Range
from kipuka.convert.neurons.spiking_gru import SpikingGruParameters
from kipuka.convert.neurons.spiking_mgu import SpikingMguParameters
from kipuka.convert.program import Layer

MIXTURES = np.linspace(0.0, 1.0, 9)
"""Shares of the gate's line, beside its largest value; each gives a bound, the least one counts."""


def gru_range(layer: Layer, given: Given) -> Range:
    """Begin the analysis of a layer, which the design rules keep from an encoder."""
    return GruRange(layer, given.can_spike)


def mgu_range(layer: Layer, given: Given) -> Range:
    """Begin the analysis of minimal gated units, as the spiking GRU neurons that they equal."""
    p = SpikingMguParameters(*layer.neuron)
    projections = []
    for one in layer.projections:
        if one.target != "f":
            projections.append(one)
            continue
        complement = replace(one.synapses, weights=-one.synapses.weights)
        projections.append(replace(one, target="r"))
        projections.append(replace(one, target="z", synapses=complement))
    neuron = SpikingGruParameters(p.threshold, p.bias_i, p.bias_f, -p.bias_f)
    return GruRange(Layer(neuron, layer.shape, tuple(projections)), given.can_spike)


class GruRange(Range):
    """The spiking GRU neuron.

    The current grows to at most ``max over x of |i| gate(x) + a_i(x)``. A gate that is not shut is
    at most as open as its line before it is clipped, at most as open as it ever gets, and at most
    any mixture of the two; with a mixture the maximum over spikes `x` is a sum over sources. Where
    the gate is shut, `a_i` alone counts.

    Parameters
    ----------
    layer : Layer
    can_spike : CanSpike
    """

    def __init__(self, layer: Layer, can_spike: CanSpike) -> None:
        super().__init__(layer.n_neurons)
        neuron = SpikingGruParameters(*layer.neuron)
        self.threshold = fixed.to_state_units(neuron.threshold)
        self.bias = fixed.to_state_units(neuron.bias_i)
        current, reset = shared_inputs(layer, "i", "r", can_spike)
        self.current = current * fixed.to_state_units(1)
        self.slopes = reset * fixed.GATE_SLOPE / fixed.UNITY
        self.gate = _gate_bounds(reset, neuron.bias_r)
        self.offset = (fixed.GATE_OFFSET + fixed.GATE_SLOPE * neuron.bias_r) / fixed.UNITY
        _, update = shared_inputs(layer, "i", "z", can_spike)
        ends = _gate_bounds(update, neuron.bias_z)
        if not all(map(brings_spikes, layer.projections)):
            # Graded messages can put the update gate anywhere.
            ends = Bounds(np.zeros(layer.n_neurons), np.ones(layer.n_neurons))
        self.update = Bounds(
            *(fixed.clip(fixed.as_int64(end * fixed.UNITY), 0, fixed.UNITY) for end in ends)
        )

    def advance(self) -> bool:
        """One step: `Range.take`."""
        limit = fixed.GRU_STATE_LIMIT
        low, high = self.now[0]
        exact_i = Bounds(
            -self._farthest(np.maximum(-low, 0), -1) - 1,
            self._farthest(np.maximum(high, 0), 1) + 1,
        )
        i = Bounds(*(fixed.clip(end, -limit, limit) for end in exact_i))
        exact_v = self._membrane(i)
        v = Bounds(*(fixed.clip(end, -limit, limit) for end in exact_v))
        self.can_spike = self.can_spike | (v.high > self.threshold)
        return self.take([exact_i, exact_v], [i, v])

    def _farthest(self, state: np.ndarray, sign: int) -> np.ndarray:
        """Largest ``state * gate + sign * a_i`` for a state of that sign and magnitude."""
        top = np.clip(self.gate.high, 0.0, 1.0)
        best = np.full(state.size, np.inf)
        for share in MIXTURES:
            slope = state * share
            level = slope * self.offset + state * (1 - share) * top
            weights = slope[:, None] * self.slopes + sign * self.current
            total = np.maximum(weights, 0.0).sum(axis=1) + level
            best = np.minimum(best, total)
        shut = np.maximum(sign * self.current, 0.0).sum(axis=1)
        return fixed.as_int64(np.ceil(np.maximum(best, shut))) + sign * self.bias

    def _membrane(self, i: Bounds) -> Bounds:
        """``i + (v - i) z`` lies between `i` and `v`; after a spike the threshold comes off."""
        before = self.now[1]
        silent = Bounds(
            self._mixed(i.low, before.low, np.minimum),
            self._mixed(i.high, np.minimum(before.high, self.threshold), np.maximum),
        )
        spiked = Bounds(
            self._mixed(i.low, np.maximum(before.low, self.threshold), np.minimum) - self.threshold,
            self._mixed(i.high, before.high, np.maximum) - self.threshold,
        )
        may = before.high > self.threshold
        return Bounds(
            np.where(may, np.minimum(silent.low, spiked.low), silent.low),
            np.where(may, np.maximum(silent.high, spiked.high), silent.high),
        )

    def _mixed(self, i: np.ndarray, v: np.ndarray, choose: np.ufunc) -> np.ndarray:
        ends = [i + fixed.shift_floor((v - i) * z, fixed.UNITY_BITS) for z in self.update]
        mixed: np.ndarray = choose(*ends)
        return mixed


def _gate_bounds(weights: np.ndarray, bias: np.ndarray) -> Bounds:
    """Least and greatest gate before it is clipped, as a share of 1."""
    offset = fixed.GATE_OFFSET + fixed.GATE_SLOPE * bias
    return Bounds(
        (offset + fixed.GATE_SLOPE * np.minimum(weights, 0).sum(axis=1)) / fixed.UNITY,
        (offset + fixed.GATE_SLOPE * np.maximum(weights, 0).sum(axis=1)) / fixed.UNITY,
    )
