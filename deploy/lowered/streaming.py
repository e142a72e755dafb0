"""A lowered graph that samples stream through, one after the other, without anyone resetting it.

Samples start every so many hardware steps, a power of two as the chip wants it. Spiking GRU cells
empty themselves in the pause; ``LIF`` that keep a state become ``LIFReset``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kipuka.convert.operands import MAX_STEPS, whole_number
from kipuka.convert.program import Program
from kipuka.deploy.lowered.cells.cell import power_above
from kipuka.deploy.lowered.graph import LoweredGraph, Node
from kipuka.deploy.lowered.lowering import lower
from kipuka.deploy.lowered.schedule import MEMORYLESS
from kipuka.display import Shown
from kipuka.errors import KipukaError

LONGEST_PAUSE = 16
"""Times what a sample needs that an interval may be: whoever simulates the pause waits for it."""

PARTS = 16
"""Pieces in which a sample is streamed, so that whoever waits hears of it."""


@dataclass(frozen=True, eq=False)
class Stream(Shown):
    """A graph and the beat at which it takes samples.

    Attributes
    ----------
    graph : LoweredGraph
        With resets in its ``LIFReset`` processes.
    n_steps : int
        Algorithmic steps of a sample.
    interval : int
        Hardware steps from the start of one sample to that of the next.
    needed : int
        Hardware steps after which nothing of a sample matters or is under way any more, as far as
        the delays tell.
    numbers : tuple of int
        Numbers of the layers in the file.
    """

    graph: LoweredGraph
    n_steps: int
    interval: int
    needed: int
    numbers: tuple[int, ...]


def plan_stream(program: Program, n_steps: int, interval: int | None = None) -> Stream:
    """Lower a Program for a stream of samples.

    Parameters
    ----------
    program : Program
    n_steps : int
        Algorithmic steps of every sample.
    interval : int, optional
        Hardware steps between starts; by default the smallest power of two that suffices.

    Returns
    -------
    Stream

    Raises
    ------
    KipukaError
        If not even one sample fits the interval, or the pause is many times as long as a sample.
    """
    n_steps = whole_number(n_steps, 1, MAX_STEPS, "argument n_steps")
    if interval is not None:
        interval = whole_number(interval, 1, MAX_STEPS, "argument or option interval")
    graph = lower(program, n_steps)
    if interval is not None and interval < graph.hardware_steps(n_steps):
        raise KipukaError(
            "a sample takes longer than the interval",
            where="argument or option interval",
            limit=f"at least {graph.hardware_steps(n_steps)} hardware steps, and a pause",
            value=interval,
            remedy="give a longer interval, or leave it to Kipuka",
        )
    needed = graph.hardware_steps(n_steps + settling_steps(program))
    longest = LONGEST_PAUSE * power_above(needed)
    if interval is not None and interval > longest:
        raise KipukaError(
            "the pause between samples is too long",
            where="argument or option interval",
            limit=f"at most {longest} hardware steps, {LONGEST_PAUSE} times what a sample needs",
            value=interval,
            remedy="give a shorter interval, or leave it to Kipuka",
        )
    chosen = power_above(needed) if interval is None else interval
    nodes = tuple(_resetting(node, graph, chosen) for node in graph.nodes)
    return Stream(replace(graph, nodes=nodes), n_steps, chosen, needed, program.numbers)


def settling_steps(program: Program) -> int:
    """Algorithmic steps in which the last spikes of a sample reach the end of the network.

    CUBA neurons with a bias, a recurrence or a current that lasts can go on spiking for longer:
    run golden vectors through `stream_lowered` to see.
    """
    longest = [
        max((int(p.delays.max()) for p in layer.projections if p.delays.size), default=0)
        for layer in program.layers
    ]
    return sum(1 + delay for delay in longest)


def _resetting(node: Node, graph: LoweredGraph, interval: int) -> Node:
    """``LIFReset`` for a ``LIF`` that remembers anything, reset before a sample's first step."""
    parameters = node.parameters
    # In a layer of its own, without idle steps, even the little that these decays leave counts.
    inside = graph.period > 1 or "bias_mant" not in parameters
    forgets = inside and all(parameters.get(k) == v for k, v in MEMORYLESS.items())
    if node.kind != "LIF" or forgets:
        return node
    # Lava counts time from 1 and resets before the step in which the remainder is the offset.
    offset = (graph.phases[node.name] + 1) % interval
    resets = {"reset_interval": interval, "reset_offset": offset}
    return replace(node, kind="LIFReset", parameters={**parameters, **resets})
