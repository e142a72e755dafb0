"""The process in which Lava runs, started by `lava_run`: reads a job folder, writes the trace.

A process of its own keeps Lava's messages off the terminal, and can be ended with everything that
Lava has started when a graph hangs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink

from kipuka.convert.netfile import load_net
from kipuka.deploy.lava_graph import LATENCY_STEPS, LavaGraph, build_graph
from kipuka.deploy.reference import STATE_NAMES, initial_state

JOB_NETWORK, JOB_INPUTS, JOB_TRACE = "network.net", "inputs.npy", "trace.npz"


def run_job(folder: Path) -> None:
    """Run the network of a job folder on its inputs and write every spike and state.

    Parameters
    ----------
    folder : Path
        Holds `JOB_NETWORK` and `JOB_INPUTS` (bool, samples x units x steps); `JOB_TRACE` is
        written, with arrays ``spikes_L`` and ``STATE_L`` for each layer L.
    """
    program = load_net(folder / JOB_NETWORK)
    inputs = np.load(folder / JOB_INPUTS)
    n_samples, n_units, n_steps = inputs.shape
    period = n_steps + LATENCY_STEPS
    played = np.zeros((n_units, n_samples, period), dtype=bool)
    played[..., :n_steps] = inputs.transpose(1, 0, 2)
    graph = build_graph(program, played.reshape(n_units, -1))
    sinks = []
    for layer, processes in zip(program.layers, graph.layers, strict=True):
        sink = Sink(shape=(layer.n_neurons,), buffer=n_samples * period)
        processes.neurons.s_out.connect(sink.a_in)
        sinks.append(sink)
    names = [STATE_NAMES[type(initial_state(layer, n_samples=1))] for layer in program.layers]
    traced = _run(graph, names, n_samples, n_steps)
    for number, sink in enumerate(sinks):
        spikes = sink.data.get().reshape(-1, n_samples, period)[..., LATENCY_STEPS:]
        traced[f"spikes_{number}"] = spikes.transpose(1, 0, 2).astype(bool)
    graph.layers[-1].neurons.stop()
    np.savez(folder / JOB_TRACE, **traced)


def _run(
    graph: LavaGraph, names: list[tuple[str, ...]], n_samples: int, n_steps: int
) -> dict[str, np.ndarray]:
    """Run sample after sample, step by step, and read the states after each step."""
    states: dict[str, np.ndarray] = {}
    for sample in range(n_samples):
        _advance(graph, LATENCY_STEPS)
        # Neurons already ran, on biases alone; only the input has arrived for real.
        _reset(graph, keep=graph.layers[0].feeding)
        for step in range(n_steps):
            _advance(graph, 1)
            for number, (processes, variables) in enumerate(zip(graph.layers, names, strict=True)):
                for name in variables:
                    values = getattr(processes.neurons, name).get()
                    shape = (n_samples, values.size, n_steps)
                    array = states.setdefault(f"{name}_{number}", np.zeros(shape, np.int32))
                    array[sample, :, step] = values
            print(sample * n_steps + step + 1, flush=True)  # noqa: T201 - read by the parent
        _reset(graph)
    return states


def _advance(graph: LavaGraph, steps: int) -> None:
    config = Loihi2SimCfg(select_tag="fixed_pt")
    graph.layers[-1].neurons.run(condition=RunSteps(num_steps=steps), run_cfg=config)


def _reset(graph: LavaGraph, keep: tuple[Any, ...] = ()) -> None:
    """Set every state variable and every buffered activation to zero, but for `keep`."""
    for layer in graph.layers:
        for name in ("u", "i", "v", "s"):
            if hasattr(layer.neurons, name):
                _zero(getattr(layer.neurons, name))
        for synapse in (*layer.feeding, *layer.recurrent):
            if synapse not in keep:
                _zero(synapse.a_buff)


def _zero(variable: Any) -> None:
    variable.set(np.zeros(variable.shape, dtype=np.int32))


if __name__ == "__main__":
    run_job(Path(sys.argv[1]))
