"""The simulation loop: all layers of a network, step after step, for one sample."""

from __future__ import annotations

from typing import Any

from numba import int32, int64

from kipuka.convert import fixed
from kipuka.deploy.kernels import layout as at
from kipuka.deploy.kernels import neurons
from kipuka.deploy.kernels.convolution import convolved_rows
from kipuka.deploy.kernels.currents import add_currents, weigh_currents
from kipuka.deploy.kernels.delivery import (
    dense_rows,
    schedule,
    sparse_rows,
    spread_over_steps,
    take_from_ring,
)
from kipuka.deploy.kernels.lanes import LANES, compiled, inlined, lanes_with, lowest_lane

FAR = 2 * fixed.CUBA_STATE_LIMIT
PERIOD_MASK = (FAR >> fixed.STATE_SHIFT) - 1


@compiled
def begin(network: Any, work: Any) -> None:
    """Bring a workspace to the state before a sample's first step."""
    for layer in range(1, network.layers.shape[0]):
        row = network.layers[layer]
        neurons.cleared(work.states, row[at.FIRST_STATE], row[at.BLOCKS], _rows(row[at.MODEL]))
    work.filled[:] = 0
    work.spread[:] = 0


@compiled
def finish(network: Any, work: Any) -> None:
    """Count what the last step left: spikes that have not arrived, and the states' peaks."""
    for port in range(network.ports.shape[0]):
        row = network.ports[port]
        if row[at.KIND] != at.PER_SYNAPSE:
            for slot in range(row[at.MASK] + 1):
                first = row[at.FIRST_SLOT] + slot * row[at.CAPACITY]
                for index in range(work.filled[row[at.FIRST_FILLED] + slot]):
                    work.pending[row[at.FIRST_ROW] + work.ring[first + index]] += 1
    for layer in range(1, network.layers.shape[0]):
        _note_peaks(network.layers[layer], layer, work.states, work.peaks)


@compiled
def advance(
    network: Any, work: Any, recording: Any, offsets: Any, units: Any, activations: Any,
    first_step: Any, n_steps: Any, first_row: Any,
) -> None:  # fmt: skip
    """Run `n_steps` steps from `first_step` on.

    Parameters
    ----------
    network : Network
    work : Workspace
    recording : Recording
        Results of the first step go to row `first_row`.
    offsets, units : int64 array (steps + 1,), int32 array (spikes,)
        Input spikes, by step.
    activations : int32 array (steps or 1, units)
        Input of a network with an encoder; one row stands for all steps.
    """
    layers, ports, links = network.layers, network.ports, network.links
    states, sums, spikes = work.states, work.sums, work.spikes
    column_step = 1 if recording.step_spikes.shape[1] > 1 else 0
    activation_step = 1 if activations.shape[0] > 1 else 0
    for index in range(n_steps):
        step = first_step + index
        column = (first_row + index) * column_step
        n_spikes = offsets[index + 1] - offsets[index]
        if n_spikes:
            for k in range(n_spikes):
                spikes[k] = units[offsets[index] + k]
                work.emitted[spikes[k]] += 1
            recording.step_spikes[0, column] += n_spikes
            for link in range(layers[0, at.FIRST_LINK], layers[0, at.END_LINK]):
                _send(network, work, links[link], n_spikes, step)
        for layer in range(1, layers.shape[0]):
            row = layers[layer]
            # Messages on their way outlive a reset, so they are weighed before it.
            operations = weigh_currents(network, work, row) if row[at.CURRENT] else int64(0)
            if network.reset[0] and (step - network.reset[1] - (layer - 1)) % network.reset[0] == 0:
                _note_peaks(row, layer, states, work.peaks)
                neurons.cleared(states, row[at.FIRST_STATE], row[at.BLOCKS], _rows(row[at.MODEL]))
            for port in range(row[at.FIRST_PORT], row[at.END_PORT]):
                operations += _receive(network, work, ports[port], step)
            recording.step_operations[layer, column] += operations
            if row[at.ENCODED]:
                for k in range(row[at.NEURONS]):
                    sums[row[at.FIRST_SUM] + k] = activations[index * activation_step, k]
            if row[at.EXPONENTS]:
                _combine(row, network.exponents, sums)
            if row[at.CURRENT]:
                add_currents(work, row)
            _update(row, layer, states, sums, work.peaks)
            n_spikes = _collect(network, work, row)
            if row[at.STATE_COLUMN] >= 0:
                _record_state(network, row, states, recording.states[first_row + index], 0)
            if row[at.SECOND_STATE_COLUMN] >= 0:
                _record_state(network, row, states, recording.states[first_row + index], 1)
            if n_spikes:
                recording.step_spikes[layer, column] += n_spikes
                if row[at.SPIKE_COLUMN] >= 0:
                    for k in range(n_spikes):
                        recording.spikes[first_row + index, row[at.SPIKE_COLUMN] + spikes[k]] = True
                for link in range(row[at.FIRST_LINK], row[at.END_LINK]):
                    _send(network, work, links[link], n_spikes, step + 1)


