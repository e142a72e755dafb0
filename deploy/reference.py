"""The reference simulator: the executable specification, one numpy step after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kipuka.convert.neurons import (
    CubaParameters,
    CubaState,
    Overflow,
    SpikingGruActivations,
    SpikingGruState,
    cuba_step,
    spiking_gru_step,
)
from kipuka.convert.program import Layer, Program, Projection, Target
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.deploy.counters import Counters, LayerCounters


@dataclass(frozen=True, eq=False)
class Simulation:
    """What a simulator returns: the trace of every layer and the counters of the work done."""

    trace: Trace
    counters: Counters


def simulate_reference(program: Program, inputs: np.ndarray) -> Simulation:
    """Run a Program step by step, every sample from zero state.

    Layers only look back in time, so each layer runs over all steps before the next one starts.

    Parameters
    ----------
    program : Program
    inputs : bool array (samples, units, steps)
        Input spikes.

    Returns
    -------
    Simulation
    """
    arriving = inputs
    traces, counters = [], []
    for layer in program.layers:
        trace, counted = _run_layer(layer, arriving)
        traces.append(trace)
        counters.append(counted)
        # Without an axonal delay, a spike emitted in step t reaches its targets in step t + 1.
        arriving = np.zeros_like(trace.spikes)
        arriving[..., 1:] = trace.spikes[..., :-1]
    counted_inputs = inputs.sum(axis=1, dtype=np.int64)
    return Simulation(Trace(tuple(traces)), Counters(tuple(counters), counted_inputs))


def _run_layer(layer: Layer, arriving: np.ndarray) -> tuple[LayerTrace, LayerCounters]:
    n_samples, _, n_steps = arriving.shape
    shape = (n_samples, layer.n_neurons, n_steps)
    # One step longer than the run: the last step's spikes are written but never arrive.
    own = np.zeros((n_samples, layer.n_neurons, n_steps + 1), dtype=bool)
    spikes = np.zeros(shape, dtype=bool)
    states: dict[str, np.ndarray] = {}
    operations = np.zeros((n_samples, n_steps), dtype=np.int64)
    saturations = np.zeros(layer.n_neurons, dtype=np.int64)
    wraps = np.zeros(layer.n_neurons, dtype=np.int64)

    state = initial_state(layer, n_samples)
    for step in range(n_steps):
        activations = dict.fromkeys(layer.targets, np.zeros(shape[:2], dtype=np.int64))
        for projection in layer.projections:
            source = own if projection.source == "self" else arriving
            activation, reached = _deliver(projection, source, step)
            activations[projection.target] = activations[projection.target] + activation
            operations[:, step] += reached
        state, emitted, overflow = _advance(layer, state, activations)
        spikes[..., step] = emitted
        own[..., step + 1] = emitted
        saturations += overflow.saturated.sum(axis=0)
        wraps += overflow.wrapped.sum(axis=0)
        for name in STATE_NAMES[type(state)]:
            values = states.setdefault(name, np.zeros(shape, dtype=np.int32))
            values[..., step] = getattr(state, name)

    return LayerTrace(spikes, states), LayerCounters(
        spikes=spikes.sum(axis=1, dtype=np.int64),
        spikes_per_neuron=spikes.sum(axis=(0, 2), dtype=np.int64),
        synaptic_operations=operations,
        saturations=saturations,
        wraps=wraps,
    )


STATE_NAMES: dict[type, tuple[str, ...]] = {CubaState: ("u", "v"), SpikingGruState: ("i", "v")}
"""State variables that a trace records; the GRU's last spike is in the spikes already."""


def _advance(
    layer: Layer, state: Any, activations: dict[Target, np.ndarray]
) -> tuple[Any, np.ndarray, Overflow]:
    if isinstance(layer.neuron, CubaParameters):
        return cuba_step(layer.neuron, state, activations["a"])
    return spiking_gru_step(
        layer.neuron,
        state,
        SpikingGruActivations(activations["i"], activations["r"], activations["z"]),
    )


def initial_state(layer: Layer, n_samples: int) -> CubaState | SpikingGruState:
    """Zero state of a layer, arrays (samples, neurons)."""
    zero = np.zeros((n_samples, layer.n_neurons), dtype=np.int64)
    if isinstance(layer.neuron, CubaParameters):
        return CubaState(zero, zero)
    return SpikingGruState(zero, zero, zero.astype(bool))


def _deliver(
    projection: Projection, arriving: np.ndarray, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Activation (samples, targets) and synaptic operations (samples,) of one projection.

    `arriving` holds, per step, the source spikes that arrive then if they have no delay.
    """
    weights = projection.synapses.matrix()
    delays = projection.delays
    if delays.ndim == 1:
        when = step - delays
        spikes = arriving[:, np.arange(delays.size), np.maximum(when, 0)] & (when >= 0)
        activation = _weighted_sum(spikes, weights)
        reached = spikes.astype(np.int64) @ projection.synapses.fan_out()
    else:
        activation = np.zeros((arriving.shape[0], weights.shape[0]), dtype=np.int64)
        reached = np.zeros(arriving.shape[0], dtype=np.int64)
        for delay in np.unique(delays[delays <= step]):
            chosen = np.where(delays == delay, weights, 0)
            spikes = arriving[:, :, step - delay]
            activation += _weighted_sum(spikes, chosen)
            reached += spikes.astype(np.int64) @ np.count_nonzero(chosen, axis=0)
    return activation << projection.weight_exponent, reached


def _weighted_sum(spikes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # Float64 holds every integer of this sum exactly and reaches the fast matrix product, which
    # numpy does not offer for integers.
    product = spikes.astype(np.float64) @ weights.T.astype(np.float64)
    return product.astype(np.int64)
