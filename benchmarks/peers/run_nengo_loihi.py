"""nengo-loihi: the emulator of Loihi 1, through its blocks, which are what it runs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nengo_loihi
import numpy as np
from arrays import INPUT, Layer, Network
from child import Built, Seconds, UnsupportedError, serve
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.builder.discretize import discretize_model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Make a block of each layer and round it as for the chip."""
    del samples, variant, folder
    if network.graded:
        raise UnsupportedError("no input of values")
    if network.delayed:
        raise UnsupportedError("no delays")
    if network.sparse:
        raise UnsupportedError("more neurons than its emulator holds as dense weights")
    model = Model()
    source = SpikeInput(network.n_inputs, label="input")
    blocks = [_block(layer, k) for k, layer in enumerate(network.layers)]
    for block, layer in zip(blocks, network.layers, strict=True):
        for projection in layer.projections:
            before = source if projection.source == INPUT else blocks[projection.source]
            _connect(before, block, projection, layer)
    model.add_input(source)
    for block in blocks:
        model.add_block(block)
    discretize_model(model)
    times, units = network.samples[0]
    ends = np.cumsum([0, *(layer.n for layer in network.layers)])

    def run(chosen: Sequence[int]) -> tuple[list[int], Seconds]:
        del chosen
        source.spikes.clear()
        for step in np.unique(times):
            source.add_spikes(step + 1, units[times == step].tolist())
        emulator = EmulatorInterface(model, seed=0)
        counts = np.zeros(int(ends[-1]), np.int64)
        wall, used = time.perf_counter(), time.process_time()
        for _ in range(network.n_steps + 1):
            emulator.step()
            counts += emulator.compartment.spiked
        seconds = Seconds(time.perf_counter() - wall, time.process_time() - used)
        return [int(counts[a:b].sum()) for a, b in itertools.pairwise(ends)], seconds

    left_out = "delays; weights and thresholds are rounded anew for Loihi 1"
    return Built(run, left_out, nengo_loihi.__version__)


def _block(layer: Layer, number: int) -> Any:
    block = LoihiBlock(layer.n, label=f"layer{number}")
    neurons = block.compartment
    neurons.decay_u[:] = layer.current_decay
    neurons.decay_v[:] = layer.voltage_decay
    neurons.scale_u = neurons.scale_v = False
    neurons.vth[:] = layer.threshold
    neurons.bias[:] = layer.bias
    neurons.refract_delay[:] = 1
    neurons.vmin = -float(2**20)
    return block


def _connect(before: Any, block: Any, projection: Any, layer: Layer) -> None:
    n = len(projection.lags)
    dense = np.zeros((n, layer.n), np.float32)
    sources, targets, weights = projection.synapses()
    dense[sources, targets] = weights
    synapse = Synapse(n)
    synapse.set_weights(dense)
    block.add_synapse(synapse)
    axon = Axon(n)
    axon.set_compartment_axon_map(np.arange(n))
    axon.target = synapse
    before.add_axon(axon)


if __name__ == "__main__":
    serve(build)
