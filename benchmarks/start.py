"""Time of the first and of every further ``kipuka simulate``, from start to end.

First: no kernel was kept yet, so that those are taken that the installation compiled, or else Numba
compiles them. Compiled: Numba does, whatever the installation did. Warm: all are kept. Seconds of
processor time and on the clock, of fresh processes, each of which reads a small network of CUBA
neurons, runs it and writes spikes.

    python benchmarks/start.py [--runs 10] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from cases import cuba, delays, dense, program, project

from kipuka.convert.formats.net.file import save_net
from kipuka.files import write_json

COMPILED = {"NUMBA_OPT": "3"}
"""What has kernels compiled: the settings are part of their names, even if they are the usual."""

KIPUKA = [sys.executable, "-m", "kipuka"]


def main() -> None:
    """Measure, print a table and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = _inputs(Path(folder))
        results = {
            "import numpy": _runs(options.runs, [sys.executable, "-c", "import numpy"], folder),
            "kipuka --version": _runs(options.runs, [*KIPUKA, "--version"], folder),
            "simulate, first": _runs(options.runs, words, folder, cold=True),
            "simulate, compiled": _runs(options.runs, words, folder, cold=True, **COMPILED),
            "simulate, warm": _runs(options.runs, words, folder),
        }
    _say(f"{platform.machine()}, Python {platform.python_version()}, {options.runs} runs each")
    _say(f"{'':18}{'processor s':>12}{'least':>8}{'most':>8}{'clock s':>10}")
    for name, result in results.items():
        used, clock = result["processor_s"], result["clock_s"]
        _say(
            f"{name:18}{statistics.median(used):12.2f}{min(used):8.2f}{max(used):8.2f}"
            f"{statistics.median(clock):10.2f}"
        )
    if options.json:
        write_json(options.json, results)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _inputs(folder: Path) -> list[str]:
    """Write a small network and its input; return the command that runs it."""
    rng = np.random.default_rng(0)
    first = cuba(64, project(dense(64, 40), delays=delays(40, rng)), threshold=100)
    save_net(
        folder / "small.net", program(40, first, cuba(10, project(dense(10, 64)), threshold=100))
    )
    np.save(folder / "x.npy", rng.random((4, 40, 100)) < 0.05)
    names = [str(folder / name) for name in ("small.net", "x.npy", "y.npy")]
    return [*KIPUKA, "simulate", names[0], "--input", names[1], "--output", names[2]]


def _runs(
    n: int, words: list[str], folder: str, cold: bool = False, **settings: str
) -> dict[str, list[float]]:
    """Seconds of `n` runs of a command, after one that is not counted unless all are cold."""
    used, clock = [], []
    # Whoever has Python keep no bytecode waits for it every time; that is not asked here.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for number in range(n if cold else n + 1):
        kernels = tempfile.mkdtemp(dir=folder) if cold else f"{folder}/kernels-warm"
        environment = {**kept, **settings, "NUMBA_CACHE_DIR": kernels}
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(words, env=environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if cold or number:
            clock.append(time.perf_counter() - start)
            used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"processor_s": used, "clock_s": clock}


if __name__ == "__main__":
    main()