@inlined
def _rows(model: Any) -> Any:
    return neurons.SHARED_ROWS if model == at.CUBA_SHARED else neurons.OWN_ROWS


@inlined
def _send(network: Any, work: Any, link: Any, n_spikes: Any, step: Any) -> None:
    """Put the spikes of this step on their way over a link; undelayed they arrive in `step`."""
    port = network.ports[link[at.PORT]]
    if port[at.KIND] == at.PER_SYNAPSE:
        spread_over_steps(
            work.spikes, n_spikes, step, network.starts, port[at.FIRST_START] + link[at.LINK_ROW],
            network.targets, network.sparse, work.spread, port[at.FIRST_SLOT],
            port[at.CAPACITY], port[at.MASK],
        )  # fmt: skip
    else:
        schedule(
            work.spikes, n_spikes, step, network.delays, link[at.FIRST_DELAY], link[at.LINK_ROW],
            work.ring, port[at.FIRST_SLOT], port[at.CAPACITY], port[at.MASK], work.filled,
            port[at.FIRST_FILLED],
        )  # fmt: skip


@inlined
def _receive(network: Any, work: Any, port: Any, step: Any) -> Any:
    """Add what arrives at a port in this step; return the number of synaptic operations."""
    slot = step & port[at.MASK]
    first = port[at.FIRST_SLOT] + slot * port[at.CAPACITY]
    if port[at.KIND] == at.PER_SYNAPSE:
        return take_from_ring(
            work.spread, first, port[at.CAPACITY], work.sums, port[at.PORT_SUM],
            work.arrived, port[at.FIRST_ARRIVAL],
        )  # fmt: skip
    n_rows = work.filled[port[at.FIRST_FILLED] + slot]
    if n_rows == 0:
        return 0
    work.filled[port[at.FIRST_FILLED] + slot] = 0
    if port[at.KIND] == at.DENSE:
        dense_rows(
            work.ring, first, n_rows, network.dense, port[at.FIRST_WEIGHT], port[at.PORT_BLOCKS],
            work.partial, work.sums, port[at.PORT_SUM], port[at.STRIDE],
        )  # fmt: skip
    elif port[at.KIND] == at.SPARSE:
        sparse_rows(
            work.ring, first, n_rows, network.starts, port[at.FIRST_START], network.targets,
            network.sparse, work.sums, port[at.PORT_SUM],
        )  # fmt: skip
    else:
        convolved_rows(
            work.ring, first, n_rows, network.geometry, port[at.FIRST_GEOMETRY], network.dense,
            port[at.FIRST_WEIGHT], work.sums, port[at.PORT_SUM],
        )  # fmt: skip
    operations = 0
    for index in range(n_rows):
        operations += network.fan_out[port[at.FIRST_ROW] + work.ring[first + index]]
    return operations


