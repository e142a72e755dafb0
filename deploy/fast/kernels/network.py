"""The simulation loop: some steps of one layer, then of the next, for one sample."""

from __future__ import annotations

from typing import Any

from numba import int32, int64, uintp

from kipuka.compiling import entered, inlined
from kipuka.convert import fixed
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels import neurons
from kipuka.deploy.fast.kernels.constants import (
    EVENTS,
    LANES,
    MOST_MASKS,
    OWN_ROWS,
    PAYLOAD,
)
from kipuka.deploy.fast.kernels.convolution import convolved_rows, scatter_message
from kipuka.deploy.fast.kernels.cuba import update_cuba
from kipuka.deploy.fast.kernels.currents import add_currents, sum_currents
from kipuka.deploy.fast.kernels.delivery import (
    dense_rows,
    dense_rows_of_steps,
    schedule,
    schedule_together,
    sparse_rows,
    spread_over_steps,
    take_from_ring,
)
from kipuka.deploy.fast.kernels.graded import (
    carry,
    delta,
    graded_state,
    sigma,
    sigma_delta,
    spread_payloads,
    weighed_rows,
    weighed_sparse_rows,
)
from kipuka.deploy.fast.kernels.lanes import (
    ALL_LANES,
    count_lanes,
    count_up,
    numbers_at_hand,
    reached,
    take_counts,
)
from kipuka.deploy.fast.kernels.neurons import LOOK_EVERY, has_settled, keep, within_reach
from kipuka.deploy.fast.kernels.parts import compiled_where
from kipuka.deploy.fast.kernels.tables import convolve, count_drawn, draw, draw_lanes
from kipuka.vectors import lowest_bit


@entered
def finish(network: Any, work: Any) -> None:
    """Count what the last step left: spikes that have not arrived, and the states' peaks."""
    for group in range(network.groups.shape[0]):
        row = network.groups[group]
        if row.kind != at.PER_SYNAPSE:
            for slot in range(row.mask + 1):
                first = row.first_slot + slot * row.capacity
                filled = work.filled[row.first_filled + slot]
                if filled < 0:
                    _count_pending(network, work, row, first)
                for index in range(filled):
                    work.pending[row.first_row + work.ring[first + index]] += 1
    for layer in range(1, network.layers.shape[0]):
        row = network.layers[layer]
        _note_peaks(row, work.states, work.peaks)
        if row.fewest < at.NEVER:
            _take_tally(network, work, row)


@compiled_where("convolved")
def _count_pending(network: Any, work: Any, group: Any, first_word: Any) -> None:
    """Count the spikes of an image that has not arrived."""
    count_drawn(
        work.ring, first_word, group.sources, network.geometry, group.first_geometry,
        group.first_table, work.pending, group.first_row,
    )  # fmt: skip


@entered
def advance(
    network: Any, work: Any, recording: Any, offsets: Any, units: Any, activations: Any,
    activation_step: Any, first_step: Any, n_steps: Any, first_row: Any, lists: Any, sent: Any,
    sent_offsets: Any,
) -> None:  # fmt: skip
    """Run `n_steps` steps from `first_step` on; a sample begins with step 0.

    Parameters
    ----------
    network : Network
    work : Workspace
    recording : Recording
        Results of the first step go to row `first_row`.
    offsets, units : int64 array (steps + 1,), int32 array (spikes,)
        Input spikes, by step.
    activations : int32 array (steps or 1, units)
        Input of a network with an encoder.
    activation_step : int
        Units; 0 where one row stands for all steps.
    lists : int
        Whether the spikes of the last layer are listed for a stage behind it.
    sent, sent_offsets : int32 array (spikes,), int64 array (steps + 1,)
        Where they are listed, as `units` and `offsets` are.
    """
    column_step = 1 if recording.step_spikes.shape[1] > 1 else 0
    if first_step == 0:
        _begin(network, work)
    # Nothing leads back to an earlier layer, so that some steps may run layer after layer.
    together = network.pace[at.STEPS_TOGETHER]
    last = network.layers.shape[0] - 1 if lists else -1
    n_sent = int64(0)
    start = int64(0)
    while start < n_steps:
        end = min(start + together, n_steps)
        for index in range(start, end):
            column = (first_row + index) * column_step
            n_spikes = offsets[index + 1] - offsets[index]
            if n_spikes:
                _take_input(network, work, units, offsets[index], n_spikes, first_step + index)
                recording.step_spikes[0, column] += n_spikes
        for layer in range(1, network.layers.shape[0]):
            row = network.layers[layer]
            apart = int64(0)
            if row.sum_step and _many_arrive(network, work, row, first_step + start, end - start):
                _add_together(network, work, row, first_step + start, end - start)
                apart = row.sum_step
            for index in range(start, end):
                column = (first_row + index) * column_step
                n_spikes = _step(
                    network, work, recording, layer, row, (index - start) * apart, apart != 0,
                    activations, index * activation_step, first_step + index, first_row + index,
                    column,
                )  # fmt: skip
                if layer == last:
                    for k in range(n_spikes):
                        sent[uintp(n_sent + k)] = work.spikes[uintp(k)]
                    n_sent += n_spikes
                    sent_offsets[uintp(index + 1)] = n_sent
        start = end


