"""NEST: `iaf_psc_exp` at a resolution of one step, one thread."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nest
import numpy as np
from arrays import INPUT, Layer, Network
from child import Built, Seconds, UnsupportedError, serve

SILENT_STEPS = 80
"""Between samples, until nothing is on its way."""

NEVER_DECAYS = 1e9


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Create and connect the network."""
    del samples, variant, folder
    if network.graded:
        raise UnsupportedError("no input of values")
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution = 1.0
    source = nest.Create("spike_generator", network.n_inputs)
    groups = [_neurons(layer) for layer in network.layers]
    for group, layer in zip(groups, network.layers, strict=True):
        for projection in layer.projections:
            before = source if projection.source == INPUT else groups[projection.source]
            _connect(before, group, projection, own=before is group)
    recorders = [nest.Create("spike_recorder") for _ in groups]
    for group, recorder in zip(groups, recorders, strict=True):
        nest.Connect(group, recorder)
    times, units = network.samples[0]
    order = np.argsort(units, kind="stable")
    ends = np.searchsorted(units[order], np.arange(network.n_inputs + 1))

    def run(chosen: Sequence[int]) -> tuple[list[int], Seconds]:
        del chosen
        nest.Simulate(SILENT_STEPS)
        # A generator's spike at time 0 is never sent.
        begin = nest.biological_time + 1
        moved = times[order] + begin
        source.set([{"spike_times": moved[ends[k] : ends[k + 1]]} for k in range(network.n_inputs)])
        for group, recorder in zip(groups, recorders, strict=True):
            group.set(V_m=0.0)
            recorder.set(n_events=0)
        nest.Prepare()
        wall, used = time.perf_counter(), time.process_time()
        nest.Run(float(network.n_steps + len(groups) + 1))
        seconds = Seconds(time.perf_counter() - wall, time.process_time() - used)
        nest.Cleanup()
        return [recorder.n_events for recorder in recorders], seconds

    left_out = "floating point, states unrounded; a spike takes two steps at least"
    return Built(run, left_out, nest.__version__)


def _neurons(layer: Layer) -> Any:
    """Neurons whose exact integration has the layer's decays, and adds the current as it is."""
    if layer.current_decay >= 1 or layer.bias.any():
        raise UnsupportedError("a current that does not last, or a bias")
    keep_u, keep_v = 1 - layer.current_decay, 1 - layer.voltage_decay
    tau_u = -1 / math.log(keep_u)
    tau_v = -1 / math.log(keep_v) if keep_v < 1 else NEVER_DECAYS
    capacity = tau_u * tau_v / (tau_v - tau_u) * (math.exp(-1 / tau_v) - math.exp(-1 / tau_u))
    names = {"tau_m": tau_v, "tau_syn_ex": tau_u, "tau_syn_in": tau_u, "C_m": capacity}
    names |= {"E_L": 0.0, "V_m": 0.0, "V_reset": 0.0, "t_ref": 0.0, "I_e": 0.0}
    group = nest.Create("iaf_psc_exp", layer.n, params={**names, "V_th": 1e9})
    group.set(V_th=list(layer.threshold))
    return group


def _connect(before: Any, after: Any, projection: Any, own: bool) -> None:
    sources, targets, weights = projection.synapses()
    # A membrane takes the current of the step before. What a layer sends to the next one may come
    # later by that, what it sends to itself may not.
    lags = projection.lags + (projection.source == INPUT) - own
    nest.Connect(
        np.asarray(before.global_id)[sources] if len(before) > 1 else before,
        np.asarray(after.global_id)[targets],
        "one_to_one",
        {
            "synapse_model": "static_synapse",
            "weight": weights.astype(float),
            "delay": np.maximum(lags, 1)[sources].astype(float),
        },
    )


if __name__ == "__main__":
    serve(build)
