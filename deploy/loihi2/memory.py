"""Neuro cores that the processes of a lowered graph need: an estimate from published ceilings.

Synapses stand on the cores of their targets. A row of dense synapses takes whole 64-bit words, 8
bits per target and 6 more with delays, zeros included; sparse synapses also store which target is
meant. How the compiler packs them is not published: see the notes in the hardware profile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.deploy.lowered.graph import Node, StockGraph, Wire
from kipuka.hardware_profiles import HardwareProfile

WORD_BITS = 64
DELAY_BITS = fixed.DELAY_MAX.bit_length()


@dataclass(frozen=True)
class CoreLimits:
    """What fits on a core: neurons, axons that arrive, words of synapses; and cores on a chip."""

    neurons: int
    axons: int
    words: int
    cores: int

    @classmethod
    def of(cls, hardware: HardwareProfile) -> CoreLimits | None:
        """Limits to plan with; None if the profile lacks one."""
        limits = hardware.limits
        asked = (
            limits.neurons_per_core,
            limits.input_axons_per_core,
            limits.synaptic_words_per_core,
            limits.cores_per_chip,
        )
        found = [quantity.in_si().low or quantity.in_si().typical for quantity in asked]
        if any(value is None for value in found):
            return None
        return cls(*(int(value or 0) for value in found))


@dataclass(frozen=True)
class Placement:
    """Cores of one neuron process with the synapses that lead to it.

    Attributes
    ----------
    process : str
        Name of the node.
    neurons, axons, words : int
        On the fullest core.
    cores : int
        0 if not even a single neuron fits.
    """

    process: str
    neurons: int
    axons: int
    words: int
    cores: int


def place(graph: StockGraph, limits: CoreLimits) -> tuple[Placement, ...]:
    """Spread every process over as few cores as it fits on."""
    sizes = {node.name: node.size for node in graph.nodes}
    placed = []
    for node in graph.nodes:
        if node.kind != "source":
            arriving = [wire for wire in graph.wires if wire.target == node.name]
            placed.append(_place(node, arriving, sizes, limits))
    return tuple(placed)


def _place(
    node: Node, arriving: list[Wire], sizes: dict[str, int], limits: CoreLimits
) -> Placement:
    axons = sum(np.unique(wire.sources).size for wire in arriving)
    cores = -(-node.size // limits.neurons)
    while True:
        neurons = -(-node.size // cores)
        words = sum(_words(wire, sizes, node.size, neurons) for wire in arriving)
        if words <= limits.words and axons <= limits.axons:
            return Placement(node.name, neurons, axons, words, cores)
        if neurons == 1:
            return Placement(node.name, 1, axons, words, 0)
        # As the compiler does: halve until it fits.
        cores = min(2 * cores, node.size)


def _words(wire: Wire, sizes: dict[str, int], n_targets: int, neurons: int) -> int:
    n_sources = sizes[wire.source]
    kind = wire.process(n_sources, n_targets)
    weight_bits = fixed.WEIGHT_MAX.bit_length()
    if kind == "Sparse":
        bits = weight_bits + max(n_targets - 1, 1).bit_length()
        return -(-wire.weights.size * bits * neurons // (n_targets * WORD_BITS))
    bits = weight_bits + (DELAY_BITS if kind == "DelayDense" else 0)
    return int(np.unique(wire.sources).size) * -(-neurons * bits // WORD_BITS)
