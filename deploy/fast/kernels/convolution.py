"""Convolution by spikes: each one scatters its channel's kernel over the outputs that see it.

Sums have the channel as their last axis, so that a spike adds runs of neighbouring weights. Where
all pixels have equally many taps (`synapse_layout.in_windows`), one run is a whole line of outputs.
"""

from __future__ import annotations

from typing import Any

from numba import int64, types, uintp
from numba.core import cgutils
from numba.extending import intrinsic

from kipuka.compiling import inlined
from kipuka.deploy.fast.kernels.constants import (
    CHANNELS,
    GATE,
    GATES,
    LANES,
    MULTIPLIER,
    PIXELS,
    RUN,
    SHIFT,
    STARTS,
    TAPS,
)
from kipuka.deploy.fast.kernels.lanes import add_taps
from kipuka.deploy.fast.kernels.parts import compiled_where

FOUND_AT_ONCE = 64
"""Spikes of which it is found out where they add before the first of them does.

Each look waits for the one before, and for a far cache. With no additions in between, the processor
looks for many spikes at the same time.
"""

FOUND = 3
"""Numbers that are found out about a spike: see `_found`."""


@intrinsic
def _room_for_found(typing_context: Any) -> Any:
    """Room for what is found out about `FOUND_AT_ONCE` spikes, which overlaps no array."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once(builder, cgutils.intp_t, size=FOUND * FOUND_AT_ONCE)

    return types.CPointer(types.int64)(), build


@inlined
def scatter(
    source: Any, times: Any, geometry: Any, first: Any, weights: Any, first_weight: Any,
    sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Add `times` the kernel of a source's channel to the sums of the outputs that see it."""
    tap, kernel, neuron = _found(source, geometry, first, _constants(geometry, first))
    _add_kernel(
        times, geometry, first, tap, weights, first_weight + kernel, sums, first_sum, neuron
    )  # fmt: skip


@inlined
def convolved_rows(
    rows: Any, first_row: Any, n_rows: Any, geometry: Any, first: Any, weights: Any,
    first_weight: Any, sums: Any, first_sum: Any,
) -> None:  # fmt: skip
    """Scatter every spike in a list."""
    constants, found = _constants(geometry, first), _room_for_found()
    for done in range(0, n_rows, FOUND_AT_ONCE):
        n = min(n_rows - done, FOUND_AT_ONCE)
        for index in range(n):
            source = int64(rows[uintp(first_row + done + index)])
            tap, kernel, neuron = _found(source, geometry, first, constants)
            found[FOUND * index] = tap
            found[FOUND * index + 1] = kernel
            found[FOUND * index + 2] = neuron
        for index in range(n):
            _add_kernel(
                1, geometry, first, found[FOUND * index], weights,
                first_weight + found[FOUND * index + 1], sums, first_sum,
                found[FOUND * index + 2],
            )  # fmt: skip


@inlined
def _constants(geometry: Any, first: Any) -> Any:
    """Read what is the same for all spikes before anything is written: it might be the geometry."""
    return (
        geometry[first + MULTIPLIER], geometry[first + SHIFT], geometry[first + PIXELS],
        first + geometry[first + STARTS],
    )  # fmt: skip


@inlined
def _found(source: Any, geometry: Any, first: Any, constants: Any) -> Any:
    """Place of a source's list of taps, beginning of its kernel, and its first neuron."""
    multiplier, shift, pixels, starts = constants
    channel = int64(source * multiplier) >> shift
    pixel = uintp(starts + 2 * (source - channel * pixels))
    kernel = uintp(first + CHANNELS + 2 * channel)
    return (
        first + geometry[pixel], geometry[kernel],
        geometry[kernel + uintp(1)] + geometry[pixel + uintp(1)],
    )  # fmt: skip


@inlined
def _add_kernel(
    times: Any, geometry: Any, first: Any, tap: Any, weights: Any, kernel: Any, sums: Any,
    first_sum: Any, neuron: Any,
) -> None:  # fmt: skip
    """Add `times` the weights of all taps in a list."""
    n_taps, n_weights = geometry[uintp(tap)], geometry[uintp(tap + 1)]
    tap += TAPS
    gates = geometry[first + GATES]
    if gates == 1:
        _add_taps(
            times, geometry, tap, n_taps, weights, kernel, n_weights, sums, first_sum + neuron
        )  # fmt: skip
        return
    for place in range(tap, tap + 2 * n_taps, 2):
        weight, target = kernel + geometry[uintp(place)], neuron + geometry[uintp(place + 1)]
        _add_to_gate(
            times, weights, weight, n_weights, sums, first_sum, target, gates,
            geometry[first + GATE],
        )  # fmt: skip


@inlined
def _add_taps(
    times: Any, geometry: Any, tap: Any, n_taps: Any, weights: Any, kernel: Any, n_weights: Any,
    sums: Any, place: Any,
) -> None:  # fmt: skip
    """Add a kernel, as many weights of all taps at a time as there are vectors for."""
    done = 0
    while done + 6 * RUN <= n_weights:
        add_taps(6, sums, place + done, weights, kernel + done, geometry, tap, n_taps, times)
        done += 6 * RUN
    if done + 4 * RUN <= n_weights:
        add_taps(4, sums, place + done, weights, kernel + done, geometry, tap, n_taps, times)
        done += 4 * RUN
    if done + 2 * RUN <= n_weights:
        add_taps(2, sums, place + done, weights, kernel + done, geometry, tap, n_taps, times)
        done += 2 * RUN
    if done + RUN <= n_weights:
        add_taps(1, sums, place + done, weights, kernel + done, geometry, tap, n_taps, times)
        done += RUN
    if done < n_weights:
        for number in range(n_taps):
            weight = kernel + geometry[uintp(tap + 2 * number)]
            there = place + geometry[uintp(tap + 2 * number + 1)]
            for k in range(done, n_weights):
                sums[uintp(there + k)] += times * weights[uintp(weight + k)]


@inlined
def _add_to_gate(
    times: Any, weights: Any, first_weight: Any, n: Any, sums: Any, first_sum: Any, neuron: Any,
    gates: Any, gate: Any,
) -> None:  # fmt: skip
    """Add a run to one activation of neurons whose activations alternate block by block."""
    for k in range(n):
        block = (neuron + k) // LANES
        place = (block * gates + gate) * LANES + (neuron + k) - block * LANES
        sums[uintp(first_sum + place)] += times * weights[uintp(first_weight + k)]


@compiled_where("convolved")
def scatter_message(
    network: Any, source: Any, payload: Any, first_geometry: Any, first_weight: Any, sums: Any,
    first_sum: Any,
) -> None:  # fmt: skip
    """Do the same with the geometry and weights of a network, if it has any."""
    scatter(
        source, payload, network.geometry, first_geometry, network.dense, first_weight, sums,
        first_sum,
    )  # fmt: skip
