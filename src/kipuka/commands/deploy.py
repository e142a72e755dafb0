"""``kipuka deploy``: dry run, then the stream in Lava on the CPU or on a board."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.options import (
    COUNT_MAX,
    MISMATCH,
    ClampDelays,
    Data,
    DataDir,
    Hardware,
    Inputs,
    Json,
    Net,
    write_numbers,
)
from kipuka.errors import choose

if TYPE_CHECKING:
    import numpy as np

    from kipuka.commands.tables.deployment import Checked
    from kipuka.convert.formats.net.file import GoldenVector
    from kipuka.convert.program import Program
    from kipuka.deploy.loihi2.board import BoardRun
    from kipuka.deploy.lowered.streaming import Stream

STREAMED_IN_NUMPY = 3
"""Samples of the dry run's stream, which check that nothing of one sample reaches the next."""


def deploy(
    net: Net,
    target: Annotated[
        str, typer.Option(help="lava-sim: Lava on this machine; loihi2: a board.")
    ] = "lava-sim",
    input_file: Inputs = None,
    data: Data = None,
    data_dir: DataDir = None,
    samples: Annotated[
        int | None, typer.Option(min=1, max=COUNT_MAX, help="Take only so many samples.")
    ] = None,
    hardware: Hardware = "loihi2",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check what can be checked here.")
    ] = False,
    interval: Annotated[
        int | None,
        typer.Option(min=1, help="Hardware steps between samples; a power of two for loihi2."),
    ] = None,
    host_input: Annotated[
        bool,
        typer.Option(
            "--host-input",
            help="Send input from this program step by step, not preloaded; milliseconds a step.",
        ),
    ] = False,
    slurm: Annotated[bool, typer.Option("--slurm", help="Ask SLURM for the board.")] = False,
    partition: Annotated[str | None, typer.Option(help="SLURM partition.")] = None,
    board: Annotated[str | None, typer.Option(help="SLURM board.")] = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Lower to Lava's own processes, check for Loihi 2, stream.

    Streams the file's golden vectors, or --input or --data, through Lava on the CPU or a board.
    """
    from kipuka.commands.inputs.samples import chosen_samples, open_network

    choose(TARGETS, target, "target", "option target")
    program = open_network(net, clamp_delays=clamp_delays)
    chosen = chosen_samples(net, program, input_file, data, data_dir, samples)
    outcome = deploy_file(
        net,
        program,
        target,
        None if chosen is None else chosen.values,
        hardware=hardware,
        interval=interval,
        dry_only=dry_run,
        host=Host(slurm, partition, board, host_input),
        json_file=json_file,
    )
    return 0 if outcome["agree"] else MISMATCH


@dataclasses.dataclass(frozen=True)
class Host:
    """How to reach a board.

    Attributes
    ----------
    slurm : bool
        Ask SLURM even without a partition or board.
    partition, board : str or None
    input : bool
        Whether input comes from a process on the host in each step; else it is preloaded.
    """

    slurm: bool = False
    partition: str | None = None
    board: str | None = None
    input: bool = False


def deploy_file(
    net: Path,
    program: Program,
    target: str,
    inputs: np.ndarray | None,
    *,
    hardware: str = "loihi2",
    interval: int | None = None,
    dry_only: bool = False,
    host: Host = Host(),
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Check, then stream samples, or a network file's golden vectors, through the target.

    Parameters
    ----------
    net : Path
    program : Program
    target : {"lava-sim", "loihi2"}
    inputs : array (samples, units, steps), or None for the golden vectors
    hardware : str
        Name or file of the hardware profile that is checked against.
    interval : int, optional
        Hardware steps between samples.
    dry_only : bool
        Stop after the dry run.
    host : Host
    json_file : Path, optional
        Receives what is returned.

    Returns
    -------
    dict
        What ``--json`` writes; ``agree`` says whether all is well.
    """
    from kipuka.commands.inputs.samples import golden_inputs
    from kipuka.commands.tables import deployment
    from kipuka.convert.formats.net.file import load_golden

    golden = load_golden(net) if inputs is None else ()
    inputs = golden_inputs(net) if inputs is None else inputs
    checked = _check(program, inputs, hardware, interval, host.input)
    agree = checked.stream_mismatches == 0 and (checked.outcome.passed or target == "lava-sim")
    facts = {"target": target, **deployment.dry_run_numbers(checked)}
    if dry_only or (target == "loihi2" and not agree):
        facts["agree"] = agree
        write_numbers(json_file, facts)
        deployment.print_dry_run(checked)
        return facts
    # Written before anything is shown; nothing agrees until the stream has run.
    write_numbers(json_file, {**facts, "agree": False})
    deployment.print_dry_run(checked)
    found, run = TARGETS[target](program, checked.stream, inputs, host)
    mismatches = int((found != checked.simulation.trace.layers[-1].spikes).sum())
    stale = _stale(program, golden, found)
    facts |= {"mismatches": mismatches, "golden_mismatches": stale}
    if run is not None:
        facts["measured"] = deployment.measured_numbers(run)
    facts["agree"] = agree and mismatches == 0 and stale == 0
    write_numbers(json_file, facts)
    deployment.print_streamed(target, found, mismatches, stale, len(golden), run)
    return facts


