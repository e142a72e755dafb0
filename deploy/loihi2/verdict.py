"""What a dry run comes to: room, time and energy of a sample, and what stays uncertain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kipuka.deploy.loihi2.evidence import evidence_of
from kipuka.deploy.loihi2.findings import DryRun
from kipuka.deploy.lowered.comparison import LoweredComparison, NotLowered
from kipuka.deploy.lowered.streaming import Stream
from kipuka.hardware_profiles import HardwareProfile, SiBounds


@dataclass(frozen=True)
class Verdict:
    """What can be said without a board.

    Attributes
    ----------
    would_run : bool
        Whether nothing that is published speaks against it.
    cores, chips : tuple of int
        The fewest, and what a splitter by halving takes; 0 where nothing could be placed.
    cores_per_chip : int or None
    time_s : SiBounds or None
        Of one sample with preloaded input; None where the lowered form has no price.
    host_step_s, host_time_s : SiBounds
        Published wall time of a step with input from a program on the host, and of a sample then.
    host_input : bool
        Whether input is to come from the host; else it is preloaded.
    dynamic_energy_j : SiBounds or None
        Of one sample.
    uncertain : tuple of str
    """

    would_run: bool
    cores: tuple[int, int]
    chips: tuple[int, int]
    cores_per_chip: int | None
    time_s: SiBounds | None
    host_step_s: SiBounds
    host_time_s: SiBounds
    host_input: bool
    dynamic_energy_j: SiBounds | None
    uncertain: tuple[str, ...]


def verdict_of(
    stream: Stream,
    outcome: DryRun,
    stream_mismatches: int,
    comparison: LoweredComparison | NotLowered,
    hardware: HardwareProfile,
) -> Verdict:
    """Sum up a dry run.

    Parameters
    ----------
    stream : Stream
    outcome : DryRun
    stream_mismatches : int
        Values that differ in a stream of samples.
    comparison : LoweredComparison or NotLowered
        Prices of the network.
    hardware : HardwareProfile
    """
    step = hardware.host_input.step_from_host.in_si()
    cores_per_chip = hardware.limits.cores_per_chip.in_si()
    available = cores_per_chip.low or cores_per_chip.typical
    priced, steps = None, stream.interval
    if isinstance(comparison, LoweredComparison):
        priced, steps = comparison.lowered, comparison.hardware_steps
    return Verdict(
        would_run=outcome.passed and not stream_mismatches,
        cores=(outcome.cores, outcome.most_cores),
        chips=outcome.chips,
        cores_per_chip=None if available is None else int(available),
        time_s=None if priced is None else priced.latency_s,
        host_step_s=step,
        host_input=outcome.host_input,
        host_time_s=SiBounds(*(None if s is None else s * steps for s in step), unit="s"),
        dynamic_energy_j=None if priced is None else priced.dynamic_energy_j,
        uncertain=tuple(_uncertain(stream, outcome)),
    )


def _uncertain(stream: Stream, outcome: DryRun) -> Iterator[str]:
    good = [kind for kind, strength, _ in outcome.processes if strength == "good"]
    if good:
        yield f"{', '.join(good)}: {evidence_of(good[0]).strength}, not strong, public evidence"
    if any(wire.process(1, 1) == "DelayDense" for wire in stream.graph.wires):
        yield "how much memory delays take: a guess"
    if any(node.kind == "source" and node.graded for node in stream.graph.nodes):
        yield "whether a buffer on the chip can send numbers as wide as the constants"
    yield "how the compiler cuts processes into cores"
    yield "time of reading synaptic memory and congestion, for which nothing is published"
