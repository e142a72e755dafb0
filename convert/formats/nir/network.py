"""Layers of CUBA neurons in floats out of a NIR graph, stepped by forward Euler with a given step.

Equations of the nodes: the NIR paper (Pedersen et al., 2024, doi 10.1038/s41467-024-52259-9).
With a step dt, ``tau v' = v_leak - v + r I`` becomes
``v = v (1 - dt / tau) + (r dt / tau) I + v_leak dt / tau``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.float_network import FloatLayer, FloatNetwork, FloatProjection
from kipuka.convert.formats.nir.graph import Graph, Node
from kipuka.convert.formats.nir.operators import WINDOWS, Operator, applied
from kipuka.convert.formats.nir.presets import Preset
from kipuka.errors import KipukaError

NEURONS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI", "Threshold")
"""Nodes with a state, each a layer."""

BIASES = ("refuse", "steady")
RESETS = ("zero", "subtract")

SCALE_KEY, EXPONENT_KEY = "kipuka_scale", "kipuka_weight_exponent"
"""Metadata of a node that Kipuka wrote: weight units per unit of the membrane, and exponent."""

NODES_MAX, PATHS_MAX = 64, 256
"""Nodes without a state in a row, and paths through them: they double with every fork and join."""

WHOLE_STEP_NOISE = 1e-6
"""Share by which float noise in a file may make a time constant shorter than a step."""

GRID_TOLERANCE = 1e-3
"""Share of a step by which a delay may miss the grid of whole steps, for float noise in a file."""


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Attributes
    ----------
    dt_s : float
        Step in the unit of the file's time constants, seconds by NIR's definition.
    preset : Preset
    bias : {"refuse", "steady"}
        What becomes of a constant input to a neuron with a synaptic filter, which Lava's neuron
        adds behind the filter: refused, or its steady value.
    """

    dt_s: float
    preset: Preset
    bias: str


@dataclass(frozen=True, eq=False)
class Neuron:
    """A node with a state as the parameters of a CUBA neuron, float arrays (neurons,)."""

    gain: np.ndarray
    current_decay: np.ndarray
    voltage_decay: np.ndarray
    threshold: np.ndarray | None
    bias: np.ndarray


def float_network(graph: Graph, reading: Reading) -> FloatNetwork:
    """Turn a graph into layers.

    Raises
    ------
    KipukaError
        If the graph has more than one input or output, a node or a path that Kipuka does not have,
        or a parameter that would have to be dropped; it names the node.
    """
    (start,), (end,) = _ends(graph, "Input"), _ends(graph, "Output")
    if graph.senders[start.name]:
        found = ", ".join(graph.senders[start.name])
        raise _refused_graph(start.name, "an input to which nothing leads", f"edges from {found}")
    order = _in_order(graph)
    shape = _shape(start, start.whole("shape"))
    if len(shape) == 1 and _is_looked_at(graph, start.name):
        shape = (1, 1, *shape)
    shapes: dict[str, tuple[int, ...]] = {start.name: shape}
    layers: list[FloatLayer] = []
    for position, name in enumerate(order):
        # The layer's own shape is needed for what it sends to itself; it shows from what arrives.
        from_others = _paths(graph, name, shapes)
        if not from_others:
            raise _refused_graph(name, "an input or neurons before it", "nothing arrives")
        shapes[name] = from_others[0][1].shape
        arriving = _paths(graph, name, shapes)
        if any(np.prod(op.shape) != np.prod(shapes[name]) for _, op in arriving):
            raise _refused_graph(name, f"inputs of shape {shapes[name]}", "inputs of several sizes")
        layers.append(_layer(graph, name, position, order, start.name, arriving, reading))
    _check_senders(layers)
    leading = _paths(graph, end.name, shapes)
    if [name for name, _ in leading] != [order[-1]]:
        raise _refused_graph(end.name, "the last neurons alone lead to the output", "another path")
    out = leading[0][1]
    if out.linear is not None:
        raise _refused_graph(end.name, "neurons right before the output", "weights behind them")
    return FloatNetwork(shape, tuple(layers), _steps(out.delays_s, reading.dt_s, end.name))


