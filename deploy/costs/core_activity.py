"""What each core and link did, step by step: what a run sent, laid over the mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kipuka.deploy.costs.mapping.axons import Axons
from kipuka.deploy.costs.mapping.groups import Bundle, Group
from kipuka.deploy.costs.mapping.mapping import Mapping as CoreMapping
from kipuka.deploy.costs.mapping.traffic import Routes, routes_of
from kipuka.deploy.counters import Counters
from kipuka.display import Shown

_VALUES_AT_ONCE = 40_000_000
"""Messages of one group, over samples and steps, that are laid out at the same time."""

Channel = tuple[int, str]
"""Who sends what: position of a group, or `INPUT`, and the kind of message."""


@dataclass(frozen=True, eq=False)
class Sent:
    """What was sent in a run.

    Attributes
    ----------
    n_samples, n_steps : int
        Steps of the chip.
    widest : int
        Neurons of the largest group, or units of the input.
    of_samples : callable
        Give a slice of the samples, get by `Channel` arrays (samples, neurons, steps); what is not
        0 is a message.
    """

    n_samples: int
    n_steps: int
    widest: int
    of_samples: Callable[[slice], Mapping[Channel, np.ndarray]]

    def slices(self) -> list[slice]:
        """Samples in portions that fit memory."""
        at_once = max(1, _VALUES_AT_ONCE // max(self.widest * self.n_steps, 1))
        return [slice(first, first + at_once) for first in range(0, self.n_samples, at_once)]


@dataclass(frozen=True, eq=False)
class CoreActivity(Shown):
    """Activity of a run by core and link.

    Attributes
    ----------
    synaptic_operations : int64 array (cores,)
        Over the whole run.
    active_updates, updates : int64 array (cores,)
        Neuron updates over the whole run; at most so many were of neurons that a message reached.
    messages : int64 array (cores,)
        Messages that each core sent to cores, one for each core that a message reaches.
    leaving : int64 array (cores,)
        Those of them that went to another core.
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
    leaving: np.ndarray
    hops: np.ndarray
    busiest_operations: np.ndarray
    busiest_core: np.ndarray
    busiest_link: np.ndarray
    busiest_chip_link: np.ndarray
    link_messages: np.ndarray
    chip_link_messages: np.ndarray
    routes: Routes


def core_activity(
    groups: tuple[Group, ...], mapping: CoreMapping, counters: Counters, sent: Sent
) -> CoreActivity:
    """Lay a run over a mapping.

    Parameters
    ----------
    groups : tuple of Group
    mapping : Mapping
        Of these groups.
    counters : Counters
        Of the run, with an entry for each group.
    sent : Sent
    """
    routes = routes_of(groups, mapping)
    shape = (sent.n_samples, sent.n_steps)
    total = np.zeros(mapping.n_cores, dtype=np.int64)
    links = np.zeros(len(routes.links), dtype=np.int64)
    chip_links = np.zeros(len(routes.chip_links), dtype=np.int64)
    firsts = np.cumsum([0, *(groups[sender].n_neurons for sender, _ in routes.channels)])
    counts = np.zeros(int(firsts[-1]), dtype=np.int64)
    busiest = np.zeros((4, *shape), dtype=np.int64)
    for chosen in sent.slices():
        messages = sent.of_samples(chosen)
        operations = core_operations(groups, mapping, messages)
        total += operations.sum(axis=(1, 2))
        busiest[0, chosen], busiest[1, chosen] = operations.max(axis=0), operations.argmax(axis=0)
        emitted = _by_neuron(routes, messages)
        counts += emitted.sum(axis=1, dtype=np.int64)
        for loads, busy, found in zip(
            (links, chip_links), busiest[2:], _on_links(routes, emitted), strict=True
        ):
            loads += found.sum(axis=1)
            busy[chosen] = found.max(axis=0, initial=0).reshape(busy[chosen].shape)
    sent_by, leaving, hops = _by_core(routes, counts, mapping.n_cores)
    active, updates = _updates(mapping, counters)
    return CoreActivity(
        synaptic_operations=total,
        active_updates=active,
        updates=updates,
        messages=sent_by,
        leaving=leaving,
        hops=hops,
        busiest_operations=busiest[0],
        busiest_core=busiest[1],
        busiest_link=busiest[2],
        busiest_chip_link=busiest[3],
        link_messages=links,
        chip_link_messages=chip_links,
        routes=routes,
    )


def busiest_operations(groups: tuple[Group, ...], mapping: CoreMapping, sent: Sent) -> np.ndarray:
    """Count what the busiest core does in each step: int64 array (samples, steps)."""
    parts = [
        core_operations(groups, mapping, sent.of_samples(chosen)).max(axis=0)
        for chosen in sent.slices()
    ]
    return np.concatenate(parts)


