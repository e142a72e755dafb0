"""``kipuka demo``, the whole way in one call: train, quantize, simulate, verify, cost, report."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.options import COUNT_MAX, MISMATCH, Json, write_numbers
from kipuka.commands.paths import FILLS, path_option
from kipuka.errors import KipukaError
from kipuka.names import NETWORK_FILE, REPORT_FILE
from kipuka.strangers import inside

if TYPE_CHECKING:
    import numpy as np
    import torch

    from kipuka.convert.decisions import Decisions
    from kipuka.convert.program import Program
    from kipuka.convert.trace import Trace
    from kipuka.deploy.costs.cost import Cost
    from kipuka.deploy.reference import Simulation
    from kipuka.deploy.verification import Verification
    from kipuka.hardware_profiles import HardwareProfile

SUMMARY_FILE = "summary.json"
HARDWARE = ("loihi2", "loihi1")

LAVA_SAMPLES = 16
"""Test samples that run in Lava unless more are asked for: each takes over a second there."""


def demo(
    out: Annotated[
        Path, path_option("--out", FILLS, metavar="DIR", help="Folder for all results.")
    ] = Path("kipuka-demo"),
    seed: Annotated[int, typer.Option(help="Seed of the training run.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the training part.")] = 40,
    samples: Annotated[
        int | None, typer.Option(min=1, max=COUNT_MAX, help="Use only so many test samples.")
    ] = None,
    lava_samples: Annotated[
        int,
        typer.Option(
            min=1,
            max=COUNT_MAX,
            help="Test samples that also run in Lava, over a second each; 240 are all.",
        ),
    ] = LAVA_SAMPLES,
    json_file: Json = None,
) -> int:
    """Train, verify and cost a small network; write a report.

    Trains on handwritten digits, quantizes, simulates, runs in Lava and compares every backend.
    """
    summary = run_demo(out, seed, epochs, samples, lava_samples, json_file)
    verified = summary["verify"]
    wrong = verified["spike_mismatches"] + verified["state_mismatches"]
    return MISMATCH if wrong else 0


@dataclass(frozen=True, eq=False)
class Compared:
    """A network that was run on every backend, and what that gave."""

    program: Program
    inputs: np.ndarray
    simulation: Simulation
    verification: Verification
    decisions: dict[str, Decisions]
    costs: tuple[tuple[Cost, HardwareProfile], ...]
    refused: tuple[tuple[HardwareProfile, str], ...]

    @property
    def accuracy(self) -> dict[str, float]:
        """Of the backends that ran all samples."""
        partly = self.verification.partly
        return {name: one.accuracy for name, one in self.decisions.items() if name not in partly}


def run_demo(
    out: Path,
    seed: int = 0,
    epochs: int = 40,
    samples: int | None = None,
    lava_samples: int = LAVA_SAMPLES,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Run the whole pipeline on the embedded digits.

    Parameters
    ----------
    out : Path
        Folder for run, network file, summary and report.
    seed, epochs : int
        Of training.
    samples : int, optional
        Use only so many samples of the test part, on which the backends are run and compared.
    lava_samples : int
        Samples of these that run in Lava too.
    json_file : Path, optional
        Receives the same as ``summary.json``.

    Returns
    -------
    dict
        What ``summary.json`` holds.
    """
    from kipuka.commands.console import print_line, print_next
    from kipuka.commands.tables.costs import print_profile
    from kipuka.commands.tables.verification import print_verification
    from kipuka.convert.formats.network import load_network
    from kipuka.deploy.lowered.comparison import without_microcode
    from kipuka.deploy.report.page import ReportContents, write_report
    from kipuka.files import replacing
    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.config import make_config
    from kipuka.train.runs.counting import counting_baseline
    from kipuka.train.runs.trainer import train

    config = make_config({"seed": seed, "epochs": epochs}, "command line")
    seconds: dict[str, float] = {}
    with _timed(seconds, "train", "training a spiking GRU on handwritten digits"):
        result = train(config, out)
    data = load_dataset(config.data)
    program = load_network(out / NETWORK_FILE)
    inputs, labels = data.test.spikes[:samples], data.test.labels[:samples]
    compared = _compared(program, result.network, inputs, labels, lava_samples, seconds)
    baseline = counting_baseline(data).test_accuracy if samples is None else None
    contents = ReportContents(
        title=f"Kipuka demo: {config.network} on {config.data}",
        program=program,
        inputs=inputs,
        simulation=compared.simulation,
        profiles=compared.costs,
        refused=tuple((chip.title, reason) for chip, reason in compared.refused),
        verification=compared.verification,
        accuracy=compared.accuracy,
        decisions=compared.decisions["fast"],
        delays_before=result.delays_before,
        seconds=seconds,
        lowered=without_microcode(program, inputs, compared.costs[0][1]),
        samples_from=f"test part of {config.data}",
    )
    with _timed(seconds, "report", "writing the report"):
        write_report(inside(out, REPORT_FILE), contents)
    summary = _summary(compared, baseline, seconds)
    with replacing(inside(out, SUMMARY_FILE)) as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n")
    write_numbers(json_file, summary)
    _print(compared, baseline, out)
    print_verification(compared.verification)
    print_profile(*compared.costs[0])
    for chip, reason in compared.refused:
        print_line(f"on {chip.title}: {reason}")
    print_line(f"report: {out / REPORT_FILE}, to be opened in a browser", wrap=False)
    print_next(["kipuka", "inspect", str(out / NETWORK_FILE)])
    return summary