@inlined
def _take_input(network: Any, work: Any, units: Any, first: Any, n_spikes: Any, step: Any) -> None:
    """Count the input's spikes of a step and put them on their way."""
    source = network.layers[0]
    for k in range(n_spikes):
        unit = units[uintp(first + k)]
        work.spikes[uintp(k)] = unit
        work.emitted[uintp(unit)] += 1
    for link in range(source.first_link, source.end_link):
        _send(network, work, network.links[link], n_spikes, step)


@inlined
def _many_arrive(network: Any, work: Any, row: Any, step: Any, n_steps: Any) -> Any:
    """Whether so many rows arrive in some steps that it is faster to add them strip by strip."""
    n_rows = int64(0)
    for number in range(row.first_group, row.end_group):
        group = network.groups[number]
        if group.together:
            for index in range(n_steps):
                slot = (step + index) & group.mask
                n_rows += work.filled[uintp(group.first_filled + slot)]
    return n_rows >= network.pace[at.MANY_ROWS] * n_steps


@inlined
def _add_together(network: Any, work: Any, row: Any, step: Any, n_steps: Any) -> None:
    """Add what arrives in some steps at those groups of a layer that take them together."""
    for number in range(row.first_group, row.end_group):
        group = network.groups[number]
        if group.together:
            dense_rows_of_steps(
                work.ring, group.first_slot, group.capacity, group.mask, work.filled,
                group.first_filled, step, n_steps, network.paired, group.first_weight,
                group.row_size, group.blocks, work.sums, group.first_sum,
                group.stride, row.sum_step,
            )  # fmt: skip


@inlined
def _step(
    network: Any, work: Any, recording: Any, layer: Any, row: Any, further: Any, added: Any,
    activations: Any, first_activation: Any, step: Any, record_row: Any, column: Any,
) -> Any:  # fmt: skip
    """Run one step of a layer, whose sums lie `further` than its first ones; return its spikes.

    `added` says that what arrives at groups that take some steps together has been added.
    """
    states, spikes = work.states, work.spikes
    # Messages on their way outlive a reset, so they are summed before it.
    operations = sum_currents(network, work, row) if row.current else int64(0)
    interval, offset = network.pace[at.RESET_INTERVAL], network.pace[at.RESET_OFFSET]
    if interval and (step - offset - (layer - 1)) % interval == 0:
        _note_peaks(row, states, work.peaks)
        neurons.cleared(states, row)
        work.settled[layer] = False
    for group in range(row.first_group, row.end_group):
        operations += _receive(network, work, network.groups[group], further, added, step)
    recording.step_operations[layer, column] += operations
    silent = operations == 0 and not row.encoded
    n_spikes = 0
    if not (silent and work.settled[layer]):
        if row.encoded:
            shift = fixed.STATE_SHIFT if row.encoded == at.IN_STATE_UNITS else 0
            neurons.encode(
                activations, first_activation, row.neurons, shift, work.sums,
                row.first_sum + further,
            )  # fmt: skip
        looks = silent and step % LOOK_EVERY == 0
        if looks:
            keep(states, row, work.kept)
        n_spikes, overflowed = _activate(network, work, row, further)
        still = looks and n_spikes == 0 and overflowed == 0
        work.settled[layer] = still and has_settled(states, row, work.kept)
    for which in range(at.STATES):
        _record_state(network, row, states, recording.states, record_row, which)
    if n_spikes:
        recording.step_spikes[layer, column] += n_spikes
        if row.spike_column >= 0:
            for k in range(n_spikes):
                recording.spikes[record_row, row.spike_column + spikes[k]] = True
        if row.payload_column >= 0:
            for k in range(n_spikes):
                place = row.payload_column + spikes[k]
                recording.payloads[record_row, place] = work.payloads[k]
        for link in range(row.first_link, row.end_link):
            _send(network, work, network.links[link], n_spikes, step + 1)
    return n_spikes


