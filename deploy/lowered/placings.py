"""Ways of placing both forms of a network on cores, each mapped and timed.

The compiler gives every process cores of its own. Populations of a layer that share cores, cut at
the same neurons, need fewer of them, and most of their messages stay on a core; over how many cores
a form has to be spread until only the barrier bounds a step, is a question to either.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kipuka.deploy.costs.core_activity import Sent, core_activity
from kipuka.deploy.costs.cost import CORES_MAX
from kipuka.deploy.costs.latency import TERMS, Laid, timing_of
from kipuka.deploy.costs.mapping import Group, Mapping, Spread, map_groups, map_shared
from kipuka.deploy.counters import Counters
from kipuka.deploy.lowered.graph import LoweredGraph
from kipuka.hardware_profiles import HardwareProfile, SiBounds

ALONE, TOGETHER = "a process", "a layer"
"""What lies on a core: one process alone, or those of a layer together."""

FEWEST, TO_BARRIER = "fewest", "spread"
"""Over how many it is spread: no more than needed, or until the barrier bounds a step."""


class Placing(NamedTuple):
    """A form of a network on cores; counts and time per sample, mean over samples.

    Attributes
    ----------
    form : str
        ``fused`` or ``lowered``.
    on_a_core : str
        `ALONE` or `TOGETHER`.
    spread : str
        `FEWEST` or `TO_BARRIER`.
    cores : int
    messages, to_other_cores, hops : float
        Messages from core to core, one for each group that listens there; those of them that leave
        their core; and steps between routers that they take.
    latency_s : SiBounds
    bound_by : str
        What bounds most steps.
    """

    form: str
    on_a_core: str
    spread: str
    cores: int
    messages: float
    to_other_cores: float
    hops: float
    latency_s: SiBounds
    bound_by: str


class FormRun(NamedTuple):
    """A run of one form: its groups, what they did and what they sent."""

    groups: tuple[Group, ...]
    counters: Counters
    sent: Sent


def placings_of(
    fused: FormRun, lowered: FormRun, graph: LoweredGraph, hardware: HardwareProfile
) -> tuple[Placing, ...]:
    """Place both forms in every way that there is.

    Parameters
    ----------
    fused, lowered : FormRun
        Of the same samples.
    graph : LoweredGraph
    hardware : HardwareProfile

    Returns
    -------
    tuple of Placing
        On the fewest cores alone where the time of the barrier is not published.

    Raises
    ------
    KipukaError
        If one of them does not fit.
    """
    rows = []
    for form, run in (("fused", fused), ("lowered", lowered)):
        for spread, mapping in _alone(run, hardware):
            rows.append(_placing(form, ALONE, spread, run, mapping, hardware))
    for spread, mapping in _together(lowered, graph, hardware):
        rows.append(_placing("lowered", TOGETHER, spread, lowered, mapping, hardware))
    return tuple(rows)


def _alone(run: FormRun, hardware: HardwareProfile) -> Iterator[tuple[str, Mapping]]:
    loads = tuple(layer.arrivals_per_neuron for layer in run.counters.layers)
    fewest = map_groups(run.groups, hardware, loads)
    yield FEWEST, fewest
    if _has_barrier(hardware):
        yield TO_BARRIER, map_groups(run.groups, hardware, loads, _until_barrier(run, fewest))


def _together(
    run: FormRun, graph: LoweredGraph, hardware: HardwareProfile
) -> Iterator[tuple[str, Mapping]]:
    loads = tuple(layer.arrivals_per_neuron for layer in run.counters.layers)
    groups = in_rows(run.groups, graph)
    layers = sorted({group.layer for group in groups})
    together = [tuple(k for k, g in enumerate(groups) if g.layer == one) for one in layers]
    fewest = map_shared(groups, together, hardware, loads)
    yield FEWEST, fewest
    if _has_barrier(hardware):
        spread = _until_barrier(run, fewest)
        yield TO_BARRIER, map_shared(groups, together, hardware, loads, spread)


def in_rows(groups: tuple[Group, ...], graph: LoweredGraph) -> tuple[Group, ...]:
    """Lay groups out to share cores: the layer's neurons in rows, several of each in channels.

    Synapses become lists of those that are not 0. A matrix from neuron to neuron would need an axon
    of every neuron on every core.
    """
    processes = [node for node in graph.nodes if node.kind != "source"]
    found = []
    for group, node in zip(groups, processes, strict=True):
        neurons = graph.node(graph.layers[node.layer].spikes).size
        blocks, rest = divmod(node.size, neurons)
        # Relays hold those neurons alone that have a longer way.
        shape = (node.size,) if rest or blocks == 0 else (blocks, neurons)
        listed = tuple(dataclasses.replace(one, keeps_zeros=False) for one in group.bundles)
        found.append(dataclasses.replace(group, shape=shape, bundles=listed))
    return tuple(found)


def _has_barrier(hardware: HardwareProfile) -> bool:
    return hardware.latency.barrier.in_si().typical is not None


def _until_barrier(run: FormRun, fewest: Mapping) -> Spread:
    """As many cores as there are on the chips that the network needs anyway."""
    per_chip = fewest.limits.cores_per_chip
    cores = CORES_MAX if per_chip is None else per_chip * fewest.n_chips
    steps = run.counters.n_steps * run.counters.n_samples
    return Spread(cores, steps, to_barrier=True)


def _placing(
    form: str,
    on_a_core: str,
    spread: str,
    run: FormRun,
    mapping: Mapping,
    hardware: HardwareProfile,
) -> Placing:
    activity = core_activity(run.groups, mapping, run.counters, run.sent)
    timing = timing_of(Laid(mapping, activity), (), hardware)
    samples = run.counters.n_samples
    return Placing(
        form=form,
        on_a_core=on_a_core,
        spread=spread,
        cores=mapping.n_cores,
        messages=float(activity.messages.sum() / samples),
        to_other_cores=float(activity.leaving.sum() / samples),
        hops=float(activity.hops.sum() / samples),
        latency_s=timing.latency_s,
        bound_by=TERMS[int(np.bincount(timing.bottleneck.ravel()).argmax())],
    )
