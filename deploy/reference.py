"""The reference simulator: the executable specification, one numpy step after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kipuka.convert.delivery import Delivery, sent_message
from kipuka.convert.neurons.model import SPIKES, Overflow
from kipuka.convert.operands import checked_inputs
from kipuka.convert.program import RECURRENT, Layer, Program, Projection
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.deploy.counters import Counters, LayerCounters
from kipuka.display import Shown, Table


@dataclass(frozen=True, eq=False)
class Simulation(Shown):
    """What a simulator returns of a run.

    Attributes
    ----------
    trace : Trace
        Spikes and states of every layer in every step, as far as they were recorded; the last layer
        is ``trace.layers[-1]``.
    counters : Counters
        Spikes, synaptic operations, saturations and wraps of every layer.
    """

    trace: Trace
    counters: Counters

    def _line(self) -> str:
        return self.counters._line()

    def _table(self) -> Table:
        return self.counters._table()


def simulate_reference(program: Program, inputs: np.ndarray) -> Simulation:
    """Run a Program step by step, every sample from zero state.

    Layers only look back in time, so each layer runs over all steps before the next one starts.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
        Input spikes as bool; for a Program with an encoder, activations as int32. See
        `checked_inputs` for what else is taken.

    Returns
    -------
    Simulation

    Raises
    ------
    KipukaError
        If the input does not fit the network.
    """
    inputs = checked_inputs(program, inputs)
    # Spikes of each layer by position (-1: the input), in the step in which they arrive undelayed.
    arriving: dict[int, np.ndarray] = {-1: inputs}
    traces, counters = [], []
    for position in range(len(program.layers)):
        run = _LayerRun(program, position, arriving)
        trace = run.trace()
        traces.append(trace)
        counters.append(run.counters())
        # Without an axonal delay, a spike emitted in step t reaches its targets in step t + 1.
        arriving[position] = np.zeros_like(trace.spikes)
        arriving[position][..., 1:] = trace.spikes[..., :-1]
    n_samples, _, n_steps = inputs.shape
    no_spikes = np.zeros((n_samples, n_steps), dtype=np.int64)
    counted_inputs = no_spikes if program.encoder else inputs.sum(axis=1, dtype=np.int64)
    return Simulation(Trace(tuple(traces)), Counters(tuple(counters), counted_inputs, n_steps))


class _LayerRun:
    """A layer on its way through all steps, with what is recorded and counted of it.

    Parameters
    ----------
    program : Program
    position : int
        Of the layer, from 0 on.
    arriving : mapping of int to array (samples, neurons, steps)
        Spikes of the layers before it by position (-1: the input), in the step in which they arrive
        undelayed.
    """

    def __init__(self, program: Program, position: int, arriving: Mapping[int, np.ndarray]) -> None:
        self.program, self.position, self.arriving = program, position, arriving
        self.layer = layer = program.layers[position]
        self.encoder = program.encoder if position == 0 else None
        self.n_samples, _, self.n_steps = arriving[-1].shape
        self.shape = (self.n_samples, layer.n_neurons, self.n_steps)
        graded = layer.neuron_model.sends.graded
        self.spikes = np.zeros(self.shape, dtype=np.int32 if graded else bool)
        self.states = {name: np.zeros(self.shape, dtype=np.int32) for name in state_names(layer)}
        # One step longer than the run: the last step's spikes are written but never arrive.
        self.own = np.zeros((*self.shape[:2], self.n_steps + 1), dtype=self.spikes.dtype)
        # Payloads that a layer sends to itself beside its spikes, by message.
        self.payloads = {
            p.message: np.zeros(self.own.shape, np.int64)
            for p in layer.projections
            if p.message != SPIKES.name
        }
        # What other layers sent is known; what a layer sends to itself comes step by step.
        self.deliveries = [Delivery(p, known=p.source != RECURRENT) for p in layer.projections]
        self.operations = np.zeros((self.n_samples, self.n_steps), dtype=np.int64)
        self.multiplications = 0
        self.saturations = np.zeros(layer.n_neurons, dtype=np.int64)
        self.wraps = np.zeros(layer.n_neurons, dtype=np.int64)

    def trace(self) -> LayerTrace:
        """Run all steps."""
        layer = self.layer
        state = initial_state(layer, self.n_samples)
        for step in range(self.n_steps):
            if self.program.reset and self.program.reset.due(self.position, step):
                state = initial_state(layer, self.n_samples)
            activations = self._activations(step)
            state, emitted, overflow = layer.neuron_model.step(layer.neuron, state, activations)
            self._record(step, state, emitted, overflow)
        return LayerTrace(self.spikes, self.states)

    def _activations(self, step: int) -> dict[str, Any]:
        """Sum what arrives in a step, by target: int64 arrays (samples, neurons)."""
        zero = np.zeros(self.shape[:2], dtype=np.int64)
        activations: dict[str, Any] = dict.fromkeys(self.layer.targets, zero)
        if self.encoder is not None:
            activations |= self.encoder.received(self.arriving[-1][..., step])
        for delivery in self.deliveries:
            projection = delivery.projection
            if projection.message in self.payloads:
                sent = self.payloads[projection.message][..., step]
                activation, reached = delivery.of_payloads(self.layer.neuron_model, sent)
            else:
                activation, reached = delivery.at(self._source(projection), step)
            activations[projection.target] = activations[projection.target] + activation
            self.operations[:, step] += reached
            if self.program.carries_payloads(self.position, projection):
                self.multiplications += int(reached.sum())
        return activations

    def _source(self, projection: Projection) -> np.ndarray:
        """Spikes that a projection delivers, in the step in which they arrive undelayed."""
        if projection.source == RECURRENT:
            return self.own
        return self.arriving[self.position - projection.source]

    def _record(self, step: int, state: Any, emitted: np.ndarray, overflow: Overflow) -> None:
        model = self.layer.neuron_model
        self.spikes[..., step] = emitted
        self.own[..., step + 1] = emitted
        for name, sent in self.payloads.items():
            sent[..., step + 1] = sent_message(model, name).payload(state, emitted)
        self.saturations += overflow.saturated.sum(axis=0)
        self.wraps += overflow.wrapped.sum(axis=0)
        for name, values in self.states.items():
            values[..., step] = getattr(state, name)

    def counters(self) -> LayerCounters:
        """Count what the run of all steps did."""
        arrivals = np.zeros(self.layer.n_neurons, dtype=np.int64)
        for projection in self.layer.projections:
            sent = self.payloads.get(projection.message, self._source(projection))
            arrivals += _arrivals(projection, sent[..., : self.n_steps] != 0)
        return LayerCounters(
            layer=self.program.numbers[self.position],
            spikes=np.count_nonzero(self.spikes, axis=1).astype(np.int64),
            spikes_per_neuron=np.count_nonzero(self.spikes, axis=(0, 2)).astype(np.int64),
            synaptic_operations=self.operations,
            multiplications=self.multiplications,
            arrivals_per_neuron=arrivals,
            updates=self.spikes.size,
            saturations=self.saturations,
            wraps=self.wraps,
            peaks={name: int(np.abs(values).max()) for name, values in self.states.items()},
        )


def state_names(layer: Layer) -> tuple[str, ...]:
    """State variables of a layer that a trace records."""
    return tuple(variable.name for variable in layer.neuron_model.states)


def initial_state(layer: Layer, n_samples: int) -> Any:
    """State of a layer that has seen nothing, arrays (samples, neurons)."""
    zero = np.zeros((n_samples, layer.n_neurons), dtype=np.int64)
    return layer.neuron_model.initial_state(zero)


def _arrivals(projection: Projection, arriving: np.ndarray) -> np.ndarray:
    """Spikes that reached each target over a weight that is not 0, in the whole run: (targets,)."""
    n_steps = arriving.shape[-1]
    there = replace(
        projection.synapses, weights=(projection.synapses.weights != 0).astype(np.int16)
    )
    total = np.zeros(there.n_targets, dtype=np.int64)
    for delay in np.unique(projection.delays[projection.delays < n_steps]).tolist():
        counts = arriving[..., : n_steps - delay].sum(axis=(0, 2), dtype=np.int64)
        chosen = projection.delays == delay
        if chosen.ndim == 1:
            total += there.weighted_sum((counts * chosen)[np.newaxis])[0]
        else:
            total += (there.weights * chosen) @ counts
    return total
