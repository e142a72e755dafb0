"""Arrivals per activation, reckoned after a run from how often each source spiked.

Counting them at each delivery would double its cost.
"""

from __future__ import annotations

from typing import Any

from kipuka.deploy.kernels import layout as at
from kipuka.deploy.kernels.convolution import scatter
from kipuka.deploy.kernels.currents import GATES, UPDATE_GATE
from kipuka.deploy.kernels.lanes import LANES, compiled, inlined


@compiled
def count_arrivals(
    network: Any, emitted: Any, pending: Any, messages: Any, kernels_there: Any, arrived: Any
) -> None:
    """Add every arrived spike, and graded message, to the activations that it reached.

    Parameters
    ----------
    network : Network
    emitted, pending, messages, arrived : int64 arrays
        As in `Workspace`.
    kernels_there : int8 array
        1 where the dense pool is not 0; it may be empty where there is no convolution.
    """
    for number in range(network.links.shape[0]):
        link = network.links[number]
        port = network.ports[link[at.PORT]]
        first = port[at.FIRST_ARRIVAL]
        if port[at.KIND] == at.PER_SYNAPSE:
            continue
        for source in range(link[at.SOURCES]):
            row = link[at.LINK_ROW] + source
            times = emitted[link[at.FIRST_SOURCE] + source] - pending[port[at.FIRST_ROW] + row]
            if times == 0:
                continue
            if port[at.KIND] == at.DENSE:
                weights = port[at.FIRST_WEIGHT] + row * port[at.PORT_BLOCKS] * LANES
                _count_row(
                    times, network.dense, weights, port[at.PORT_BLOCKS], port[at.STRIDE], arrived,
                    first,
                )  # fmt: skip
            elif port[at.KIND] == at.SPARSE:
                start = port[at.FIRST_START] + row
                for synapse in range(network.starts[start], network.starts[start + 1]):
                    if network.sparse[synapse]:
                        arrived[first + network.targets[synapse]] += times
            else:
                scatter(
                    source, times, network.geometry, port[at.FIRST_GEOMETRY], kernels_there,
                    port[at.FIRST_WEIGHT], arrived, first,
                )  # fmt: skip

    for number in range(network.layers.shape[0]):
        row = network.layers[number]
        if row[at.CURRENT]:
            current = network.currents[row[at.CURRENT] - 1]
            first = current[at.CURRENT_ARRIVAL]
            for source in range(row[at.NEURONS]):
                times = messages[row[at.FIRST_UNIT] + source]
                if current[at.CURRENT_KIND] == at.DENSE:
                    weights = current[at.CURRENT_WEIGHT] + source * row[at.BLOCKS] * LANES
                    _count_row(
                        times, network.dense, weights, row[at.BLOCKS], GATES * LANES, arrived,
                        first + UPDATE_GATE * LANES,
                    )  # fmt: skip
                else:
                    scatter(
                        source, times, network.geometry, current[at.COUNTING_GEOMETRY],
                        kernels_there, current[at.CURRENT_WEIGHT], arrived, first,
                    )  # fmt: skip


@inlined
def _count_row(
    times: Any, dense: Any, weights: Any, blocks: Any, stride: Any, arrived: Any, first: Any
) -> None:
    for block in range(blocks):
        for lane in range(LANES):
            there = dense[weights + block * LANES + lane] != 0
            arrived[first + block * stride + lane] += times if there else 0
