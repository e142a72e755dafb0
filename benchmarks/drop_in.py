"""A default spiking GRU against SLAYER's recurrent block, in the loop of lava-dl's tutorials.

Two blocks, the first one `SpikingGRU` or ``cuba.Recurrent`` and the second ``cuba.Dense``, with the
neuron parameters that tutorials share between all blocks, SLAYER's rate loss and Adam. Prints the
test accuracy after some epochs, mean and standard error over seeds. Run with::

    python benchmarks/drop_in.py --data-dir DIR [--data shd] [--seeds 5] [--epochs 15] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from kipuka.commands.console import STDOUT, print_table
from kipuka.train import SpikingGRU, load_dataset
from kipuka.train.datasets import DataOptions, Dataset, Split
from kipuka.train.slayer import cuba

NEURON = {
    "threshold": 1.25,
    "current_decay": 0.25,
    "voltage_decay": 0.03,
    "tau_grad": 0.03,
    "scale_grad": 3,
    "requires_grad": True,
}
BLOCKS = {"SpikingGRU": SpikingGRU, "cuba.Recurrent": cuba.Recurrent}
BATCH, LEARNING_RATE = 32, 0.001
RATES = {"true_rate": 0.2, "false_rate": 0.03, "reduction": "sum"}
SHOWN = (1, 2, 3, 5, 10, 15, 20)


def learn(name: str, data: Dataset, hidden: int, epochs: int, seed: int) -> Iterator[float]:
    """Train a network and yield its accuracy on the test part after each epoch."""
    from lava.lib.dl import slayer

    torch.manual_seed(seed)
    first = BLOCKS[name](dict(NEURON), data.n_units, hidden)
    blocks = torch.nn.ModuleList([first, cuba.Dense(dict(NEURON), hidden, data.n_classes)])
    loss, order = slayer.loss.SpikeRate(**RATES), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(blocks.parameters(), lr=LEARNING_RATE)
    labels = torch.from_numpy(data.train.labels)
    for _ in range(epochs):
        blocks.train()
        for chosen in torch.randperm(len(labels), generator=order).split(BATCH):
            output = run(blocks, data.train.spikes[chosen.numpy()])
            optimizer.zero_grad()
            loss(output, labels[chosen]).backward()
            optimizer.step()
        yield accuracy(blocks.eval(), data.test)


def run(blocks: torch.nn.ModuleList, spikes: np.ndarray) -> torch.Tensor:
    """Output spikes of a batch that begins at rest."""
    x = torch.from_numpy(spikes).float()
    for block in blocks:
        if isinstance(block, cuba.Recurrent):
            for state in ("current_state", "voltage_state"):
                setattr(block.neuron, state, torch.zeros(1))
        x = block(x)
    return x


def accuracy(blocks: torch.nn.ModuleList, split: Split) -> float:
    """Share of samples whose most active output is their class."""
    with torch.no_grad():
        parts = np.array_split(np.arange(len(split.labels)), -(-len(split.labels) // 100))
        counts = [run(blocks, split.spikes[part]).sum(-1).numpy() for part in parts]
    return float(np.mean(np.concatenate(counts).argmax(1) == split.labels))


def main() -> None:
    """Train every block with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="shd")
    parser.add_argument("--data-dir")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--channels", type=int, default=140)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=".* has gates in place of")
    options = DataOptions(
        given.data_dir, steps=given.steps, channels=given.channels, validation="samples"
    )
    data = load_dataset(given.data, options)
    found: dict[str, list[list[float]]] = {name: [] for name in BLOCKS}
    for seed in range(given.seeds):
        for name, runs in found.items():
            runs.append(list(learn(name, data, given.hidden, given.epochs, seed)))
            STDOUT.print(f"{name}, seed {seed}: {runs[-1][-1]:.1%}")
    shown = [epoch for epoch in SHOWN if epoch <= given.epochs]
    rows = []
    for name, runs in found.items():
        table = 100 * np.array(runs)
        error = table.std(axis=0, ddof=1) / len(table) ** 0.5 if len(table) > 1 else 0 * table[0]
        rows.append([name, *(f"{table[:, e - 1].mean():.1f} ± {error[e - 1]:.1f}" for e in shown)])
    print_table("test accuracy in %, ± standard error", ["block", *map(str, shown)], rows)
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