@inlined
def _combine(row: Any, exponents: Any, sums: Any) -> None:
    """Turn sums with different exponents into activations in weight units.

    What is far beyond any state is replaced by a value that has the same sign, wraps to the
    same current and fits 32 bits.
    """
    first, width = row[at.FIRST_SUM], row[at.WIDTH]
    for k in range(first, first + width):
        total = int64(0)
        for number in range(row[at.EXPONENTS]):
            total += int64(sums[k + number * width]) << exponents[row[at.FIRST_EXPONENT] + number]
            sums[k + number * width] = 0
        if total > FAR:
            total = 2 * FAR + (total & PERIOD_MASK)
        elif total < -FAR:
            total = (total & PERIOD_MASK) - 2 * FAR
        sums[k] = int32(total)


@inlined
def _update(row: Any, layer: Any, states: Any, sums: Any, peaks: Any) -> None:
    first, blocks, first_sum = row[at.FIRST_STATE], row[at.BLOCKS], row[at.FIRST_SUM]
    shift, model = row[at.SHIFT], row[at.MODEL]
    if model == at.SPIKING_GRU:
        found = neurons.spiking_gru(states, first, blocks, sums, first_sum, shift)
    elif model == at.CUBA_OWN:
        found = neurons.cuba_own(states, first, blocks, sums, first_sum, shift, row[at.A_LIMIT])
    else:
        found = neurons.cuba_shared(
            states, first, blocks, sums, first_sum, shift, row[at.A_LIMIT],
            row[at.CURRENT_FACTOR], row[at.VOLTAGE_FACTOR], row[at.THRESHOLD],
        )  # fmt: skip
    peaks[layer, 0] = max(peaks[layer, 0], int64(found[0]))
    peaks[layer, 1] = max(peaks[layer, 1], int64(found[1]))


@inlined
def _note_peaks(row: Any, layer: Any, states: Any, peaks: Any) -> None:
    rows = _rows(row[at.MODEL])
    found = neurons.peaks(states, row[at.FIRST_STATE], row[at.BLOCKS], rows)
    peaks[layer, 0] = max(peaks[layer, 0], found[0])
    peaks[layer, 1] = max(peaks[layer, 1], found[1])


@inlined
def _collect(network: Any, work: Any, row: Any) -> Any:
    """List the neurons that spiked and count overflows; return the number of spikes."""
    states, spikes, order = work.states, work.spikes, network.order
    size = _rows(row[at.MODEL]) * LANES
    first_unit = row[at.FIRST_UNIT]
    n_spikes = 0
    for block in range(row[at.BLOCKS]):
        events = row[at.FIRST_STATE] + block * size + neurons.EVENTS
        first = first_unit + block * LANES
        spiked = lanes_with(states, events, neurons.SPIKED)
        while spiked:
            neuron = order[first + lowest_lane(spiked)]
            spiked &= spiked - 1
            spikes[n_spikes] = neuron
            work.emitted[first_unit + neuron] += 1
            n_spikes += 1
        overflowed = lanes_with(states, events, neurons.OVERFLOWED)
        while overflowed:
            lane = lowest_lane(overflowed)
            overflowed &= overflowed - 1
            unit = first_unit + order[first + lane]
            happened = states[events + lane]
            work.saturations[unit] += happened // neurons.SATURATED
            work.wraps[unit] += (happened & neurons.WRAPPED) // neurons.WRAPPED
    return n_spikes


@inlined
def _record_state(network: Any, row: Any, states: Any, record: Any, which: Any) -> None:
    size = _rows(row[at.MODEL]) * LANES
    column = row[at.SECOND_STATE_COLUMN] if which else row[at.STATE_COLUMN]
    for neuron in range(row[at.NEURONS]):
        block = neuron // LANES
        place = row[at.FIRST_STATE] + block * size + which * LANES + neuron - block * LANES
        record[column + network.order[row[at.FIRST_UNIT] + neuron]] = states[place]