@inlined
def _begin(network: Any, work: Any) -> None:
    """Bring neurons and what is on its way to them to their state before a sample's first step."""
    for layer in range(1, network.layers.shape[0]):
        row = network.layers[layer]
        neurons.cleared(work.states, row)
        work.settled[layer] = False
    for number in range(network.groups.shape[0]):
        group = network.groups[number]
        slots = group.mask + 1
        if group.kind == at.PER_SYNAPSE:
            for k in range(slots * group.capacity):
                work.spread[uintp(group.first_slot + k)] = 0
        else:
            for slot in range(slots):
                work.filled[uintp(group.first_filled + slot)] = 0


@inlined
def _send(network: Any, work: Any, link: Any, n_spikes: Any, step: Any) -> None:
    """Put the spikes of this step on their way over a link; undelayed they arrive in `step`."""
    group = network.groups[link.group]
    if group.graded:
        _send_payloads(network, work, link, group, n_spikes, step)
    elif n_spikes >= link.fewest:
        _send_image(network, work, link, group, step)
    elif group.kind == at.PER_SYNAPSE:
        spread_over_steps(
            work.spikes, n_spikes, step, network.starts, group.first_start + link.first_row,
            network.targets, network.sparse, work.spread, group.first_slot,
            group.capacity, group.mask,
        )  # fmt: skip
    elif link.delay >= 0:
        schedule_together(
            work.spikes, n_spikes, (step + link.delay) & group.mask, link.first_row, work.ring,
            group.first_slot, group.capacity, work.filled, group.first_filled,
        )  # fmt: skip
    else:
        schedule(
            work.spikes, n_spikes, step, network.delays, link.first_delay, link.first_row,
            work.ring, group.first_slot, group.capacity, group.mask, work.filled,
            group.first_filled,
        )  # fmt: skip


@compiled_where("convolved")
def _send_image(network: Any, work: Any, link: Any, group: Any, step: Any) -> None:
    """Draw the spikes of a layer where they will arrive, and count their synaptic operations."""
    slot = (step + link.delay) & group.mask
    draw_lanes(
        work.masks, work.ring, group.first_slot + slot * group.capacity, network.geometry,
        group.first_table,
    )  # fmt: skip
    operations = reached(work.masks, link.source_blocks, network.reach, link.first_reach)
    work.filled[group.first_filled + slot] = -1 - operations


@compiled_where("with_payloads")
def _send_payloads(
    network: Any, work: Any, link: Any, group: Any, n_spikes: Any, step: Any
) -> None:
    """Put graded spikes on their way."""
    if group.kind == at.PER_SYNAPSE:
        spread_payloads(
            work.spikes, work.payloads, n_spikes, step, network.starts,
            group.first_start + link.first_row, network.targets, network.sparse, work.spread,
            group.first_slot, group.capacity, group.mask,
        )  # fmt: skip
    else:
        carry(
            work.spikes, work.payloads, n_spikes, step, network.delays, link.first_delay,
            link.delay, link.first_row, work.ring, work.loads, group.first_slot, group.capacity,
            group.mask, work.filled, group.first_filled,
        )  # fmt: skip


@compiled_where("with_payloads")
def _weigh(network: Any, work: Any, group: Any, first: Any, n_rows: Any, first_sum: Any) -> None:
    """Add the payloads of a list times their rows of weights."""
    if group.kind == at.WEIGHED:
        weighed_rows(
            work.ring, work.loads, first, n_rows, network.dense, group.first_weight,
            group.blocks * LANES, work.sums, first_sum,
        )  # fmt: skip
    elif group.kind == at.SPARSE:
        weighed_sparse_rows(
            work.ring, work.loads, first, n_rows, network.starts, group.first_start,
            network.targets, network.sparse, work.sums, first_sum,
        )  # fmt: skip
    else:
        for index in range(n_rows):
            source = int64(work.ring[uintp(first + index)])
            payload = work.loads[uintp(first + index)]
            scatter_message(
                network, source, payload, group.first_geometry, group.first_weight, work.sums,
                first_sum,
            )  # fmt: skip


