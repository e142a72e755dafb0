"""A Program as a Lava graph: stock synapse processes, ``LIF`` and the fused GRU process.

Lava's synapse processes hold their sum back by one step, so the graph as a whole runs one step
behind the Program; `run_lava` removes that constant latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

from kipuka.convert import fixed
from kipuka.convert.neurons import CubaParameters
from kipuka.convert.program import OWN, Layer, Program, Projection
from kipuka.convert.synapses import ConvSynapses, DenseSynapses
from kipuka.deploy.processes.spiking_gru import SpikingGRU

LATENCY_STEPS = 1
"""Steps by which the graph is behind the Program."""


@dataclass(frozen=True)
class LavaGraph:
    """A connected graph that has not been started.

    Attributes
    ----------
    neurons : tuple of processes
        One per layer. Where a process has the shape width x height x channels, its values are
        read in the Program's order channels x height x width.
    synapses : tuple of processes
        Everything that holds activations back.
    from_input : tuple of processes
        Those of the synapses that the network's input feeds.
    """

    neurons: tuple[Any, ...]
    synapses: tuple[Any, ...]
    from_input: tuple[Any, ...]


def played_by_source(program: Program, inputs: np.ndarray, period: int) -> np.ndarray:
    """What the source plays, one column per hardware step: int32 (units, samples x period).

    Encoded input reaches its neurons directly, without the latency of a synapse process.
    """
    n_samples, n_units, n_steps = inputs.shape
    first = LATENCY_STEPS if program.encoder else 0
    played = np.zeros((n_units, n_samples, period), dtype=np.int32)
    played[..., first : first + n_steps] = inputs.transpose(1, 0, 2)
    return played.reshape(n_units, -1)


def build_graph(program: Program, played: np.ndarray) -> LavaGraph:
    """Build and connect the processes of a Program.

    Parameters
    ----------
    program : Program
    played : int32 array (units, steps)
        See `played_by_source`.

    Returns
    -------
    LavaGraph
    """
    source = RingBuffer(data=played)
    neurons: list[Any] = []
    synapses: list[Any] = []
    from_input: list[Any] = []
    for position, layer in enumerate(program.layers):
        neurons.append(_neurons(layer))
        if not layer.projections:
            source.s_out.connect(neurons[-1].a_in)
        for back in (*layer.sources, OWN):
            sender = position - back
            outlet = source.s_out if sender < 0 else neurons[sender].s_out
            made = _connect(layer, layer.from_source(back), outlet, neurons[-1].a_in)
            synapses += made
            from_input += made if sender < 0 else ()
    return LavaGraph(tuple(neurons), tuple(synapses), tuple(from_input))


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
    layer: Layer, projections: tuple[Projection, ...], outlet: Any, inlet: Any
) -> list[Any]:
    if projections and isinstance(projections[0].synapses, ConvSynapses):
        return [
            _convolve(p, p.synapses, outlet, inlet)
            for p in projections
            if isinstance(p.synapses, ConvSynapses)
        ]
    processes = []
    for weights, delays, exponent in _merged(layer, projections):
        process = _dense(weights, delays, exponent)
        outlet.connect(process.s_in)
        process.a_out.connect(inlet)
        processes.append(process)
    return processes


def _merged(
    layer: Layer, projections: tuple[Projection, ...]
) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Weights, delays and exponent of the synapse process that replaces several projections.

    A GRU has three activations behind one port, so the rows of its projections are stacked; a
    target without a projection gets rows of zeros.
    """
    if not projections:
        return []
    shape = (layer.n_neurons, projections[0].synapses.n_sources)
    merged = []
    for exponent in sorted({p.weight_exponent for p in projections}):
        chosen = {p.target: p for p in projections if p.weight_exponent == exponent}
        rows = [chosen.get(target) for target in layer.targets]
        zeros = np.zeros(shape, dtype=np.int64)
        weights = [zeros if p is None else _matrix(p.synapses) for p in rows]
        delays = [zeros if p is None else np.broadcast_to(p.delays, shape) for p in rows]
        merged.append((np.concatenate(weights), np.concatenate(delays).astype(int), exponent))
    return merged


def _matrix(synapses: Any) -> np.ndarray:
    if isinstance(synapses, DenseSynapses):
        return synapses.weights.astype(np.int64)
    matrix = np.zeros((synapses.n_targets, synapses.n_sources), dtype=np.int64)
    targets, sources, weights = synapses.entries()
    matrix[targets, sources] = weights
    return matrix


def _dense(weights: np.ndarray, delays: np.ndarray, exponent: int) -> Any:
    # Left to itself Lava guesses the sign mode and would clip -256 in a purely inhibitory matrix.
    settings = {"weights": weights, "weight_exp": exponent, "sign_mode": SignMode.MIXED}
    if np.any(delays):
        return DelayDense(delays=delays, **settings)
    return Dense(**settings)


def _convolve(projection: Projection, synapses: ConvSynapses, outlet: Any, inlet: Any) -> Any:
    """Use ``Conv`` where it is exact; it knows no delays and no exponent, ``Sparse`` does."""
    delayed = bool(np.any(projection.delays))
    fits = synapses.output_shape == synapses.formula_shape()
    if delayed or projection.weight_exponent or not fits:
        process = _sparse(projection, synapses, delayed)
        outlet.connect(process.s_in)
        process.a_out.connect(inlet)
        return process
    # Lava counts width x height x channels, and turns the kernel round.
    kernel = synapses.weights[:, :, ::-1, ::-1].transpose(0, 3, 2, 1).astype(np.int64)
    process = Conv(
        weight=kernel,
        input_shape=synapses.input_shape[::-1],
        stride=synapses.stride[::-1],
        padding=synapses.padding[::-1],
        dilation=synapses.dilation[::-1],
        groups=synapses.groups,
    )
    outlet.reshape(synapses.input_shape).transpose([2, 1, 0]).connect(process.s_in)
    process.a_out.transpose([2, 1, 0]).flatten().connect(inlet)
    return process


def _sparse(projection: Projection, synapses: ConvSynapses, delayed: bool) -> Any:
    targets, sources, weights = synapses.entries()
    shape = (synapses.n_targets, synapses.n_sources)
    settings = {
        "weights": csr_matrix((weights, (targets, sources)), shape=shape),
        "weight_exp": projection.weight_exponent,
        "sign_mode": SignMode.MIXED,
    }
    if not delayed:
        return Sparse(**settings)
    steps = projection.delays[sources].astype(int)
    chosen = steps > 0
    delays = csr_matrix((steps[chosen], (targets[chosen], sources[chosen])), shape=shape)
    return DelaySparse(delays=delays, **settings)


def _common(values: np.ndarray) -> int:
    """Return the one value of a layer; `run_lava` has refused layers with several."""
    return int(values[0])
