"""A lowered graph run in numpy, one hardware step after the other, message by message.

Short and literal, so that thousands of graphs can be checked; that it does what Lava's processes
do is itself checked against them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.cuba import CubaParameters, CubaState, cuba_step
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.deploy.lowered.graph import CLOSING, CONSTANT, INPUT, LoweredGraph, Node, Reading, Wire

Sums = dict[str, np.ndarray]
"""By port: what arrives, int64 (samples, neurons)."""


@dataclass(frozen=True, eq=False)
class LoweredRun:
    """What a lowered graph did.

    Attributes
    ----------
    trace : Trace
        In algorithmic steps, like that of every backend.
    active : mapping of str to bool array (samples, neurons, hardware steps)
        By node: whether it sent a spike or graded message.
    after_last_step : int64 array (layers,)
        Spikes of each layer that belong to no algorithmic step of the sample.
    """

    trace: Trace
    active: dict[str, np.ndarray]
    after_last_step: np.ndarray


def played(graph: LoweredGraph, inputs: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """What the sources send: by name, int64 (samples, units, hardware steps).

    Algorithmic steps are spaced by the graph's period; between them the sources are silent. After
    the last one only `CLOSING` sends, for as long as something may be under way.

    Parameters
    ----------
    graph : LoweredGraph
    inputs : array (samples, units, algorithmic steps)
    steps : int
        Hardware steps.
    """
    n_samples, _, n_steps = inputs.shape
    end, period = n_steps * graph.period, graph.period
    shapes = {INPUT: inputs.shape[1], **{name: p.size for name, p in graph.payloads.items()}}
    sent = {
        name: np.zeros((n_samples, units, steps), np.int64)
        for name, units in shapes.items()
        if units
    }
    sent[INPUT][..., :end:period] = inputs
    for name, during in (
        (CONSTANT, slice(0, end, period)),
        (CLOSING, slice(end, end + graph.closing_steps * period, period)),
    ):
        if name in sent:
            sent[name][..., during] = graph.payloads[name][:, None]
    return sent


def run_lowered(graph: LoweredGraph, inputs: np.ndarray, extra_steps: int = 0) -> LoweredRun:
    """Run a graph, every sample from rest.

    Parameters
    ----------
    graph : LoweredGraph
    inputs : array (samples, units, algorithmic steps)
        As `simulate_reference` takes them.
    extra_steps : int
        Algorithmic steps to go on for, without inputs and constants.

    Returns
    -------
    LoweredRun
    """
    n_steps = inputs.shape[2]
    sent = played(graph, inputs, graph.hardware_steps(n_steps + extra_steps))
    # What biases did before the first input arrived does not count.
    variables = _simulate(graph, sent, first=1)
    trace = read_trace(graph, n_steps, sent.__getitem__, variables.__getitem__)
    active = {name: values != 0 for name, values in sent.items()}
    after = [
        active[layer.spikes].sum() - traced.spikes.sum()
        for layer, traced in zip(graph.layers, trace.layers, strict=True)
    ]
    return LoweredRun(trace, active, np.array(after, dtype=np.int64))


def stream_lowered(graph: LoweredGraph, inputs: np.ndarray, interval: int) -> Trace:
    """Run samples one after the other without touching the graph: see `plan_stream`.

    Parameters
    ----------
    graph : LoweredGraph
        With resets of its own.
    inputs : array (samples, units, algorithmic steps)
    interval : int
        Hardware steps between the starts of samples.

    Returns
    -------
    Trace
    """
    n_samples, _, n_steps = inputs.shape
    sent = {
        name: values.transpose(1, 0, 2).reshape(1, values.shape[1], -1)
        for name, values in played(graph, inputs, interval).items()
    }
    variables = _simulate(graph, sent, first=0)

    def cut(values: np.ndarray) -> np.ndarray:
        return values[0].reshape(-1, n_samples, interval).transpose(1, 0, 2)

    return read_trace(graph, n_steps, lambda n: cut(sent[n]), lambda n: cut(variables[n]))


def _simulate(
    graph: LoweredGraph, sent: dict[str, np.ndarray], first: int
) -> dict[tuple[str, str], np.ndarray]:
    """Fill in what all nodes send after the sources, and return what variables were."""
    n_samples, _, steps = sent[INPUT].shape
    populations = {
        node.name: _Population(node, graph, n_samples)
        for node in graph.nodes
        if node.kind != "source"
    }
    for name, population in populations.items():
        sent[name] = np.zeros((n_samples, population.node.size, steps), dtype=np.int64)
    variables = {
        reading.variable: np.zeros((n_samples, reading.offset.size, steps), dtype=np.int64)
        for layer in graph.layers
        for reading in layer.states.values()
        if reading.variable
    }
    for step in range(first, steps):
        for name, population in populations.items():
            sent[name][..., step] = population.advance(sent, step)
        for (name, variable), values in variables.items():
            values[..., step] = getattr(populations[name].state, variable)
    return variables


def read_trace(
    graph: LoweredGraph,
    n_steps: int,
    sent: Callable[[str], np.ndarray],
    variable: Callable[[tuple[str, str]], np.ndarray],
) -> Trace:
    """Map hardware time back: spikes and states in algorithmic steps.

    Whatever a graph sends after the last algorithmic step is left out.

    Parameters
    ----------
    graph : LoweredGraph
    n_steps : int
        Algorithmic steps.
    sent, variable : callable
        Messages of a node, and values of a process variable by (node, name), as arrays
        (samples, neurons, hardware steps).
    """

    def at_phase(name: str, values: np.ndarray, before: int = 0) -> np.ndarray:
        """Values of each algorithmic step, or of so many steps before it."""
        first = graph.phases[name]
        found = values[..., first : first + (n_steps - 1) * graph.period + 1 : graph.period]
        if before:
            nothing = np.zeros_like(found[..., :before])
            found = np.concatenate([nothing, found[..., : max(n_steps - before, 0)]], axis=-1)
        return found

    def state(reading: Reading) -> np.ndarray:
        total = reading.offset[:, None]
        for term in reading.terms:
            sums = at_phase(term.node, sent(term.node)[:, term.neurons], term.steps)
            total = total + term.factor[:, None] * sums
        if reading.variable:
            total = total + at_phase(reading.variable[0], variable(reading.variable))
        return total.astype(np.int32)

    return Trace(
        tuple(
            LayerTrace(
                at_phase(layer.spikes, sent(layer.spikes)).astype(bool),
                {name: state(reading) for name, reading in layer.states.items()},
            )
            for layer in graph.layers
        )
    )


class _Population:
    """One node with what leads to it."""

    def __init__(self, node: Node, graph: LoweredGraph, n_samples: int) -> None:
        self.node = node
        sizes = {n.name: n.size for n in graph.nodes}
        self.inlets = [
            _Inlet(wire, sizes[wire.source], node.size)
            for wire in graph.wires
            if wire.target == node.name
        ]
        zero = np.zeros((n_samples, node.size), dtype=np.int64)
        self.zero, self.state = zero, CubaState(zero, zero)

    def advance(self, sent: dict[str, np.ndarray], step: int) -> np.ndarray:
        """Messages of this hardware step."""
        sums: Sums = {}
        for inlet in self.inlets:
            arriving = inlet.deliver(sent[inlet.wire.source], step)
            if arriving is not None:
                sums[inlet.wire.port] = sums.get(inlet.wire.port, self.zero) + arriving
        parameters = self.node.parameters
        if self.node.kind in ("LIF", "LIFReset"):
            interval = parameters.get("reset_interval")
            # Lava counts time from 1.
            if interval and (step + 1) % interval == parameters["reset_offset"]:
                self.state = CubaState(self.zero, self.zero)
            return self._fire(sums.get("a_in", self.zero))
        if self.node.kind == "GradedVec":
            value = sums.get("a_in", self.zero)
        else:
            factors = (sums.get(port, self.zero) for port in ("a_in1", "a_in2"))
            value = np.prod(np.stack(list(factors)), axis=0) >> parameters["exp"]
        return value * (np.abs(value) > parameters["vth"])

    def _fire(self, activation: np.ndarray) -> np.ndarray:
        own = self.node.parameters
        neuron = CubaParameters(
            own["du"] + 1,
            own["dv"],
            own["vth"],
            own.get("bias_mant", 0),
        )
        self.state, spikes, _ = cuba_step(neuron, self.state, activation)
        return np.asarray(spikes, dtype=np.int64)


class _Inlet:
    """A wire as matrices by delay, or as one matrix if only sources differ in their delays."""

    def __init__(self, wire: Wire, n_sources: int, n_targets: int) -> None:
        self.wire = wire
        delays = np.unique(wire.steps)
        self.axonal = _axonal_delays(wire, n_sources) if delays.size > 1 else None
        self.units = np.arange(n_sources)
        self.parts = []
        for delay in [0] if self.axonal is not None else delays:
            chosen = slice(None) if self.axonal is not None else wire.steps == delay
            matrix = np.zeros((n_sources, n_targets))
            where = wire.sources[chosen], wire.targets[chosen]
            np.add.at(matrix, where, wire.weights[chosen])
            self.parts.append((int(delay), matrix))

    def deliver(self, sent: np.ndarray, step: int) -> np.ndarray | None:
        """Activation that arrives in this hardware step, int64 (samples, targets), if any."""
        total = None
        for delay, matrix in self.parts:
            if self.axonal is not None:
                when = step - 1 - self.axonal
                messages = sent[:, self.units, np.maximum(when, 0)] * (when >= 0)
            elif step - 1 - delay >= 0:
                messages = sent[:, :, step - 1 - delay]
            else:
                continue
            if messages.any():
                part = messages @ matrix
                total = part if total is None else total + part
        if total is None:
            return None
        exact = total.astype(np.int64)
        exponent = self.wire.exponent
        return exact << exponent if exponent >= 0 else fixed.shift_floor(exact, -exponent)


def _axonal_delays(wire: Wire, n_sources: int) -> np.ndarray | None:
    """Delay of each source, if none has several."""
    delays = np.zeros(n_sources, dtype=np.int64)
    delays[wire.sources] = wire.steps
    return delays if np.array_equal(delays[wire.sources], wire.steps) else None
