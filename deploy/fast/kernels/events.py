"""Input spikes brought into the order of time: the kernels want units listed step by step."""

from __future__ import annotations

from typing import Any

from numba import uintp

from kipuka.compiling import entered, inlined
from kipuka.deploy.fast.kernels.constants import LANES
from kipuka.deploy.fast.kernels.lanes import lanes_with
from kipuka.vectors import lowest_bit

ANY_BIT = 255
"""A bool whose byte is neither 0 nor 1 is true, as it is everywhere else."""


@entered
def count_dense(spikes: Any, n_entries: Any, n_steps: Any, offsets: Any) -> None:
    """Count the spikes of each step of a flat array (units x steps) into ``offsets[1:]``."""
    whole = n_entries // LANES * LANES
    for start in range(0, whole, LANES):
        mask = lanes_with(spikes, start, ANY_BIT)
        while mask:
            offsets[(start + lowest_bit(mask)) % n_steps + 1] += 1
            mask &= mask - 1
    for place in range(whole, n_entries):
        offsets[place % n_steps + 1] += 1 if spikes[place] else 0


@entered
def list_dense(
    spikes: Any, n_entries: Any, n_steps: Any, following: Any, units: Any
) -> None:  # fmt: skip
    """List the spiking units step by step; `following` is where each step's next one goes."""
    whole = n_entries // LANES * LANES
    for start in range(0, whole, LANES):
        mask = lanes_with(spikes, start, ANY_BIT)
        while mask:
            _place(start + lowest_bit(mask), n_steps, following, units)
            mask &= mask - 1
    for place in range(whole, n_entries):
        if spikes[place]:
            _place(place, n_steps, following, units)


@inlined
def _place(place: Any, n_steps: Any, following: Any, units: Any) -> None:
    unit = place // n_steps
    step = place - unit * n_steps
    units[following[step]] = unit
    following[step] += 1


@entered
def list_events(
    times: Any, sources: Any, n_events: Any, n_units: Any, n_steps: Any, offsets: Any,
    following: Any, units: Any, seen: Any,
) -> Any:  # fmt: skip
    """List events step by step; return the first one that cannot be, or -1.

    Parameters
    ----------
    times, sources : int64 arrays (events,)
    n_units, n_steps : int
        An event's source must be below the one, its time below the other.
    offsets : int64 array (steps + 1,)
        Of the result: where each step's units begin.
    following : int64 array (steps,)
        Room to work.
    units : int32 array (events,)
        The result; an event that repeats another one's time and source cannot be, either.
    seen : int64 array (units,)
        Room to work.
    """
    if _in_time(times, sources, n_events, n_units, n_steps, offsets, units, seen):
        return -1
    for step in range(n_steps + 1):
        offsets[step] = 0
    for unit in range(n_units):
        seen[unit] = -1
    for index in range(n_events):
        if not (0 <= times[index] < n_steps and 0 <= sources[index] < n_units):
            return index
        offsets[times[index] + 1] += 1
    for step in range(n_steps):
        offsets[step + 1] += offsets[step]
        following[step] = offsets[step]
    for index in range(n_events):
        step = times[index]
        units[following[step]] = sources[index]
        following[step] += 1
    for step in range(n_steps):
        for index in range(offsets[step], offsets[step + 1]):
            if seen[units[index]] == step:
                return _last_of(step, units[index], times, sources, n_events)
            seen[units[index]] = step
    return -1


@inlined
def _in_time(
    times: Any, sources: Any, n_events: Any, n_units: Any, n_steps: Any, offsets: Any, units: Any,
    seen: Any,
) -> Any:  # fmt: skip
    """List events that come in the order of time, as those of most recordings do, in one pass.

    Return whether they all did, and could be listed. To sort by counting takes several times as
    long: each event waits for the one before, which counts in the same place.
    """
    for unit in range(n_units):
        seen[unit] = -1
    index = 0
    for step in range(n_steps):
        offsets[step] = index
        while index < n_events and times[index] == step:
            unit = sources[index]
            if uintp(unit) >= uintp(n_units) or seen[unit] == step:
                return False
            seen[unit] = step
            units[index] = unit
            index += 1
    offsets[n_steps] = index
    return index == n_events


@inlined
def _last_of(step: Any, unit: Any, times: Any, sources: Any, n_events: Any) -> Any:
    found = -1
    for index in range(n_events):
        if times[index] == step and sources[index] == unit:
            found = index
    return found
