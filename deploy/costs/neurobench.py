"""Metrics under the names of NeuroBench (Yik et al., arXiv:2304.04640), counted exactly.

NeuroBench hooks into torch modules and sees what passes through them; here the Program is counted,
with what hooks cannot see: recurrent synapses, the three gates of a spiking GRU, and the time that
delays keep a spike waiting.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from kipuka.convert.program import RECURRENT, Layer, Program, Projection
from kipuka.convert.synapses import ConvSynapses, Synapses, weight_bits
from kipuka.deploy.counters import Counters


@dataclass(frozen=True)
class NeuroBench:
    """Metrics of a network and of a run.

    Attributes
    ----------
    footprint_bytes : int
        Weights, biases, thresholds, decays, delays and states in whole bytes each.
    connection_sparsity : float
        Share of stored weights that are 0.
    activation_sparsity : float
        Share of neurons and steps without a spike.
    effective_macs, effective_acs : float
        Synaptic operations per sample with a nonzero weight and a nonzero activation: with a
        payload multiply-accumulates, with a spike accumulations. NeuroBench itself decides step by
        step, and takes a step whose payloads are all 0, 1 or -1 for one of spikes.
    dense_operations : float
        The same if every weight met a spike in every step.
    membrane_updates : float
        Neuron updates per sample.
    recurrent_synapses, gate_synapses, delayed_synapses : int
        Nonzero synapses of recurrences, into the reset and update gates of spiking GRUs, and with
        a delay above 0: work that NeuroBench's hooks do not see.
    """

    footprint_bytes: int
    connection_sparsity: float
    activation_sparsity: float
    effective_macs: float
    effective_acs: float
    dense_operations: float
    membrane_updates: float
    recurrent_synapses: int
    gate_synapses: int
    delayed_synapses: int


def neurobench(program: Program, counters: Counters) -> NeuroBench:
    """Compute NeuroBench's metrics from a network and the counters of a run.

    Parameters
    ----------
    program : Program
    counters : Counters

    Returns
    -------
    NeuroBench
    """
    projections = [(layer, p) for layer in program.layers for p in layer.projections]
    weights = [p.synapses.weights for _, p in projections]
    stored = sum(w.size for w in weights)
    zero = stored - sum(int(np.count_nonzero(w)) for w in weights)
    n_samples, n_steps = counters.n_samples, counters.n_steps
    neurons = sum(layer.n_neurons for layer in program.layers)
    spikes = sum(int(layer.spikes.sum()) for layer in counters.layers)
    operations = sum(int(layer.synaptic_operations.sum()) for layer in counters.layers)
    multiplications = sum(layer.multiplications for layer in counters.layers)
    connections = sum(_connections(p.synapses) for _, p in projections)
    return NeuroBench(
        footprint_bytes=sum(_footprint(layer) for layer in program.layers),
        connection_sparsity=zero / stored if stored else 0.0,
        activation_sparsity=1 - spikes / max(neurons * n_steps * n_samples, 1),
        effective_macs=multiplications / max(n_samples, 1),
        effective_acs=(operations - multiplications) / max(n_samples, 1),
        dense_operations=float(connections * n_steps),
        membrane_updates=float(neurons * n_steps),
        recurrent_synapses=_nonzero(p for _, p in projections if p.source == RECURRENT),
        gate_synapses=_nonzero(p for _, p in projections if p.target in ("r", "z", "f")),
        delayed_synapses=sum(_delayed(p) for _, p in projections),
    )


def _nonzero(projections: Iterable[Projection]) -> int:
    return sum(int(p.synapses.fan_out().sum()) for p in projections)


def _delayed(projection: Projection) -> int:
    if projection.delays.ndim == 1:
        return int(projection.synapses.fan_out()[projection.delays > 0].sum())
    return int(np.count_nonzero(projection.delays[projection.synapses.weights != 0]))


def _footprint(layer: Layer) -> int:
    """Weights in whole bytes, a byte for each delay, four for each parameter and state."""
    n_bytes = 4 * layer.n_neurons * (len(layer.neuron) + len(layer.targets) + 2)
    for projection in layer.projections:
        weights = projection.synapses.weights
        n_bytes += weights.size * -(-max(1, weight_bits(weights)) // 8)
        n_bytes += projection.delays.size if projection.delays.any() else 0
    return n_bytes


def _connections(synapses: Synapses) -> int:
    """Pairs of neurons that a projection joins, zero weights included."""
    if isinstance(synapses, ConvSynapses):
        return int(replace(synapses, weights=np.ones_like(synapses.weights)).fan_out().sum())
    return int(synapses.weights.size)
