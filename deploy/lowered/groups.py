"""A lowered graph as the costs see it: each process a group of neurons with its synapses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kipuka.convert.synapses import SparseSynapses
from kipuka.deploy.costs.core_activity import Channel, Sent
from kipuka.deploy.costs.mapping import Bundle, Group, with_receivers
from kipuka.deploy.costs.mapping.groups import INPUT as OUTSIDE
from kipuka.deploy.costs.mapping.groups import SPIKES
from kipuka.deploy.lowered.graph import GRADED_BITS, INPUT, LoweredGraph, Node, Wire
from kipuka.deploy.lowered.interpreter import LoweredRun

STATE_WORDS = 1
"""Of a neuron of any process, as the compiler counts those of ``LIF``: for others a guess."""

BUILT_IN = ("LIF", "LIFReset")
"""Processes that every generation of the chip has without microcode."""


def groups_of_graph(graph: LoweredGraph, numbers: tuple[int, ...]) -> tuple[Group, ...]:
    """Take every neuron process of a graph as a group, in the order of `lowered_counters`.

    Parameters
    ----------
    graph : LoweredGraph
    numbers : tuple of int
        Numbers of the layers in the file: `Program.numbers`.
    """
    processes = [node for node in graph.nodes if node.kind != "source"]
    positions = {node.name: k for k, node in enumerate(processes)}
    return with_receivers([_group(node, graph, numbers, positions) for node in processes])


def _group(
    node: Node, graph: LoweredGraph, numbers: tuple[int, ...], positions: Mapping[str, int]
) -> Group:
    return Group(
        name=node.name,
        layer=numbers[max(node.layer, 0)],
        kind=node.kind,
        shape=(node.size,),
        state_words=STATE_WORDS,
        programmable=node.kind not in BUILT_IN,
        bundles=tuple(
            _bundle(wire, graph, positions) for wire in graph.wires if wire.target == node.name
        ),
    )


def _bundle(wire: Wire, graph: LoweredGraph, positions: Mapping[str, int]) -> Bundle:
    source, target = graph.node(wire.source), graph.node(wire.target)
    order = np.lexsort((wire.targets, wire.sources))
    ends = np.searchsorted(wire.sources[order], np.arange(source.size + 1))
    synapses = SparseSynapses(
        weights=wire.weights[order].astype(np.int16),
        targets=wire.targets[order].astype(np.int32),
        offsets=ends.astype(np.int64),
        n_targets=target.size,
    )
    # Entries leave weights of 0 out.
    there = synapses.weights != 0
    return Bundle(
        sender=positions.get(wire.source, OUTSIDE),
        synapses=synapses,
        delays=wire.steps[order][there].astype(np.int64),
        by_synapse=True,
        keeps_zeros=wire.process(source.size, target.size) != "Sparse",
        message=SPIKES if wire.source in positions else wire.source,
        payload_bits=GRADED_BITS if source.graded else 0,
    )


def sent_in_run(graph: LoweredGraph, run: LoweredRun) -> Sent:
    """Say what every process sent in a run; sources send on channels of their own."""
    processes = [node.name for node in graph.nodes if node.kind != "source"]
    positions = {name: k for k, name in enumerate(processes)}
    n_samples, _, n_steps = run.active[INPUT].shape

    def of_samples(chosen: slice) -> Mapping[Channel, np.ndarray]:
        return {
            (positions.get(name, OUTSIDE), SPIKES if name in positions else name): values[chosen]
            for name, values in run.active.items()
        }

    return Sent(n_samples, n_steps, max(node.size for node in graph.nodes), of_samples)
