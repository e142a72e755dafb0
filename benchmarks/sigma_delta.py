"""A sigma-delta network of Kipuka's blocks beside the same network of SLAYER's, both deployed.

Encoder, two dense layers with learned thresholds and biases, and decoder, from the same initial
parameters, trained on the same batches of a data set. Prints the test accuracy as trained and as
deployed, messages per sample, and how far each layer as deployed is from the layer as trained. Run
with::

    python benchmarks/sigma_delta.py [--data digits] [--hidden 48] [--epochs 20] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kipuka.commands.console import STDOUT, print_table
from kipuka.convert import fixed, program_from_blocks
from kipuka.convert.operands import presented
from kipuka.convert.trace import decide
from kipuka.deploy.deviation import deployment_deviation
from kipuka.deploy.fast.recording import record_for_readout
from kipuka.deploy.fast.simulator import simulate
from kipuka.train import load_dataset
from kipuka.train.datasets import Dataset
from kipuka.train.sigma_delta import blocks
from kipuka.train.sigma_delta.as_trained import trace_as_trained
from kipuka.train.slayer import sigma_delta

KINDS = {"Kipuka": blocks, "SLAYER": sigma_delta}
NEURON = {"threshold": 0.13, "activation": torch.nn.functional.relu}
BATCH, LEARNING_RATE, GAIN = 64, 0.005, 0.5
COMPARED = 60
"""Test samples on which layers are compared."""


def built(kind: Any, data: Dataset, hidden: int, seed: int) -> torch.nn.ModuleList:
    """Return the network with blocks of one kind."""
    torch.manual_seed(seed)
    learning = {**NEURON, "requires_grad": True}
    layers = [
        kind.Input({**NEURON, "threshold": 1 / fixed.WEIGHT_SCALE}),
        *(
            kind.Dense(dict(learning), n, hidden, weight_scale=2, delay=True)
            for n in (data.n_units, hidden)
        ),
        kind.Output(dict(NEURON), hidden, data.n_classes, weight_scale=2),
    ]
    for layer in layers[1:-1]:
        layer.neuron.set_bias(torch.zeros(hidden))
    return torch.nn.ModuleList(layers)


def values_of(network: torch.nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    """Decoded values (samples, classes, steps)."""
    for layer in network:
        x = layer(x)
    return x


def learn(network: torch.nn.ModuleList, data: Dataset, epochs: int, seed: int) -> None:
    """Train on the sum of the decoded values."""
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    spikes, labels = torch.from_numpy(data.train.spikes), torch.from_numpy(data.train.labels)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels), generator=order).split(BATCH):
            logits = GAIN * values_of(network, spikes[chosen].float()).sum(-1)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, labels[chosen]).backward()
            optimizer.step()


def evaluated(network: torch.nn.ModuleList, data: Dataset) -> dict[str, Any]:
    """Accuracies as trained and as deployed, and the deviation of each layer."""
    x = torch.from_numpy(data.test.spikes).float()
    with torch.no_grad():
        trained = values_of(network.eval(), x).sum(-1, dtype=torch.float64).numpy().argmax(1)
    program = program_from_blocks(network, input_shape=(data.n_units,))
    inputs = presented(program, data.test.spikes)
    run = simulate(program, inputs, record=record_for_readout(program))
    deployed = decide(program, run.trace.layers[-1])
    few = data.test.spikes[:COMPARED]
    trace = trace_as_trained(network, few)
    return {
        "trained": float(np.mean(trained == data.test.labels)),
        "deployed": float(np.mean(deployed == data.test.labels)),
        "other_decisions": int(np.sum(trained != deployed)),
        "messages": sum(int(layer.spikes.sum()) for layer in run.counters.layers[:-1]) / len(x),
        "saturations": run.counters.saturations,
        "layers": [
            asdict(one) for one in deployment_deviation(program, presented(program, few), trace)
        ],
    }


def main() -> None:
    """Train both kinds and print what deployment makes of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--hidden", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset(given.data)
    found = {}
    for name, kind in KINDS.items():
        network = built(kind, data, given.hidden, given.seed)
        learn(network, data, given.epochs, given.seed)
        found[name] = evaluated(network, data)
        one = found[name]
        STDOUT.print(
            f"{name}: test accuracy {one['trained']:.1%} as trained, {one['deployed']:.1%} as "
            f"deployed, {one['other_decisions']} of {len(data.test.labels)} decided otherwise; "
            f"{one['messages']:,.0f} messages a sample, {one['saturations']} saturations"
        )
        rows = [
            [
                layer["layer"],
                layer["trained_messages"],
                layer["deployed_messages"],
                f"{layer['different']:.2%}",
                f"{layer['largest']:.3g}",
                f"{layer['relative']:.2%}",
            ]
            for layer in one["layers"]
        ]
        columns = ["layer", "messages\ntrained", "messages\ndeployed", "payloads\nthat differ"]
        columns += ["largest\ndifference", "relative\ndifference"]
        print_table(f"blocks of {name}, {COMPARED} test samples", columns, rows)
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
