"""The process in which Lava runs, started by `run_lava`: reads job folders, writes the traces.

A process of its own keeps Lava's messages off the terminal, and can be ended with everything that
Lava has started when a graph hangs. Whatever ends it, or the process that started it, also ends the
processes of Lava that it has forked.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.runtime.message_infrastructure.multiprocessing import SystemProcess
from lava.proc.io.sink import RingBuffer as Sink

from kipuka.convert.formats.net.file import load_net
from kipuka.convert.program import Program
from kipuka.deploy.lava.channels import use_no_threads
from kipuka.deploy.lava.graph import LATENCY_STEPS, LavaGraph, build_graph, played_by_source
from kipuka.deploy.lava.hosting import ending_worker, host_processes_together
from kipuka.deploy.lava.job_files import JOB_INPUTS, JOB_NETWORK, JOB_TRACE
from kipuka.deploy.lava.process_sessions import die_with_parent
from kipuka.deploy.lava.shortcuts import take_shortcuts
from kipuka.deploy.lowered.lowering import lower
from kipuka.deploy.lowered.streaming import plan_stream
from kipuka.deploy.reference import state_names

STATES = ("u", "i", "v", "s", "sigma", "act", "residue")
"""What the processes call their state variables."""


def run_job(folder: Path, netx: bool, done: Callable[[], None]) -> None:
    """Run the network of a job folder on its inputs and write every spike and state.

    Parameters
    ----------
    folder : Path
        Holds `JOB_NETWORK` and `JOB_INPUTS` (samples x units x steps); `JOB_TRACE` is written,
        with arrays ``spikes_L`` and ``STATE_L`` for each layer L.
    netx : bool
        Let stock NetX build the graph from the file.
    done : callable
        Called after every step.
    """
    program = load_net(folder / JOB_NETWORK)
    inputs = np.load(folder / JOB_INPUTS)
    n_samples, _, n_steps = inputs.shape
    period = n_steps + LATENCY_STEPS
    played = played_by_source(program, inputs, period)
    if netx:
        from kipuka.deploy.lava.netx_graph import build_netx_graph

        graph = build_netx_graph(program, played, folder / JOB_NETWORK)
    else:
        graph = build_graph(program, played)
    sinks = []
    for neurons in graph.neurons:
        sink = Sink(shape=neurons.s_out.shape, buffer=n_samples * period)
        neurons.s_out.connect(sink.a_in)
        sinks.append(sink)
    # NetX resets by itself.
    traced = _run(graph, program, n_samples, n_steps, resets=not netx, done=done)
    for position, sink in enumerate(sinks):
        spikes = in_program_order(sink.data.get())
        spikes = spikes.reshape(-1, n_samples, period)[..., LATENCY_STEPS:]
        graded = program.layers[position].neuron_model.sends.graded
        traced[f"spikes_{position}"] = spikes.transpose(1, 0, 2).astype(
            np.int32 if graded else bool
        )
    graph.neurons[-1].stop()
    np.savez(folder / JOB_TRACE, **traced)


def run_lowered_job(folder: Path, done: Callable[[], None]) -> None:
    """Do the same with the lowered network of Lava's own processes."""
    from kipuka.deploy.lava.lowered_network import run_samples

    program = load_net(folder / JOB_NETWORK)
    inputs = np.load(folder / JOB_INPUTS)
    trace = run_samples(lower(program, inputs.shape[2]), inputs, done)
    traced: dict[str, Any] = {}
    for position, layer in enumerate(trace.layers):
        traced[f"spikes_{position}"] = layer.spikes
        traced |= {f"{name}_{position}": values for name, values in layer.states.items()}
    np.savez(folder / JOB_TRACE, **traced)


def run_stream_job(folder: Path, interval: int, done: Callable[[], None]) -> None:
    """Stream the samples through the lowered network; keep the last layer's spikes."""
    from kipuka.deploy.lava.lowered_network import run_stream

    inputs = np.load(folder / JOB_INPUTS)
    stream = plan_stream(load_net(folder / JOB_NETWORK), inputs.shape[2], interval)
    np.savez(folder / JOB_TRACE, spikes_0=run_stream(stream, inputs, done))


