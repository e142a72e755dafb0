"""Messages between cores, and over which links of the mesh they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.deploy.costs.mapping.demand import unique_axons
from kipuka.deploy.costs.mapping.groups import INPUT, Group
from kipuka.deploy.costs.mapping.mapping import Mapping

Link = tuple[int, int, int, int, int]
"""Chip, column and row where a link begins, column and row where it ends."""


@dataclass(frozen=True, eq=False)
class Routes:
    """Every pair of cores that exchange messages, and the way between them.

    Attributes
    ----------
    channels : tuple of (int, str)
        Who sends what: position of a group, and the kind of message.
    neurons : int64 array (axons,)
        Sending neuron, counted over all channels in their order.
    pair_of : int64 array (axons,)
        Pair of cores that the axon joins.
    senders, receivers : int64 array (pairs,)
        Cores.
    hops : int64 array (pairs,)
        Steps between routers; 0 within a router and between chips.
    links : tuple of Link
        Links that some route uses.
    link_rows, link_pairs : int64 array
        Each use of a link by a pair, as indices.
    chip_links : tuple of (int, int)
        Pairs of chips with messages from the first to the second.
    chip_rows, chip_pairs : int64 array
        Each use of such a link by a pair of cores, as indices.
    """

    channels: tuple[tuple[int, str], ...]
    neurons: np.ndarray
    pair_of: np.ndarray
    senders: np.ndarray
    receivers: np.ndarray
    hops: np.ndarray
    links: tuple[Link, ...]
    link_rows: np.ndarray
    link_pairs: np.ndarray
    chip_links: tuple[tuple[int, int], ...]
    chip_rows: np.ndarray
    chip_pairs: np.ndarray


def routes_of(groups: tuple[Group, ...], mapping: Mapping) -> Routes:
    """Find the routes of all messages; those of the input come from the host and are left out.

    A message goes once to each core that it reaches, along the columns first and then the rows
    (XY dimension order, [Timcheck26] sec. II-1).
    """
    channels = tuple(
        sorted({b.channel for group in groups for b in group.bundles if b.sender != INPUT})
    )
    firsts = np.cumsum([0, *(groups[sender].n_neurons for sender, _ in channels)])
    neurons, senders, receivers = [], [], []
    for group, own in zip(groups, mapping.groups, strict=True):
        pairs = list(zip(group.bundles, own.axons, strict=True))
        for channel in sorted({bundle.channel for bundle in group.bundles}):
            if channel[0] == INPUT:
                continue
            cores, sources = unique_axons([t for b, t in pairs if b.channel == channel])
            other = mapping.groups[channel[0]]
            neurons.append(firsts[channels.index(channel)] + sources)
            senders.append(other.first_core + other.parts.assignment()[sources])
            receivers.append(own.first_core + cores)
    empty = [np.zeros(0, dtype=np.int64)]
    joined = [np.concatenate(part or empty) for part in (neurons, senders, receivers)]
    keys, pair_of = np.unique(joined[1] * mapping.n_cores + joined[2], return_inverse=True)
    ends = np.divmod(keys, mapping.n_cores)
    return _routed(mapping, channels, joined[0], pair_of, *ends)


def _routed(
    mapping: Mapping,
    channels: tuple[tuple[int, str], ...],
    neurons: np.ndarray,
    pair_of: np.ndarray,
    senders: np.ndarray,
    receivers: np.ndarray,
) -> Routes:
    links: dict[Link, int] = {}
    chip_links: dict[tuple[int, int], int] = {}
    rows, pairs, chip_rows, chip_pairs = [], [], [], []
    hops = np.zeros(senders.size, dtype=np.int64)
    for pair, (a, b) in enumerate(zip(senders.tolist(), receivers.tolist(), strict=True)):
        from_chip, to_chip = int(mapping.chips[a]), int(mapping.chips[b])
        if from_chip != to_chip:
            chip_rows.append(chip_links.setdefault((from_chip, to_chip), len(chip_links)))
            chip_pairs.append(pair)
            continue
        for link in _way(from_chip, mapping.routers[a].tolist(), mapping.routers[b].tolist()):
            rows.append(links.setdefault(link, len(links)))
            pairs.append(pair)
            hops[pair] += 1
    indices = [np.array(x, dtype=np.int64) for x in (rows, pairs, chip_rows, chip_pairs)]
    return Routes(
        channels=channels,
        neurons=neurons,
        pair_of=pair_of,
        senders=senders,
        receivers=receivers,
        hops=hops,
        links=tuple(links),
        link_rows=indices[0],
        link_pairs=indices[1],
        chip_links=tuple(chip_links),
        chip_rows=indices[2],
        chip_pairs=indices[3],
    )


def _way(chip: int, start: list[int], end: list[int]) -> list[Link]:
    """Links from one router to another: first along the columns, then along the rows."""
    way: list[Link] = []
    x, y = start
    while (x, y) != (end[0], end[1]):
        to_x = x + (end[0] > x) - (end[0] < x)
        to_y = y + (end[1] > y) - (end[1] < y) if to_x == x else y
        way.append((chip, x, y, to_x, to_y))
        x, y = to_x, to_y
    return way