def _check_senders(layers: list[FloatLayer]) -> None:
    """Refuse neurons without spikes that others listen to: they would send a membrane."""
    for position, layer in enumerate(layers):
        for sender in (position - one.source for one in layer.projections):
            if sender >= 0 and layers[sender].threshold is None:
                limit = "LI and CubaLI as the last layer, which is read by its membrane"
                raise _refused_graph(layers[sender].name, limit, f"node {layer.name} behind it")


def _is_looked_at(graph: Graph, name: str) -> bool:
    """Whether a convolution or a pool takes what a node sends, as an image that is."""
    return any(n.kind in WINDOWS and name in graph.senders[n.name] for n in graph.nodes.values())


def _ends(graph: Graph, kind: str) -> tuple[Node]:
    found = [n for n in graph.nodes.values() if n.kind == kind and "." not in n.name]
    if len(found) != 1:
        raise _refused_graph(kind.lower(), f"one node {kind}", f"{len(found)} nodes")
    return (found[0],)


def _shape(node: Node, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Shape without a batch axis of ones: (units,) or (channels, height, width)."""
    kept = sizes[-3:] if len(sizes) > 3 else sizes
    if any(n != 1 for n in sizes[: len(sizes) - len(kept)]) or not kept or min(kept) < 1:
        raise node.refused("shape", "units, or channels x height x width", sizes)
    if len(kept) == 2:
        kept = (kept[0], 1, kept[1]) if kept[0] > 1 else kept[1:]
    elif len(kept) == 3 and kept[:2] == (1, 1):
        kept = kept[2:]
    if float(np.prod(kept, dtype=float)) > fixed.NEURONS_MAX:
        raise node.refused("shape", f"up to {fixed.NEURONS_MAX} units", sizes)
    return kept


def _in_order(graph: Graph) -> list[str]:
    """Neurons so that each follows all that it hears of but itself."""
    heard = {
        n.name: _neurons_behind(graph, n.name) for n in graph.nodes.values() if n.kind in NEURONS
    }
    if not heard:
        kinds = ", ".join(sorted({n.kind for n in graph.nodes.values()}))
        raise _refused_graph("graph", f"at least one of {', '.join(NEURONS)}", f"nodes {kinds}")
    order: list[str] = []
    while len(order) < len(heard):
        ready = [n for n in heard if n not in order and heard[n] <= {*order, n}]
        if not ready:
            waiting = sorted(set(heard) - set(order))
            limit = "recurrence of a layer to itself"
            raise _refused_graph(waiting[0], limit, f"a circle through {', '.join(waiting[:4])}")
        order.append(ready[0])
    return order


def _neurons_behind(graph: Graph, name: str) -> set[str]:
    found: set[str] = set()
    open_names, seen = list(graph.senders[name]), set()
    while open_names:
        one = open_names.pop()
        if one in seen:
            continue
        seen.add(one)
        if graph.nodes[one].kind in NEURONS:
            found.add(one)
        else:
            open_names += graph.senders[one]
    return found


def _paths(
    graph: Graph, name: str, shapes: dict[str, tuple[int, ...]]
) -> list[tuple[str, Operator]]:
    """What each sender reaches a node by; senders whose shape is not known yet are left out."""
    found: list[tuple[str, Operator]] = []
    for sender in graph.senders[name]:
        found += _from(graph, sender, shapes, ())
    return found


def _from(
    graph: Graph,
    name: str,
    shapes: dict[str, tuple[int, ...]],
    seen: tuple[str, ...],
) -> list[tuple[str, Operator]]:
    node = graph.nodes[name]
    if name in seen:
        raise _refused_graph(name, "neurons in every circle", "a circle without neurons")
    if not graph.senders[name] and node.kind not in NEURONS and name not in shapes:
        raise _refused_graph(name, "an input or neurons before it", "nothing arrives")
    if node.kind in NEURONS or not graph.senders[name]:
        return [(name, Operator.identity(shapes[name]))] if name in shapes else []
    if len(seen) == NODES_MAX:
        raise _refused_graph(name, f"{NODES_MAX} nodes between neurons", "more")
    before: list[tuple[str, Operator]] = []
    for sender in graph.senders[name]:
        before += _from(graph, sender, shapes, (*seen, name))
        if len(before) > PATHS_MAX:
            raise _refused_graph(name, f"{PATHS_MAX} paths from neurons", "more")
    return [(source, applied(node, operator)) for source, operator in before]


def _layer(
    graph: Graph,
    name: str,
    position: int,
    order: list[str],
    start: str,
    arriving: list[tuple[str, Operator]],
    reading: Reading,
) -> FloatLayer:
    node = graph.nodes[name]
    shape = arriving[0][1].shape
    n = int(np.prod(shape))
    neuron = KINDS[node.kind](node, shape, reading)
    constant = np.sum([np.broadcast_to(op.bias, (n,)) for _, op in arriving], axis=0)
    filtered = "tau_syn" in node.values
    if filtered and np.any(constant) and reading.bias != "steady":
        raise KipukaError(
            "a bias before a synaptic filter is not a bias of Lava's neuron",
            where=f"node {name}",
            limit="no bias in the nodes before it",
            value=f"biases up to {np.abs(constant).max():g}",
            remedy="read the file with bias=steady (--bias steady) to take its steady value",
        )
    projections = []
    for source in dict.fromkeys(source for source, _ in arriving):
        sender = -1 if source == start else order.index(source)
        back = position - sender
        operator = _sum_of([op for s, op in arriving if s == source], name)
        delays = _steps(operator.delays_s, reading.dt_s, name)
        # A layer adds a step; what passes it by would arrive too early.
        delays = delays + max(back - 1, 0)
        linear = operator.matrix() if operator.linear is None else operator.linear
        projections.append(FloatProjection(linear, back, delays))
    # A current that settles is its input's gain over its decay.
    steady = constant * (neuron.gain / neuron.current_decay)
    return FloatLayer(
        name=name,
        shape=shape,
        projections=tuple(projections),
        gain=neuron.gain,
        current_decay=neuron.current_decay,
        voltage_decay=neuron.voltage_decay,
        threshold=neuron.threshold,
        bias=neuron.bias + steady,
        scale=_written(node, SCALE_KEY),
        weight_exponent=_written_exponent(node),
    )


def _written(node: Node, name: str) -> float | None:
    key = f"metadata/{name}"
    if key not in node.values:
        return None
    values = node.array(key).ravel()
    if values.size != 1 or values[0] < 0 or (values[0] == 0 and name == SCALE_KEY):
        raise node.refused(key, "one number above 0", values[:4].tolist())
    return float(values[0])


def _written_exponent(node: Node) -> int:
    found = _written(node, EXPONENT_KEY) or 0.0
    if found not in range(fixed.WEIGHT_EXPONENT_MAX + 1):
        limit = f"whole numbers from 0 to {fixed.WEIGHT_EXPONENT_MAX}"
        raise node.refused(f"metadata/{EXPONENT_KEY}", limit, found)
    return int(found)


def _sum_of(paths: list[Operator], name: str) -> Operator:
    """One operator for several paths from the same neurons."""
    first, *others = paths
    if any(not np.array_equal(op.delays_s, first.delays_s) for op in others):
        raise _refused_graph(name, "paths from the same neurons with the same delays", "others")
    if not others:
        return first
    return replace(first, linear=np.sum([op.matrix() for op in paths], axis=0))


def _steps(delays_s: np.ndarray, dt_s: float, name: str) -> np.ndarray:
    """Delays in whole steps, int64."""
    exact = delays_s / dt_s
    steps = np.round(exact)
    off = np.abs(exact - steps) > GRID_TOLERANCE
    wrong = off | (steps < 0) | (steps > fixed.DELAY_MAX)
    if np.any(wrong):
        bad = float(exact[wrong][0])
        nearest = min(max(round(bad), 0), fixed.DELAY_MAX)
        raise KipukaError(
            "a delay is not on the grid of steps",
            where=f"what arrives at node {name}",
            limit=f"whole steps of {dt_s:g} s, 0 to {fixed.DELAY_MAX}",
            value=f"{bad:g} steps",
            remedy=f"give the delay {nearest} steps, or choose another dt",
        )
    return steps.astype(np.int64)


def _no_reset_value(node: Node, shape: tuple[int, ...]) -> None:
    if "v_reset" in node.values and np.any(node.per_unit("v_reset", shape)):
        value = float(np.abs(node.array("v_reset")).max())
        raise node.refused("v_reset", "0, to which the neuron returns after a spike", value)


def _positive(node: Node, key: str, shape: tuple[int, ...]) -> np.ndarray:
    values = node.per_unit(key, shape)
    if np.any(values <= 0):
        raise node.refused(key, "more than 0", float(values.min()))
    return values


def _decay(node: Node, key: str, shape: tuple[int, ...], reading: Reading) -> np.ndarray:
    """``dt / tau``, the share that a step takes, or what an exponential loses in one."""
    share = reading.dt_s / _positive(node, key, shape)
    if reading.preset.exponential:
        return -np.expm1(-share)
    if np.any(share > 1 + WHOLE_STEP_NOISE):
        worst = float(share.max())
        limit = f"time constants of at least one step, {reading.dt_s:g} s"
        raise node.refused(key, limit, f"{1 / worst:g} steps")
    return np.minimum(share, 1.0)


def _integrator(node: Node, shape: tuple[int, ...], reading: Reading) -> Neuron:
    _no_reset_value(node, shape)
    per_step = node.kind in reading.preset.per_step
    gain = node.per_unit("r", shape) * (1.0 if per_step else reading.dt_s)
    threshold = _positive(node, "v_threshold", shape)
    nothing = np.zeros_like(gain)
    return Neuron(gain, np.ones_like(gain), nothing, threshold, nothing)


def _leaky(node: Node, shape: tuple[int, ...], reading: Reading) -> Neuron:
    _no_reset_value(node, shape)
    decay = _decay(node, "tau", shape, reading)
    bias = node.per_unit("v_leak", shape) * decay if "v_leak" in node.values else 0 * decay
    threshold = _positive(node, "v_threshold", shape) if node.kind == "LIF" else None
    gain = node.per_unit("r", shape) * decay
    return Neuron(gain, np.ones_like(gain), decay, threshold, bias)


def _current_based(node: Node, shape: tuple[int, ...], reading: Reading) -> Neuron:
    _no_reset_value(node, shape)
    synapse = _decay(node, "tau_syn", shape, reading)
    membrane = _decay(node, "tau_mem", shape, reading)
    weight = node.per_unit("w_in", shape) if "w_in" in node.values else 1.0
    jump = 1.0 if node.kind in reading.preset.per_step else synapse
    gain = weight * jump * node.per_unit("r", shape) * membrane
    bias = node.per_unit("v_leak", shape) * membrane if "v_leak" in node.values else 0 * membrane
    threshold = _positive(node, "v_threshold", shape) if node.kind == "CubaLIF" else None
    return Neuron(gain, synapse, membrane, threshold, bias)


def _threshold(node: Node, shape: tuple[int, ...], reading: Reading) -> Neuron:
    del reading
    threshold = _positive(node, "threshold", shape)
    ones = np.ones_like(threshold)
    return Neuron(ones, ones, ones, threshold, 0 * ones)


KINDS: dict[str, Callable[[Node, tuple[int, ...], Reading], Neuron]] = {
    "IF": _integrator,
    "LIF": _leaky,
    "LI": _leaky,
    "CubaLIF": _current_based,
    "CubaLI": _current_based,
    "Threshold": _threshold,
}


def _refused_graph(name: str, limit: str, value: str) -> KipukaError:
    return KipukaError(
        "the NIR graph has a form that Kipuka does not have",
        where=f"node {name}",
        limit=limit,
        value=value,
        remedy="export a network of layers, each fed by layers before it or by itself",
    )
