"""Tables and numbers of a deployment: dry run, reach of the states, what a board measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from kipuka.commands.console import print_line, print_table
from kipuka.commands.tables.lowered_form import lowered_numbers, print_lowered
from kipuka.convert.analysis.state_ranges import RangeAnalysis
from kipuka.deploy.loihi2 import DryRun
from kipuka.deploy.loihi2.board import BoardRun
from kipuka.deploy.loihi2.verdict import Verdict, verdict_of
from kipuka.deploy.lowered.comparison import LoweredComparison, NotLowered
from kipuka.deploy.lowered.streaming import Stream
from kipuka.deploy.reference import Simulation
from kipuka.display import counted
from kipuka.hardware_profiles import HardwareProfile
from kipuka.hardware_profiles.numbers import bounds_text, si


@dataclasses.dataclass(frozen=True, eq=False)
class Checked:
    """What the dry run found.

    Attributes
    ----------
    simulation : Simulation
        Of the reference, on all samples.
    stream : Stream
    hardware : HardwareProfile
    outcome : DryRun
    stream_mismatches : int
        Values that differ from the reference in a stream of a few samples, in numpy.
    lowered : LoweredComparison or NotLowered
    ranges : RangeAnalysis
    """

    simulation: Simulation
    stream: Stream
    hardware: HardwareProfile
    outcome: DryRun
    stream_mismatches: int
    lowered: LoweredComparison | NotLowered
    ranges: RangeAnalysis


def dry_run_numbers(checked: Checked) -> dict[str, Any]:
    """Return a dry run as plain values."""
    return {
        "period": checked.stream.graph.period,
        "interval": checked.stream.interval,
        "dry_run": {
            **dataclasses.asdict(checked.outcome),
            "stream_mismatches": checked.stream_mismatches,
        },
        **lowered_numbers(checked.lowered),
        "verdict": _verdict_numbers(verdict(checked)),
        "ranges": _ranges(checked),
    }


def verdict(checked: Checked) -> Verdict:
    """Sum up what was checked."""
    return verdict_of(
        checked.stream,
        checked.outcome,
        checked.stream_mismatches,
        checked.lowered,
        checked.hardware,
    )


def _verdict_numbers(found: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values, bounds by name."""
    bounds = ("time_s", "host_step_s", "host_time_s", "dynamic_energy_j")
    values = {name: getattr(found, name) for name in bounds}
    named = {name: None if one is None else one._asdict() for name, one in values.items()}
    return {**dataclasses.asdict(found), **named}


def print_dry_run(checked: Checked) -> None:
    """Print processes, cores, findings, both forms and the reach of the states."""
    stream, outcome = checked.stream, checked.outcome
    print_line(
        f"lowered to Lava's own processes: K = {stream.graph.period} hardware steps per "
        f"algorithmic step, a sample every {stream.interval} hardware steps"
    )
    kinds = [list(row) for row in outcome.processes]
    print_table("processes on the chip", ["process", "evidence", "number"], kinds)
    cores = [
        [p.process, p.neurons, p.axons, p.words, _span(p.cores, p.most_cores)]
        for p in outcome.placements
    ]
    columns = ["process", "neurons\non a core", "axons", "words", "cores"]
    total = _span(outcome.cores, outcome.most_cores)
    print_table(f"neuro cores, the fewest to a splitter by halving: {total}", columns, cores)
    for remark in outcome.remarks:
        print_line(f"remark: {remark}")
    for finding in outcome.findings:
        print_line(f"would not run on the chip: {finding}")
    if checked.stream_mismatches:
        print_line(
            f"would not run right: {checked.stream_mismatches} values differ in a stream of "
            "samples, because something of one sample reaches the next; give a longer --interval"
        )
    else:
        print_line("samples in a stream, in numpy: 0 values differ from the reference")
    print_lowered(checked.lowered, checked.hardware.name)
    _print_ranges(checked)
    _print_verdict(verdict(checked), checked.hardware.title)


