"""Input spikes brought into the order of time: the kernels want units listed step by step."""

from __future__ import annotations

from typing import Any

from kipuka.deploy.kernels.lanes import LANES, compiled, inlined, lanes_with, lowest_lane


@compiled
def count_dense(spikes: Any, n_steps: Any, offsets: Any) -> None:
    """Count the spikes of each step of a flat array (units x steps) into ``offsets[1:]``."""
    whole = spikes.size // LANES * LANES
    for start in range(0, whole, LANES):
        mask = lanes_with(spikes, start, 1)
        while mask:
            offsets[(start + lowest_lane(mask)) % n_steps + 1] += 1
            mask &= mask - 1
    for place in range(whole, spikes.size):
        offsets[place % n_steps + 1] += spikes[place]


@compiled
def list_dense(spikes: Any, n_steps: Any, following: Any, units: Any) -> None:
    """List the spiking units step by step; `following` is where each step's next one goes."""
    whole = spikes.size // LANES * LANES
    for start in range(0, whole, LANES):
        mask = lanes_with(spikes, start, 1)
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
def list_events(times: Any, sources: Any, offsets: Any, following: Any, units: Any) -> None:
    """List events step by step; `offsets` and `following` are cleared beforehand."""
    for index in range(times.size):
        offsets[times[index] + 1] += 1
    for step in range(offsets.size - 1):
        offsets[step + 1] += offsets[step]
        following[step] = offsets[step]
    for index in range(times.size):
        step = times[index]
        units[following[step]] = sources[index]
        following[step] += 1


@compiled
def first_doubled(offsets: Any, units: Any, seen: Any) -> Any:
    """Place of the first unit that is listed twice in a step, or -1; `seen` begins at -1."""
    for step in range(offsets.size - 1):
        for index in range(offsets[step], offsets[step + 1]):
            if seen[units[index]] == step:
                return index
            seen[units[index]] = step
    return -1
