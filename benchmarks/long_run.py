"""Stream one sample for a long time and measure how much memory grows.

``nice python benchmarks/long_run.py --seconds 3600 --json FILE``; exit status 1 if memory grows
faster than the limit or a count is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cases
import numpy as np

from kipuka.convert.program import RECURRENT, Program
from kipuka.deploy.fast.simulator import COUNTERS, Events, simulate_each
from kipuka.deploy.reference import Simulation

PIECE_STEPS, PIECES = 1000, 16
"""Steps of a piece, and how many different ones follow each other again and again."""

WARM_UP_SHARE = 0.1
"""Share of the run, at its start, that the slope leaves out: caches fill and kernels load."""

LIMIT_KIB_PER_MIN = 16.0
"""Growth that counts as none: a page of 4 KiB here and there is the allocator's."""


@dataclass(frozen=True)
class Reading:
    """Memory in use at a moment.

    Attributes
    ----------
    seconds : float
        Since the start.
    steps : int
        Steps that were fed so far.
    resident_kib : int
        Pages of the process in memory.
    """

    seconds: float
    steps: int
    resident_kib: int


class Feed:
    """Pieces of one sample, until the time is up, and readings of the memory in between.

    Parameters
    ----------
    n_inputs : int
    seconds, every_s : float
        Length of the run, and time between readings.
    """

    def __init__(self, n_inputs: int, seconds: float, every_s: float) -> None:
        rng = np.random.default_rng(0)
        events = [cases.scattered(n_inputs, PIECE_STEPS, 7000, rng) for _ in range(PIECES)]
        self.spikes_of = [piece.units.size for piece in events]
        # Events and arrays in turn: both ways in must be free of leaks.
        self.pieces = [_dense(e, n_inputs) if k % 2 else e for k, e in enumerate(events)]
        self.seconds, self.every_s = seconds, every_s
        self.readings: list[Reading] = []
        self.steps = self.spikes = 0

    def __iter__(self) -> Iterator[Events | np.ndarray]:
        start = time.monotonic()
        while (now := time.monotonic() - start) < self.seconds:
            if now >= len(self.readings) * self.every_s:
                self.readings.append(Reading(now, self.steps, resident_kib()))
            for piece, spikes in zip(self.pieces, self.spikes_of, strict=True):
                self.steps += PIECE_STEPS
                self.spikes += spikes
                yield piece
        self.readings.append(Reading(now, self.steps, resident_kib()))


def _dense(events: Events, n_inputs: int) -> np.ndarray:
    spikes = np.zeros((n_inputs, events.n_steps), bool)
    spikes[events.units, events.times] = True
    return spikes


def resident_kib() -> int:
    """Memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def network() -> Program:
    """A GRU and a CUBA layer with delays in recurrences, then a layer with a delay per synapse."""
    rng = np.random.default_rng(0)
    first = cases.gru(128, *cases.gated(140, 128, rng), *cases.own(128, rng))
    hidden = cases.cuba(
        128,
        cases.project(cases.dense(128, 128, 24, rng), delays=cases.delays(128, rng)),
        cases.project(cases.dense(128, 128, 16, rng), RECURRENT, delays=cases.delays(128, rng)),
        threshold=370,
    )
    per_synapse = rng.integers(0, cases.LONGEST_DELAY + 1, (10, 128)).astype(np.int16)
    last = cases.project(cases.dense(10, 128, 60, rng), delays=per_synapse)
    return cases.program(140, first, hidden, cases.cuba(10, last, threshold=64))


def slope_kib_per_min(readings: list[Reading]) -> float:
    """Growth of the memory by least squares over what comes after the warm-up."""
    warm = [r for r in readings if r.seconds >= WARM_UP_SHARE * readings[-1].seconds]
    minutes = [r.seconds / 60 for r in warm]
    return float(np.polyfit(minutes, [r.resident_kib for r in warm], 1)[0])


def wrong_counts(program: Program, feed: Feed, run: Simulation) -> list[str]:
    """Counts that cannot be: what was fed is known, and so is the work of every step."""
    counters = run.counters
    facts = {
        "steps": (counters.n_steps, feed.steps),
        "input spikes": (int(counters.input_spikes.sum()), feed.spikes),
    }
    for layer, counted in zip(program.layers, counters.layers, strict=True):
        here = f"layer {counted.layer}"
        facts[f"{here}, updates"] = (counted.updates, layer.n_neurons * feed.steps)
        sums = int(counted.spikes.sum()), int(counted.spikes_per_neuron.sum())
        facts[f"{here}, spikes"] = sums
        operations = int(counted.synaptic_operations.sum())
        facts[f"{here}, operations"] = (operations, int(counted.arrivals_per_neuron.sum()))
    return [f"{name}: {a}, not {b}" for name, (a, b) in facts.items() if a != b]


def main() -> None:
    """Run, print a line per reading, and evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--every", type=float, default=30, help="seconds between readings")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all readings")
    options = parser.parse_args()
    program = network()
    feed = Feed(program.n_inputs, options.seconds, options.every)
    (run,) = simulate_each(program, [feed], record=COUNTERS, threads=1)
    slope = slope_kib_per_min(feed.readings)
    wrong = wrong_counts(program, feed, run)
    operations = sum(int(layer.synaptic_operations.sum()) for layer in run.counters.layers)
    first, last = feed.readings[0], feed.readings[-1]
    print(  # noqa: T201
        f"{last.seconds:.0f} s, {feed.steps:,} steps, {operations:,} synaptic operations; memory "
        f"{first.resident_kib} KiB at the start, {last.resident_kib} KiB at the end, slope "
        f"{slope:+.2f} KiB/min (limit {LIMIT_KIB_PER_MIN:g}); wrong counts: {wrong or 'none'}"
    )
    if options.json:
        readings = [asdict(reading) for reading in feed.readings]
        facts = {"slope_kib_per_min": slope, "operations": operations, "readings": readings}
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    sys.exit(1 if wrong or slope > LIMIT_KIB_PER_MIN else 0)


if __name__ == "__main__":
    main()