def _span(low: int, high: int) -> str:
    """Both ends of a range as text, once if they are the same."""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _print_verdict(found: Verdict, chip: str) -> None:
    """Print what a person without a board can plan with."""
    if found.would_run:
        print_line(f"verdict: nothing that is published speaks against a run on {chip}")
    else:
        print_line(f"verdict: it would not run on {chip}; see above")
    if found.cores[1]:
        most = found.chips[1]
        of_each = "" if found.cores_per_chip is None else f", of {found.cores_per_chip} cores each"
        chips = f"{_span(*found.chips)} chip{'s' * (most > 1)}{of_each}"
        print_line(f"room: {_span(*found.cores)} cores on {chips}")
    if found.dynamic_energy_j is not None:
        print_line(f"dynamic energy of a sample: {bounds_text(found.dynamic_energy_j, 'J')}")
    for text in _times(found):
        print_line(text)
    for text in found.uncertain:
        print_line(f"not certain: {text}")


def _times(found: Verdict) -> Iterator[str]:
    """Time of a sample, first with the input that was asked for."""
    preloaded = None if found.time_s is None else bounds_text(found.time_s, "s")
    if found.host_step_s.typical is None:
        host = None
    else:
        host = (
            f"{bounds_text(found.host_time_s, 's')}, because a step then takes "
            f"{bounds_text(found.host_step_s, 's')} by published runs"
        )
    if found.host_input:
        if host is not None:
            yield f"time of a sample, input sent by this program: {host}"
        if preloaded is not None:
            yield f"without --host-input it is preloaded, and takes {preloaded}"
    else:
        if preloaded is not None:
            yield f"time of a sample, input preloaded on the chip: {preloaded}"
        if host is not None:
            yield f"warning: with input from a program on the host (--host-input) it is {host}"


def print_streamed(
    target: str,
    found: np.ndarray,
    mismatches: int,
    stale: int,
    n_golden: int,
    run: BoardRun | None,
) -> None:
    """Print what the target did with the samples, and what a board measured."""
    print_line(
        f"{counted(len(found), 'sample')} streamed through {target}: {mismatches} of "
        f"{found.size:,} output spikes differ from the reference, {stale} of "
        f"{counted(n_golden, 'golden vector')}"
    )
    if run is not None:
        print_line(
            f"measured on the board, per sample: {si(run.time_s, 's')}, total energy "
            f"{si(run.total_energy_j, 'J')}, of which dynamic {si(run.dynamic_energy_j, 'J')}"
        )


def measured_numbers(run: BoardRun) -> dict[str, float]:
    """Return what a board measured as plain values."""
    return {
        "time_per_hardware_step_s": run.time_per_step_s,
        "time_s": run.time_s,
        "total_power_w": run.total_power_w,
        "static_power_w": run.static_power_w,
        "total_energy_j": run.total_energy_j,
        "dynamic_energy_j": run.dynamic_energy_j,
    }


def _ranges(checked: Checked) -> list[dict[str, Any]]:
    peaks = {layer.layer: layer.peaks for layer in checked.simulation.counters.layers}
    return [
        {
            "layer": state.layer,
            "variable": state.variable,
            "limit": state.limit,
            "proven_reach": int(state.reach.max()),
            "neuron": state.neuron,
            "seen": peaks[state.layer][state.variable],
            "safe": state.safe,
            "verdict": state.verdict,
        }
        for state in checked.ranges.states
    ]


def _print_ranges(checked: Checked) -> None:
    keys = ["layer", "variable", "limit", "proven_reach", "neuron", "seen", "safe"]
    print_table(
        f"range of states, runs of up to {checked.ranges.n_steps} steps, in state units",
        [
            "layer",
            "state",
            "limit",
            "proven\nreach",
            "of neuron",
            "seen in\nthis data",
            "never\nbeyond",
        ],
        [
            [row[key] if key != "safe" else ("yes" if row[key] else "no") for key in keys]
            for row in _ranges(checked)
        ],
    )
