"""The process in which an engine waits for its turns: says what it needs, and answers in JSON.

``python run_ENGINE.py FOLDER SAMPLES VARIANT DESCRIPTOR`` reads the network in the folder, lets the
engine build it, runs one call to warm up, and then one turn for each line that it is sent; answers
go to the file descriptor.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from arrays import Network, load_network

SECONDS_OF_A_TURN = 0.3
NETWORK = "network.npz"


class UnsupportedError(Exception):
    """What an engine cannot express; the row of the table says it."""


class Seconds(NamedTuple):
    """Wall and processor time of a call, where the engine measures it itself."""

    wall: float
    processor: float


Run = Callable[[Sequence[int]], "tuple[Sequence[int], Seconds | None]"]
"""Runs the samples of these numbers; gives the spikes of each layer, summed over them, and their
time if this process cannot tell it."""


@dataclass(frozen=True)
class Built:
    """A network as an engine holds it.

    Attributes
    ----------
    run : Run
    leaves_out : str
        What it does not compute, or not as Kipuka does.
    version : str
    """

    run: Run
    leaves_out: str
    version: str


def serve(build: Callable[[Network, int, str, Path], Built]) -> None:
    """Build, then run turn by turn; `build` gets network, samples of a call, variant and folder."""
    answer_turns(
        lambda folder, samples, variant: build(
            load_network(folder / NETWORK), samples, variant, folder
        )
    )


def answer_turns(make: Callable[[Path, int, str], Built]) -> None:
    """Make what is measured from folder, samples of a call and variant, and run it turn by turn."""
    folder, samples, variant = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    # Engines print what they like to the standard output, some as they are imported.
    answers = os.fdopen(int(sys.argv[4]), "w")

    def answer(**contents: Any) -> None:
        answers.write(json.dumps(contents) + "\n")
        answers.flush()

    start = time.perf_counter()
    try:
        built = make(folder, samples, variant)
        spikes, _ = built.run(range(samples))
    except UnsupportedError as error:
        answer(unsupported=str(error))
        return
    answer(
        leaves_out=built.leaves_out,
        version=built.version,
        spikes=[int(n) for n in spikes],
        seconds_to_build=time.perf_counter() - start,
    )
    for _ in sys.stdin:
        answer(**_turn(built.run, range(samples)))


def _turn(run: Run, chosen: Sequence[int]) -> dict[str, float]:
    """Mean seconds of as many calls as fill a turn."""
    calls, wall, processor = 0, 0.0, 0.0
    while wall < SECONDS_OF_A_TURN:
        begin, used = time.perf_counter(), time.process_time()
        _, own = run(chosen)
        taken = Seconds(time.perf_counter() - begin, time.process_time() - used)
        wall += (own or taken).wall
        processor += (own or taken).processor
        calls += 1
    return {"wall": wall / calls, "processor": processor / calls}