@compiled_where("convolved")
def _convolve(network: Any, work: Any, group: Any, first: Any, n_rows: Any, first_sum: Any) -> None:
    """Add the kernels of a list of rows, by tables where there are many."""
    if n_rows >= group.fewest:
        draw(
            work.ring, first, n_rows, network.geometry, group.first_geometry, group.first_table,
            work.seen, work.image,
        )  # fmt: skip
        convolve(
            work.image, 0, network.geometry, group.first_table, network.tables, network.dense,
            group.first_weight, work.sums, first_sum, work.tables,
        )  # fmt: skip
    else:
        convolved_rows(
            work.ring, first, n_rows, network.geometry, group.first_geometry, network.dense,
            group.first_weight, work.sums, first_sum,
        )  # fmt: skip


@compiled_where("convolved")
def _convolve_image(network: Any, work: Any, group: Any, first: Any, first_sum: Any) -> None:
    """Add what an image of spikes adds up to."""
    convolve(
        work.ring, first * LANES, network.geometry, group.first_table, network.tables,
        network.dense, group.first_weight, work.sums, first_sum, work.tables,
    )  # fmt: skip


@inlined
def _receive(network: Any, work: Any, group: Any, further: Any, added: Any, step: Any) -> Any:
    """Add what arrives at a group in this step; return the number of synaptic operations."""
    slot, first_sum = step & group.mask, group.first_sum + further
    first = group.first_slot + slot * group.capacity
    if group.kind == at.PER_SYNAPSE:
        return take_from_ring(
            work.spread, first, group.capacity, work.sums, first_sum,
            work.arrived, group.first_arrival,
        )  # fmt: skip
    n_rows = work.filled[group.first_filled + slot]
    if n_rows == 0:
        return 0
    work.filled[group.first_filled + slot] = 0
    if n_rows < 0:
        _convolve_image(network, work, group, first, first_sum)
        return -1 - n_rows
    if group.graded:
        _weigh(network, work, group, first, n_rows, first_sum)
    elif group.kind == at.DENSE:
        if not (added and group.together):
            dense_rows(
                work.ring, first, n_rows, network.paired, group.first_weight, group.row_size,
                group.blocks, work.sums, first_sum, group.stride,
            )  # fmt: skip
    elif group.kind == at.SPARSE:
        sparse_rows(
            work.ring, first, n_rows, network.starts, group.first_start, network.targets,
            network.sparse, work.sums, first_sum,
        )  # fmt: skip
    else:
        _convolve(network, work, group, first, n_rows, first_sum)
    operations = 0
    for index in range(n_rows):
        row = work.ring[uintp(first + index)]
        operations += network.fan_out[uintp(group.first_row + row)]
    return operations


@inlined
def _activate(network: Any, work: Any, row: Any, further: Any) -> Any:
    """Update a layer from its sums, list its spikes if anyone needs a list.

    Returns how many spikes there are, and 1 if a state overflowed, else 0.
    """
    if row.exponents:
        _combine(row, row.first_sum + further, network.exponents, work.sums)
    if row.current:
        add_currents(network, work, row, row.first_sum + further)
    overflowed = _update(network, work, row, row.first_sum + further)
    if row.fewest < at.NEVER and row.spike_column < 0:
        n_spikes = count_lanes(work.masks, row.blocks)
        if n_spikes >= row.fewest:
            _count_spikes(network, work, row)
            return n_spikes, overflowed
    return _list_spikes(network, work, row), overflowed


@inlined
def _combine(row: Any, first: Any, exponents: Any, sums: Any) -> None:
    """Turn sums with different exponents into activations in weight units."""
    width = row.width
    for k in range(first, first + width):
        total = int64(0)
        for number in range(row.exponents):
            total += int64(sums[k + number * width]) << exponents[row.first_exponent + number]
            sums[k + number * width] = 0
        # Weighted payloads fit 32 bits, as a design rule has it.
        sums[k] = int32(total) if row.graded else within_reach(total)


@inlined
def _update(network: Any, work: Any, row: Any, first_sum: Any) -> Any:
    """Update the neurons and note who spikes; return 1 if a state overflowed, else 0."""
    if row.model == at.CUBA_SHARED:
        return update_cuba(network, work, row, first_sum, True)
    if row.model == at.CUBA_OWN:
        return update_cuba(network, work, row, first_sum, False)
    if row.graded:
        _update_graded(network, work, row, first_sum)
    else:
        _update_gated(network, work, row, first_sum)
    overflowed = 0
    for block in range(row.blocks):
        overflowed |= neurons.note_events(
            work.states, row.first_state + block * OWN_ROWS * LANES + EVENTS, work.masks, block,
            network.order, row.first_unit, work.saturations, work.wraps,
        )  # fmt: skip
    return overflowed


