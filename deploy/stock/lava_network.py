"""A lowered graph as real Lava processes, and its run, sample after sample, in one network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.process import GradedVec
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIF
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

from kipuka.convert import fixed
from kipuka.convert.trace import Trace
from kipuka.deploy.stock.graph import CONSTANT, INPUT, Node, StockGraph, Wire
from kipuka.deploy.stock.interpreter import played, read_trace

MESSAGE_BITS = 24
"""What Lava's ports for graded messages carry (``precision`` of ``GradedVec`` and others)."""

SPARSE_BELOW = 0.25
"""Share of nonzero weights under which synapses without delays become ``Sparse``."""


def neurons(node: Node) -> Any:
    """Build the neuron process of a node."""
    shape, values = (node.size,), dict(node.parameters)
    if node.kind == "LIF":
        return LIF(shape=shape, bias_exp=fixed.STATE_SHIFT, **values)
    if node.kind == "GradedVec":
        return GradedVec(shape=shape, **values)
    return ProdNeuron(shape=shape, **values)


def synapses(wire: Wire, n_sources: int, n_targets: int, graded: bool) -> Any:
    """Build the synapse process of a wire.

    Parameters
    ----------
    wire : Wire
    n_sources, n_targets : int
    graded : bool
        Whether the source sends numbers; otherwise every message counts as one spike.
    """
    shape = (n_targets, n_sources)
    # Left to itself Lava guesses the sign mode and would clip -256 in a purely inhibitory matrix.
    settings: dict[str, Any] = {
        "weight_exp": wire.exponent,
        "sign_mode": SignMode.MIXED,
        "num_message_bits": MESSAGE_BITS if graded else 0,
    }
    where = wire.targets, wire.sources
    if not np.any(wire.steps) and wire.weights.size < SPARSE_BELOW * n_targets * n_sources:
        return Sparse(weights=csr_matrix((wire.weights, where), shape=shape), **settings)
    weights = np.zeros(shape, dtype=np.int64)
    weights[where] = wire.weights
    if not np.any(wire.steps):
        return Dense(weights=weights, **settings)
    delays = np.zeros(shape, dtype=int)
    delays[where] = wire.steps
    return DelayDense(weights=weights, delays=delays, **settings)


class StockNetwork:
    """A built graph that stays resident: samples stream through it, with a reset in between.

    Parameters
    ----------
    graph : StockGraph
    inputs : array (samples, units, algorithmic steps)
    """

    def __init__(self, graph: StockGraph, inputs: np.ndarray) -> None:
        self.graph = graph
        self.n_samples, _, self.n_steps = inputs.shape
        self.steps = graph.hardware_steps(self.n_steps)
        sizes = {node.name: node for node in graph.nodes}
        self.neurons: dict[str, Any] = {}
        for name, values in played(graph, inputs, self.steps).items():
            data = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
            self.neurons[name] = Source(data=data.astype(np.int32))
        for node in graph.nodes:
            if node.kind != "source":
                self.neurons[node.name] = neurons(node)
        self.synapses = []
        for wire in graph.wires:
            source, target = sizes[wire.source], sizes[wire.target]
            process = synapses(wire, source.size, target.size, source.graded)
            self.neurons[wire.source].s_out.connect(process.s_in)
            process.a_out.connect(getattr(self.neurons[wire.target], wire.port))
            self.synapses.append(process)
        self.sinks = {}
        for name in {name for layer in graph.layers for name in layer.nodes}:
            self.sinks[name] = Sink(shape=(sizes[name].size,), buffer=self.n_samples * self.steps)
            self.neurons[name].s_out.connect(self.sinks[name].a_in)

    def run(self, done: Callable[[], None]) -> Trace:
        """Run all samples and stop the network; `done` is called after each algorithmic step."""
        variables = {
            reading.variable: np.zeros(
                (self.n_samples, reading.offset.size, self.steps), dtype=np.int32
            )
            for layer in self.graph.layers
            for reading in layer.states.values()
            if reading.variable
        }
        for sample in range(self.n_samples):
            self._advance(1)
            self._forget_warm_up()
            now = 1
            for stop in self._stops(variables):
                self._advance(stop + 1 - now)
                now = stop + 1
                for (name, variable), values in variables.items():
                    values[sample, :, stop] = getattr(self.neurons[name], variable).get()
                if stop % self.graph.period == 0 and stop // self.graph.period <= self.n_steps:
                    done()
            self._reset()
        received = {name: sink.data.get() for name, sink in self.sinks.items()}
        self.neurons[INPUT].stop()

        def sent(name: str) -> np.ndarray:
            shape = (-1, self.n_samples, self.steps)
            return received[name].reshape(shape).transpose(1, 0, 2).astype(np.int64)

        return read_trace(self.graph, self.n_steps, sent, variables.__getitem__)

    def _stops(self, variables: dict[tuple[str, str], np.ndarray]) -> list[int]:
        """Hardware steps after which to stop: to read variables, and once per algorithmic step."""
        phases = {self.graph.phases[name] for name, _ in variables} | {self.graph.period}
        stops = {
            step * self.graph.period + phase for step in range(self.n_steps) for phase in phases
        }
        return sorted(step for step in stops | {self.steps - 1} if 1 <= step < self.steps)

    def _advance(self, steps: int) -> None:
        if steps:
            config = Loihi2SimCfg(select_tag="fixed_pt")
            self.neurons[INPUT].run(condition=RunSteps(num_steps=steps), run_cfg=config)

    def _forget_warm_up(self) -> None:
        """Undo what biases did in the step in which the first input was still under way."""
        biased = [n for n in self.graph.nodes if np.any(n.parameters.get("bias_mant", 0))]
        if biased:
            self._clear_neurons()
            for wire, process in zip(self.graph.wires, self.synapses, strict=True):
                if wire.source not in (INPUT, CONSTANT):
                    _zero(process.a_buff)

    def _reset(self) -> None:
        self._clear_neurons()
        for process in self.synapses:
            _zero(process.a_buff)

    def _clear_neurons(self) -> None:
        for node in self.graph.nodes:
            if node.kind == "LIF":
                _zero(self.neurons[node.name].u)
                _zero(self.neurons[node.name].v)


def _zero(variable: Any) -> None:
    variable.set(np.zeros(variable.shape, dtype=np.int32))
