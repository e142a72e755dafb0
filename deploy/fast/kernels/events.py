"""Input spikes brought into the order of time: the kernels want units listed step by step."""

from __future__ import annotations

from typing import Any

from kipuka.compiling import inlined
from kipuka.deploy.fast.kernels.lanes import LANES, compiled, lanes_with, lowest_lane

ANY_BIT = 255
"""A bool whose byte is neither 0 nor 1 is true, as it is everywhere else."""


@compiled
def count_dense(spikes: Any, n_steps: Any, offsets: Any) -> None:
    """Count the spikes of each step of a flat array (units x steps) into ``offsets[1:]``."""
    whole = spikes.size // LANES * LANES
    for start in range(0, whole, LANES):
        mask = lanes_with(spikes, start, ANY_BIT)
        while mask:
            offsets[(start + lowest_lane(mask)) % n_steps + 1] += 1
            mask &= mask - 1
    for place in range(whole, spikes.size):
        offsets[place % n_steps + 1] += 1 if spikes[place] else 0


@compiled
def list_dense(spikes: Any, n_steps: Any, following: Any, units: Any) -> None:
    """List the spiking units step by step; `following` is where each step's next one goes."""
    whole = spikes.size // LANES * LANES
    for start in range(0, whole, LANES):
        mask = lanes_with(spikes, start, ANY_BIT)
        while mask:
            _place(start + lowest_lane(mask), n_steps, following, units)
            mask &= mask - 1
    for place in range(whole, spikes.size):
        if spikes[place]:
            _place(place, n_steps, following, units)


@inlined
def _place(place: Any, n_steps: Any, following: Any, units: Any) -> None:
    unit = place // n_steps
    step = place - unit * n_steps
    units[following[step]] = unit
    following[step] += 1


@compiled
def list_events(
    times: Any, sources: Any, n_units: Any, offsets: Any, following: Any, units: Any, seen: Any
) -> Any:
    """List events step by step; return the first one that cannot be, or -1.

    Parameters
    ----------
    times, sources : int64 arrays (events,)
    n_units : int
        An event's source must be below, its time below the number of steps.
    offsets : int64 array (steps + 1,)
        Zeros; then where each step's units begin.
    following : int64 array (steps,)
        Room to work.
    units : int32 array (events,)
        The result; an event that repeats another one's time and source cannot be, either.
    seen : int64 array (units,)
        Minus ones.
    """
    n_steps = offsets.size - 1
    for index in range(times.size):
        if not (0 <= times[index] < n_steps and 0 <= sources[index] < n_units):
            return index
        offsets[times[index] + 1] += 1
    for step in range(n_steps):
        offsets[step + 1] += offsets[step]
        following[step] = offsets[step]
    for index in range(times.size):
        step = times[index]
        units[following[step]] = sources[index]
        following[step] += 1
    for step in range(n_steps):
        for index in range(offsets[step], offsets[step + 1]):
            if seen[units[index]] == step:
                return _last_of(step, units[index], times, sources)
            seen[units[index]] = step
    return -1


@inlined
def _last_of(step: Any, unit: Any, times: Any, sources: Any) -> Any:
    found = -1
    for index in range(times.size):
        if times[index] == step and sources[index] == unit:
            found = index
    return found
