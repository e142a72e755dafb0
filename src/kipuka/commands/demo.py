"""The whole way in one call: train, quantize, simulate, run in Lava, verify, cost, report."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kipuka.commands import backends
from kipuka.commands.console import STDOUT, print_table
from kipuka.commands.pipeline import print_verification
from kipuka.commands.profile import headline, profile_numbers
from kipuka.commands.tables.costs import print_profile
from kipuka.commands.training_runs import GOLDEN_VECTORS, NETWORK_FILE, train_with_progress
from kipuka.convert.analysis.state_ranges import with_verdict
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.convert.trace import accuracy
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.lowered.comparison import without_microcode
from kipuka.deploy.report.page import ReportContents, write_report
from kipuka.deploy.verification import verify
from kipuka.files import replacing
from kipuka.hardware_profiles import load_profile

SUMMARY_FILE, REPORT_FILE = "summary.json", "report.html"
HARDWARE = ("loihi2", "loihi1")


def demo(
    out: str | Path, seed: int = 0, epochs: int = 40, samples: int | None = None
) -> dict[str, Any]:
    """Run the whole pipeline on the embedded digits.

    Parameters
    ----------
    out : path-like
        Folder for run, network file, summary and report.
    seed, epochs : int
        Of training.
    samples : int, optional
        Use only so many samples of the test part, on which all backends are run and compared.

    Returns
    -------
    dict
        What ``summary.json`` holds.
    """
    from kipuka.train.datasets import load_dataset
    from kipuka.train.from_program.network import trace_blocks
    from kipuka.train.runs.config import make_config
    from kipuka.train.runs.trainer import program_of

    out = Path(out)
    seconds: dict[str, float] = {}
    with _timed(seconds, "train"):
        config = make_config({"seed": seed, "epochs": epochs}, "command line")
        result = train_with_progress(config, out)
    data = load_dataset(config.data)
    with _timed(seconds, "convert"):
        program = with_verdict(program_of(result.network, config), data.test.spikes.shape[-1])
        golden = golden_vectors(program, data.validation.spikes[:GOLDEN_VECTORS])
        save_net(out / NETWORK_FILE, program, golden)
        program = load_net(out / NETWORK_FILE)
    inputs = data.test.spikes[:samples]
    with _timed(seconds, "fast"):
        simulation = simulate(program, inputs)
    with _timed(seconds, "reference"):
        reference_trace = backends.reference(program, inputs)
    with _timed(seconds, "torch"):
        torch_trace = trace_blocks(result.network, inputs)
    with _timed(seconds, "lava"):
        lava_trace = backends.lava(program, inputs)
    traces = {
        "reference": reference_trace,
        "fast": simulation.trace,
        "torch": torch_trace,
        "lava": lava_trace,
    }
    verification = verify(program, traces)
    right = {
        name: accuracy(program, trace.layers[-1], data.test.labels[:samples])
        for name, trace in traces.items()
    }
    chips = [load_profile(name) for name in HARDWARE]
    profiles = [(profile(program, inputs, simulation, chip), chip) for chip in chips]
    priced = {chip.name: profile_numbers(cost, simulation) for cost, chip in profiles}
    contents = ReportContents(
        title=f"Kipuka demo: {config.network} on {config.data}",
        program=program,
        inputs=inputs,
        simulation=simulation,
        profiles=tuple(profiles),
        verification=verification,
        accuracy=right,
        delays_before=result.delays_before,
        seconds=seconds,
        forms=without_microcode(program, inputs, chips[0]),
    )
    with _timed(seconds, "report"):
        write_report(out / REPORT_FILE, contents)
    summary = {
        "accuracy": right,
        "verify": {
            "samples": verification.samples,
            "steps": verification.steps,
            "spike_mismatches": verification.spike_mismatches,
            "state_mismatches": verification.state_mismatches,
            "saturations": simulation.counters.saturations,
            "wraps": simulation.counters.wraps,
            "backends": list(verification.backends),
            "values_compared": verification.values_compared,
        },
        "profile": headline(priced),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }
    with replacing(out / SUMMARY_FILE) as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n")
    _print(summary, out)
    print_verification(verification)
    print_profile(profiles[0][0])
    return summary


def _print(summary: dict[str, Any], out: Path) -> None:
    rows = [[name, f"{value:.2%}"] for name, value in summary["accuracy"].items()]
    print_table("accuracy of the integer network on the test part", ["backend", "accuracy"], rows)
    STDOUT.print(f"results in {out}: {REPORT_FILE}, {SUMMARY_FILE}, {NETWORK_FILE}")


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
