"""Lava's own CPU run of one sample, timed without its start-up; started as a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from kipuka.convert.formats.net.file import load_net

NETWORK, INPUTS, SPIKES, SECONDS = "network.net", "inputs.npy", "spikes.npy", "seconds.json"


def run(folder: Path, netx: bool) -> None:
    """Run the job in a folder and write the last layer's spikes and the seconds there.

    Parameters
    ----------
    folder : Path
        Holds `NETWORK` and `INPUTS` (units x steps).
    netx : bool
        Whether stock NetX builds the graph, from the file, or Kipuka does.
    """
    # Whoever imports this file, to start it as a process, gets along without what Lava prints.
    from lava.proc.io.sink import RingBuffer as Sink

    from kipuka.deploy.lava.graph import LATENCY_STEPS, build_graph, played_by_source
    from kipuka.deploy.lava.netx_graph import build_netx_graph
    from kipuka.deploy.lava.worker import advance, in_program_order, prime

    program = load_net(folder / NETWORK)
    inputs = np.load(folder / INPUTS)
    n_steps = inputs.shape[1]
    played = played_by_source(program, inputs[np.newaxis], n_steps + LATENCY_STEPS)
    if netx:
        graph = build_netx_graph(program, played, folder / NETWORK)
    else:
        graph = build_graph(program, played)
    outlet = graph.neurons[-1].s_out
    sink = Sink(shape=outlet.shape, buffer=n_steps + LATENCY_STEPS)
    outlet.connect(sink.a_in)
    prime(graph)
    start = time.perf_counter()
    advance(graph, n_steps)
    seconds = time.perf_counter() - start
    spikes = in_program_order(sink.data.get()).reshape(-1, n_steps + LATENCY_STEPS)
    graph.neurons[-1].stop()
    graded = program.layers[-1].neuron_model.sends.graded
    np.save(folder / SPIKES, spikes[:, LATENCY_STEPS:].astype(np.int32 if graded else bool))
    (folder / SECONDS).write_text(json.dumps(seconds))


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2] == "netx")
