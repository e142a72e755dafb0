"""Processes of engines, and the turns that they take with Kipuka's."""

from __future__ import annotations

import json
import os
import selectors
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.environments import Engine

HERE = Path(__file__).parent
KIPUKA = Engine("run_kipuka.py", batches=True)
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
FEWEST_TURNS = 3
LONGEST = 6
"""Times the seconds for the turns of a row, after which even these are not waited for."""


class NotRunError(Exception):
    """Why an engine gave no number."""


@dataclass(frozen=True)
class Row:
    """One engine on one network, with Kipuka beside it; seconds are per sample, medians of turns.

    Attributes
    ----------
    case, engine, version : str
    samples : int
        Samples of a call, for both.
    turns : int
    wall_s, processor_s : float or None
        Of the engine; None if it did not run.
    kipuka_wall_s, kipuka_processor_s : float or None
    times_kipuka, wall_times_kipuka : float or None
        Medians over the turns of the ratios of processor and of wall times; below 1 Kipuka is
        behind.
    spikes, kipuka_spikes : list of int
        Of each layer, summed over the samples of a call; none where only sums are computed.
    leaves_out : str
        What the engine does not compute, or why it did not run.
    """

    case: str
    engine: str
    leaves_out: str
    samples: int = 1
    version: str = ""
    turns: int = 0
    wall_s: float | None = None
    processor_s: float | None = None
    kipuka_wall_s: float | None = None
    kipuka_processor_s: float | None = None
    times_kipuka: float | None = None
    wall_times_kipuka: float | None = None
    spikes: list[int] = field(default_factory=list)
    kipuka_spikes: list[int] = field(default_factory=list)


class Process:
    """An engine in its process, with one thread."""

    def __init__(
        self, python: Path, engine: Engine, folder: Path, samples: int, limit_s: float
    ):  # fmt: skip
        self.limit_s = limit_s
        self.log = folder / f"{Path(engine.file).stem}.log"
        answers, theirs = os.pipe()
        self.answers = os.fdopen(answers)
        with self.log.open("w") as log:
            self.child = subprocess.Popen(
                [python, HERE / engine.file, folder, str(samples), engine.variant, str(theirs)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(theirs,),
                text=True,
                bufsize=1,
                env={**os.environ, **ONE_THREAD},
                cwd=folder,
            )
        os.close(theirs)
        self.ready = self._answer()
        if "unsupported" in self.ready:
            raise NotRunError(self.ready["unsupported"])

    def turn(self) -> dict[str, float]:
        """Let it run once."""
        if self.child.stdin:
            self.child.stdin.write("\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self.answers, selectors.EVENT_READ)
            if not selector.select(self.limit_s):
                self.close()
                raise NotRunError(f"did not finish in {self.limit_s:.0f} s")
        line = self.answers.readline()
        if not line:
            self.close()
            lines = [text for text in self.log.read_text().splitlines() if text.strip()]
            raise NotRunError(f"failed: {lines[-1].strip() if lines else 'no message'}")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        self.child.kill()
        self.child.wait()
        self.answers.close()


class Turns:
    """Kipuka on one network, ready to take turns with one engine after the other."""

    def __init__(self, case: str, folder: Path, rounds: int, limit_s: float, turns_s: float):
        self.case, self.folder, self.rounds = case, folder, rounds
        self.limit_s, self.turns_s = limit_s, turns_s
        self._own: dict[int, Process] = {}

    def compare(self, name: str, engine: Engine, python: Path, samples: int) -> Row:
        """Let an engine and Kipuka take turns, with so many samples a call."""
        try:
            theirs = Process(python, engine, self.folder, samples, self.limit_s)
        except NotRunError as error:
            return Row(self.case, name, str(error), samples)
        try:
            if samples not in self._own:
                self._own[samples] = Process(
                    Path(sys.executable), KIPUKA, self.folder, samples, self.limit_s
                )
            own = self._own[samples]
            taken = self._alternate(theirs, own)
        except NotRunError as error:
            return Row(self.case, name, str(error), samples)
        finally:
            theirs.close()
        per_sample = {key: statistics.median(turn[key] for turn in taken) for key in taken[0]}
        ratios = {
            key: statistics.median(turn[f"{key}_s"] / turn[f"kipuka_{key}_s"] for turn in taken)
            for key in ("processor", "wall")
        }
        return Row(
            self.case,
            name,
            theirs.ready["leaves_out"],
            samples,
            theirs.ready["version"],
            len(taken),
            **{key: seconds / samples for key, seconds in per_sample.items()},
            times_kipuka=ratios["processor"],
            wall_times_kipuka=ratios["wall"],
            spikes=theirs.ready["spikes"],
            kipuka_spikes=own.ready["spikes"],
        )

    def _alternate(self, theirs: Process, own: Process) -> list[dict[str, float]]:
        """Turns of both, one after the other, as many as asked for or as the time allows."""
        begin, spent_s, taken = time.monotonic(), 0.0, []
        while len(taken) < self.rounds and (
            not taken
            or spent_s < self.turns_s
            or (len(taken) < FEWEST_TURNS and spent_s < LONGEST * self.turns_s)
        ):
            mine, other = own.turn(), theirs.turn()
            taken.append(
                {
                    "wall_s": other["wall"],
                    "processor_s": other["processor"],
                    "kipuka_wall_s": mine["wall"],
                    "kipuka_processor_s": mine["processor"],
                }
            )
            spent_s = time.monotonic() - begin
        return taken

    def close(self) -> None:
        """End Kipuka's processes."""
        for process in self._own.values():
            process.close()
