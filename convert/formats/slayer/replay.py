"""One layer of a Program on its own, for the input that the block it came from was given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kipuka.convert.delivery import Delivery, sent_message
from kipuka.convert.encoder import Encoder
from kipuka.convert.neurons.model import SPIKES
from kipuka.convert.program import RECURRENT, Layer


class Replay(NamedTuple):
    """What a layer computes.

    Attributes
    ----------
    spikes : bool array (neurons, steps)
        In the step of their emission.
    membrane : int64 array (neurons, steps)
        In state units.
    exact_steps : int
        Steps before a state first leaves its bits, which SLAYER's states do not have.
    """

    spikes: np.ndarray
    membrane: np.ndarray
    exact_steps: int


def replay(layer: Layer, arriving: np.ndarray, encoder: Encoder | None) -> Replay:
    """Run a layer from rest.

    Parameters
    ----------
    layer : Layer
        Fed by the layer before and by itself, as SLAYER's are.
    arriving : array (units, steps)
        Spikes with their delays behind them; with an encoder its activations.
    encoder : Encoder or None
    """
    n_steps = arriving.shape[-1]
    fed = _fed(layer, arriving, encoder)
    model = layer.neuron_model
    # What the layer sends to itself, in the step in which it arrives undelayed.
    sent: dict[str, np.ndarray] = {
        p.message: np.zeros((1, layer.n_neurons, n_steps + 1), np.int64)
        for p in layer.projections
        if p.source == RECURRENT
    }
    own = np.zeros((1, layer.n_neurons, n_steps + 1), bool)
    membrane = np.zeros((layer.n_neurons, n_steps), np.int64)
    state = model.initial_state(np.zeros((1, layer.n_neurons), np.int64))
    exact_steps = n_steps
    recurrent = [Delivery(p) for p in layer.projections if p.source == RECURRENT]
    for step in range(n_steps):
        activations: dict[str, Any] = {
            target: sums[step : step + 1] for target, sums in fed.items()
        }
        for delivery in recurrent:
            projection = delivery.projection
            if projection.message == SPIKES.name:
                activation, _ = delivery.at(own, step)
            else:
                activation, _ = delivery.of_payloads(model, sent[projection.message][..., step])
            activations[projection.target] = activations[projection.target] + activation
        state, emitted, overflow = model.step(layer.neuron, state, activations)
        own[..., step + 1], membrane[:, step] = emitted, state.v[0]
        for name, payloads in sent.items():
            payloads[..., step + 1] = sent_message(model, name).payload(state, emitted)
        if np.any(overflow.saturated) or np.any(overflow.wrapped):
            exact_steps = min(exact_steps, step)
    return Replay(own[0, :, 1:], membrane, exact_steps)


def _fed(layer: Layer, arriving: np.ndarray, encoder: Encoder | None) -> dict[str, np.ndarray]:
    """Activations (steps, neurons) from the layer before, by target, all steps at once."""
    nothing = np.zeros((arriving.shape[-1], layer.n_neurons), np.int64)
    fed = dict.fromkeys(layer.targets, nothing)
    if encoder is not None:
        fed |= encoder.received(arriving.T)
    for projection in layer.projections:
        if projection.source != RECURRENT:
            total = projection.synapses.weighted_sum(arriving.T.astype(bool))
            fed[projection.target] = fed[projection.target] + total
    return fed
