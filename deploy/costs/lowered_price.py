"""What a lowered network costs: no placement, every process on cores of its own."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kipuka.deploy.costs.energy import prices_of
from kipuka.deploy.counters import Counters
from kipuka.hardware_profiles import HardwareProfile, SiBounds


class FormPrice(NamedTuple):
    """Estimates of one form of a network per sample, mean over samples.

    Attributes
    ----------
    dynamic_energy_j : SiBounds
        Of the lowered form: synaptic operations, neuron updates (all active) and messages, one per
        spike.
    latency_s : SiBounds
        Lower bound; of the lowered form: per hardware step the busiest core, or the barrier.
    """

    dynamic_energy_j: SiBounds
    latency_s: SiBounds


def price_lowered(counters: Counters, hardware: HardwareProfile) -> FormPrice:
    """Price the counters of a lowered network, which has no Program that could be mapped.

    Parameters
    ----------
    counters : Counters
        One entry per process, as `lowered_counters` gives them.
    hardware : HardwareProfile

    Returns
    -------
    FormPrice
    """
    prices = prices_of(hardware)
    counted = (
        sum(float(layer.synaptic_operations.sum()) for layer in counters.layers),
        sum(float(layer.updates) for layer in counters.layers),
        0.0,
        sum(float(layer.spikes.sum()) for layer in counters.layers),
        0.0,
    )
    nothing = (0.0,) * len(counted)
    table = np.array([prices.low or nothing, prices.typical or nothing, *prices.high])
    energy = prices.bounds(table @ np.array(counted) / counters.n_samples)
    return FormPrice(energy, _latency(counters, hardware))


def _latency(counters: Counters, hardware: HardwareProfile) -> SiBounds:
    """Mean over samples of the sum over hardware steps of the slowest term."""
    limits, latency = hardware.limits.neurons_per_core.in_si(), hardware.latency
    per_core = limits.low or limits.typical or math.inf
    cores = [max(1, math.ceil(layer.n_neurons / per_core)) for layer in counters.layers]
    layers = list(zip(counters.layers, cores, strict=True))
    operations = np.max([np.ceil(x.synaptic_operations / n) for x, n in layers], axis=0)
    updates = max(math.ceil(x.n_neurons / n) for x, n in layers)
    passes = hardware.energy.dendrite_updates_per_neuron_update.in_si()
    bounds: list[float | None] = []
    for operation_s, update_s, barrier_s, n_passes in zip(
        latency.synaptic_operation.in_si(),
        latency.neuron_update.in_si(),
        latency.barrier.in_si(),
        passes,
        strict=True,
    ):
        times = n_passes if n_passes is not None else passes.typical
        if operation_s is None or update_s is None or barrier_s is None or times is None:
            bounds.append(None)
            continue
        floor = max(updates * update_s * times, barrier_s)
        bounds.append(float(np.maximum(operations * operation_s, floor).sum(axis=1).mean()))
    return SiBounds(*bounds)