def core_operations(
    groups: tuple[Group, ...], mapping: CoreMapping, messages: Mapping[Channel, np.ndarray]
) -> np.ndarray:
    """Count synaptic operations of each core in each step.

    Parameters
    ----------
    groups : tuple of Group
    mapping : CoreMapping
        Of the same groups.
    messages : mapping of Channel to array (samples, neurons, steps)
        What each channel sends; 0 is no message.

    Returns
    -------
    int64 array (cores, samples, steps)
    """
    n_samples, _, n_steps = next(iter(messages.values())).shape
    total = np.zeros((mapping.n_cores, n_samples * n_steps), dtype=np.int64)
    for group, own in zip(groups, mapping.groups, strict=True):
        for bundle, axons in zip(group.bundles, own.axons, strict=True):
            emitted = messages[bundle.channel] != 0
            total[own.cores] += _delivered(bundle, axons, emitted, own.n_cores)
    return total.reshape(mapping.n_cores, n_samples, n_steps)


def _delivered(bundle: Bundle, axons: Axons, emitted: np.ndarray, n_cores: int) -> np.ndarray:
    """Synaptic operations of one bundle: int64 array (cores, samples x steps)."""
    n_samples, _, n_steps = emitted.shape
    total = np.zeros((n_cores, n_samples, n_steps))
    late = axons.delays if bundle.by_synapse else np.zeros_like(axons.delays)
    if not bundle.by_synapse:
        emitted = _shifted(emitted, bundle.delays)
    for delay in np.unique(late):
        chosen = late == delay
        wait = int(delay) + bundle.transit_steps
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


def _shifted(messages: np.ndarray, delays: np.ndarray) -> np.ndarray:
    """Messages moved later by the delay of each source; what would arrive after the end is gone."""
    if not delays.any():
        return messages
    shifted = np.zeros_like(messages)
    n_steps = messages.shape[2]
    for delay in np.unique(delays[delays < n_steps]).tolist():
        chosen = delays == delay
        shifted[:, chosen, delay:] = messages[:, chosen, : n_steps - delay]
    return shifted


def _by_neuron(routes: Routes, messages: Mapping[Channel, np.ndarray]) -> np.ndarray:
    """Messages of the routes' channels, one after the other: bool (neurons, samples x steps)."""
    n_samples, _, n_steps = next(iter(messages.values())).shape
    nothing = np.zeros((n_samples, 0, n_steps), dtype=bool)
    sent = [messages[channel] != 0 for channel in routes.channels]
    joined = np.concatenate([nothing, *sent], axis=1).transpose(1, 0, 2)
    return joined.reshape(joined.shape[0], n_samples * n_steps)


def _on_links(routes: Routes, emitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Messages on each link, and on each between chips: int64 arrays (links, samples x steps)."""
    pairs = np.zeros((routes.senders.size, emitted.shape[1]), dtype=np.int64)
    order = np.argsort(routes.pair_of, kind="stable")
    ends = np.searchsorted(routes.pair_of[order], np.arange(routes.senders.size + 1))
    for pair, (start, end) in enumerate(pairwise(ends)):
        pairs[pair] = emitted[routes.neurons[order[start:end]]].sum(axis=0, dtype=np.int64)
    found = []
    for n_links, rows, users in (
        (len(routes.links), routes.link_rows, routes.link_pairs),
        (len(routes.chip_links), routes.chip_rows, routes.chip_pairs),
    ):
        loads = np.zeros((n_links, pairs.shape[1]), dtype=np.int64)
        np.add.at(loads, rows, pairs[users])
        found.append(loads)
    return found[0], found[1]


def _by_core(
    routes: Routes, counts: np.ndarray, n_cores: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Messages of each sending core, those to another core, and hops: int64 arrays (cores,)."""
    emitted = counts[routes.neurons]
    sender = routes.senders[routes.pair_of]
    messages = np.zeros(n_cores, dtype=np.int64)
    leaving, hops = np.zeros_like(messages), np.zeros_like(messages)
    np.add.at(messages, sender, emitted)
    elsewhere = routes.receivers[routes.pair_of] != sender
    np.add.at(leaving, sender[elsewhere], emitted[elsewhere])
    np.add.at(hops, sender, emitted * routes.hops[routes.pair_of])
    return messages, leaving, hops


def _updates(mapping: CoreMapping, counters: Counters) -> tuple[np.ndarray, np.ndarray]:
    """Neuron updates of each core that may have been active, and all of them."""
    n_steps = counters.n_steps * counters.n_samples
    active, updates = np.zeros((2, mapping.n_cores), dtype=np.int64)
    for own, counted in zip(mapping.groups, counters.layers, strict=True):
        assignment = own.parts.assignment()
        # Messages that arrive in the same step make one update active, not several.
        # Neurons without synapses take the real-valued input, in every step.
        arrivals = counted.arrivals_per_neuron if own.axons else n_steps
        at_most = np.full(counted.n_neurons, np.minimum(arrivals, n_steps))
        active[own.cores] += np.bincount(assignment, at_most, own.n_cores).astype(np.int64)
        updates[own.cores] += np.bincount(assignment, minlength=own.n_cores) * n_steps
    return active, updates
