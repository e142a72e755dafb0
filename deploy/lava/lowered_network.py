"""A lowered graph as real Lava processes, and two ways of running sample after sample in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.process import GradedVec
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

from kipuka.convert import fixed
from kipuka.convert.trace import Trace
from kipuka.deploy.lowered.graph import CONSTANT, GRADED_BITS, INPUT, LoweredGraph, Node, Wire
from kipuka.deploy.lowered.interpreter import played, read_trace
from kipuka.deploy.lowered.streaming import PARTS, Stream


def neurons(node: Node) -> Any:
    """Build the neuron process of a node."""
    shape, values = (node.size,), dict(node.parameters)
    if node.kind == "LIF":
        return LIF(shape=shape, bias_exp=fixed.STATE_SHIFT, **values)
    if node.kind == "LIFReset":
        return LIFReset(shape=shape, bias_exp=fixed.STATE_SHIFT, **values)
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
        "num_message_bits": GRADED_BITS if graded else 0,
    }
    where = wire.targets, wire.sources
    kind = wire.process(n_sources, n_targets)
    if kind == "Sparse":
        return Sparse(weights=csr_matrix((wire.weights, where), shape=shape), **settings)
    weights = np.zeros(shape, dtype=np.int64)
    weights[where] = wire.weights
    if kind == "Dense":
        return Dense(weights=weights, **settings)
    delays = np.zeros(shape, dtype=int)
    delays[where] = wire.steps
    return DelayDense(weights=weights, delays=delays, **settings)


class Adapters(Protocol):
    """What stands between host and chip; on the CPU there is nothing."""

    def play(self, values: np.ndarray, message_bits: int) -> Any:
        """Return the port that sends int32 values (units, steps), step by step, into the chip."""

    def out_of_chip(self, outlet: Any, size: int, message_bits: int) -> Any:
        """Return the port that carries out of the chip what `outlet` sends."""


class OnCpu:
    """No adapters."""

    def play(self, values: np.ndarray, message_bits: int) -> Any:
        """Return the port of a source on the CPU."""
        return Source(data=values).s_out

    def out_of_chip(self, outlet: Any, size: int, message_bits: int) -> Any:
        """Return the port itself."""
        return outlet


class LoweredNetwork:
    """The processes of a graph, built and connected once.

    Parameters
    ----------
    graph : LoweredGraph
    sources : mapping of str to int array (units, hardware steps)
        What the sources play.
    heard : collection of str
        Nodes whose messages are kept.
    config : object
        Lava's run configuration.
    adapters : Adapters
    """

    def __init__(
        self,
        graph: LoweredGraph,
        sources: Mapping[str, np.ndarray],
        heard: Collection[str],
        config: Any,
        adapters: Adapters,
    ) -> None:
        self.graph, self.config = graph, config
        self.steps = sources[INPUT].shape[1]
        nodes = {node.name: node for node in graph.nodes}
        self.neurons = {n.name: neurons(n) for n in graph.nodes if n.kind != "source"}
        outlets = {name: process.s_out for name, process in self.neurons.items()}
        for name, values in sources.items():
            bits = GRADED_BITS if nodes[name].graded else 0
            outlets[name] = adapters.play(values.astype(np.int32), bits)
        self.synapses = []
        for wire in graph.wires:
            sender, target = nodes[wire.source], nodes[wire.target]
            process = synapses(wire, sender.size, target.size, sender.graded)
            outlets[wire.source].connect(process.s_in)
            process.a_out.connect(getattr(self.neurons[wire.target], wire.port))
            self.synapses.append(process)
        self.sinks = {}
        for name in heard:
            node = nodes[name]
            self.sinks[name] = Sink(shape=(node.size,), buffer=self.steps)
            bits = GRADED_BITS if node.graded else 0
            outlet = adapters.out_of_chip(outlets[name], node.size, bits)
            outlet.connect(self.sinks[name].a_in)
        self.main = next(iter(self.neurons.values()))

    def advance(self, steps: int) -> None:
        """Run so many hardware steps."""
        if steps:
            self.main.run(condition=RunSteps(num_steps=steps), run_cfg=self.config)

    def heard(self) -> dict[str, np.ndarray]:
        """Messages kept so far: by node, int64 (neurons, hardware steps)."""
        return {name: sink.data.get().astype(np.int64) for name, sink in self.sinks.items()}

    def stop(self) -> None:
        """End all processes."""
        self.main.stop()

    def reset(self, keep_sources: bool = False) -> None:
        """Set every state and everything under way to zero.

        Parameters
        ----------
        keep_sources : bool
            Except what the sources have just sent.
        """
        for node in self.graph.nodes:
            if node.kind == "LIF":
                _zero(self.neurons[node.name].u)
                _zero(self.neurons[node.name].v)
        for wire, process in zip(self.graph.wires, self.synapses, strict=True):
            if not (keep_sources and wire.source in (INPUT, CONSTANT)):
                _zero(process.a_buff)


def _zero(variable: Any) -> None:
    variable.set(np.zeros(variable.shape, dtype=np.int32))


def in_a_row(graph: LoweredGraph, inputs: np.ndarray, interval: int) -> dict[str, np.ndarray]:
    """What the sources play for all samples: by name, int64 (units, samples x interval)."""
    return {
        name: values.transpose(1, 0, 2).reshape(values.shape[1], -1)
        for name, values in played(graph, inputs, interval).items()
    }


def _simulation() -> Any:
    return Loihi2SimCfg(select_tag="fixed_pt")


def run_samples(graph: LoweredGraph, inputs: np.ndarray, done: Callable[[], None]) -> Trace:
    """Run samples on the CPU with a reset from outside in between, and read every state.

    Parameters
    ----------
    graph : LoweredGraph
    inputs : array (samples, units, algorithmic steps)
    done : callable
        Called after each algorithmic step.
    """
    n_samples, _, n_steps = inputs.shape
    steps = graph.hardware_steps(n_steps)
    heard = {name for layer in graph.layers for name in layer.nodes}
    sources = in_a_row(graph, inputs, steps)
    network = LoweredNetwork(graph, sources, heard, _simulation(), OnCpu())
    variables = {
        reading.variable: np.zeros((n_samples, reading.offset.size, steps), dtype=np.int64)
        for layer in graph.layers
        for reading in layer.states.values()
        if reading.variable
    }
    biased = any(np.any(node.parameters.get("bias_mant", 0)) for node in graph.nodes)
    stops = _stops(graph, n_steps, {graph.phases[name] for name, _ in variables})
    for sample in range(n_samples):
        network.advance(1)
        if biased:
            # Neurons already ran, on biases alone; only the sources have sent for real.
            network.reset(keep_sources=True)
        for before, stop in pairwise([0, *stops]):
            network.advance(stop - before)
            for (name, variable), values in variables.items():
                values[sample, :, stop] = getattr(network.neurons[name], variable).get()
            if stop % graph.period == 0 and stop // graph.period < n_steps:
                done()
        network.reset()
        done()
    sent = {name: _cut(values, n_samples) for name, values in network.heard().items()}
    network.stop()
    return read_trace(graph, n_steps, sent.__getitem__, variables.__getitem__)


def _stops(graph: LoweredGraph, n_steps: int, phases: set[int]) -> list[int]:
    """Hardware steps after which to stop: to read variables, and once per algorithmic step."""
    last = graph.hardware_steps(n_steps) - 1
    beats = {
        step * graph.period + phase for step in range(n_steps) for phase in phases | {graph.period}
    }
    return sorted(step for step in beats | {last} if 1 <= step <= last)


def _cut(values: np.ndarray, n_samples: int) -> np.ndarray:
    """Messages (neurons, steps) as (samples, neurons, steps of a sample)."""
    return values.reshape(values.shape[0], n_samples, -1).transpose(1, 0, 2)


def run_stream(
    stream: Stream,
    inputs: np.ndarray,
    done: Callable[[], None],
    config: Any = None,
    adapters: Adapters | None = None,
) -> np.ndarray:
    """Stream samples through the resident network and return the last layer's spikes.

    Parameters
    ----------
    stream : Stream
    inputs : array (samples, units, algorithmic steps)
    done : callable
        Called `PARTS` times for each sample.
    config, adapters
        Of a board; by default those of the CPU.

    Returns
    -------
    bool array (samples, neurons, algorithmic steps)
        Before the readout's delays; what comes after a sample's last step is masked.
    """
    graph, name = stream.graph, stream.graph.layers[-1].spikes
    sources = in_a_row(graph, inputs, stream.interval)
    network = LoweredNetwork(graph, sources, [name], config or _simulation(), adapters or OnCpu())
    for _ in inputs:
        for begin, end in pairwise(stream.interval * part // PARTS for part in range(PARTS + 1)):
            network.advance(end - begin)
            done()
    sent = _cut(network.heard()[name], len(inputs))
    network.stop()
    first = graph.phases[name]
    last = first + (stream.n_steps - 1) * graph.period
    return sent[..., first : last + 1 : graph.period] != 0
