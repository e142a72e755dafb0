"""Measure all simulators side by side in one run: ``python benchmarks/simulate.py --json FILE``.

Seconds are medians of warm runs without start-up; Lava runs once, on fewer steps where a whole
sample would take minutes, and is compared per step.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import resource
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import engines
import numpy as np
import peaks
from cases import Case, named_cases, scaling_cases
from engines import Measurement

from kipuka.deploy.counters import Counters
from kipuka.threads import available_cores


@dataclass(frozen=True)
class Record:
    """One line of the table; None where an engine or a figure does not apply.

    `fraction_of_peak` is the time that the machine's bare loops would take for the same synaptic
    operations and neuron updates, over the time that was taken, per core. Updates of layers at rest
    count, though the fast simulator passes them over: with silent inputs it can be above 1.
    """

    case: str
    engine: str
    cores: int
    samples: int
    steps: int
    seconds: float
    times_faster_than_lava: float | None
    synops_per_s: float
    updates_per_s: float
    fraction_of_peak: float
    identical: bool | None


@dataclass(frozen=True)
class Peak:
    """Bare loops on this machine, per second and core."""

    synops_per_s: float
    updates_per_s: dict[str, float]

    def __str__(self) -> str:
        updates = ", ".join(f"{_si(rate)} {m} updates/s" for m, rate in self.updates_per_s.items())
        return f"{_si(self.synops_per_s)} synaptic operations/s, {updates}"

    def seconds(self, case: Case, counters: Counters) -> float:
        """Time of the bare loops for what was counted."""
        total = 0.0
        for layer, counted in zip(case.program.layers, counters.layers, strict=True):
            total += float(counted.synaptic_operations.sum()) / self.synops_per_s
            total += counted.updates / self.updates_per_s[layer.model]
        return total


def measure(case: Case, peak: Peak, with_lava: bool) -> Iterator[Record]:
    """Run every engine that can run a case."""
    one, counters = engines.fast(case, 1)
    measured = [one]
    if available_cores() > 1:
        measured.append(engines.fast(case, 2)[0])
    if case.reference_samples:
        measured += [m for m in (engines.reference(case), engines.torch(case)) if m]
    lava = engines.lava(case) if with_lava and case.lava_steps else None
    if lava:
        measured.append(lava)
    others = [m for m in measured if m.engine != "fast"]
    for m in measured:
        against = others if m.engine == "fast" else [one]
        yield _record(case, m, lava, counters, one, peak, _identical(m, against))


def _record(
    case: Case,
    measured: Measurement,
    lava: Measurement | None,
    counters: Counters,
    one: Measurement,
    peak: Peak,
    identical: bool | None,
) -> Record:
    # Work per step, from the fast simulator's counters.
    share = measured.samples * measured.steps / (one.samples * one.steps)
    synops = sum(int(layer.synaptic_operations.sum()) for layer in counters.layers) * share
    updates = sum(layer.updates for layer in counters.layers) * share
    bare = peak.seconds(case, counters) * share
    return Record(
        case=case.name,
        engine=measured.engine,
        cores=measured.cores,
        samples=measured.samples,
        steps=measured.steps,
        seconds=measured.seconds,
        times_faster_than_lava=lava and lava.seconds_per_step / measured.seconds_per_step,
        synops_per_s=synops / measured.seconds,
        updates_per_s=updates / measured.seconds,
        fraction_of_peak=bare / measured.seconds / measured.cores,
        identical=identical,
    )


def _identical(measured: Measurement, others: list[Measurement]) -> bool | None:
    """Whether the last layer's spikes agree wherever both have run; None if no other has."""
    if not others:
        return None
    for other in others:
        samples = min(len(measured.spikes), len(other.spikes))
        steps = min(measured.steps, other.steps)
        a, b = (x.spikes[:samples, :, :steps] for x in (measured, other))
        if not np.array_equal(a, b):
            return False
    return True


def machine() -> str:
    """Name of the processor and the number of its cores in use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{name}, {available_cores()} cores"


COLUMNS = ("case", "engine", "cores", "samples x steps", "seconds", "times Lava")
COLUMNS += ("synaptic operations/s", "neuron updates/s", "of peak", "identical")


def show(records: list[Record]) -> None:
    """Print records as a table in Markdown."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(_cells(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


def _cells(r: Record) -> tuple[str, ...]:
    lava = r.times_faster_than_lava
    return (
        r.case,
        r.engine,
        str(r.cores),
        f"{r.samples:,} x {r.steps:,}",
        f"{r.seconds:.3g}",
        "" if lava is None else f"{lava:,.0f}" if lava >= 10 else f"{lava:.2g}",
        _si(r.synops_per_s),
        _si(r.updates_per_s),
        f"{r.fraction_of_peak:.2%}" if r.fraction_of_peak < 0.01 else f"{r.fraction_of_peak:.0%}",
        {True: "yes", False: "NO", None: "ran alone"}[r.identical],
    )


def _si(value: float) -> str:
    return f"{value / 1e9:.3g} G" if value >= 1e8 else f"{value / 1e6:.3g} M"


def main() -> None:
    """Measure, print and write what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the records")
    parser.add_argument("--case", help="only cases whose name contains this")
    parser.add_argument("--no-lava", action="store_true", help="leave Lava's minutes out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    peak = Peak(peaks.synaptic_operations_per_s(), peaks.updates_per_s())
    print(f"{machine()}; bare loops, per core: {peak}\n")  # noqa: T201
    records = []
    for cases in (named_cases(), scaling_cases()):
        part = []
        for case in cases:
            if options.case is None or options.case in case.name:
                part += measure(case, peak, not options.no_lava)
        show(part)
        print()  # noqa: T201
        records += part
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"most memory in use at any time: {used:.2f} GiB")  # noqa: T201
    if options.json:
        options.json.write_text(
            json.dumps([dataclasses.asdict(r) for r in records], indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
