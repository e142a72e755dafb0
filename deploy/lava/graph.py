"""A Program as a Lava graph: Lava's own synapses and neurons, and the fused GRU process.

Lava's synapse processes hold their sum back by one step, so the graph as a whole runs one step
behind the Program; `run_lava` removes that constant latency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.proc.sdn.process import ActivationMode, Delta, Sigma, SigmaDelta
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

from kipuka.convert import fixed
from kipuka.convert.neurons import (
    CUBA,
    DELTA,
    SIGMA,
    SIGMA_DELTA,
    SPIKING_GRU,
    SPIKING_MGU,
    handler,
)
from kipuka.convert.neurons.sigma_delta import UNIT
from kipuka.convert.program import RECURRENT, Layer, Program, Projection, Target
from kipuka.convert.synapses import ConvSynapses, DenseSynapses
from kipuka.deploy.lava.processes.spiking_gru import SpikingGRU
from kipuka.deploy.lava.processes.spiking_mgu import SpikingMGU

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
        where = f"layer {program.numbers[position]}"
        neurons.append(handler(PROCESSES, layer.model, "lava", where)(layer))
        if not layer.projections:
            source.s_out.connect(neurons[-1].a_in)
        for back in (*layer.sources, RECURRENT):
            sender = position - back
            outlet = source.s_out if sender < 0 else neurons[sender].s_out
            bits = message_bits(program, sender)
            made = _connect(layer, layer.from_source(back), outlet, neurons[-1].a_in, bits)
            synapses += made
            from_input += made if sender < 0 else ()
        if layer.of_current:
            synapses.append(_connect_current(layer.of_current, neurons[-1]))
    return LavaGraph(tuple(neurons), tuple(synapses), tuple(from_input))


def message_bits(program: Program, sender: int) -> int:
    """Bits of the payload that Lava's synapses multiply; 0 for spikes of a layer or the input."""
    sent = program.layers[sender].neuron_model.sends if sender >= 0 else None
    return sent.bits if sent is not None and sent.graded else 0


def _cuba(layer: Layer) -> Any:
    neuron = layer.neuron
    return LIF(
        shape=(layer.n_neurons,),
        # Lava adds one to du (its ds_offset), so that iDecay 4096 fits 12 bits.
        du=_common(neuron.current_decay) - 1,
        dv=_common(neuron.voltage_decay),
        vth=_common(neuron.threshold),
        bias_mant=neuron.bias,
        bias_exp=fixed.STATE_SHIFT,
    )


def _spiking_gru(layer: Layer) -> Any:
    neuron = layer.neuron
    bias = np.stack([neuron.bias_i, neuron.bias_r, neuron.bias_z])
    return SpikingGRU(shape=(layer.n_neurons,), vth=neuron.threshold, bias=bias)


def _spiking_mgu(layer: Layer) -> Any:
    neuron = layer.neuron
    bias = np.stack([neuron.bias_i, neuron.bias_f])
    return SpikingMGU(shape=(layer.n_neurons,), vth=neuron.threshold, bias=bias)


def _delta(layer: Layer) -> Any:
    # Lava shifts threshold and bias by both exponents.
    vth = _common(layer.neuron.threshold)
    exponents = {"spike_exp": fixed.STATE_SHIFT, "state_exp": fixed.STATE_SHIFT}
    return Delta(shape=(layer.n_neurons,), vth=vth, **exponents)


def _sigma_delta(layer: Layer) -> Any:
    unit = _common(layer.neuron.activation) == UNIT
    return SigmaDelta(
        shape=(layer.n_neurons,),
        vth=_common(layer.neuron.threshold),
        bias=layer.neuron.bias,
        act_mode=ActivationMode.UNIT if unit else ActivationMode.RELU,
        spike_exp=fixed.STATE_SHIFT,
        state_exp=fixed.STATE_SHIFT,
    )


def _sigma(layer: Layer) -> Any:
    return Sigma(shape=(layer.n_neurons,))


PROCESSES: dict[str, Callable[[Layer], Any]] = {
    CUBA: _cuba,
    DELTA: _delta,
    SIGMA: _sigma,
    SIGMA_DELTA: _sigma_delta,
    SPIKING_GRU: _spiking_gru,
    SPIKING_MGU: _spiking_mgu,
}
"""The process of each neuron model."""


