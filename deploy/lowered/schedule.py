"""When each population works: the shortest period in which every message arrives in time.

A synapse process takes at least one hardware step, so with K hardware steps per algorithmic step
a wire over ``m`` algorithmic steps asks for ``phase[target] >= phase[source] + 1 - m K``. Around a
cycle of wires this gives ``K >= wires / algorithmic steps``; the period is the largest of these
ratios, rounded up, and phases are the earliest that satisfy all wires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from kipuka.convert import fixed
from kipuka.deploy.lowered.graph import Draft, LoweredGraph, Node, Wire

HOP_STEPS = fixed.DELAY_MAX + 1
"""Hardware steps that one synapse process can bridge, its own step included."""


def schedule(draft: Draft, least_period: int = 1) -> LoweredGraph:
    """Find the shortest period and the earliest phases, and give the wires their delays.

    Delays beyond what the hardware has go through relay neurons.

    Parameters
    ----------
    draft : Draft
    least_period : int
        K is not made shorter than this, whatever the ways around the cells allow.

    Returns
    -------
    LoweredGraph
    """
    period, phases = shortest_period(draft, least_period)
    wires = tuple(_timed(wire, period, phases) for wire in draft.wires)
    nodes, wires, relayed = _relayed(draft.nodes, wires)
    for name, (origin, stage) in relayed.items():
        phases[name] = phases[origin] + stage * HOP_STEPS
    return LoweredGraph(
        nodes, wires, draft.layers, draft.payloads, draft.closing_steps, period, phases
    )


def shortest_period(draft: Draft, least: int) -> tuple[int, dict[str, int]]:
    """Return the smallest K from `least` on that has a schedule, and its phases by node."""
    spans = [
        (wire.source, wire.target, int(wire.steps.min())) for wire in draft.wires if wire.steps.size
    ]
    period = least
    while True:
        phases = _phases(draft.nodes, spans, period)
        if phases is not None:
            return period, phases
        period += 1


def _phases(
    nodes: tuple[Node, ...], spans: list[tuple[str, str, int]], period: int
) -> dict[str, int] | None:
    """Earliest phases by relaxation; None if some cycle of wires takes longer than it may."""
    phases = {node.name: 0 if node.kind == "source" else 1 for node in nodes}
    for _ in range(len(nodes) + 1):
        late = False
        for source, target, steps in spans:
            earliest = phases[source] + 1 - steps * period
            if phases[target] < earliest:
                phases[target] = earliest
                late = True
        if not late:
            return phases
    return None


def _timed(wire: Wire, period: int, phases: dict[str, int]) -> Wire:
    distance = phases[wire.target] - phases[wire.source] - 1
    return replace(wire, steps=wire.steps * period + distance)


def _relayed(
    nodes: tuple[Node, ...], wires: tuple[Wire, ...]
) -> tuple[tuple[Node, ...], tuple[Wire, ...], dict[str, tuple[str, int]]]:
    """Split wires by the relay that their delay starts from; also the relays' origin and stage."""
    added: list[Node] = []
    timed: list[Wire] = []
    relayed: dict[str, tuple[str, int]] = {}
    for node in nodes:
        leaving = [wire for wire in wires if wire.source == node.name]
        before, held = node.name, np.arange(node.size)
        longest = max((int(w.steps.max()) for w in leaving if w.steps.size), default=0)
        for stage in range(longest // HOP_STEPS + 1):
            if stage:
                relay, wire, held = _relay(node, before, held, leaving, stage)
                added.append(relay)
                timed.append(wire)
                relayed[relay.name] = (node.name, stage)
                before = relay.name
            timed += _stage_of(leaving, before, held, stage)
    return (*nodes, *added), tuple(timed), relayed


def _relay(
    node: Node, before: str, held: np.ndarray, leaving: list[Wire], stage: int
) -> tuple[Node, Wire, np.ndarray]:
    """Relay neurons for those sources that still have a longer way, and the wire that feeds it."""
    needed = [wire.sources[wire.steps >= stage * HOP_STEPS] for wire in leaving]
    kept = np.unique(np.concatenate(needed))
    name = f"{node.name} relay {stage}"
    if node.graded:
        relay = Node(name, "GradedVec", kept.size, node.layer, {"vth": 0}, node.low, node.high)
    else:
        relay = Node(name, "LIF", kept.size, node.layer, {**MEMORYLESS, "vth": 0})
    wire = Wire(
        before,
        name,
        targets=np.arange(kept.size),
        sources=np.searchsorted(held, kept),
        weights=np.full(kept.size, 2),
        steps=np.full(kept.size, HOP_STEPS - 1),
        exponent=-1,
    )
    return relay, wire, kept


MEMORYLESS: Mapping[str, int] = MappingProxyType({"du": fixed.UNITY - 1, "dv": fixed.UNITY - 1})
"""Decays of a ``LIF`` that forgets, in 12 bits. Of a membrane `v` the next hardware step keeps
``v >> 12``, less than one weight unit below ``2**12`` of them, and the one after that nothing; the
idle step of a period of two never spikes, for what a silent membrane leaves is below itself."""


def _stage_of(leaving: list[Wire], source: str, held: np.ndarray, stage: int) -> list[Wire]:
    """Those synapses of wires whose delay starts from the relay of that stage."""
    split = []
    for wire in leaving:
        chosen = wire.steps // HOP_STEPS == stage
        if np.any(chosen):
            split.append(
                replace(
                    wire,
                    source=source,
                    targets=wire.targets[chosen],
                    sources=np.searchsorted(held, wire.sources[chosen]),
                    weights=wire.weights[chosen],
                    steps=wire.steps[chosen] - stage * HOP_STEPS,
                )
            )
    return split