@compiled_where("gated")
def _update_gated(network: Any, work: Any, row: Any, first_sum: Any) -> None:
    first, blocks = row.first_state, row.blocks
    states, sums, peaks = work.states, work.sums, work.peaks
    if row.model == at.SPIKING_GRU:
        neurons.spiking_gru(
            states, first, blocks, sums, first_sum, row.shift, peaks, row.first_peak
        )
    else:
        neurons.spiking_mgu(
            states, first, blocks, sums, first_sum, row.shift, peaks, row.first_peak
        )


@compiled_where("with_payloads")
def _update_graded(network: Any, work: Any, row: Any, first_sum: Any) -> None:
    first, blocks = row.first_state, row.blocks
    states, sums, peaks = work.states, work.sums, work.peaks
    if row.model == at.SIGMA_DELTA:
        sigma_delta(states, first, blocks, sums, first_sum, row.shift, peaks, row.first_peak)
    elif row.model == at.DELTA:
        delta(states, first, blocks, sums, first_sum, peaks, row.first_peak)
    else:
        sigma(states, first, blocks, sums, first_sum, row.shift, peaks, row.first_peak)


@inlined
def _note_peaks(row: Any, states: Any, peaks: Any) -> None:
    # CUBA neurons have noted theirs, graded ones note none.
    if not (row.graded or row.model == at.CUBA_SHARED or row.model == at.CUBA_OWN):
        neurons.note_peaks(states, row, peaks)


@compiled_where("convolved")
def _count_spikes(network: Any, work: Any, row: Any) -> None:
    """Count the spikes of a layer that nobody lists."""
    if work.tally[uintp(row.first_tally)] == MOST_MASKS:
        _take_tally(network, work, row)
    count_up(work.masks, row.blocks, work.tally, row.first_tally)


@compiled_where("convolved")
def _take_tally(network: Any, work: Any, row: Any) -> None:
    """Add what was counted without a list to the neurons' counts."""
    if work.tally[uintp(row.first_tally)]:
        work.tally[uintp(row.first_tally)] = 0
        counts = numbers_at_hand()
        for block in range(row.blocks):
            take_counts(work.tally, row.first_tally, row.blocks, block, counts)
            first = row.first_unit + block * LANES
            for lane in range(LANES):
                # Lanes that are no neurons name the first one, and have no spikes.
                unit = row.first_unit + network.order[uintp(first + lane)]
                work.emitted[uintp(unit)] += counts[uintp(lane)]


@inlined
def _list_spikes(network: Any, work: Any, row: Any) -> Any:
    """List and count the neurons that spiked; return how many they are."""
    n_spikes = 0
    # What is read from the table here need not be read again after each write.
    blocks, first_unit = row.blocks, row.first_unit
    for block in range(blocks):
        spiked = int64(work.masks[uintp(block)]) & ALL_LANES
        first = first_unit + block * LANES
        while spiked:
            lane = lowest_bit(spiked)
            neuron = network.order[uintp(first + lane)]
            spiked &= spiked - 1
            work.spikes[uintp(n_spikes)] = neuron
            if row.graded:
                _take_payload(network, work, row, block, lane, n_spikes)
            work.emitted[uintp(first_unit + neuron)] += 1
            n_spikes += 1
    return n_spikes


@compiled_where("with_payloads")
def _take_payload(network: Any, work: Any, row: Any, block: Any, lane: Any, number: Any) -> None:
    """Keep the payload of a neuron's spike beside the spike in the list."""
    place = row.first_state + block * row.rows * LANES + lane
    work.payloads[uintp(number)] = work.states[uintp(place) + PAYLOAD]


@inlined
def _record_state(
    network: Any, row: Any, states: Any, record: Any, record_row: Any, which: Any
) -> None:  # fmt: skip
    """Write state number `which` of a layer, if it is recorded, into a row of the record."""
    column = row.state_column
    if which == 1:
        column = row.second_state_column
    elif which > 1:
        column = row.third_state_column
    if column < 0:
        return
    size = row.rows * LANES
    for neuron in range(row.neurons):
        block = neuron // LANES
        place = row.first_state + block * size + neuron - block * LANES
        if row.graded:
            value = _graded_state(network, row.model, which, states, place)
        else:
            value = states[place + which * LANES]
        record[record_row, column + network.order[row.first_unit + neuron]] = value


@compiled_where("with_payloads")
def _graded_state(network: Any, model: Any, which: Any, states: Any, place: Any) -> Any:
    return graded_state(model, which, states, place)
