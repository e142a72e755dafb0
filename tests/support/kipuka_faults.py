"""Work that is killed half-way: functions that a process of their own can call, and the killing.

The processes are forked from a server that has imported what they need, so that a kill costs no
start-up.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np

LONGEST_S = 120.0
POLL_S = 0.0002
KINDS = ("at any moment", "while a file is written")


def mind_interrupts():
    """Let SIGINT end this process, whatever its parent does with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def quiet():
    """Send what a command prints nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def train(folder, settings, threads=1):
    import torch

    from kipuka.train.runs.config import make_config
    from kipuka.train.runs.trainer import train as run

    quiet()
    torch.set_num_threads(threads)
    run(make_config(settings, "test"), folder, resume=True)


def convert(run, output):
    from kipuka.commands.convert import convert_run

    quiet()
    convert_run(Path(run), Path(output))


def simulate(net, inputs, output):
    from kipuka.commands.inputs.samples import open_network
    from kipuka.commands.simulate import simulate_file

    quiet()
    simulate_file(open_network(Path(net)), Path(inputs), Path(output), "fast", None)


def report(net, inputs, output):
    from kipuka.commands.inputs.samples import open_network
    from kipuka.commands.profile import Question, profile_file

    quiet()
    question = Question(data=str(inputs))
    profile_file(Path(net), open_network(Path(net)), question, report=Path(output))


def server():
    """Context whose processes start with all imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "kipuka.commands.app",
            "kipuka.commands.inputs.samples",
            "kipuka.commands.tables.costs",
            "kipuka.commands.tables.lowered_form",
            "kipuka.deploy.report.page",
            "kipuka.train.from_program.network",
            "kipuka.train.runs.trainer",
            "lava.lib.dl.slayer",
            "matplotlib.pyplot",
            "safetensors.torch",
            "sklearn.datasets",
        ]
    )
    # Starting the server takes seconds that must not count as the work's.
    finish(context, quiet)
    return context


def finish(context, work, *given):
    """Do some work in a process of its own and return the seconds that it took."""
    process = context.Process(target=work, args=given)
    start = time.monotonic()
    process.start()
    process.join(LONGEST_S)
    assert process.exitcode == 0, f"{work.__name__}: exit status {process.exitcode}"
    return time.monotonic() - start


def kill(context, folder, kind, usual_s, n_files, rng, work, *given):
    """Start some work and kill it; return whether it was killed before its end.

    Parameters
    ----------
    context, work, given
        As in `finish`.
    folder : Path
        Where the work writes.
    kind : str
        One of `KINDS`.
    usual_s : float
        Seconds that the work takes.
    n_files : int
        Files that it writes.
    rng : numpy.random.Generator
    """
    moment_s = float(rng.uniform(0, usual_s))
    if kind == "while a file is written":
        number, moment_s = int(rng.integers(1, n_files + 1)), float(rng.uniform(0, 0.002))
    before = set(temporaries(folder))
    process = context.Process(target=work, args=given)
    process.start()
    if kind == "while a file is written":
        seen: set[str] = set()
        while len(seen) < number and process.is_alive():
            seen |= set(temporaries(folder)) - before
            time.sleep(POLL_S)
    time.sleep(moment_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


def temporaries(folder):
    """Names of files that are being written, or that a killed process left."""
    if not Path(folder).exists():
        return []
    names = [path.name for path in Path(folder).iterdir()]
    return [name for name in names if name.startswith(".") and name != ".lock"]


def save_inputs(path, rng, n_samples, n_units, n_steps):
    spikes = (rng.random((n_samples, n_units, n_steps)) < 0.1).astype(np.uint8)
    np.save(path, spikes)


def metrics(folder):
    """Each epoch's numbers of a run, but for the seconds that it took."""
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(x).items() if k != "seconds"} for x in lines]


def tensors(path):
    """All numbers of a safetensors file."""
    from safetensors.torch import load_file

    return {name: tensor.tolist() for name, tensor in load_file(path).items()}
