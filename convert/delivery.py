"""What arrives over one projection in one step: the sums that every engine has to give."""

from __future__ import annotations

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.model import Message, NeuronModel
from kipuka.convert.program import Projection
from kipuka.convert.synapses import DenseSynapses


def sent_message(model: NeuronModel, name: str) -> Message:
    """Return the message of a model, which the design rules have made sure that it sends."""
    return next(message for message in model.messages if message.name == name)


def deliver(
    projection: Projection, arriving: np.ndarray, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return activation (samples, targets) and synaptic operations (samples,) of one projection.

    `arriving` holds, per step, the source spikes, or payloads, that arrive then if they have no
    delay.
    """
    synapses, delays = projection.synapses, projection.delays
    if delays.ndim == 1:
        when = step - delays.astype(np.int64)
        spikes = arriving[:, np.arange(delays.size), np.maximum(when, 0)] * (when >= 0)
        activation = synapses.weighted_sum(spikes)
        reached = (spikes != 0).astype(np.int64) @ synapses.fan_out()
    else:
        activation = np.zeros((arriving.shape[0], synapses.n_targets), dtype=np.int64)
        reached = np.zeros(arriving.shape[0], dtype=np.int64)
        for delay in np.unique(delays[delays <= step]).tolist():
            chosen = DenseSynapses(np.where(delays == delay, synapses.weights, 0))
            spikes = arriving[:, :, step - delay]
            activation += chosen.weighted_sum(spikes)
            reached += (spikes != 0).astype(np.int64) @ chosen.fan_out()
    return fixed.shift_left(activation, projection.weight_exponent), reached


def deliver_payloads(
    projection: Projection, model: NeuronModel, sent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return activation and synaptic operations as `deliver` does, of graded messages."""
    message = sent_message(model, projection.message)
    activation = message.activation(projection.synapses.weighted_sum(sent))
    return activation, (sent != 0).astype(np.int64) @ projection.synapses.fan_out()
