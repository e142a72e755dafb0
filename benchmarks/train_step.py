"""Time a training step of `sgru-delay` against an eager step loop and SLAYER's recurrent block.

The first is what `kipuka train` runs; in the other two lava-dl steps through the CUBA neurons, the
readout's included, as it does by itself. All three networks have 140 inputs, 128 hidden neurons and
10 outputs and see 64 samples of 100 steps. `csgru-delay`, with 32 channels of 4 x 5 in their place,
runs as `kipuka train` has it too. The steps of all alternate within each round, so
that a busy machine slows all of them; ratios are medians over the rounds' own. With ``--peers``
`torch.nn.GRU`, a scan of JAX and snnTorch take their turns too, in environments that are made for
them, and everything has one thread. Run with::

    python benchmarks/train_step.py [--rounds 15] [--peers] [--json FILE]
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from peers.environments import Engine, Environments, NotInstalledError
from peers.turns import NotRunError, Process

from kipuka.commands.console import print_table
from kipuka.train.cuba.compiled_blocks import compiled_blocks
from kipuka.train.gru import block as gru_block
from kipuka.train.gru.sequence import run_sequence
from kipuka.train.networks import GRU_NEURON, READOUT_NEURON, build_network
from kipuka.train.slayer import cuba

INPUTS, HIDDEN, CLASSES, STEPS, BATCH = 140, 128, 10, 100, 64
INPUT_RATE = 0.04
"""Spikes per channel and step, as speech has them in bins of 10 ms."""

COMPILED = "sgru-delay, compiled"
EAGER = "sgru-delay, eager step loop"
CONVOLUTIONAL = "csgru-delay, compiled"
SLAYER = "slayer.block.cuba.Recurrent"
TORCH_GRU = "torch.nn.GRU, no spikes"
SECONDS_OF_A_PEER = 600.0

JAX = Engine("train_cells.py", ("jax==0.12.0.1",), "jax", python="3.12")
PEERS = {
    "JAX scan of a like cell, fixed delays": JAX,
    "JAX scan of a like cell, no delays": dataclasses.replace(JAX, variant="jax-no-delays"),
    "snnTorch, recurrent": Engine("train_cells.py", ("snntorch==1.0.0",), "snntorch", outer=True),
}


def recurrent_network() -> torch.nn.ModuleList:
    """SLAYER's own recurrent block of the same size, with one third of the synapses."""
    neuron = GRU_NEURON | {"current_decay": 0.25, "voltage_decay": 0.05}
    return torch.nn.ModuleList(
        [
            cuba.Recurrent(neuron, INPUTS, HIDDEN, weight_scale=2),
            cuba.Dense(dict(READOUT_NEURON), HIDDEN, CLASSES, delay_shift=False),
        ]
    )


def gru_network() -> torch.nn.ModuleList:
    """`sgru-delay` with inputs scaled so that it spikes as much as a trained one."""
    network = build_network("sgru-delay", INPUTS, CLASSES, HIDDEN)
    network[0].input_synapse.weight.data *= 3
    return network


def convolutional_network() -> torch.nn.ModuleList:
    """`csgru-delay` with inputs scaled likewise."""
    network = build_network("csgru-delay", INPUTS, CLASSES, HIDDEN)
    network[1].input_synapse.weight.data *= 3
    return network


class PlainGru(torch.nn.Module):
    """`torch.nn.GRU` of the same size with a linear readout: no spikes, no delays."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = torch.nn.GRU(INPUTS, HIDDEN, batch_first=True)
        self.out = torch.nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give (batch, classes, steps), as the spiking networks do."""
        return self.out(self.gru(x.transpose(1, 2))[0]).transpose(1, 2)


class Taken(NamedTuple):
    """Seconds of one training step."""

    wall: float
    processor: float


