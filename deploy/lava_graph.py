"""A Program as a Lava graph: stock ``Dense``, ``DelayDense``, ``LIF`` and the fused GRU process.

Lava's synapse processes hold their sum back by one step, so the graph as a whole runs one step
behind the Program; `run_lava` removes that constant latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.utils.weightutils import SignMode

from kipuka.convert import fixed
from kipuka.convert.neurons import CubaParameters
from kipuka.convert.program import Layer, Program, Projection
from kipuka.deploy.processes.spiking_gru import SpikingGRU

LATENCY_STEPS = 1
"""Steps by which the graph is behind the Program."""


@dataclass(frozen=True)
class LayerProcesses:
    """Processes of one layer: neurons, synapses from the layer before, synapses from itself."""

    neurons: Any
    feeding: tuple[Any, ...]
    recurrent: tuple[Any, ...]


@dataclass(frozen=True)
class LavaGraph:
    """A connected graph that has not been started.

    Attributes
    ----------
    source : RingBuffer
        Plays the input spikes.
    layers : tuple of LayerProcesses
    """

    source: Any
    layers: tuple[LayerProcesses, ...]


def build_graph(program: Program, inputs: np.ndarray) -> LavaGraph:
    """Build and connect the processes of a Program.

    Parameters
    ----------
    program : Program
    inputs : bool array (units, steps)
        What the source plays, one column per hardware step.

    Returns
    -------
    LavaGraph
    """
    source = RingBuffer(data=inputs.astype(np.int32))
    layers: list[LayerProcesses] = []
    outlet = source.s_out
    for layer in program.layers:
        neurons = _neurons(layer)
        feeding = _connect(layer, layer.from_source("previous"), outlet, neurons)
        recurrent = _connect(layer, layer.from_source("self"), neurons.s_out, neurons)
        layers.append(LayerProcesses(neurons, feeding, recurrent))
        outlet = neurons.s_out
    return LavaGraph(source, tuple(layers))


def _neurons(layer: Layer) -> Any:
    neuron = layer.neuron
    if isinstance(neuron, CubaParameters):
        return LIF(
            shape=(layer.n_neurons,),
            # Lava adds one to du (its ds_offset), so that iDecay 4096 fits 12 bits.
            du=_common(neuron.current_decay) - 1,
            dv=_common(neuron.voltage_decay),
            vth=_common(neuron.threshold),
            bias_mant=neuron.bias,
            bias_exp=fixed.STATE_SHIFT,
        )
    bias = np.stack([neuron.bias_i, neuron.bias_r, neuron.bias_z])
    return SpikingGRU(shape=(layer.n_neurons,), vth=neuron.threshold, bias=bias)


def _connect(
    layer: Layer, projections: tuple[Projection, ...], outlet: Any, neurons: Any
) -> tuple[Any, ...]:
    processes = []
    for weights, delays, exponent in _merged(layer, projections):
        process = _synapses(weights, delays, exponent)
        outlet.connect(process.s_in)
        process.a_out.connect(neurons.a_in)
        processes.append(process)
    return tuple(processes)


def _merged(
    layer: Layer, projections: tuple[Projection, ...]
) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Weights, delays and exponent of the synapse process that replaces several projections.

    A GRU has three activations behind one port, so the rows of its projections are stacked; a
    target without a projection gets rows of zeros.
    """
    if not projections:
        return []
    exponents = {p.weight_exponent for p in projections}
    shape = (layer.n_neurons, projections[0].synapses.n_sources)
    merged = []
    for exponent in sorted(exponents):
        chosen = {p.target: p for p in projections if p.weight_exponent == exponent}
        rows = [chosen.get(target) for target in layer.targets]
        zeros = np.zeros(shape, dtype=np.int64)
        weights = [zeros if p is None else p.synapses.matrix() for p in rows]
        delays = [zeros if p is None else np.broadcast_to(p.delays, shape) for p in rows]
        merged.append((np.concatenate(weights), np.concatenate(delays).astype(int), exponent))
    return merged


def _synapses(weights: np.ndarray, delays: np.ndarray, exponent: int) -> Any:
    # Left to itself Lava guesses the sign mode and would clip -256 in a purely inhibitory matrix.
    settings = {"weights": weights, "weight_exp": exponent, "sign_mode": SignMode.MIXED}
    if np.any(delays):
        return DelayDense(delays=delays, **settings)
    return Dense(**settings)


def _common(values: np.ndarray) -> int:
    return int(values[0])
