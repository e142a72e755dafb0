"""Everything about a deployment to Loihi 2 that can be checked without one.

Each check is a small function whose name heads its findings; a finding names the process, port or
parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.deploy.costs.mapping import core_limits
from kipuka.deploy.costs.mapping.abilities import lacking
from kipuka.deploy.loihi2.evidence import evidence_of
from kipuka.deploy.loihi2.placement import Placed, Placement, place
from kipuka.deploy.lowered.graph import GRADED_BITS, LoweredGraph, Node, Wire
from kipuka.deploy.lowered.groups import groups_of_graph
from kipuka.deploy.lowered.streaming import Stream
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import HardwareProfile

EXPONENT_MIN, EXPONENT_MAX = -8, 7
"""Weight exponents that 4 bits with a sign hold."""

PRODUCT_BITS = 32
"""Of a product before it is shifted, as in Lava's model of ``ProdNeuron``."""

PORT_BITS = 16
"""``precision`` of the activation port of Lava's ``LIF``; its current has 24 bits and 6 shifts."""


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


@dataclass(frozen=True)
class DryRun:
    """Outcome of all checks.

    Attributes
    ----------
    findings : tuple of Finding
        Empty if nothing is wrong.
    remarks : tuple of str
        What is right by the numbers but not certain.
    processes : tuple of (str, str, int)
        Kind, evidence and number of processes.
    placements : tuple of Placement
        Empty where nothing could be placed; a finding says why.
    chips : tuple of int
        Fewest chips, and as a splitter by halving needs them; 0 where nothing could be placed.
    interval, period : int
        Hardware steps of a sample in the stream, and of an algorithmic step.
    """

    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    processes: tuple[tuple[str, str, int], ...]
    placements: tuple[Placement, ...]
    chips: tuple[int, int]
    interval: int
    period: int

    @property
    def passed(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    @property
    def cores(self) -> int:
        """Neuro cores of all processes, the fewest."""
        return sum(placement.cores for placement in self.placements)

    @property
    def most_cores(self) -> int:
        """Neuro cores of all processes as a splitter by halving makes them."""
        return sum(placement.most_cores for placement in self.placements)


def dry_run(stream: Stream, hardware: HardwareProfile, *, host_input: bool = False) -> DryRun:
    """Check a lowered network against what is known of a chip.

    Parameters
    ----------
    stream : Stream
    hardware : HardwareProfile
    host_input : bool
        Whether a program on the host sends the input; else it is preloaded.

    Returns
    -------
    DryRun
    """
    graph = stream.graph
    findings = [finding for check in CHECKS for finding in check(stream, hardware)]
    placed = Placed((), (0, 0))
    if not any(finding.check in UNPLACEABLE for finding in findings):
        try:
            placed = place(stream, hardware)
        except KipukaError as error:
            findings.append(
                Finding("layer over a core's memory", error.where, error.limit, str(error.value))
            )
    remarks = [*_remarks(stream), *_crowded(placed.placements, hardware)]
    counts: dict[str, int] = {}
    for kind, _ in processes(graph, host_input):
        counts[kind] = counts.get(kind, 0) + 1
    table = tuple((kind, evidence_of(kind).strength, n) for kind, n in sorted(counts.items()))
    return DryRun(
        findings=tuple(findings),
        remarks=tuple(remarks),
        processes=table,
        placements=placed.placements,
        chips=placed.chips,
        interval=stream.interval,
        period=graph.period,
    )


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


def message_over_its_bits(stream: Stream, hardware: HardwareProfile) -> Iterator[Finding]:
    """Graded messages, sums at ports and products, at their worst."""
    for node in stream.graph.nodes:
        bits = _signed_bits(max(abs(node.low), abs(node.high)))
        if node.graded and bits > GRADED_BITS:
            yield _too_wide(node, "port s_out", GRADED_BITS, bits)
        sums = _port_sums(node, stream.graph)
        if node.kind in ("GradedVec", "ProdNeuron"):
            for port, reach in sums.items():
                if _signed_bits(reach) > GRADED_BITS:
                    yield _too_wide(node, f"port {port}", GRADED_BITS, _signed_bits(reach))
        if node.kind == "ProdNeuron":
            bits = _signed_bits(min(sums["a_in1"], 2 * fixed.GRU_STATE_LIMIT) * fixed.UNITY)
            if bits > PRODUCT_BITS:
                yield _too_wide(node, "product", PRODUCT_BITS, bits)


def _too_wide(node: Node, port: str, limit: int, bits: int) -> Finding:
    return Finding(
        "message over its bits",
        f"{node.kind} ({node.name}), {port}",
        f"{limit} bits",
        f"{bits} bits",
    )


def _signed_bits(magnitude: int) -> int:
    return magnitude.bit_length() + 1


def _port_sums(node: Node, graph: LoweredGraph) -> dict[str, int]:
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


CHECKS: tuple[Callable[[Stream, HardwareProfile], Iterator[Finding]], ...] = (
    unsupported_process,
    arithmetic_of_the_chip,
    delay_over_the_limit,
    reset_interval_not_a_power_of_two,
    pause_too_short,
    message_over_its_bits,
    weight_exponent_over_the_limit,
    parameter_over_its_bits,
)
"""Checks of single processes; the placement on cores follows them."""

UNPLACEABLE = ("arithmetic of the chip", "delay over the limit")
"""Checks whose findings leave nothing to be placed."""


def _crowded(placements: tuple[Placement, ...], hardware: HardwareProfile) -> Iterator[str]:
    """Remark on more cores than a chip has."""
    available = core_limits(hardware).cores_per_chip
    cores = sum(placement.cores for placement in placements)
    if available is not None and cores > available:
        largest = max(placements, key=lambda placement: placement.cores)
        yield (
            f"needs about {cores} cores, more than the {available} of a chip; most of them, "
            f"{largest.cores}, for {largest.process}"
        )


def _remarks(stream: Stream) -> Iterator[str]:
    graph = stream.graph
    good = sorted({kind for kind, _ in processes(graph) if evidence_of(kind).strength == "good"})
    if good:
        yield (
            f"{', '.join(good)}: public evidence is good but not strong "
            f"({evidence_of(good[0]).source}); a threshold of 0 and windows above it are ours"
        )
    for node in graph.nodes:
        if node.kind not in ("LIF", "LIFReset"):
            continue
        reach = max(_port_sums(node, graph).values(), default=0)
        if _signed_bits(reach) > PORT_BITS:
            yield (
                f"{node.kind} ({node.name}): the worst case of port a_in has {_signed_bits(reach)} "
                f"bits, Lava's port states {PORT_BITS}"
            )
        if int(np.max(node.parameters["vth"])) > fixed.THRESHOLD_MAX:
            yield f"{node.kind} ({node.name}): vth has more than 17 bits, so that it never spikes"
