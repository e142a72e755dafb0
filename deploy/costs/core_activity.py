"""What each core and link did, step by step: recorded spikes laid over the mapping."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kipuka.convert.neurons.spiking_gru import current_message
from kipuka.convert.program import OWN, Program, Projection
from kipuka.convert.trace import LayerTrace
from kipuka.deploy.costs.mapping.axons import Axons
from kipuka.deploy.costs.mapping.mapping import Mapping
from kipuka.deploy.costs.mapping.traffic import Routes, routes_of
from kipuka.deploy.fast.recording import Record
from kipuka.deploy.reference import Simulation
from kipuka.errors import KipukaError

_VALUES_AT_ONCE = 40_000_000
"""Spikes of one layer, over samples and steps, that are laid out at the same time."""


@dataclass(frozen=True, eq=False)
class Work:
    """Work of a run by core and link.

    Attributes
    ----------
    synaptic_operations : int64 array (cores,)
        Over the whole run.
    active_updates, updates : int64 array (cores,)
        Neuron updates over the whole run; at most so many were of neurons that a spike reached.
    messages : int64 array (cores,)
        Spike messages that each core sent to cores, one for each core that a spike reaches.
    hops : int64 array (cores,)
        Steps between routers that they took, by the sending core.
    busiest_operations : int64 array (samples, steps)
        Synaptic operations of the core that has most in this step.
    busiest_core : int64 array (samples, steps)
        That core.
    busiest_link, busiest_chip_link : int64 array (samples, steps)
        Messages on the link, within a chip or between two, that carries most in this step.
    link_messages, chip_link_messages : int64 array (links,)
        Over the whole run, in the order of `routes`.
    routes : Routes
    """

    synaptic_operations: np.ndarray
    active_updates: np.ndarray
    updates: np.ndarray
    messages: np.ndarray
    hops: np.ndarray
    busiest_operations: np.ndarray
    busiest_core: np.ndarray
    busiest_link: np.ndarray
    busiest_chip_link: np.ndarray
    link_messages: np.ndarray
    chip_link_messages: np.ndarray
    routes: Routes


def work_of(program: Program, mapping: Mapping, inputs: np.ndarray, simulation: Simulation) -> Work:
    """Lay the spikes of a run over a mapping.

    Parameters
    ----------
    program : Program
    mapping : Mapping
    inputs : array (samples, units, steps)
    simulation : Simulation
        Of these inputs, with the spikes of every layer.

    Raises
    ------
    KipukaError
        If the spikes of a layer were not recorded.
    """
    n_samples, _, n_steps = inputs.shape
    _check_recorded(program, simulation, n_steps)
    routes = routes_of(program, mapping)
    neurons = max(program.n_inputs, *(layer.n_neurons for layer in program.layers))
    at_once = max(1, _VALUES_AT_ONCE // max(neurons * n_steps, 1))
    total = np.zeros(mapping.n_cores, dtype=np.int64)
    links = np.zeros(len(routes.links), dtype=np.int64)
    chip_links = np.zeros(len(routes.chip_links), dtype=np.int64)
    busiest = np.zeros((4, n_samples, n_steps), dtype=np.int64)
    for first in range(0, n_samples, at_once):
        chosen = slice(first, first + at_once)
        traces = [_of_samples(layer, chosen) for layer in simulation.trace.layers]
        spikes = [trace.spikes for trace in traces]
        operations = _operations(program, mapping, inputs[chosen], traces)
        total += operations.sum(axis=(1, 2))
        busiest[0, chosen], busiest[1, chosen] = operations.max(axis=0), operations.argmax(axis=0)
        on_links, on_chip_links = _on_links(routes, spikes)
        links += on_links.sum(axis=(1, 2))
        chip_links += on_chip_links.sum(axis=(1, 2))
        busiest[2, chosen] = on_links.max(axis=0, initial=0)
        busiest[3, chosen] = on_chip_links.max(axis=0, initial=0)
    messages, hops = _messages(routes, simulation, mapping.n_cores)
    active, updates = _updates(mapping, simulation)
    return Work(
        synaptic_operations=total,
        active_updates=active,
        updates=updates,
        messages=messages,
        hops=hops,
        busiest_operations=busiest[0],
        busiest_core=busiest[1],
        busiest_link=busiest[2],
        busiest_chip_link=busiest[3],
        link_messages=links,
        chip_link_messages=chip_links,
        routes=routes,
    )


def record_for_costs(program: Program) -> Record:
    """Record of what costs are computed from: all spikes, and currents that are sent."""
    sending = [(k, "i") for k, layer in enumerate(program.layers) if layer.of_current]
    return Record(states=tuple(sending))


def core_operations(
    program: Program, mapping: Mapping, inputs: np.ndarray, simulation: Simulation
) -> np.ndarray:
    """Count synaptic operations of each core: int64 array (cores, samples, steps)."""
    _check_recorded(program, simulation, inputs.shape[2])
    return _operations(program, mapping, inputs, list(simulation.trace.layers))


def _of_samples(layer: LayerTrace, chosen: slice) -> LayerTrace:
    states = {name: values[chosen] for name, values in layer.states.items()}
    return LayerTrace(layer.spikes[chosen], states)


def _operations(
    program: Program, mapping: Mapping, inputs: np.ndarray, traces: list[LayerTrace]
) -> np.ndarray:
    n_samples, _, n_steps = inputs.shape
    total = np.zeros((mapping.n_cores, n_samples * n_steps), dtype=np.int64)
    for position, (layer, own) in enumerate(zip(program.layers, mapping.layers, strict=True)):
        for projection, axons in zip(layer.projections, own.axons, strict=True):
            sender = position if projection.source == OWN else position - projection.source
            emitted = inputs if sender < 0 else traces[sender].spikes
            if projection.message == "current":
                emitted = current_message(traces[sender].states["i"]) != 0
            counted = _delivered(projection, axons, emitted, int(sender >= 0), own.n_cores)
            total[own.cores] += counted
    return total.reshape(mapping.n_cores, n_samples, n_steps)


def _delivered(
    projection: Projection, axons: Axons, emitted: np.ndarray, transit: int, n_cores: int
) -> np.ndarray:
    """Synaptic operations of one projection: int64 array (cores, samples x steps)."""
    n_samples, _, n_steps = emitted.shape
    total = np.zeros((n_cores, n_samples, n_steps))
    late = axons.delays if projection.delays.ndim == 2 else np.zeros_like(axons.delays)
    if projection.delays.ndim == 1:
        emitted = _shifted(emitted, projection.delays)
    for delay in np.unique(late):
        chosen = late == delay
        wait = int(delay) + transit
        if wait >= n_steps:
            continue
        table = Axons(*(column[chosen] for column in axons))
        rows = table.rows(n_cores)
        # Float64 holds these sums exactly and reaches the fast matrix product.
        arriving = emitted[..., : n_steps - wait].transpose(1, 0, 2)
        flat = np.ascontiguousarray(arriving).reshape(arriving.shape[0], -1)
        for core, (start, end) in enumerate(pairwise(rows)):
            own = slice(start, end)
            counts = table.synapses[own].astype(np.float64) @ flat[table.sources[own]]
            total[core, :, wait:] += counts.reshape(n_samples, -1)
    return total.reshape(n_cores, -1).astype(np.int64)


def _shifted(spikes: np.ndarray, delays: np.ndarray) -> np.ndarray:
    """Spikes moved later by the delay of each source; what would arrive after the end is gone."""
    if not delays.any():
        return spikes
    shifted = np.zeros_like(spikes)
    n_steps = spikes.shape[2]
    for delay in np.unique(delays[delays < n_steps]).tolist():
        chosen = delays == delay
        shifted[:, chosen, delay:] = spikes[:, chosen, : n_steps - delay]
    return shifted


def _on_links(routes: Routes, spikes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Messages on each link, and on each between chips: int64 arrays (links, samples, steps)."""
    n_samples, _, n_steps = spikes[0].shape
    pairs = np.zeros((routes.senders.size, n_samples * n_steps), dtype=np.int64)
    emitted = np.concatenate(spikes, axis=1).transpose(1, 0, 2).reshape(-1, n_samples * n_steps)
    order = np.argsort(routes.pair_of, kind="stable")
    ends = np.searchsorted(routes.pair_of[order], np.arange(routes.senders.size + 1))
    for pair, (start, end) in enumerate(pairwise(ends)):
        pairs[pair] = emitted[routes.neurons[order[start:end]]].sum(axis=0, dtype=np.int64)
    found = []
    for n_links, rows, users in (
        (len(routes.links), routes.link_rows, routes.link_pairs),
        (len(routes.chip_links), routes.chip_rows, routes.chip_pairs),
    ):
        loads = np.zeros((n_links, n_samples * n_steps), dtype=np.int64)
        np.add.at(loads, rows, pairs[users])
        found.append(loads.reshape(n_links, n_samples, n_steps))
    return found[0], found[1]


