"""Cutting groups further than their own limits ask for: output axons, and cores to be filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kipuka.deploy.costs.mapping.blocks import as_grid
from kipuka.deploy.costs.mapping.demand import unique_axons
from kipuka.deploy.costs.mapping.groups import INPUT, Group
from kipuka.deploy.costs.mapping.limits import AXONS_OUT, CoreLimits
from kipuka.deploy.costs.mapping.splitting import Split, does_not_fit, more_blocks, split_group
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile


@dataclass(frozen=True)
class Spread:
    """How many cores to use beyond the fewest.

    Attributes
    ----------
    cores : int
        Cores to fill: the group whose busiest core takes longest is cut further until they are
        used, or one more cut would exceed them.
    steps : int
        Steps of the run that the load is of, all samples together, in each of which every neuron
        is updated; 0 where only synaptic operations are to be shared.
    to_barrier : bool
        Whether to cut no group further whose busiest core takes less than the barrier does, on
        average over the steps.
    """

    cores: int
    steps: int = 0
    to_barrier: bool = False


class Times(NamedTuple):
    """Seconds of a synaptic operation, and of all updates of one neuron in a run.

    No group needs to be cut whose slowest core takes no longer than `enough_s` in the run.
    """

    operation_s: float
    updates_s: float
    enough_s: float = 0.0


def times_of(hardware: HardwareProfile, spread: Spread) -> Times:
    """Typical times of a profile; operations alone count where their time is not published.

    Raises
    ------
    KipukaError
        If the barrier is to bound the steps, and its time is not published.
    """
    latency, passes = hardware.latency, hardware.energy.dendrite_updates_per_neuron_update
    enough_s = _barriers_s(hardware, spread.steps) if spread.to_barrier else 0.0
    operation_s = latency.synaptic_operation.in_si().typical
    if operation_s is None:
        return Times(1.0, 0.0, enough_s)
    update_s = (latency.neuron_update.in_si().typical or 0.0) * (passes.in_si().typical or 0.0)
    return Times(operation_s, update_s * spread.steps, enough_s)


def _barriers_s(hardware: HardwareProfile, steps: int) -> float:
    barrier_s = hardware.latency.barrier.in_si().typical
    if barrier_s is None:
        raise KipukaError(
            "there is no barrier to spread a network for",
            where=f"hardware profile {hardware.name}, latency.barrier",
            limit="a published time",
            value="not published",
            remedy="give the number of cores instead, or take another chip",
        )
    return barrier_s * steps


def within_output_axons(
    groups: tuple[Group, ...],
    splits: list[Split],
    limits: CoreLimits,
    loads: tuple[np.ndarray | None, ...],
) -> list[Split]:
    """Cut groups further whose neurons reach too many cores, the last first.

    Raises
    ------
    KipukaError
        If a neuron alone reaches more cores than its core has output axons.
    """
    available = limits.per_core[AXONS_OUT]
    while True:
        needs = output_axons(groups, splits)
        for split, needed in zip(splits, needs, strict=True):
            split.needs[AXONS_OUT] = needed
        over = [k for k, n in enumerate(needs) if available is not None and n.max() > available]
        if not over or available is None:
            return splits
        k = over[-1]
        larger = more_blocks(as_grid(groups[k].shape), splits[k].grid)
        if larger is None:
            raise does_not_fit(groups[k].name, AXONS_OUT, int(needs[k].max()), available)
        splits[k] = split_group(groups[k], limits, loads[k], larger)


def output_axons(groups: tuple[Group, ...], splits: list[Split]) -> list[np.ndarray]:
    """Pairs of a neuron and a core that it reaches, by the neuron's core, for each group."""
    fan_out = [np.zeros(group.n_neurons, dtype=np.int64) for group in groups]
    for group, split in zip(groups, splits, strict=True):
        pairs = list(zip(group.bundles, split.axons, strict=True))
        for sender in {bundle.sender for bundle in group.bundles} - {INPUT}:
            tables = [axons for bundle, axons in pairs if bundle.sender == sender]
            reached = unique_axons(tables)[1]
            fan_out[sender] += np.bincount(reached, minlength=fan_out[sender].size)
    return [
        np.bincount(split.parts.assignment(), reached, split.parts.n_cores).astype(np.int64)
        for split, reached in zip(splits, fan_out, strict=True)
    ]


def check_spread(splits: list[Split], spread: Spread) -> None:
    """Refuse fewer cores than the network needs."""
    fewest = sum(split.parts.n_cores for split in splits)
    if spread.cores < fewest:
        raise KipukaError(
            "the network does not fit so few cores",
            where="argument or option cores",
            limit=f"at least {fewest}",
            value=spread.cores,
            remedy="give more cores, or leave it out to use the fewest",
        )


def spread_over(
    groups: tuple[Group, ...],
    splits: list[Split],
    limits: CoreLimits,
    loads: tuple[np.ndarray | None, ...],
    cores: int,
    times: Times,
) -> list[Split]:
    """Cut the group with the slowest core, again and again, while cores are left."""
    finished: set[int] = set()
    while len(finished) < len(splits):
        used = sum(split.parts.n_cores for split in splits)
        work = [
            slowest_s([split], [load], times) for split, load in zip(splits, loads, strict=True)
        ]
        k = max((k for k in range(len(splits)) if k not in finished), key=lambda k: work[k])
        if work[k] <= times.enough_s:
            break
        larger = more_blocks(as_grid(groups[k].shape), splits[k].grid)
        if larger is None or used + int(np.prod(larger)) - splits[k].parts.n_cores > cores:
            finished.add(k)
            continue
        splits[k] = split_group(groups[k], limits, loads[k], larger)
    return within_output_axons(groups, splits, limits, loads)


def slowest_s(splits: Sequence[Split], loads: Sequence[np.ndarray | None], times: Times) -> float:
    """Give the time of the slowest of the cores that some groups have, or share.

    That is its operations, or where they are not known each of its synapses once, or its updates if
    they take longer, because the two overlap.
    """
    n_cores = max(split.parts.n_cores for split in splits)
    operations, updates_s = np.zeros(n_cores), np.zeros(n_cores)
    for split, load in zip(splits, loads, strict=True):
        own = slice(0, split.parts.n_cores)
        updates_s[own] += split.parts.sizes() * times.updates_s
        if load is not None:
            operations[own] += np.bincount(split.parts.assignment(), load, split.parts.n_cores)
        else:
            for axons in split.axons:
                np.add.at(operations, axons.cores, axons.synapses)
    return max(float(operations.max()) * times.operation_s, float(updates_s.max()))