def _connect(
    layer: Layer, projections: tuple[Projection, ...], outlet: Any, inlet: Any, bits: int
) -> list[Any]:
    processes = []
    for exponent in sorted({p.weight_exponent for p in projections}):
        chosen = tuple(p for p in projections if p.weight_exponent == exponent)
        # Lava's Conv sums payloads in single precision and wraps the sum at 24 bits.
        kernels = None if bits else _stacked_kernels(layer, chosen)
        if kernels is not None:
            processes.append(_convolve(kernels, outlet, inlet))
            continue
        matrices = all(isinstance(p.synapses, DenseSynapses) for p in chosen)
        process = (_dense if matrices else _sparse)(layer.targets, chosen, bits)
        outlet.connect(process.s_in)
        process.a_out.connect(inlet)
        processes.append(process)
    return processes


def _connect_current(projection: Projection, neurons: Any) -> Any:
    """Lead the currents of a GRU layer to its update gates, as graded messages."""
    # Lava's Conv would wrap the sum at 24 bits.
    build = _dense if isinstance(projection.synapses, DenseSynapses) else _sparse
    process = build((projection.target,), (projection,), fixed.MESSAGE_BITS)
    neurons.c_out.connect(process.s_in)
    process.a_out.connect(neurons.c_in)
    return process


def _stacked_kernels(layer: Layer, projections: tuple[Projection, ...]) -> ConvSynapses | None:
    """All activations of a layer as output channels of one convolution, where ``Conv`` is exact.

    ``Conv`` knows no delays and no exponent, and groups would divide the activations.
    """
    found = {p.target: p.synapses for p in projections}
    first = projections[0].synapses
    if not isinstance(first, ConvSynapses) or any(
        not isinstance(p.synapses, ConvSynapses) or p.weight_exponent or np.any(p.delays)
        for p in projections
    ):
        return None
    fits = first.output_shape == first.formula_shape()
    if not fits or (first.groups > 1 and len(layer.targets) > 1):
        return None
    zeros = np.zeros_like(first.weights)
    kernels = [found[t].weights if t in found else zeros for t in layer.targets]
    channels, height, width = first.output_shape
    shape = (channels * len(layer.targets), height, width)
    return replace(first, weights=np.concatenate(kernels), output_shape=shape)


def _dense(targets: tuple[Target, ...], projections: tuple[Projection, ...], bits: int) -> Any:
    """Stack the rows of a layer's activations; one without a projection gets rows of zeros."""
    first = projections[0].synapses
    shape = (first.n_targets, first.n_sources)
    chosen = {p.target: p for p in projections}
    rows = [chosen.get(target) for target in targets]
    zeros = np.zeros(shape, dtype=np.int64)
    weights = [zeros if p is None else p.synapses.weights.astype(np.int64) for p in rows]
    delays = [zeros if p is None else np.broadcast_to(p.delays, shape) for p in rows]
    settings = {**_settings(projections, bits), "weights": np.concatenate(weights)}
    if any(np.any(part) for part in delays):
        return DelayDense(delays=np.concatenate(delays).astype(int), **settings)
    return Dense(**settings)


def _sparse(targets: tuple[Target, ...], projections: tuple[Projection, ...], bits: int) -> Any:
    """List the synapses of a layer's activations, whose rows are stacked."""
    first = projections[0].synapses
    shape = (len(targets) * first.n_targets, first.n_sources)
    parts = []
    for p in projections:
        rows, columns, weights = p.synapses.entries()
        delays = p.delays[columns] if p.delays.ndim == 1 else p.delays[rows, columns]
        parts.append((rows + targets.index(p.target) * first.n_targets, columns, weights, delays))
    rows, columns, weights, steps = (np.concatenate(x) for x in zip(*parts, strict=True))
    settings = {
        **_settings(projections, bits),
        "weights": csr_matrix((weights, (rows, columns)), shape=shape),
    }
    late = steps > 0
    if not np.any(late):
        return Sparse(**settings)
    delayed = steps[late].astype(int), (rows[late], columns[late])
    return DelaySparse(delays=csr_matrix(delayed, shape=shape), **settings)


def _settings(projections: tuple[Projection, ...], bits: int) -> dict[str, Any]:
    # Left to itself Lava guesses the sign mode and would clip -256 in a purely inhibitory matrix.
    return {
        "weight_exp": projections[0].weight_exponent,
        "sign_mode": SignMode.MIXED,
        "num_message_bits": bits,
    }


def _convolve(synapses: ConvSynapses, outlet: Any, inlet: Any) -> Any:
    # Imports scipy.signal, which takes a third of a worker's start.
    from lava.proc.conv.process import Conv

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


def _common(values: np.ndarray) -> int:
    """Return the one value of a layer; `run_lava` has refused layers with several."""
    return int(values[0])
