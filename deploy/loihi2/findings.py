"""Everything about a deployment to Loihi 2 that can be checked without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.operands import truth_value
from kipuka.deploy.costs.mapping import core_limits
from kipuka.deploy.loihi2.checks import (
    Finding,
    arithmetic_of_the_chip,
    delay_over_the_limit,
    parameter_over_its_bits,
    pause_too_short,
    processes,
    reset_interval_not_a_power_of_two,
    unsupported_process,
    weight_exponent_over_the_limit,
)
from kipuka.deploy.loihi2.evidence import evidence_of
from kipuka.deploy.loihi2.message_widths import message_over_its_bits, port_sums, signed_bits
from kipuka.deploy.loihi2.placement import Placed, Placement, place
from kipuka.deploy.lowered.streaming import Stream
from kipuka.errors import KipukaError, expect
from kipuka.hardware_profiles import HardwareProfile
from kipuka.hardware_profiles.schema import expect_profile

PORT_BITS = 16
"""``precision`` of the activation port of Lava's ``LIF``; its current has 24 bits and 6 shifts."""


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
    host_input : bool
        Whether a program on the host sends the input; else it is preloaded.
    """

    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    processes: tuple[tuple[str, str, int], ...]
    placements: tuple[Placement, ...]
    chips: tuple[int, int]
    interval: int
    period: int
    host_input: bool

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
    expect(stream, Stream, "argument stream", "kipuka.deploy.plan_stream makes it")
    expect_profile(hardware)
    host_input = truth_value(host_input, "argument host_input")
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
        host_input=host_input,
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
        reach = max(port_sums(node, graph).values(), default=0)
        if signed_bits(reach) > PORT_BITS:
            yield (
                f"{node.kind} ({node.name}): the worst case of port a_in has {signed_bits(reach)} "
                f"bits, Lava's port states {PORT_BITS}"
            )
        if int(np.max(node.parameters["vth"])) > fixed.THRESHOLD_MAX:
            yield f"{node.kind} ({node.name}): vth has more than 17 bits, so that it never spikes"
