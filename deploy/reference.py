"""The reference simulator: the executable specification, one numpy step after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kipuka.convert.delivery import Delivery, sent_message
from kipuka.convert.neurons.model import SPIKES
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
        trace, counted = _run_layer(program, position, arriving)
        traces.append(trace)
        counters.append(counted)
        # Without an axonal delay, a spike emitted in step t reaches its targets in step t + 1.
        arriving[position] = np.zeros_like(trace.spikes)
        arriving[position][..., 1:] = trace.spikes[..., :-1]
    n_samples, _, n_steps = inputs.shape
    no_spikes = np.zeros((n_samples, n_steps), dtype=np.int64)
    counted_inputs = no_spikes if program.encoder else inputs.sum(axis=1, dtype=np.int64)
    return Simulation(Trace(tuple(traces)), Counters(tuple(counters), counted_inputs, n_steps))


def _run_layer(
    program: Program, position: int, arriving: dict[int, np.ndarray]
) -> tuple[LayerTrace, LayerCounters]:
    layer = program.layers[position]
    encoder = program.encoder if position == 0 else None
    n_samples, _, n_steps = arriving[-1].shape
    shape = (n_samples, layer.n_neurons, n_steps)
    model = layer.neuron_model
    spikes = np.zeros(shape, dtype=np.int32 if model.sends.graded else bool)
    # One step longer than the run: the last step's spikes are written but never arrive.
    own = np.zeros((n_samples, layer.n_neurons, n_steps + 1), dtype=spikes.dtype)
    # Payloads that a layer sends to itself beside its spikes, by message.
    payloads = {
        p.message: np.zeros(own.shape, np.int64)
        for p in layer.projections
        if p.message != SPIKES.name
    }
    states: dict[str, np.ndarray] = {}
    operations = np.zeros((n_samples, n_steps), dtype=np.int64)
    multiplications = 0
    saturations = np.zeros(layer.n_neurons, dtype=np.int64)
    arrivals = np.zeros(layer.n_neurons, dtype=np.int64)
    wraps = np.zeros(layer.n_neurons, dtype=np.int64)

    # What other layers sent is known; what a layer sends to itself comes step by step.
    deliveries = [Delivery(p, known=p.source != RECURRENT) for p in layer.projections]
    state = initial_state(layer, n_samples)
    for step in range(n_steps):
        if program.reset and program.reset.due(position, step):
            state = initial_state(layer, n_samples)
        activations = dict.fromkeys(layer.targets, np.zeros(shape[:2], dtype=np.int64))
        if encoder is not None:
            activations |= encoder.received(arriving[-1][..., step])
        for delivery in deliveries:
            projection = delivery.projection
            if projection.message in payloads:
                sent = payloads[projection.message][..., step]
                activation, reached = delivery.of_payloads(model, sent)
            else:
                back = projection.source
                source = own if back == RECURRENT else arriving[position - back]
                activation, reached = delivery.at(source, step)
            activations[projection.target] = activations[projection.target] + activation
            operations[:, step] += reached
            if program.carries_payloads(position, projection):
                multiplications += int(reached.sum())
        state, emitted, overflow = model.step(layer.neuron, state, activations)
        spikes[..., step] = emitted
        own[..., step + 1] = emitted
        for name, sent in payloads.items():
            sent[..., step + 1] = sent_message(model, name).payload(state, emitted)
        saturations += overflow.saturated.sum(axis=0)
        wraps += overflow.wrapped.sum(axis=0)
        for variable in model.states:
            values = states.setdefault(variable.name, np.zeros(shape, dtype=np.int32))
            values[..., step] = getattr(state, variable.name)

    for projection in layer.projections:
        source = own if projection.source == RECURRENT else arriving[position - projection.source]
        if projection.message in payloads:
            source = payloads[projection.message]
        arrivals += _arrivals(projection, source[..., :n_steps] != 0)

    return LayerTrace(spikes, states), LayerCounters(
        layer=program.numbers[position],
        spikes=np.count_nonzero(spikes, axis=1).astype(np.int64),
        spikes_per_neuron=np.count_nonzero(spikes, axis=(0, 2)).astype(np.int64),
        synaptic_operations=operations,
        multiplications=multiplications,
        arrivals_per_neuron=arrivals,
        updates=spikes.size,
        saturations=saturations,
        wraps=wraps,
        peaks={name: int(np.abs(values).max()) for name, values in states.items()},
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
