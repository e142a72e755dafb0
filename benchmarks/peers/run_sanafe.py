"""SANA-FE: its own model of Loihi, one thread, its simplest timing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sanafe
from arrays import INPUT, Network
from child import Built, Seconds, UnsupportedError, serve

NEURONS_OF_A_CORE = 1024
RUNS_OF_A_CHIP = 4
MOST_SYNAPSES = 1_000_000
"""More than these took minutes to hand over one by one, and as long for a sample."""


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Create neurons, connect them and map them to cores, one layer after the other."""
    del samples, variant, folder
    if network.graded:
        raise UnsupportedError("no input of values")
    if network.n_synapses > MOST_SYNAPSES:
        raise UnsupportedError("more than a million synapses, each handed over by itself")
    arch = sanafe.load_loihi()
    cores = iter([core for tile in arch.tiles for core in tile.cores])
    net = sanafe.Network()
    source = net.create_neuron_group("input", network.n_inputs)
    x = network.dense_input(0).T > 0
    for core, start in zip(cores, range(0, network.n_inputs, NEURONS_OF_A_CORE), strict=False):
        for unit in range(start, min(start + NEURONS_OF_A_CORE, network.n_inputs)):
            source[unit].set_attributes(
                soma_hw_name=f"loihi_inputs[{unit - start}]",
                model_attributes={"spikes": x[unit].tolist() * RUNS_OF_A_CHIP},
            )
            source[unit].map_to_core(core)
    groups = []
    for number, layer in enumerate(network.layers):
        groups.append(_neurons(net, f"layer{number}", layer, cores))
    for group, layer in zip(groups, network.layers, strict=True):
        for projection in layer.projections:
            before = source if projection.source == INPUT else groups[projection.source]
            _connect(before, group, projection, layer.current_decay)
    chips = _chips(arch, net)
    inputs = int(x.sum())

    def run(chosen: Sequence[int]) -> tuple[list[int], Seconds]:
        del chosen
        chip = next(chips)
        wall, used = time.perf_counter(), time.process_time()
        results = chip.sim(network.n_steps, timing_model="simple", processing_threads=1)
        seconds = Seconds(time.perf_counter() - wall, time.process_time() - used)
        return [results["neurons_fired"] - inputs], seconds

    left_out = "the current: its whole charge is added at once; counts all layers together"
    return Built(run, left_out, "2.2.9")


def _chips(arch: Any, net: Any) -> Iterator[Any]:
    """Give a chip at rest, again and again; resetting one does not rewind its input."""
    while True:
        chip = sanafe.SpikingChip(arch)
        try:
            chip.load(net)
        except RuntimeError as error:
            raise UnsupportedError(str(error).strip()) from error
        for _ in range(RUNS_OF_A_CHIP):
            chip.reset()
            yield chip


def _neurons(net: Any, name: str, layer: Any, cores: Any) -> Any:
    group = net.create_neuron_group(
        name,
        layer.n,
        model_attributes={"leak_decay": 1 - layer.voltage_decay, "reset_mode": "hard"},
        default_synapse_hw_name="loihi_dense_synapse",
        default_dendrite_hw_name="loihi_dendrites_delay",
        soma_hw_name="loihi_lif",
    )
    for start in range(0, layer.n, NEURONS_OF_A_CORE):
        core = next(cores)
        for unit in range(start, min(start + NEURONS_OF_A_CORE, layer.n)):
            group[unit].set_attributes(model_attributes={"threshold": float(layer.threshold[unit])})
            group[unit].map_to_core(core)
    return group


def _connect(before: Any, after: Any, projection: Any, current_decay: float) -> None:
    sources, targets, weights = projection.synapses()
    delays = (projection.lags - (projection.source != INPUT))[sources]
    before.connect_neurons_sparse(
        after,
        {"weight": (weights / current_decay).tolist(), "delay": delays.tolist()},
        np.stack([sources, targets], axis=1).tolist(),
    )


if __name__ == "__main__":
    serve(build)
