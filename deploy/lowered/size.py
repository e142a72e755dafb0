"""How large a network is without microcode, and how fast: what can be said without running it."""

from __future__ import annotations

from dataclasses import dataclass

from kipuka.convert.program import Program
from kipuka.deploy.lowered.lowering import lower
from kipuka.errors import KipukaError

SYNAPSES_AT_MOST = 20_000_000
"""Nonzero synapses of a network that is lowered in reasonable time and memory."""


@dataclass(frozen=True)
class LoweredSize:
    """Hardware steps and neurons of a lowered network.

    Attributes
    ----------
    period : int or None
        K, hardware steps in an algorithmic step; None if the network is not lowered.
    neurons : tuple of (int, int, int)
        Of each layer, its number, its neurons and those that stand for them.
    reason : str or None
        Why the network is not lowered, in a line.
    """

    period: int | None
    neurons: tuple[tuple[int, int, int], ...]
    reason: str | None

    @property
    def text(self) -> str:
        """One sentence."""
        if self.period is None:
            return f"without microcode: not lowered, {self.reason}"
        sizes = ", ".join(
            f"{lowered / neurons:.3g} per neuron of layer {number}"
            for number, neurons, lowered in self.neurons
        )
        steps = "hardware step" if self.period == 1 else "hardware steps"
        return (
            f"without microcode: K = {self.period} {steps} in a step, neurons {sizes} (where "
            "Loihi 2 cannot be programmed with neurons of one's own: so many of the chip's steps "
            "for one of the network, and so many of Lava's own neurons for one)"
        )


def why_not_lowered(error: KipukaError) -> str:
    """Say in a line what was refused of a network, and what can be done about it."""
    return f"{error.what}: {error.where} ({error.value}); {error.remedy}"


def too_many_synapses(program: Program) -> str | None:
    """Say in a line that a network is too large to be lowered here, if it is."""
    synapses = sum(int(p.synapses.fan_out().sum()) for x in program.layers for p in x.projections)
    if synapses <= SYNAPSES_AT_MOST:
        return None
    return f"{synapses:,} synapses are more than the {SYNAPSES_AT_MOST:,} that are lowered here"


def lowered_size(program: Program, n_steps: int | None) -> LoweredSize:
    """Lower a network and count, or say why it cannot be lowered.

    Parameters
    ----------
    program : Program
    n_steps : int or None
        As in `lower`.

    Returns
    -------
    LoweredSize
    """
    reason = too_many_synapses(program)
    if reason is not None:
        return LoweredSize(None, (), reason)
    try:
        graph = lower(program, n_steps)
    except KipukaError as error:
        return LoweredSize(None, (), why_not_lowered(error))
    neurons = tuple(
        (number, layer.n_neurons, sum(node.size for node in graph.nodes if node.layer == position))
        for position, (number, layer) in enumerate(
            zip(program.numbers, program.layers, strict=True)
        )
    )
    return LoweredSize(graph.period, neurons, None)
