"""What the commands do with files: read, call the folders' functions, print, return the numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kipuka.commands.backends import chosen_backends
from kipuka.commands.console import STDOUT, print_table, progress_bar
from kipuka.commands.samples import samples_of
from kipuka.convert.formats.net.file import load_golden, load_net
from kipuka.convert.program import Program, Reset
from kipuka.convert.trace import Trace, decide, readout_input
from kipuka.deploy.fast.recording import record_for_readout
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.golden import golden_mismatches
from kipuka.deploy.inputs import load_inputs, save_spikes
from kipuka.deploy.verification import Verification, verify
from kipuka.errors import KipukaError


def open_network(
    net: Path, *, clamp_delays: bool = False, reset: tuple[int, int] | None = None
) -> Program:
    """Load a network file; `reset` is (interval, offset) in steps and replaces the file's own."""
    program = load_net(net, clamp_delays=clamp_delays)
    return program if reset is None else dataclasses.replace(program, reset=Reset(*reset))


def simulate_file(
    program: Program, input_file: Path, output: Path, backend: str, layer: int | None
) -> dict[str, Any]:
    """Run a network on an input file and write the readout's input, or a layer's spikes."""
    given = load_inputs(input_file, program)
    position = None if layer is None else _position(program, layer)
    if backend == "fast":
        trace, spikes = _fast(program, given.values, position)
    else:
        trace = chosen_backends(backend)[backend](program, given.values)
        spikes = [int(layer.spikes.sum()) for layer in trace.layers]
    last = trace.layers[-1]
    if position is None:
        written = readout_input(program.readout, last.spikes)
    else:
        written = trace.layers[position].spikes if position >= 0 else given.values
    save_spikes(output, written, given.batched)
    rows = [list(row) for row in zip(program.numbers, spikes, strict=True)]
    samples, _, steps = given.values.shape
    print_table(f"{samples} samples x {steps} steps on {backend}", ["layer", "spikes"], rows)
    classes = [int(c) for c in decide(program, last)]
    return {
        "samples": samples,
        "steps": steps,
        "layers": list(program.numbers),
        "spikes": spikes,
        "classes": classes,
    }


def _fast(program: Program, inputs: np.ndarray, position: int | None) -> tuple[Trace, list[int]]:
    """Trace of what is asked for alone, and the number of spikes of every layer."""
    record = record_for_readout(program)
    if position is not None and position >= 0:
        record = dataclasses.replace(record, spikes=(position, -1))
    with progress_bar("simulating", unit="steps") as advance:
        simulation = simulate(program, inputs, record=record, progress=advance)
    spikes = [int(layer.spikes_per_neuron.sum()) for layer in simulation.counters.layers]
    return simulation.trace, spikes


def _position(program: Program, layer: int) -> int:
    """Index of the layer of that number in the file; -1 for an input without neurons."""
    numbered = {number: position for position, number in enumerate(program.numbers)}
    if program.encoder is None:
        numbered.setdefault(0, -1)
    if layer not in numbered:
        raise KipukaError(
            "the file has no layer of that number with spikes",
            where="option layer",
            limit=", ".join(str(number) for number in sorted(numbered)),
            value=layer,
            remedy="see kipuka inspect for the layers; flatten, concat and average have no neurons",
        )
    return numbered[layer]


def verify_file(
    net: Path, program: Program, backends: str, input_file: Path | None
) -> dict[str, Any]:
    """Compare backends on a network file, and each of them with the file's golden vectors."""
    chosen = chosen_backends(backends)
    golden = load_golden(net) if input_file is None else ()
    inputs = samples_of(net, program, input_file)
    traces = {name: run(program, inputs) for name, run in chosen.items()}
    verification = verify(program, traces)
    stale = {name: golden_mismatches(golden, trace) for name, trace in traces.items()}
    print_verification(verification)
    if golden:
        rows = [[name, len(golden), count] for name, count in stale.items()]
        print_table("golden vectors in the file", ["backend", "vectors", "mismatches"], rows)
    agree = verification.agree and not any(stale.values())
    return {**verification_numbers(verification), "golden_mismatches": stale, "agree": agree}


def verification_numbers(verification: Verification) -> dict[str, Any]:
    """Return a comparison as plain values."""
    return {
        **dataclasses.asdict(verification),
        "spike_mismatches": verification.spike_mismatches,
        "state_mismatches": verification.state_mismatches,
    }


def print_verification(verification: Verification) -> None:
    """Print the outcome in a line, and a row per disagreement."""
    names = ", ".join(verification.backends)
    STDOUT.print(
        f"{verification.values_compared:,} values in {verification.samples} samples x "
        f"{verification.steps} steps compared between {names}: "
        f"{verification.spike_mismatches} spike mismatches, "
        f"{verification.state_mismatches} state mismatches"
    )
    if verification.mismatches:
        rows = [list(vars(mismatch).values()) for mismatch in verification.mismatches]
        columns = ["backend", "against", "layer", "variable", "count", "first"]
        print_table("mismatches", columns, rows)
