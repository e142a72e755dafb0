"""Checks of single processes: each is a small function whose name heads its findings.

A finding names the process, port or parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.deploy.costs.mapping.abilities import lacking
from kipuka.deploy.loihi2.evidence import evidence_of
from kipuka.deploy.lowered.graph import LoweredGraph
from kipuka.deploy.lowered.groups import groups_of_graph
from kipuka.deploy.lowered.streaming import Stream
from kipuka.hardware_profiles import HardwareProfile

EXPONENT_MIN, EXPONENT_MAX = -8, 7
"""Weight exponents that 4 bits with a sign hold."""


@dataclass(frozen=True)
class Finding:
    """Something that a chip would refuse or get wrong.

    Attributes
    ----------
    check : str
        Name of the check.
    where : str
        Process, port or parameter.
    limit, value : str
    """

    check: str
    where: str
    limit: str
    value: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.value}; limit {self.limit}"


def processes(graph: LoweredGraph, host_input: bool = False) -> list[tuple[str, str]]:
    """Kind and name of every process on the chip, with what plays the input and the adapters."""
    sizes = {node.name: node.size for node in graph.nodes}
    found: list[tuple[str, str]] = [
        (node.kind, node.name) for node in graph.nodes if node.kind != "source"
    ]
    found += [(w.process(sizes[w.source], sizes[w.target]), w.name) for w in graph.wires]
    player = "PyToNxAdapter" if host_input else "CyclicBuffer"
    found += [(player, node.name) for node in graph.nodes if node.kind == "source"]
    return [*found, ("NxToPyAdapter", graph.layers[-1].spikes)]


def unsupported_process(stream: Stream, hardware: HardwareProfile) -> Iterator[Finding]:
    """Processes without public evidence of Loihi 2 support."""
    for kind, name in processes(stream.graph):
        evidence = evidence_of(kind)
        if not evidence.accepted:
            yield Finding(
                "unsupported process",
                f"{kind} ({name})",
                "strong or good public evidence of Loihi 2 support",
                f"{evidence.strength}: {evidence.source}",
            )


def arithmetic_of_the_chip(stream: Stream, hardware: HardwareProfile) -> Iterator[Finding]:
    """Processes that need what the chip does not have."""
    for group, ability in lacking(groups_of_graph(stream.graph, stream.numbers), hardware):
        yield Finding(
            "arithmetic of the chip",
            f"{group.kind} ({group.name})",
            f"{hardware.chip} has no {ability}",
            f"needs {ability}",
        )


def delay_over_the_limit(stream: Stream, hardware: HardwareProfile) -> Iterator[Finding]:
    """Delays in hardware steps."""
    limit = int(hardware.limits.delay_steps.in_si().typical or fixed.DELAY_MAX)
    for wire in stream.graph.wires:
        longest = int(wire.steps.max())
        if longest > limit:
            yield Finding(
                "delay over the limit",
                f"DelayDense ({wire.name}), parameter delays",
                f"{limit} steps",
                f"{longest} steps",
            )


def reset_interval_not_a_power_of_two(
    stream: Stream, hardware: HardwareProfile
) -> Iterator[Finding]:
    """Reset intervals, which hardware counts with a bit mask."""
    for node in stream.graph.nodes:
        interval = node.parameters.get("reset_interval")
        if interval is not None and int(interval) & (int(interval) - 1):
            yield Finding(
                "reset interval not a power of two",
                f"{node.kind} ({node.name}), parameter reset_interval",
                "a power of two",
                f"{interval} steps",
            )


def pause_too_short(stream: Stream, hardware: HardwareProfile) -> Iterator[Finding]:
    """The interval of samples against what is still under way."""
    if stream.interval < stream.needed:
        yield Finding(
            "pause too short",
            "interval between samples",
            f"at least {stream.needed} hardware steps",
            f"{stream.interval} steps",
        )


def weight_exponent_over_the_limit(stream: Stream, hardware: HardwareProfile) -> Iterator[Finding]:
    """Exponents of synapse processes."""
    for wire in stream.graph.wires:
        if not EXPONENT_MIN <= wire.exponent <= EXPONENT_MAX:
            yield Finding(
                "weight exponent over the limit",
                f"synapses ({wire.name}), parameter weight_exp",
                f"{EXPONENT_MIN} to {EXPONENT_MAX}",
                f"{wire.exponent}",
            )


def parameter_over_its_bits(stream: Stream, hardware: HardwareProfile) -> Iterator[Finding]:
    """Decays of ``LIF``, which have 12 bits without a sign."""
    for node in stream.graph.nodes:
        for key in ("du", "dv"):
            value = int(np.max(node.parameters.get(key, 0)))
            if not 0 <= value < fixed.UNITY:
                yield Finding(
                    "parameter over its bits",
                    f"{node.kind} ({node.name}), parameter {key}",
                    f"0 to {fixed.UNITY - 1}",
                    f"{value}",
                )
