"""A `.net` file in stock NetX, lava-dl's own loader, as one more backend to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lava.lib.dl.netx.hdf5 import Network
from lava.proc.io.source import RingBuffer

from kipuka.convert.program import Program
from kipuka.deploy.lava.graph import LATENCY_STEPS, LavaGraph


def build_netx_graph(program: Program, played: np.ndarray, path: Path) -> LavaGraph:
    """Let NetX build the network of a file and connect a source to it.

    Parameters
    ----------
    program : Program
        What the file holds.
    played : int32 array (units, steps)
        See `played_by_source`.
    path : Path

    Returns
    -------
    LavaGraph
    """
    settings: dict[str, Any] = {}
    if program.reset:
        # NetX counts hardware steps from 1, and its offset of the first layer is one more.
        offset = program.reset.offset + LATENCY_STEPS
        settings = {"reset_interval": program.reset.interval, "reset_offset": offset}
    network = Network(net_config=str(path), **settings)
    first = network.layers[0]
    source = RingBuffer(data=played)
    inlet = first.neuron.a_in if program.encoder else first.inp
    outlet = source.s_out
    if len(inlet.shape) > 1:
        outlet = outlet.reshape(inlet.shape[::-1]).transpose([2, 1, 0])
    outlet.connect(inlet)
    synapses = tuple(synapse for layer in network.layers for synapse in _synapses(layer))
    fed = () if program.encoder else (first.synapse,)
    return LavaGraph(tuple(layer.neuron for layer in network.layers), synapses, fed)


def _synapses(layer: Any) -> list[Any]:
    return [getattr(layer, name) for name in ("synapse", "synapse_rec") if hasattr(layer, name)]