@contextmanager
def peers() -> Iterator[dict[str, Callable[[], Taken]]]:
    """Training steps in other libraries, each in a process that waits for its turns."""
    found: dict[str, Callable[[], Taken]] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        x, labels = batch()
        np.savez(folder / "training.npz", x=x.numpy(), labels=labels.numpy())
        environments = Environments(folder)
        for peer, engine in PEERS.items():
            try:
                python = environments.python(engine)
                process = Process(python, engine, folder, BATCH, SECONDS_OF_A_PEER)
            except (NotInstalledError, NotRunError) as error:
                print(f"{peer}: {error}")  # noqa: T201
                continue
            opened.callback(process.close)
            found[peer] = functools.partial(_turn, process)
        yield found


def _turn(process: Process) -> Taken:
    seconds = process.turn()
    return Taken(seconds["wall"], seconds["processor"])


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Draw spikes (samples, channels, steps) and labels."""
    x = (torch.rand(BATCH, INPUTS, STEPS) < INPUT_RATE).float()
    return x, torch.randint(0, CLASSES, (BATCH,))


def stepper(network: torch.nn.ModuleList, *, compiled: bool) -> Callable[[], Taken]:
    """Return a function that does one training step and gives its seconds."""
    x, labels = batch()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    sequence = functools.partial(run_sequence, plain=not compiled)

    def step() -> Taken:
        gru_block.run_sequence = sequence
        with compiled_blocks() if compiled else nullcontext():
            start, used = time.perf_counter(), time.process_time()
            out = x
            for block in network:
                out = block(out)
            loss = torch.nn.functional.cross_entropy(out.sum(-1) / 2, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return Taken(time.perf_counter() - start, time.process_time() - used)

    return step


def measure(rounds: int, others: dict[str, Callable[[], Taken]]) -> dict[str, list[Taken]]:
    """Seconds of each step, by network, round by round; two rounds before are not counted."""
    torch.manual_seed(0)
    steppers = {
        COMPILED: stepper(gru_network(), compiled=True),
        EAGER: stepper(gru_network(), compiled=False),
        SLAYER: stepper(recurrent_network(), compiled=False),
        CONVOLUTIONAL: stepper(convolutional_network(), compiled=True),
        **others,
    }
    if others:
        steppers[TORCH_GRU] = stepper(torch.nn.ModuleList([PlainGru()]), compiled=True)
    seconds: dict[str, list[Taken]] = {name: [] for name in steppers}
    for number in range(rounds + 2):
        for name, step in steppers.items():
            taken = step()
            if number >= 2:
                seconds[name].append(taken)
    return seconds


def median_ratio(times: list[Taken], compiled: list[Taken], kind: str) -> float:
    """Median over the rounds of what a step takes over what the compiled one takes."""
    pairs = zip(compiled, times, strict=True)
    return statistics.median(getattr(b, kind) / getattr(a, kind) for a, b in pairs)


def main() -> None:
    """Measure, print a table and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", action="store_true", help="beside other libraries, one thread")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    threads = 1 if arguments.peers else arguments.threads
    torch.set_num_threads(threads)
    with peers() if arguments.peers else nullcontext({}) as others:
        seconds = measure(arguments.rounds, others)
    ratios = {
        kind: {name: median_ratio(t, seconds[COMPILED], kind) for name, t in seconds.items()}
        for kind in Taken._fields
    }
    milliseconds = {
        kind: {
            name: 1e3 * statistics.median(getattr(taken, kind) for taken in times)
            for name, times in seconds.items()
        }
        for kind in Taken._fields
    }
    print_table(
        f"training step, {INPUTS}-{HIDDEN}-{CLASSES}, {STEPS} steps, batch {BATCH}, "
        f"{threads} threads, {arguments.rounds} alternating rounds",
        ["network", "median ms", "of processor time", "times the compiled", "processor time"],
        [
            [
                name,
                milliseconds["wall"][name],
                milliseconds["processor"][name],
                f"{ratios['wall'][name]:.2f}",
                f"{ratios['processor'][name]:.2f}",
            ]
            for name in seconds
        ],
    )
    if arguments.json:
        numbers = {"milliseconds": milliseconds, "ratio_to_compiled": ratios, "seconds": seconds}
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