def _compared(
    program: Program,
    network: torch.nn.ModuleList,
    inputs: np.ndarray,
    labels: np.ndarray,
    lava_samples: int,
    seconds: dict[str, float],
) -> Compared:
    """Run every backend, compare and price; `seconds` receives how long each takes."""
    from kipuka.commands import backends
    from kipuka.convert.decisions import Decisions
    from kipuka.deploy.costs.cost import profile
    from kipuka.deploy.fast.simulator import simulate
    from kipuka.deploy.verification import verify
    from kipuka.hardware_profiles import load_profile
    from kipuka.train.from_program.network import trace_blocks

    traces: dict[str, Trace] = {}
    n = len(inputs)
    with _timed(seconds, "fast", f"simulating {n} test samples, fast"):
        simulation = simulate(program, inputs)
    with _timed(seconds, "reference", f"simulating {n} test samples, reference"):
        traces["reference"] = backends.reference(program, inputs)
    traces["fast"] = simulation.trace
    with _timed(seconds, "torch", f"running {n} test samples through the training forward pass"):
        traces["torch"] = trace_blocks(network, inputs)
    part = inputs[:lava_samples]
    with _timed(seconds, "lava", f"running {len(part)} of {n} test samples as Lava processes"):
        traces["lava"] = backends.lava(program, part)
    priced, refused = [], []
    for chip in map(load_profile, HARDWARE):
        try:
            priced.append((profile(program, inputs, simulation, chip), chip))
        except KipukaError as error:
            refused.append((chip, f"{error.what}: {error.where}; {error.limit}"))
    return Compared(
        program=program,
        inputs=inputs,
        simulation=simulation,
        verification=verify(program, traces, {"lava": len(part)} if len(part) < n else None),
        decisions={
            name: Decisions.of(program, trace.layers[-1], labels[: len(trace.layers[-1].spikes)])
            for name, trace in traces.items()
        },
        costs=tuple(priced),
        refused=tuple(refused),
    )


def _summary(
    compared: Compared, baseline: float | None, seconds: dict[str, float]
) -> dict[str, Any]:
    from kipuka.commands.tables.costs import headline, profile_numbers

    verification, counters = compared.verification, compared.simulation.counters
    priced = {
        chip.name: profile_numbers(cost, compared.simulation) for cost, chip in compared.costs
    }
    refused = {chip.name: {"refused": reason} for chip, reason in compared.refused}
    return {
        "accuracy": compared.accuracy,
        "decisions": compared.decisions["fast"].numbers(),
        "counting_baseline": baseline,
        "verify": {
            "samples": verification.samples,
            "steps": verification.steps,
            "spike_mismatches": verification.spike_mismatches,
            "state_mismatches": verification.state_mismatches,
            "saturations": counters.saturations,
            "wraps": counters.wraps,
            "backends": list(verification.backends),
            "partly": dict(verification.partly),
            "values_compared": verification.values_compared,
        },
        "profile": {**headline(priced), **refused},
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }


def _print(compared: Compared, baseline: float | None, out: Path) -> None:
    from kipuka.commands.console import print_line, print_table
    from kipuka.commands.tables.accuracy import COLUMNS, accuracy_row, beside_text

    rows = [
        accuracy_row(name, one.accuracy, one.samples) for name, one in compared.decisions.items()
    ]
    print_table("accuracy of the integer network on the test part", COLUMNS, rows)
    print_line(beside_text(compared.decisions["fast"].chance, baseline))
    print_line(f"results in {out}: {REPORT_FILE}, {SUMMARY_FILE}, {NETWORK_FILE}")


@contextmanager
def _timed(seconds: dict[str, float], stage: str, text: str) -> Iterator[None]:
    """Say what is being done, and keep how long it took."""
    from kipuka.commands.console import print_stage

    print_stage(text)
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
