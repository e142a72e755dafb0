"""Running a Program as real Lava processes, in process groups that can be ended as a whole."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from kipuka.convert.encoder import need_whole_activations
from kipuka.convert.formats.guarded.arrays import write_npy
from kipuka.convert.formats.net.differences import NETX_MODELS, netx_differences
from kipuka.convert.formats.net.file import save_net
from kipuka.convert.neurons import handler
from kipuka.convert.operands import checked_inputs
from kipuka.convert.program import Program
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.deploy.lava.job_files import JOB_INPUTS, JOB_NETWORK, JOB_TRACE
from kipuka.deploy.lava.process_sessions import end_session, killed_members
from kipuka.deploy.lowered.common_values import check_common_values
from kipuka.deploy.lowered.lowering import lower
from kipuka.deploy.lowered.streaming import PARTS, plan_stream
from kipuka.errors import KipukaError, choose
from kipuka.files import replacing
from kipuka.lava_door import check_installed
from kipuka.threads import available_cores

STALL_LIMIT_S = 120.0
"""Seconds without a finished step after which a run counts as hung (start-up takes about 5)."""

WATCH_S = 0.5
"""Seconds between looks at which processes are there."""

SAMPLES_PER_WORKER = 8
"""Samples from which a second graph beside the first is worth its start-up."""

Progress = Callable[[int, int], None]
LavaBackend = Literal["lava", "lowered", "netx"]


def run_lava(
    program: Program,
    inputs: np.ndarray,
    progress: Progress | None = None,
    stall_limit_s: float = STALL_LIMIT_S,
    backend: LavaBackend = "lava",
) -> Trace:
    """Run a Program on lava-nc's CPU backend (``Loihi2SimCfg``, ``fixed_pt``), state by state.

    Samples are shared out over as many copies of the graph as there are processor cores that this
    process may use.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
        Spikes as bool; for a Program with an encoder, activations as int32.
    progress : callable (done, total), optional
        Called as algorithmic steps are done.
    stall_limit_s : float
        Seconds without a finished step after which the run is ended.
    backend : {"lava", "lowered", "netx"}
        The Program's own graph with the fused GRU process; the lowered graph of Lava's processes
        only; or the graph that stock NetX builds from the file that `save_net` writes, which
        networks that it would run differently may not use.

    Returns
    -------
    Trace
        With Lava's constant latency removed.

    Raises
    ------
    KipukaError
        If Lava is not installed, cannot express a layer, fails or hangs.
    """
    inputs = checked_inputs(program, inputs)
    n_parts = min(available_cores(), -(-len(inputs) // SAMPLES_PER_WORKER))
    jobs = [(program, part) for part in np.array_split(inputs, n_parts)]
    return Trace.joined(run_lava_jobs(jobs, progress, stall_limit_s, backend))


def run_lava_jobs(
    jobs: Sequence[tuple[Program, np.ndarray]],
    progress: Progress | None = None,
    stall_limit_s: float = STALL_LIMIT_S,
    backend: LavaBackend = "lava",
) -> list[Trace]:
    """Run several Programs, each on inputs of its own; parameters as in `run_lava`.

    Jobs are shared out over the processor cores, one worker process for each, in which Lava is
    imported once.
    """
    jobs = [(program, checked_inputs(program, inputs)) for program, inputs in jobs]
    _check_limit(stall_limit_s)
    if backend == "netx" and any(program.reset and len(inputs) > 1 for program, inputs in jobs):
        # A reset that NetX does by itself counts steps through all samples that a graph runs.
        single = [(program, x[None]) for program, inputs in jobs for x in inputs]
        done = iter(run_lava_jobs(single, progress, stall_limit_s, backend))
        return [Trace.joined([next(done) for _ in inputs]) for _, inputs in jobs]
    for program, inputs in jobs:
        check_lava(program, inputs.shape[2], backend)
    total = sum(inputs.shape[0] * inputs.shape[2] for _, inputs in jobs)
    found = _finished(jobs, backend, total, progress, stall_limit_s)
    return [
        _trace(arrays, len(program.layers))
        for arrays, (program, _) in zip(found, jobs, strict=True)
    ]


def check_lava(program: Program, n_steps: int, backend: LavaBackend) -> None:
    """Check that a backend of Lava can run a Program, before any process is started.

    Parameters
    ----------
    program : Program
    n_steps : int
        Steps of each sample.
    backend : {"lava", "lowered", "netx"}

    Raises
    ------
    KipukaError
        If Lava is not installed or cannot express a layer.
    """
    check_installed("this backend needs Lava", f"backend {backend}", "lava")
    choose(dict.fromkeys(get_args(LavaBackend)), backend, "backend of Lava", "argument backend")
    if backend == "netx":
        _check_netx(program)
    elif backend == "lowered":
        lower(program, n_steps)
    need_whole_activations(program.encoder, backend, f"layer {program.numbers[0]}")
    check_common_values(program, backend)


def stream_lava(
    program: Program,
    inputs: np.ndarray,
    progress: Progress | None = None,
    stall_limit_s: float = STALL_LIMIT_S,
    interval: int | None = None,
) -> np.ndarray:
    """Stream samples through the lowered network in Lava, built once and never touched again.

    Parameters
    ----------
    program, inputs, stall_limit_s
        As in `run_lava`.
    progress : callable (done, total), optional
        Called as pieces of samples are done.
    interval : int, optional
        Hardware steps between samples; by default as `plan_stream` has it.

    Returns
    -------
    bool array (samples, neurons, steps)
        Spikes of the last layer, before the readout's delays.

    Raises
    ------
    KipukaError
        As `run_lava`.
    """
    check_installed("this backend needs Lava", "backend lava", "lava")
    total = len(inputs) * PARTS
    chosen = plan_stream(program, inputs.shape[2], interval).interval
    kind = f"lava-sim:{chosen}"
    found = _finished([(program, inputs)], kind, total, progress, stall_limit_s)
    return found[0]["spikes_0"]


def _check_limit(stall_limit_s: float) -> None:
    if not stall_limit_s > 0:
        raise KipukaError(
            "a limit on waiting is no time",
            where="argument stall_limit_s",
            limit="seconds, more than 0",
            value=stall_limit_s,
            remedy="give such a time, or leave the argument out",
        )


def _finished(
    jobs: Sequence[tuple[Program, np.ndarray]],
    kind: str,
    total: int,
    progress: Progress | None,
    stall_limit_s: float,
) -> list[dict[str, np.ndarray]]:
    """Run jobs in worker processes and return the arrays that they wrote."""
    with tempfile.TemporaryDirectory(prefix="kipuka-lava-") as name:
        folders = [Path(name) / str(number) for number in range(len(jobs))]
        for folder, (program, inputs) in zip(folders, jobs, strict=True):
            folder.mkdir()
            save_net(folder / JOB_NETWORK, program)
            with replacing(folder / JOB_INPUTS) as temporary:
                write_npy(temporary, inputs)
        n_workers = min(available_cores(), len(jobs))
        shares = [folders[worker::n_workers] for worker in range(n_workers)]
        with _workers(shares, kind) as workers:
            _supervise(workers, total, progress, stall_limit_s)
        written = []
        for folder in folders:
            with np.load(folder / JOB_TRACE) as arrays:
                written.append(dict(arrays))
    return written


@dataclass
class _Worker:
    """One process that runs a graph, and how far it is."""

    folder: Path
    process: subprocess.Popen[str]
    done: int = 0
    heard_s: float = field(default_factory=time.monotonic)

    def error_text(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    def trouble(self, stall_limit_s: float) -> str | None:
        """What keeps the worker from going on, if anything does."""
        # What it has forked may hold its output open, so that its end shows here alone.
        status = self.process.poll()
        if status:
            name = signal.Signals(-status).name if status < 0 else ""
            return f"ended by signal {name}" if name else f"exit status {status}"
        for number, name in killed_members(self.process.pid).items():
            return f"process {number} of Lava ended by signal {name}"
        if time.monotonic() - self.heard_s > stall_limit_s:
            return f"no step finished within {stall_limit_s:g} s"
        return None


@contextlib.contextmanager
def _workers(shares: list[list[Path]], kind: str) -> Iterator[list[_Worker]]:
    """Start a worker per share of the jobs; end all that they started, also on Ctrl-C."""
    workers: list[_Worker] = []
    try:
        for folders in shares:
            command = [sys.executable, "-m", "kipuka.deploy.lava.worker", str(os.getpid()), kind]
            with (folders[0] / "stderr").open("w") as errors:
                process = subprocess.Popen(
                    command + [str(folder) for folder in folders],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    start_new_session=True,
                )
            workers.append(_Worker(folders[0], process))
        yield workers
    finally:
        for worker in workers:
            end_session(worker.process.pid)
            worker.process.wait()


def _supervise(
    workers: list[_Worker], total: int, progress: Progress | None, stall_limit_s: float
) -> None:
    """Follow the workers to their end.

    Raises
    ------
    KipukaError
        If one fails, or none finishes a step for too long.
    """
    lines: queue.Queue[tuple[_Worker, str | None]] = queue.Queue()
    for worker in workers:
        threading.Thread(target=_forward_lines, args=(worker, lines), daemon=True).start()
    running = list(workers)
    looked_s = 0.0
    while running:
        with contextlib.suppress(queue.Empty):
            worker, line = lines.get(timeout=min(WATCH_S, stall_limit_s))
            worker.heard_s = time.monotonic()
            if line is None and worker.process.wait() == 0:
                running.remove(worker)
            elif line and line.isdecimal():
                # Libraries print on import; the worker's own lines are bare step numbers.
                worker.done = int(line)
                if progress:
                    progress(sum(w.done for w in workers), total)
        if time.monotonic() - looked_s > min(WATCH_S, stall_limit_s):
            looked_s = time.monotonic()
            for worker in running:
                if how := worker.trouble(stall_limit_s):
                    raise _failed(worker, how)


def _forward_lines(worker: _Worker, lines: queue.Queue[tuple[_Worker, str | None]]) -> None:
    with worker.process.stdout or contextlib.nullcontext(()) as stdout:
        for line in stdout:
            lines.put((worker, line.strip()))
    lines.put((worker, None))


def _trace(arrays: dict[str, np.ndarray], n_layers: int) -> Trace:
    layers = []
    for number in range(n_layers):
        own = {k.rsplit("_", 1)[0]: v for k, v in arrays.items() if k.endswith(f"_{number}")}
        layers.append(LayerTrace(own.pop("spikes"), own))
    return Trace(tuple(layers))


def _check_netx(program: Program) -> None:
    for number, layer in zip(program.numbers, program.layers, strict=True):
        handler(NETX_MODELS, layer.model, "netx", f"layer {number}")
    for number, differences in netx_differences(program).items():
        if differences:
            raise KipukaError(
                "stock NetX would not run this network right",
                where=f"layer {number}, backend netx",
                limit="networks on which NetX and Kipuka agree (see kipuka inspect)",
                value=f"NetX {'; '.join(differences)}",
                remedy="verify the network with the backend lava",
            )


def _failed(worker: _Worker, how: str) -> KipukaError:
    messages = [line for line in worker.error_text().splitlines() if line.strip()]
    last = messages[-1].strip() if messages else "none"
    return KipukaError(
        "the Lava run did not finish",
        where=f"backend lava, worker process {worker.process.pid}",
        limit="every step finishes",
        value=f"{how} after step {worker.done}, last message: {last}",
        remedy="run it again on an idle machine; all of its processes have been ended",
    )
