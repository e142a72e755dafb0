"""What arrives over one projection in one step: the sums that every engine has to give."""

from __future__ import annotations

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.model import Message, NeuronModel
from kipuka.convert.program import Projection
from kipuka.convert.synapses import DenseSynapses, Synapses

NUMBERS_AT_ONCE = 1 << 21
"""Numbers (samples x neurons x steps) up to which steps are taken at once: 16 MiB."""


def sent_message(model: NeuronModel, name: str) -> Message:
    """Return the message of a model, which the design rules have made sure that it sends."""
    return next(message for message in model.messages if message.name == name)


class Delivery:
    """What arrives over one projection; what is the same in all steps is looked up once.

    Parameters
    ----------
    projection : Projection
    known : bool
        Whether all that arrives stands there from the first step on, so that many steps can be
        taken at once.
    """

    def __init__(self, projection: Projection, known: bool = False) -> None:
        synapses = projection.synapses
        delays = np.asarray(projection.delays, dtype=np.int64)
        parts: list[tuple[np.ndarray, Synapses]] = [(delays, synapses)]
        if delays.ndim > 1:
            parts = [
                (
                    np.full(synapses.n_sources, delay),
                    DenseSynapses(np.where(delays == delay, synapses.weights, 0)),
                )
                for delay in np.unique(delays)
            ]
        # Delays of the sources, synapses that share them, and how many each source reaches.
        self._parts = [(late, part, part.fan_out()) for late, part in parts]
        self._sources = np.arange(synapses.n_sources)
        self.projection, self._known = projection, known
        self._first_step = 0
        self._ahead: tuple[np.ndarray, np.ndarray] | None = None

    def at(self, arriving: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return activation and synaptic operations of one step, after those before it.

        Parameters
        ----------
        arriving : array (samples, sources, steps)
            Spikes, or payloads, in the step in which they arrive without a delay.
        step : int

        Returns
        -------
        activation : int64 array (samples, targets)
        operations : int64 array (samples,)
        """
        if not self._known:
            activations, operations = self._during(arriving, step, 1)
            return activations[0], operations[0]
        if self._ahead is None or step - self._first_step >= len(self._ahead[0]):
            n_samples, n_sources, n_steps = arriving.shape
            widest = n_samples * max(n_sources, self.projection.synapses.n_targets)
            n_ahead = min(max(NUMBERS_AT_ONCE // max(widest, 1), 1), n_steps - step)
            self._first_step, self._ahead = step, self._during(arriving, step, n_ahead)
        activations, operations = self._ahead
        return activations[step - self._first_step], operations[step - self._first_step]

    def _during(
        self, arriving: np.ndarray, first_step: int, n_steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Activations (steps, samples, targets) and operations (steps, samples)."""
        n_samples, n_targets = arriving.shape[0], self.projection.synapses.n_targets
        activations = np.zeros((n_steps * n_samples, n_targets), dtype=np.int64)
        operations = np.zeros(n_steps * n_samples, dtype=np.int64)
        steps = first_step + np.arange(n_steps)[:, np.newaxis]
        for delays, synapses, fan_out in self._parts:
            when = steps - delays
            if when.max(initial=-1) < 0:
                continue
            # (steps, sources, samples)
            found = arriving.transpose(1, 2, 0)[self._sources, np.maximum(when, 0)]
            found = (found * (when >= 0)[..., np.newaxis]).transpose(0, 2, 1)
            messages = found.reshape(n_steps * n_samples, -1)
            activations += synapses.weighted_sum(messages)
            operations += (messages != 0).astype(np.int64) @ fan_out
        activations = fixed.shift_left(activations, self.projection.weight_exponent)
        return (
            activations.reshape(n_steps, n_samples, n_targets),
            operations.reshape(n_steps, n_samples),
        )

    def of_payloads(self, model: NeuronModel, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what `at` does, of graded messages that a layer has sent to itself.

        Parameters
        ----------
        model : NeuronModel
            Of the layer.
        sent : int64 array (samples, sources)
        """
        message = sent_message(model, self.projection.message)
        ((_, synapses, fan_out),) = self._parts
        activation = message.activation(synapses.weighted_sum(sent))
        return activation, (sent != 0).astype(np.int64) @ fan_out
