"""What `kipuka deploy` does: dry run, then the stream in Lava on the CPU or on a board."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kipuka.commands.console import STDOUT, print_table, progress_bar
from kipuka.commands.samples import samples_of
from kipuka.commands.tables.lowered_form import forms_numbers, print_forms
from kipuka.convert.analysis.state_ranges import RangeAnalysis, analyse_ranges
from kipuka.convert.formats.net.file import load_golden
from kipuka.convert.program import Program
from kipuka.convert.trace import readout_input
from kipuka.deploy.lava.run import stream_lava
from kipuka.deploy.loihi2 import DryRun, dry_run
from kipuka.deploy.loihi2.board import BoardRun, Loihi2Board, public_api
from kipuka.deploy.lowered.comparison import compare_forms
from kipuka.deploy.lowered.interpreter import stream_stock
from kipuka.deploy.lowered.streaming import PARTS, Stream, plan_stream
from kipuka.deploy.reference import Simulation, simulate_reference
from kipuka.deploy.report.numbers import si
from kipuka.deploy.verification import verify
from kipuka.errors import choose
from kipuka.hardware_profiles import load_profile

STREAMED_IN_NUMPY = 3
"""Samples of the dry run's stream, which check that nothing of one sample reaches the next."""


@dataclasses.dataclass(frozen=True)
class Host:
    """How to reach a board.

    Attributes
    ----------
    slurm : bool
        Ask SLURM even without a partition or board.
    partition, board : str or None
    """

    slurm: bool = False
    partition: str | None = None
    board: str | None = None


def deploy_file(
    net: Path,
    program: Program,
    target: str,
    input_file: Path | None,
    *,
    interval: int | None = None,
    dry_only: bool = False,
    host: Host = Host(),
) -> dict[str, Any]:
    """Check, then stream a network file's golden vectors or an input file through the target.

    Parameters
    ----------
    net : Path
    program : Program
    target : {"lava-sim", "loihi2"}
    input_file : Path or None
    interval : int, optional
        Hardware steps between samples.
    dry_only : bool
        Stop after the dry run.
    host : Host

    Returns
    -------
    dict
        What ``--json`` writes; ``agree`` says whether all is well.
    """
    stream_to = choose(TARGETS, target, "target", "option target")
    inputs = samples_of(net, program, input_file)
    simulation = simulate_reference(program, inputs)
    stream = plan_stream(program, inputs.shape[2], interval)
    hardware = load_profile("loihi2")
    outcome = dry_run(stream, hardware)
    streamed = _streamed_mismatches(program, stream, inputs)
    forms = compare_forms(program, stream.graph, inputs[:STREAMED_IN_NUMPY], hardware)
    _print_dry_run(stream, outcome, streamed)
    print_forms(forms, hardware.name)
    ranges = _print_ranges(analyse_ranges(program, inputs.shape[2]), simulation)
    facts = {
        "target": target,
        "period": stream.graph.period,
        "interval": stream.interval,
        "dry_run": {**dataclasses.asdict(outcome), "stream_mismatches": streamed},
        **forms_numbers(forms),
        "ranges": ranges,
    }
    agree = streamed == 0 and (outcome.passed or target == "lava-sim")
    if dry_only or (target == "loihi2" and not agree):
        return {**facts, "agree": agree}
    found, measured = stream_to(program, stream, inputs, host)
    mismatches = int((found != simulation.trace.layers[-1].spikes).sum())
    golden = load_golden(net) if input_file is None else ()
    received = readout_input(program.readout, found)
    stale = sum(not np.array_equal(received[k], vector.output) for k, vector in enumerate(golden))
    STDOUT.print(
        f"{len(inputs)} samples streamed through {target}: {mismatches} of {found.size:,} output "
        f"spikes differ from the reference, {stale} of {len(golden)} golden vectors"
    )
    facts |= {"mismatches": mismatches, "golden_mismatches": stale}
    if measured:
        facts["measured"] = _measured(measured)
    return {**facts, "agree": agree and mismatches == 0 and stale == 0}


