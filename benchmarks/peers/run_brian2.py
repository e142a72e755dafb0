"""Brian2: C++ standalone, one thread, single precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from arrays import INPUT, Network, Projection
from brian2 import ms
from child import Built, Seconds, UnsupportedError, serve

MODEL = """
u : 1
v : 1
a : 1
vth : 1 (constant)
bias : 1 (constant)
spikes : 1
"""
CLOCK = "std::clock_t used_at_start = std::clock();"
"""Brian2 itself tells the wall time of the run alone; this tells the processor's."""


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Generate and compile the program of one sample."""
    del samples, variant
    if network.reset:
        raise UnsupportedError("no reset in the course of a run of its own")
    place = folder / "brian2"
    brian2.set_device("cpp_standalone", build_on_run=False, directory=str(place))
    brian2.prefs.core.default_float_dtype = np.float32
    brian2.defaultclock.dt = 1 * ms
    source, given = _input(network)
    groups = [_neurons(layer, given if not layer.projections else None) for layer in network.layers]
    synapses = []
    for group, layer in zip(groups, network.layers, strict=True):
        for projection in layer.projections:
            before = source if projection.source == INPUT else groups[projection.source]
            synapses.append(_synapses(before, group, projection))
    device = brian2.get_device()
    written = place / "processor_seconds"
    device.insert_code("before_network_run", CLOCK)
    device.insert_code(
        "after_network_run",
        f'std::ofstream("{written}") << double(std::clock() - used_at_start) / CLOCKS_PER_SEC;',
    )
    # What an input sends in a step is added in the next one.
    late = source is not None
    parts = [source] if source is not None else []
    brian2.Network(*parts, *groups, *synapses).run((network.n_steps + late) * ms)
    device.build(compile=True, run=False, directory=str(place))

    # Brian2 would give what it read before the first run.
    files = [device.get_array_filename(group.variables["spikes"]) for group in groups]

    def run(chosen: Sequence[int]) -> tuple[list[int], Seconds]:
        del chosen
        device.run(str(place), with_output=False, run_args=[])
        counts = [int(np.fromfile(place / "results" / file, np.float32).sum()) for file in files]
        return counts, Seconds(device._last_run_time, float(written.read_text()))

    return Built(run, "floating point, states unrounded", brian2.__version__)


def _input(network: Network) -> tuple[Any, Any]:
    """Give what sends the spikes of a sample, or its values by step and neuron."""
    if network.graded:
        return None, brian2.TimedArray(network.dense_input(0), dt=1 * ms)
    times, units = network.samples[0]
    return brian2.SpikeGeneratorGroup(network.n_inputs, units, times * ms, sorted=True), None


def _neurons(layer: Any, given: Any) -> Any:
    group = brian2.NeuronGroup(
        layer.n, MODEL, threshold="v > vth", reset="v = 0\nspikes += 1", method="exact"
    )
    group.vth, group.bias = layer.threshold, layer.bias
    keep_u, keep_v = 1 - layer.current_decay, 1 - layer.voltage_decay
    if given is not None:
        group.namespace["given"] = given
    now = "a" if given is None else "given(t, i)"
    group.run_regularly(f"u = u * {keep_u!r} + {now}\nv = v * {keep_v!r} + u + bias\na = 0")
    return group


def _synapses(before: Any, after: Any, projection: Projection) -> Any:
    sources, targets, weights = projection.synapses()
    delays = projection.lags - (projection.source != INPUT)
    same = bool(np.all(delays == delays[0]))
    one = {"delay": int(delays[0]) * ms} if same else {}
    made = brian2.Synapses(before, after, "w : 1 (constant)", on_pre="a_post += w", **one)
    made.connect(i=sources, j=targets)
    made.w = weights
    if not same:
        made.delay = delays[sources] * ms
    return made


if __name__ == "__main__":
    serve(build)
