"""How wide messages, sums at ports and products can get, against the bits that carry them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kipuka.convert import fixed
from kipuka.deploy.loihi2.checks import Finding
from kipuka.deploy.lowered.graph import GRADED_BITS, LoweredGraph, Node, Wire
from kipuka.deploy.lowered.streaming import Stream
from kipuka.hardware_profiles import HardwareProfile

PRODUCT_BITS = 32
"""Of a product before it is shifted, as in Lava's model of ``ProdNeuron``."""


def message_over_its_bits(stream: Stream, hardware: HardwareProfile) -> Iterator[Finding]:
    """Graded messages, sums at ports and products, at their worst."""
    for node in stream.graph.nodes:
        bits = signed_bits(max(abs(node.low), abs(node.high)))
        if node.graded and bits > GRADED_BITS:
            yield _too_wide(node, "port s_out", GRADED_BITS, bits)
        sums = port_sums(node, stream.graph)
        if node.kind in ("GradedVec", "ProdNeuron"):
            for port, reach in sums.items():
                if signed_bits(reach) > GRADED_BITS:
                    yield _too_wide(node, f"port {port}", GRADED_BITS, signed_bits(reach))
        if node.kind == "ProdNeuron":
            bits = signed_bits(min(sums["a_in1"], 2 * fixed.GRU_STATE_LIMIT) * fixed.UNITY)
            if bits > PRODUCT_BITS:
                yield _too_wide(node, "product", PRODUCT_BITS, bits)


def _too_wide(node: Node, port: str, limit: int, bits: int) -> Finding:
    return Finding(
        "message over its bits",
        f"{node.kind} ({node.name}), {port}",
        f"{limit} bits",
        f"{bits} bits",
    )


def signed_bits(magnitude: int) -> int:
    """Count the bits that a magnitude and its sign need."""
    return magnitude.bit_length() + 1


def port_sums(node: Node, graph: LoweredGraph) -> dict[str, int]:
    """Largest magnitude of any partial sum at each port, over all neurons."""
    sums: dict[str, np.ndarray] = {}
    for wire in graph.wires:
        if wire.target == node.name:
            before = sums.get(wire.port, np.zeros((2, node.size)))
            sums[wire.port] = before + _largest_sums(wire, node.size, graph)
    return {port: int(total.max()) for port, total in sums.items()}


def _largest_sums(wire: Wire, n_targets: int, graph: LoweredGraph) -> np.ndarray:
    """Largest magnitudes below and above 0 that a wire can bring, float64 (2, targets)."""
    ends = np.stack([wire.weights * end for end in _ends(wire, graph)])
    parts = np.maximum([-ends.min(axis=0), ends.max(axis=0)], 0)
    source = graph.node(wire.source)
    second = (wire.sources >= source.size // 2) & source.either_half
    halves = [
        [np.bincount(wire.targets, part * chosen, n_targets) for part in parts]
        for chosen in (second, ~second)
    ]
    return np.max(halves, axis=0) * 2.0**wire.exponent


def _ends(wire: Wire, graph: LoweredGraph) -> tuple[int, int] | tuple[np.ndarray, np.ndarray]:
    """Least and greatest message that each synapse can carry."""
    if wire.source in graph.payloads:
        sent = graph.payloads[wire.source][wire.sources]
        return np.zeros_like(sent), sent
    source = graph.node(wire.source)
    return source.low, source.high
