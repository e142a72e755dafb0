"""Kipuka's fast simulator, in the environment that ``benchmarks/peers.py`` runs in."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from arrays import Network
from child import Built, serve

from kipuka import __version__
from kipuka.deploy import COUNTERS, Events, simulate


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Read the same network from the file beside the arrays."""
    del samples, variant
    program = pickle.loads((folder / "network.pickle").read_bytes())
    inputs = [
        sample.astype(np.int32)
        if isinstance(sample, np.ndarray)
        else Events(*sample, network.n_steps)
        for sample in network.samples
    ]

    def run(chosen: Sequence[int]) -> tuple[Sequence[int], None]:
        given = [inputs[k] for k in chosen]
        counters = simulate(program, given, record=COUNTERS, threads=1).counters
        return [layer.spikes_per_neuron.sum() for layer in counters.layers], None

    return Built(run, "", __version__)


if __name__ == "__main__":
    serve(build)
