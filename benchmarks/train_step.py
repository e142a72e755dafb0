"""Time a training step of `sgru-delay` against an eager step loop and SLAYER's recurrent block.

The first is what `kipuka train` runs; in the other two lava-dl steps through the CUBA neurons, the
readout's included, as it does by itself. All three networks have 140 inputs, 128 hidden neurons and
10 outputs and see the same 64 samples of 100 steps. Their steps alternate within each round, so
that a busy machine slows all of them; ratios are medians over the rounds' own. Run with::

    python benchmarks/train_step.py [--rounds 15] [--json FILE]
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch

from kipuka.commands.console import print_table
from kipuka.train.cuba.integrator import compiled_integrator
from kipuka.train.gru import block as gru_block
from kipuka.train.gru.sequence import run_sequence
from kipuka.train.networks import GRU_NEURON, READOUT_NEURON, build_network
from kipuka.train.slayer import cuba

INPUTS, HIDDEN, CLASSES, STEPS, BATCH = 140, 128, 10, 100, 64
INPUT_RATE = 0.04
"""Spikes per channel and step, as speech has them in bins of 10 ms."""

COMPILED = "sgru-delay, compiled"
EAGER = "sgru-delay, eager step loop"
SLAYER = "slayer.block.cuba.Recurrent"


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


def stepper(network: torch.nn.ModuleList, *, compiled: bool) -> Callable[[], float]:
    """Return a function that does one training step and gives its seconds."""
    x = (torch.rand(BATCH, INPUTS, STEPS) < INPUT_RATE).float()
    labels = torch.randint(0, CLASSES, (BATCH,))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    sequence = functools.partial(run_sequence, plain=not compiled)

    def step() -> float:
        gru_block.run_sequence = sequence
        with compiled_integrator() if compiled else nullcontext():
            start = time.perf_counter()
            out = x
            for block in network:
                out = block(out)
            loss = torch.nn.functional.cross_entropy(out.sum(-1) / 2, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return time.perf_counter() - start

    return step


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, by network, round by round; two rounds before are not counted."""
    torch.manual_seed(0)
    steppers = {
        COMPILED: stepper(gru_network(), compiled=True),
        EAGER: stepper(gru_network(), compiled=False),
        SLAYER: stepper(recurrent_network(), compiled=False),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steppers}
    for number in range(rounds + 2):
        for name, step in steppers.items():
            taken = step()
            if number >= 2:
                seconds[name].append(taken)
    return seconds


def main() -> None:
    """Measure, print a table and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    seconds = measure(arguments.rounds)
    ratios = {
        name: statistics.median(b / a for a, b in zip(seconds[COMPILED], times, strict=True))
        for name, times in seconds.items()
    }
    milliseconds = {name: 1e3 * statistics.median(times) for name, times in seconds.items()}
    print_table(
        f"training step, {INPUTS}-{HIDDEN}-{CLASSES}, {STEPS} steps, batch {BATCH}, "
        f"{arguments.threads} threads, {arguments.rounds} alternating rounds",
        ["network", "median ms", "fastest ms", "times the compiled"],
        [
            [name, milliseconds[name], 1e3 * min(times), f"{ratios[name]:.2f}"]
            for name, times in seconds.items()
        ],
    )
    if arguments.json:
        numbers = {"milliseconds": milliseconds, "ratio_to_compiled": ratios, "seconds": seconds}
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
