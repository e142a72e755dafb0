"""The simulators, each timed on a case; what they give is compared spike for spike."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lava_engine
import numpy as np
from cases import Case

from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.counters import Counters
from kipuka.deploy.fast.simulator import COUNTERS, Record, simulate
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError

LAST_SPIKES = Record(spikes=(-1,), states=(), steps=False)
SECONDS_TO_REPEAT = 3.0


@dataclass(frozen=True, eq=False)
class Measurement:
    """One engine on one case; `spikes` are the last layer's (samples, neurons, steps)."""

    engine: str
    cores: int
    samples: int
    steps: int
    seconds: float
    spikes: np.ndarray

    @property
    def seconds_per_step(self) -> float:
        """Seconds for one step of one sample."""
        return self.seconds / (self.samples * self.steps)


def lava(case: Case) -> Measurement:
    """Lava's CPU backend on the first steps of the first sample, without its start-up."""
    with tempfile.TemporaryDirectory(prefix="kipuka-benchmark-") as name:
        folder = Path(name)
        save_net(folder / lava_engine.NETWORK, case.program)
        np.save(folder / lava_engine.INPUTS, case.dense(1)[0, :, : case.lava_steps])
        command = [sys.executable, lava_engine.__file__, name, "netx" if case.netx else "lava"]
        subprocess.run(command, check=True, capture_output=True)
        spikes = np.load(folder / lava_engine.SPIKES)[np.newaxis]
        seconds = json.loads((folder / lava_engine.SECONDS).read_text())
    # Each of Lava's processes is a process of the operating system: it takes all cores there are.
    engine = "lava (NetX)" if case.netx else "lava"
    return Measurement(engine, 2, 1, case.lava_steps, seconds, spikes)


def reference(case: Case) -> Measurement:
    """Run the reference simulator."""
    inputs = case.dense(case.reference_samples)
    seconds, simulation = _median(lambda: simulate_reference(case.program, inputs))
    spikes = simulation.trace.layers[-1].spikes
    return Measurement("reference", 1, len(inputs), case.n_steps, seconds, spikes)


def torch(case: Case) -> Measurement | None:
    """Run the torch forward pass, where blocks of SLAYER or Kipuka can express the network."""
    from kipuka.train.from_program.network import blocks_from_program, trace_blocks

    inputs = case.dense(case.reference_samples)
    try:
        blocks = blocks_from_program(case.program)
    except KipukaError:
        return None
    seconds, trace = _median(lambda: trace_blocks(blocks, inputs))
    return Measurement("torch", 2, len(inputs), case.n_steps, seconds, trace.layers[-1].spikes)


def fast(case: Case, cores: int) -> tuple[Measurement, Counters]:
    """Run the fast simulator, warm; a single sample is run once per core."""
    samples = case.samples if len(case.samples) > 1 else case.samples * cores
    # Whatever must be compiled or laid out first does not count.
    simulate(case.program, samples[:1], record=COUNTERS, threads=1)
    seconds, simulation = _median(
        lambda: simulate(case.program, samples, record=COUNTERS, threads=cores)
    )
    few = max(1, case.reference_samples)
    spikes = simulate(case.program, samples[:few], record=LAST_SPIKES).trace.layers[-1].spikes
    measured = Measurement("fast", cores, len(samples), case.n_steps, seconds, spikes)
    return measured, simulation.counters


def _median(call: Callable[[], Any]) -> tuple[float, Any]:
    """Median seconds of calls after a first one that only warms up, and the last result.

    A call that takes long counts itself: what it loads and compiles does not show.
    """
    start = time.perf_counter()
    result = call()
    first = time.perf_counter() - start
    if first > SECONDS_TO_REPEAT:
        return first, result
    seconds = []
    for _ in range(3 if first > 0.5 else 15):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
        if sum(seconds) > SECONDS_TO_REPEAT:
            break
    return float(np.median(seconds)), result
