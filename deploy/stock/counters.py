"""What a lowered network costs in messages, products and processes: the price of no microcode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.convert.program import Program
from kipuka.deploy.stock.graph import StockGraph
from kipuka.deploy.stock.interpreter import StockRun, run_stock
from kipuka.deploy.stock.lowering import lower


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
        Spikes with those of relays; graded messages without them, results of products included.
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


@dataclass(frozen=True)
class LoweredCounters:
    """Work of a lowered network.

    Attributes
    ----------
    period : int
        K, hardware steps in one algorithmic step.
    hardware_steps : int
        Of one sample.
    neuron_updates : float
        Per sample: every neuron of every process in every hardware step.
    layers : tuple of LoweredLayer
    """

    period: int
    hardware_steps: int
    neuron_updates: float
    layers: tuple[LoweredLayer, ...]


def count_lowered(program: Program, inputs: np.ndarray) -> LoweredCounters:
    """Lower a Program, run it on inputs (samples, units, steps) and count.

    Raises
    ------
    KipukaError
        If a layer has no exact lowering.
    """
    graph = lower(program, inputs.shape[2])
    run = run_stock(graph, inputs)
    steps = graph.hardware_steps(inputs.shape[2])
    updates = steps * sum(node.size for node in graph.nodes if node.kind != "source")
    layers = tuple(_layer(program, position, graph, run) for position in range(len(program.layers)))
    return LoweredCounters(graph.period, steps, float(updates), layers)


def _layer(program: Program, position: int, graph: StockGraph, run: StockRun) -> LoweredLayer:
    own = [node for node in graph.nodes if node.layer == position]
    names = {node.name for node in own}
    arriving = [wire for wire in graph.wires if wire.target in names]

    def sent(nodes: list[str]) -> float:
        return float(sum(run.messages[name].mean(axis=0).sum() for name in nodes))

    operations = sum(
        float(run.messages[wire.source].mean(axis=0)[wire.sources].sum()) for wire in arriving
    )
    neurons, synapses = graph.processes(position)
    return LoweredLayer(
        layer=program.numbers[position],
        neurons=program.layers[position].n_neurons,
        lowered_neurons=sum(node.size for node in own),
        neuron_processes=neurons,
        synapse_processes=synapses,
        spikes=sent([n.name for n in own if not n.graded]),
        graded_messages=sent([n.name for n in own if n.graded]),
        products=sent([n.name for n in own if n.kind == "ProdNeuron"]),
        synaptic_operations=operations,
    )
