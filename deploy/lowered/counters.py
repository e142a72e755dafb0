"""What a lowered network costs in messages, products and processes: the price of no microcode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kipuka.convert.program import Program
from kipuka.deploy.counters import Counters, LayerCounters
from kipuka.deploy.lowered.graph import INPUT, LoweredGraph, Node, Wire
from kipuka.deploy.lowered.interpreter import LoweredRun


@dataclass(frozen=True)
class LoweredLayer:
    """One layer of a lowered network; counts are means per sample.

    Attributes
    ----------
    layer : int
        Number in the file.
    neurons, lowered_neurons : int
        Of the Program, and of the processes that stand for them.
    neuron_processes, synapse_processes : int
        They do not depend on the number of neurons.
    spikes, graded_messages, products : float
        Spikes with those of relays; graded messages, results of products included; and those alone.
    synaptic_operations : float
        Nonzero weights that messages reached.
    """

    layer: int
    neurons: int
    lowered_neurons: int
    neuron_processes: int
    synapse_processes: int
    spikes: float
    graded_messages: float
    products: float
    synaptic_operations: float


def lowered_counters(program: Program, graph: LoweredGraph, run: LoweredRun) -> Counters:
    """Count a run of a lowered graph as if every neuron process were a layer.

    What is counted goes into `kipuka.deploy.costs` like the counters of the Program itself: every
    message is a spike, a step is a hardware step, and each process has neuro cores of its own.
    Entries carry the number of the Program's layer. Saturations and peaks are the Program's.

    Parameters
    ----------
    program : Program
    graph : LoweredGraph
    run : LoweredRun

    Returns
    -------
    Counters
    """
    layers = tuple(
        _node_counters(program.numbers[max(node.layer, 0)], graph, node, run)
        for node in graph.nodes
        if node.kind != "source"
    )
    steps = run.active[INPUT].shape[2]
    return Counters(layers, run.active[INPUT].sum(axis=1, dtype=np.int64), steps)


def _node_counters(number: int, graph: LoweredGraph, node: Node, run: LoweredRun) -> LayerCounters:
    active = run.active[node.name]
    none = np.zeros(node.size, dtype=np.int64)
    graded = [wire for wire in _into(graph, [node]) if graph.node(wire.source).graded]
    return LayerCounters(
        layer=number,
        spikes=active.sum(axis=1, dtype=np.int64),
        spikes_per_neuron=active.sum(axis=(0, 2), dtype=np.int64),
        synaptic_operations=_operations(_into(graph, [node]), run),
        multiplications=int(_operations(graded, run).sum()),
        arrivals_per_neuron=_arrivals(graph, node, run),
        updates=active.size,
        saturations=none,
        wraps=none,
        peaks={},
    )


def _nodes(graph: LoweredGraph, position: int) -> list[Node]:
    return [node for node in graph.nodes if node.layer == position]


def _into(graph: LoweredGraph, nodes: Iterable[Node]) -> list[Wire]:
    names = {node.name for node in nodes}
    return [wire for wire in graph.wires if wire.target in names]


def _operations(wires: list[Wire], run: LoweredRun) -> np.ndarray:
    """Nonzero weights reached, int64 (samples, steps), in the step of arrival."""
    samples, _, steps = run.active[INPUT].shape
    total = np.zeros((samples, steps), dtype=np.int64)
    for wire in wires:
        active = run.active[wire.source]
        for delay in np.unique(wire.steps).tolist():
            fan_out = np.bincount(wire.sources[wire.steps == delay], minlength=active.shape[1])
            reached = np.einsum("sjt,j->st", active, fan_out)
            total[:, delay + 1 :] += reached[:, : max(steps - delay - 1, 0)]
    return total


def _arrivals(graph: LoweredGraph, node: Node, run: LoweredRun) -> np.ndarray:
    """Messages that were sent to each neuron over its synapses, int64 (neurons,)."""
    total = np.zeros(node.size, dtype=np.int64)
    for wire in _into(graph, [node]):
        counts = run.active[wire.source].sum(axis=(0, 2), dtype=np.int64)
        np.add.at(total, wire.targets, counts[wire.sources])
    return total


def summarise_lowered(
    program: Program, graph: LoweredGraph, run: LoweredRun
) -> tuple[LoweredLayer, ...]:
    """Sizes and work of each layer, per sample; parameters as in `lowered_counters`."""
    return tuple(_summary(program, position, graph, run) for position in range(len(program.layers)))


def _summary(program: Program, position: int, graph: LoweredGraph, run: LoweredRun) -> LoweredLayer:
    own = _nodes(graph, position)

    def per_sample(nodes: Iterable[Node]) -> float:
        counts = [run.active[node.name].sum(axis=(1, 2)).mean() for node in nodes]
        return float(sum(counts))

    neurons, synapses = graph.processes(position)
    return LoweredLayer(
        layer=program.numbers[position],
        neurons=program.layers[position].n_neurons,
        lowered_neurons=sum(node.size for node in own),
        neuron_processes=neurons,
        synapse_processes=synapses,
        spikes=per_sample(node for node in own if not node.graded),
        graded_messages=per_sample(node for node in own if node.graded),
        products=per_sample(node for node in own if node.kind == "ProdNeuron"),
        synaptic_operations=float(_operations(_into(graph, own), run).sum(axis=1).mean()),
    )
