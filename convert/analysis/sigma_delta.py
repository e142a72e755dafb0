"""How far the states of sigma-delta neurons get: what was sent so far says where a sender stands.

A sender's changes add up to its activation less what it has held back, so that a receiver's sum is
bounded by the senders' activations and not by the number of steps. What the payloads' rounding
cuts off adds up, less than one payload unit for each message. Bounds hold for all steps at once.
"""

from __future__ import annotations

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.arrivals import Bounds, split_sum
from kipuka.convert.analysis.steps import Given, Range
from kipuka.convert.neurons.sigma_delta import UNIT
from kipuka.convert.program import Layer


def delta_range(layer: Layer, given: Given) -> Range:
    """Begin the analysis of an encoder, whose input can be any number of its magnitude."""
    return DeltaRange(layer, given)


def sigma_delta_range(layer: Layer, given: Given) -> Range:
    """Begin the analysis of a layer."""
    return SigmaDeltaRange(layer, given)


def sigma_range(layer: Layer, given: Given) -> Range:
    """Begin the analysis of a decoder."""
    return SigmaRange(layer, given)


class DeltaRange(Range):
    """The encoder, whose changes are whole payloads.

    Parameters
    ----------
    layer : Layer
    given : Given
    """

    def __init__(self, layer: Layer, given: Given) -> None:
        super().__init__(layer.n_neurons)
        largest = fixed.INT32_MAX if given.largest_input is None else given.largest_input
        ends = np.full(layer.n_neurons, largest << fixed.GRADED_SHIFT)
        self.exact = Bounds(-ends, ends)
        self.held = _held_back(layer)
        self.sums = _sums_of_payloads(_limited(self.exact), self.held, 0, given.n_steps)

    @property
    def sent(self) -> Bounds:
        """Bounds of the sum of all payloads so far."""
        return self.sums

    def advance(self) -> bool:
        """All steps at once: `Range.take`."""
        act = _limited(self.exact)
        self.take([self.exact, self.held], [act, self.held])
        return False


class SigmaDeltaRange(Range):
    """The sigma-delta neuron.

    Parameters
    ----------
    layer : Layer
    given : Given
    """

    def __init__(self, layer: Layer, given: Given) -> None:
        super().__init__(layer.n_neurons, 3)
        bias, unit = layer.neuron.bias << fixed.GRADED_SHIFT, layer.neuron.activation == UNIT
        self.exact = _arrived(layer, given)
        moved = (end + bias for end in _limited(self.exact))
        self.act = Bounds(*(np.where(unit, end, np.maximum(end, 0)) for end in moved))
        self.held = _held_back(layer)
        self.sums = _sums_of_payloads(_limited(self.act), self.held, given.n_steps, given.n_steps)

    @property
    def sent(self) -> Bounds:
        """Bounds of the sum of all payloads so far."""
        return self.sums

    def advance(self) -> bool:
        """All steps at once: `Range.take`."""
        now = [_limited(self.exact), _limited(self.act), self.held]
        self.take([self.exact, self.act, self.held], now)
        return False


class SigmaRange(Range):
    """The decoder.

    Parameters
    ----------
    layer : Layer
    given : Given
    """

    def __init__(self, layer: Layer, given: Given) -> None:
        super().__init__(layer.n_neurons, 1)
        self.exact = _arrived(layer, given)
        self.n_steps = given.n_steps

    @property
    def sent(self) -> Bounds:
        """Bounds of the sum of all that was sent so far: the decoder's sum, in every step."""
        return Bounds(*(self.n_steps * end for end in _limited(self.exact)))

    def advance(self) -> bool:
        """All steps at once: `Range.take`."""
        self.take([self.exact], [_limited(self.exact)])
        return False


def _limited(exact: Bounds) -> Bounds:
    return Bounds(*(fixed.clip(end, -fixed.SIGMA_LIMIT, fixed.SIGMA_LIMIT) for end in exact))


def _held_back(layer: Layer) -> Bounds:
    """Bounds of the residue: less than the threshold."""
    most = np.maximum((layer.neuron.threshold << fixed.GRADED_SHIFT) - 1, 0)
    return Bounds(-most, most)


def _sums_of_payloads(act: Bounds, held: Bounds, lost: int, n_steps: int) -> Bounds:
    """Bounds of what a neuron has sent, if its activation stays within `act`.

    The changes sent so far add up to the activation less the residue, of which up to `lost` payload
    units are cut off. Payloads that meet their limit say nothing of where the sender stands.
    """
    low, high = np.minimum(act.low, 0), np.maximum(act.high, 0)
    change = fixed.shift_floor(high - low + held.high, fixed.STATE_SHIFT) + 1
    farthest = n_steps * fixed.GRADED_LIMIT
    may_be_limited = change > fixed.GRADED_LIMIT
    lowest = fixed.shift_floor(low - held.high, fixed.STATE_SHIFT) - lost
    highest = fixed.shift_floor(high - held.low, fixed.STATE_SHIFT)
    return Bounds(
        np.where(may_be_limited, -farthest, lowest), np.where(may_be_limited, farthest, highest)
    )


def _arrived(layer: Layer, given: Given) -> Bounds:
    """Bounds of the sum of all that has arrived at each neuron, before its limit.

    A sum that may meet its limit forgets what went before, and then stays within 32 bits, as the
    design rules have it.
    """
    low = high = np.zeros(layer.n_neurons, dtype=np.int64)
    for projection in layer.projections:
        sent = given.can_spike[projection.source]
        if not isinstance(sent, Bounds):
            # Of the layer's own messages nothing is known yet.
            sent = Bounds(*(np.full(sent.size, end) for end in (-_FAR, _FAR)))
        # What was on its way at a reset arrives with nothing to stand for.
        late = int(projection.delays.max(initial=0)) * fixed.GRADED_LIMIT * given.resets
        least, most = np.minimum(sent.low - late, 0), np.maximum(sent.high + late, 0)
        # Negative weights turn the upper end into the lower one.
        low = low + split_sum(projection, least, most)
        high = high + split_sum(projection, most, least)
    beyond = (low < -fixed.SIGMA_LIMIT) | (high > fixed.SIGMA_LIMIT)
    return Bounds(np.where(beyond, -fixed.INT32_MAX, low), np.where(beyond, fixed.INT32_MAX, high))


_FAR = fixed.INT32_MAX
"""Far enough that no sum of weights of 2 or more stays within 24 bits."""