def _on_cpu(
    program: Program, stream: Stream, inputs: np.ndarray, host: Host
) -> tuple[np.ndarray, BoardRun | None]:
    with progress_bar("Lava, sample by sample", unit="parts") as advance:
        return stream_lava(program, inputs, advance, interval=stream.interval), None


def _on_board(
    program: Program, stream: Stream, inputs: np.ndarray, host: Host
) -> tuple[np.ndarray, BoardRun | None]:
    board = Loihi2Board(public_api())
    if host.slurm or host.partition or host.board:
        board.connect(host.partition, host.board)
    parts = 0
    with progress_bar("Loihi 2, sample by sample", unit="parts") as advance:

        def done() -> None:
            nonlocal parts
            parts += 1
            advance(parts, max(parts, PARTS * len(inputs)))

        run = board.run(stream, inputs, done)
    return run.spikes, run


TARGETS = {"lava-sim": _on_cpu, "loihi2": _on_board}


def _streamed_mismatches(program: Program, stream: Stream, inputs: np.ndarray) -> int:
    few = inputs[:STREAMED_IN_NUMPY]
    traces = {
        "reference": simulate_reference(program, few).trace,
        "stream": stream_stock(stream.graph, few, stream.interval),
    }
    outcome = verify(program, traces)
    return outcome.spike_mismatches + outcome.state_mismatches


def _print_dry_run(stream: Stream, outcome: DryRun, streamed: int) -> None:
    STDOUT.print(
        f"lowered to stock processes: K = {stream.graph.period} hardware steps per algorithmic "
        f"step, a sample every {stream.interval} hardware steps"
    )
    kinds = [list(row) for row in outcome.processes]
    print_table("processes on the chip", ["process", "evidence", "number"], kinds)
    cores = [[p.process, p.neurons, p.axons, p.words, p.cores] for p in outcome.placements]
    columns = ["process", "neurons\non a core", "axons", "words", "cores"]
    print_table(f"neuro cores, an estimate: {outcome.cores}", columns, cores)
    for remark in outcome.remarks:
        STDOUT.print(f"remark: {remark}")
    for finding in outcome.findings:
        STDOUT.print(f"would not run on the chip: {finding}")
    if streamed:
        STDOUT.print(
            f"would not run right: {streamed} values differ in a stream of samples, because "
            "something of one sample reaches the next; give a longer --interval"
        )
    else:
        STDOUT.print("samples in a stream, in numpy: 0 values differ from the reference")


def _print_ranges(analysis: RangeAnalysis, simulation: Simulation) -> list[dict[str, Any]]:
    peaks = {layer.layer: layer.peaks for layer in simulation.counters.layers}
    numbers = [
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
        for state in analysis.states
    ]
    keys = ["layer", "variable", "limit", "proven_reach", "neuron", "seen", "safe"]
    title = f"range of states, runs of up to {analysis.n_steps} steps, in state units"
    print_table(
        title,
        ["layer", "state", "limit", "proven\nreach", "of neuron", "seen in\nthis data", "proven"],
        [[row[key] if key != "safe" else str(row[key]) for key in keys] for row in numbers],
    )
    return numbers


def _measured(run: BoardRun) -> dict[str, float]:
    STDOUT.print(
        f"measured on the board, per sample: {si(run.time_s, 's')}, total energy "
        f"{si(run.total_energy_j, 'J')}, of which dynamic {si(run.dynamic_energy_j, 'J')}"
    )
    return {
        "time_per_hardware_step_s": run.time_per_step_s,
        "time_s": run.time_s,
        "total_power_w": run.total_power_w,
        "static_power_w": run.static_power_w,
        "total_energy_j": run.total_energy_j,
        "dynamic_energy_j": run.dynamic_energy_j,
    }