def _messages(
    routes: Routes, simulation: Simulation, n_cores: int
) -> tuple[np.ndarray, np.ndarray]:
    counts = [layer.spikes_per_neuron for layer in simulation.counters.layers]
    emitted = np.concatenate(counts)[routes.neurons]
    sender = routes.senders[routes.pair_of]
    messages = np.zeros(n_cores, dtype=np.int64)
    hops = np.zeros(n_cores, dtype=np.int64)
    np.add.at(messages, sender, emitted)
    np.add.at(hops, sender, emitted * routes.hops[routes.pair_of])
    return messages, hops


def _updates(mapping: Mapping, simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Neuron updates of each core that may have been active, and all of them."""
    n_steps = simulation.counters.n_steps * simulation.counters.n_samples
    active, updates = [], []
    for own, counted in zip(mapping.layers, simulation.counters.layers, strict=True):
        assignment = own.parts.assignment()
        # Spikes that arrive in the same step make one update active, not several.
        at_most = np.minimum(counted.arrivals_per_neuron, n_steps)
        active.append(np.bincount(assignment, at_most, own.n_cores).astype(np.int64))
        updates.append(np.bincount(assignment, minlength=own.n_cores) * n_steps)
    return np.concatenate(active), np.concatenate(updates).astype(np.int64)


def _check_recorded(program: Program, simulation: Simulation, n_steps: int) -> None:
    recorded = zip(program.numbers, program.layers, simulation.trace.layers, strict=True)
    for number, layer, trace in recorded:
        if trace.spikes.shape[2] != n_steps or (layer.of_current and "i" not in trace.states):
            raise KipukaError(
                "what a layer sends was not recorded",
                where=f"profile, layer {number}",
                limit=f"spikes of {n_steps} steps, and the state i where currents are sent",
                value=f"{trace.spikes.shape[2]} steps, states {', '.join(trace.states) or 'none'}",
                remedy="simulate with record_for_costs(program)",
            )