def _run(
    graph: LavaGraph,
    program: Program,
    n_samples: int,
    n_steps: int,
    resets: bool,
    done: Callable[[], None],
) -> dict[str, Any]:
    """Run sample after sample, step by step, and read the states after each step."""
    states: dict[str, Any] = {}
    names = [state_names(layer) for layer in program.layers]
    for sample in range(n_samples):
        prime(graph)
        for step in range(n_steps):
            if resets and program.reset:
                due = program.reset.due
                _reset(tuple(n for k, n in enumerate(graph.neurons) if due(k, step)))
            advance(graph, 1)
            for position, (neurons, variables) in enumerate(zip(graph.neurons, names, strict=True)):
                for name in variables:
                    values = in_program_order(getattr(neurons, name).get())
                    shape = (n_samples, values.size, n_steps)
                    array = states.setdefault(f"{name}_{position}", np.zeros(shape, np.int32))
                    array[sample, :, step] = values.ravel()
            done()
        _reset(graph.neurons)
        for synapse in graph.synapses:
            _zero(_buffer(synapse))
    return states


def prime(graph: LavaGraph) -> None:
    """Run the steps of latency before a sample, so that its first step comes next."""
    advance(graph, LATENCY_STEPS)
    # Neurons already ran, on biases alone; only the input has arrived for real.
    _reset(graph.neurons)
    for synapse in graph.synapses:
        if synapse not in graph.from_input:
            _zero(_buffer(synapse))


def in_program_order(values: np.ndarray) -> np.ndarray:
    """Turn (width, height, channels[, time]) into (channels, height, width[, time])."""
    return values.transpose(2, 1, 0, *range(3, values.ndim)) if values.ndim > 2 else values


def advance(graph: LavaGraph, steps: int) -> None:
    """Run some steps; the first call also starts the graph."""
    config = Loihi2SimCfg(select_tag="fixed_pt")
    graph.neurons[-1].run(condition=RunSteps(num_steps=steps), run_cfg=config)


def _reset(neurons: tuple[Any, ...]) -> None:
    """Set every state variable of some layers to zero."""
    for process in neurons:
        for name in STATES:
            if hasattr(process, name):
                _zero(getattr(process, name))


def _buffer(synapse: Any) -> Any:
    """Find the activation that a synapse process holds back; Conv calls it differently."""
    return synapse.a_buff if hasattr(synapse, "a_buff") else synapse.a_buf


def _zero(variable: Any) -> None:
    variable.set(np.zeros(variable.shape, dtype=np.int32))


def run_or_end_worker(process: multiprocessing.Process) -> None:
    """Run a process that Lava has forked; an error in it is printed and ends the worker."""
    with ending_worker():
        multiprocessing.Process.run(process)


def prepare() -> None:
    """Have Lava in this process run as `run_lava` needs it: lean, and ended by any error."""
    # Each process that Lava forks does so in turn; else it would wait for messages for ever.
    os.register_at_fork(after_in_child=die_with_parent)
    SystemProcess.run = run_or_end_worker
    use_no_threads()
    host_processes_together()
    take_shortcuts()


def main(kind: str, folders: list[str]) -> None:
    """Run jobs one after the other and print the number of steps done after each step."""
    steps = 0

    def done() -> None:
        nonlocal steps
        steps += 1
        print(steps, flush=True)  # noqa: T201 - read by the parent

    for folder in map(Path, folders):
        if kind == "lowered":
            run_lowered_job(folder, done)
        elif kind.startswith("lava-sim:"):
            run_stream_job(folder, int(kind.partition(":")[2]), done)
        else:
            run_job(folder, kind == "netx", done)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    prepare()
    main(sys.argv[2], sys.argv[3:])