def _check(
    program: Program, inputs: np.ndarray, hardware: str, interval: int | None, host_input: bool
) -> Checked:
    """Everything about the deployment that needs neither Lava nor a board."""
    from kipuka.commands.tables.deployment import Checked
    from kipuka.convert.analysis.state_ranges import analyse_ranges
    from kipuka.deploy.loihi2 import dry_run
    from kipuka.deploy.lowered.comparison import compare_lowered
    from kipuka.deploy.lowered.streaming import plan_stream
    from kipuka.deploy.reference import simulate_reference
    from kipuka.hardware_profiles import load_profile

    simulation = simulate_reference(program, inputs)
    stream = plan_stream(program, inputs.shape[2], interval)
    chip = load_profile(hardware)
    return Checked(
        simulation=simulation,
        stream=stream,
        hardware=chip,
        outcome=dry_run(stream, chip, host_input=host_input),
        stream_mismatches=_streamed_mismatches(program, stream, inputs),
        lowered=compare_lowered(
            program, stream.graph, inputs[:STREAMED_IN_NUMPY], chip, placings=True
        ),
        ranges=analyse_ranges(program, inputs.shape[2]),
    )


def _streamed_mismatches(program: Program, stream: Stream, inputs: np.ndarray) -> int:
    from kipuka.deploy.lowered.interpreter import stream_lowered
    from kipuka.deploy.reference import simulate_reference
    from kipuka.deploy.verification import verify

    few = inputs[:STREAMED_IN_NUMPY]
    traces = {
        "reference": simulate_reference(program, few).trace,
        "stream": stream_lowered(stream.graph, few, stream.interval),
    }
    outcome = verify(program, traces)
    return outcome.spike_mismatches + outcome.state_mismatches


def _stale(program: Program, golden: tuple[GoldenVector, ...], found: np.ndarray) -> int:
    """Golden vectors whose output the streamed spikes do not give."""
    import numpy as np

    from kipuka.convert.trace import readout_input

    received = readout_input(program.readout, found)
    return sum(not np.array_equal(received[k], vector.output) for k, vector in enumerate(golden))


def _on_cpu(
    program: Program, stream: Stream, inputs: np.ndarray, host: Host
) -> tuple[np.ndarray, BoardRun | None]:
    from kipuka.commands.console import progress_bar
    from kipuka.deploy.lava.run import stream_lava

    with progress_bar("Lava, sample by sample", unit="parts") as advance:
        return stream_lava(program, inputs, advance, interval=stream.interval), None


def _on_board(
    program: Program, stream: Stream, inputs: np.ndarray, host: Host
) -> tuple[np.ndarray, BoardRun | None]:
    from kipuka.commands.console import progress_bar
    from kipuka.deploy.loihi2.board import Loihi2Board, public_api
    from kipuka.deploy.lowered.streaming import PARTS

    board = Loihi2Board(public_api(), host.input)
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
