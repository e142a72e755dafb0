"""The backends that can run a Program, by name; each is imported when it is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert.program import Program
from kipuka.convert.trace import Trace
from kipuka.errors import KipukaError, choose
from kipuka.lava_door import missing

if TYPE_CHECKING:
    from kipuka.deploy.lava.run import LavaBackend
    from kipuka.deploy.verification import Verification

Backend = Callable[[Program, np.ndarray], Trace]


def reference(program: Program, inputs: np.ndarray) -> Trace:
    """Run on the reference simulator in numpy."""
    from kipuka.deploy.reference import simulate_reference

    return simulate_reference(program, inputs).trace


def fast(program: Program, inputs: np.ndarray) -> Trace:
    """Run on the fast simulator, in compiled kernels."""
    from kipuka.deploy.fast.simulator import simulate

    return simulate(program, inputs).trace


def lava(program: Program, inputs: np.ndarray) -> Trace:
    """Run as Lava processes on the CPU, with the fused GRU process."""
    from kipuka.commands.console import progress_bar
    from kipuka.deploy.lava.run import run_lava

    with progress_bar("Lava, step by step", unit="steps") as advance:
        return run_lava(program, inputs, progress=advance)


def lowered(program: Program, inputs: np.ndarray) -> Trace:
    """Run the lowered network in Lava: processes that Lava has on Loihi 2, and nothing else."""
    from kipuka.commands.console import progress_bar
    from kipuka.deploy.lava.run import run_lava

    with progress_bar("Lava's own processes, step by step", unit="steps") as advance:
        return run_lava(program, inputs, progress=advance, backend="lowered")


def netx(program: Program, inputs: np.ndarray) -> Trace:
    """Run in stock NetX, where it is right."""
    from kipuka.commands.console import progress_bar
    from kipuka.deploy.lava.run import run_lava

    with progress_bar("NetX, step by step", unit="steps") as advance:
        return run_lava(program, inputs, progress=advance, backend="netx")


def torch(program: Program, inputs: np.ndarray) -> Trace:
    """Run the quantized forward pass of SLAYER's and Kipuka's training blocks."""
    from kipuka.train.from_program.network import blocks_from_program, trace_blocks

    return trace_blocks(blocks_from_program(program), inputs)


BACKENDS: dict[str, Backend] = {
    "reference": reference,
    "fast": fast,
    "torch": torch,
    "lava": lava,
    "lowered": lowered,
    "netx": netx,
}


def _check_fast(program: Program, n_steps: int) -> None:
    from kipuka.deploy.fast.program_layout import pack

    pack(program)


def _check_torch(program: Program, n_steps: int) -> None:
    from kipuka.train.from_program.network import blocks_from_program

    blocks_from_program(program)


def _check_lava(backend: LavaBackend) -> Callable[[Program, int], None]:
    def check(program: Program, n_steps: int) -> None:
        from kipuka.deploy.lava.run import check_lava

        check_lava(program, n_steps, backend)

    return check


CHECKS: dict[str, Callable[[Program, int], None]] = {
    "fast": _check_fast,
    "torch": _check_torch,
    "lava": _check_lava("lava"),
    "lowered": _check_lava("lowered"),
    "netx": _check_lava("netx"),
}
"""What refuses a Program and a number of steps before the backend runs; the reference runs all."""


def obstacles(names: Iterable[str], program: Program, n_steps: int) -> dict[str, KipukaError]:
    """Return what keeps backends from running a Program; those that can run it are left out.

    Parameters
    ----------
    names : iterable of str
        Backends.
    program : Program
    n_steps : int
        Steps of each sample.
    """
    found = {}
    for name in names:
        try:
            if name in CHECKS:
                CHECKS[name](program, n_steps)
        except KipukaError as error:
            found[name] = error
    return found


QUICK = ("reference", "fast", "torch")
"""Backends of which a log need not say anything before they are all done."""


def _say_nothing(text: str) -> None:
    """Take the place of a line on stderr."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Backends that ran the same samples, and what a comparison of them gave.

    Attributes
    ----------
    traces : dict of str to Trace
    verification : Verification
    """

    traces: dict[str, Trace]
    verification: Verification


def compare_backends(names: Sequence[str], program: Program, inputs: np.ndarray) -> Compared:
    """Run backends one after the other, and compare each with the first as soon as it is done.

    Where one of them is slow, or on a terminal, what each gave is said at once on stderr: whoever
    stops a slow one keeps the others.

    Parameters
    ----------
    names : sequence of str
        Two or more that can run the network.
    program : Program
    inputs : array (samples, units, steps)

    Raises
    ------
    KipukaError
        If there are fewer than two.
    """
    from kipuka.commands.console import print_progress, print_stage
    from kipuka.deploy.verification import check_enough, joined, verify
    from kipuka.display import counted
    from kipuka.screen import STDERR, duration

    check_enough(names)
    samples, _, steps = inputs.shape
    slow = STDERR.is_terminal or any(name not in QUICK for name in names)
    begin, done = (print_stage, print_progress) if slow else (_say_nothing, _say_nothing)
    traces: dict[str, Trace] = {}
    parts: list[Verification] = []
    for name in names:
        begin(f"{name}: running {counted(samples, 'sample')} of {counted(steps, 'step')}")
        start_s = time.perf_counter()
        traces[name] = BACKENDS[name](program, inputs)
        took = duration(time.perf_counter() - start_s)
        if name == names[0]:
            done(f"{name}: done in {took}; the others are compared with it")
            continue
        found = verify(program, {names[0]: traces[names[0]], name: traces[name]})
        parts.append(found)
        differ = found.spike_mismatches + found.state_mismatches
        done(
            f"{name}: {differ:,} of {found.values_compared:,} values differ from {names[0]}, {took}"
        )
    return Compared(traces, joined(parts))


def installed_backends() -> list[str]:
    """Names of those backends that a comparison takes if none is named.

    The lowered network and NetX are left out: both start Lava once more, and neither is needed to
    know that the file is right.
    """
    return ["reference", "fast", *([] if missing("torch", "lava") else ["torch", "lava"])]


def quick_backends() -> list[str]:
    """Names of those that take seconds where Lava takes minutes, as far as they are installed."""
    return [name for name in installed_backends() if name in QUICK]


NAMES_BEFORE = {"lava-stock": "lowered"}
"""Names of version 0.1.0, which scripts may have."""


def backend_name(given: str, where: str = "option backend") -> str:
    """Name of a backend, also as version 0.1.0 had it.

    Raises
    ------
    KipukaError
        If there is no such backend.
    """
    name = NAMES_BEFORE.get(given, given)
    choose(BACKENDS, name, "backend", where)
    return name
