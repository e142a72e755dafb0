"""What a run costs on a chip: counts times the chip's costs, with low, typical and high.

The latency is a lower bound in the form of Timcheck, Pierro and Shrestha (arXiv:2601.10035, eq. 1):
per step the maximum of what the busiest core and the chip need, summed over the steps of the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kipuka.deploy.counters import Counters, LayerCounters
from kipuka.hardware_profiles import HardwareProfile, Quantity, SiBounds

Bounds = SiBounds
"""Low, typical and high of an energy or time; None where nothing is published."""


@dataclass(frozen=True)
class LayerCost:
    """Work and dynamic energy of one layer per sample, mean over samples.

    Attributes
    ----------
    layer : int
        From 1; the input is layer 0, as in NetX.
    neurons, cores : int
    spikes, synaptic_operations, neuron_updates : float
    dynamic_energy_j : SiBounds
    """

    layer: int
    neurons: int
    cores: int
    spikes: float
    synaptic_operations: float
    neuron_updates: float
    dynamic_energy_j: SiBounds


@dataclass(frozen=True)
class Profile:
    """Cost of a run per sample.

    Attributes
    ----------
    hardware : str
        Name of the hardware profile.
    layers : tuple of LayerCost
    input_spikes : float
    steps : int
    dynamic_energy_j, static_energy_j, latency_s : SiBounds
        Estimates; None for a bound that nothing published supports.
    left_out : tuple of str
        Costs that the profile has no number for, and what the model does not cover.
    """

    hardware: str
    layers: tuple[LayerCost, ...]
    input_spikes: float
    steps: int
    dynamic_energy_j: SiBounds
    static_energy_j: SiBounds
    latency_s: SiBounds
    left_out: tuple[str, ...]

    @property
    def spikes(self) -> float:
        """Spikes of all layers per sample, without the input's."""
        return sum(layer.spikes for layer in self.layers)

    @property
    def synaptic_operations(self) -> float:
        """Synaptic operations of all layers per sample."""
        return sum(layer.synaptic_operations for layer in self.layers)

    @property
    def neuron_updates(self) -> float:
        """Neuron updates of all layers per sample."""
        return sum(layer.neuron_updates for layer in self.layers)


def profile(counters: Counters, hardware: HardwareProfile) -> Profile:
    """Price the counters of a run.

    Every layer gets neuro cores of its own, as many as its neurons need and equally loaded.

    Parameters
    ----------
    counters : Counters
    hardware : HardwareProfile

    Returns
    -------
    Profile
    """
    layers = tuple(_layer_cost(layer, counters.n_steps, hardware) for layer in counters.layers)
    latency = _latency(counters, layers, hardware)
    static = _times(latency, hardware.static_power.in_si())
    energy = hardware.energy
    missing = {
        "energy of a spike's message": energy.spike,
        "energy of a hop between routers": energy.hop,
    }
    left_out = [f"{name}: not published" for name, q in missing.items() if q.value is None]
    if energy.hop.value is not None:
        left_out.append("hops between routers: no placement on the mesh is assumed")
    if energy.neuron_update_inactive.value is not None:
        left_out.append("savings of inactive neurons: every neuron update is priced as active")
    left_out += [
        "host input and output, embedded processors",
        "routing and link time between cores",
        "microcode of the spiking GRU: priced like any other neuron update",
    ]
    return Profile(
        hardware=hardware.name,
        layers=layers,
        input_spikes=float(counters.input_spikes.sum(axis=1).mean()),
        steps=counters.n_steps,
        dynamic_energy_j=_sum([layer.dynamic_energy_j for layer in layers]),
        static_energy_j=static,
        latency_s=latency,
        left_out=tuple(left_out),
    )


def _layer_cost(layer: LayerCounters, n_steps: int, hardware: HardwareProfile) -> LayerCost:
    energy = hardware.energy
    spikes = float(layer.spikes.sum(axis=1).mean())
    operations = float(layer.synaptic_operations.sum(axis=1).mean())
    updates = float(layer.n_neurons * n_steps)
    passes = _times(_scaled(energy.neuron_update, updates), _passes(hardware))
    parts = [_scaled(energy.synaptic_operation, operations), passes]
    if energy.spike.value is not None:
        parts.append(_scaled(energy.spike, spikes))
    return LayerCost(
        layer=layer.layer,
        neurons=layer.n_neurons,
        cores=_cores(layer.n_neurons, hardware),
        spikes=spikes,
        synaptic_operations=operations,
        neuron_updates=updates,
        dynamic_energy_j=_sum(parts),
    )


def _latency(
    counters: Counters, layers: tuple[LayerCost, ...], hardware: HardwareProfile
) -> SiBounds:
    """Mean over samples of the sum over steps of the slowest term."""
    latency = hardware.latency
    operations = np.max(
        [
            np.ceil(counted.synaptic_operations / cost.cores)
            for counted, cost in zip(counters.layers, layers, strict=True)
        ],
        axis=0,
    )
    updates = max(math.ceil(cost.neurons / cost.cores) for cost in layers)
    update_s = _times(latency.neuron_update.in_si(), _passes(hardware))
    bounds: list[float | None] = []
    for operation_s, one_update_s, barrier_s in zip(
        latency.synaptic_operation.in_si(), update_s, latency.barrier.in_si(), strict=True
    ):
        terms = (operation_s, one_update_s, barrier_s)
        if any(term is None for term in terms):
            bounds.append(None)
            continue
        floor = max(updates * (one_update_s or 0.0), barrier_s or 0.0)
        steps = np.maximum(operations * (operation_s or 0.0), floor)
        bounds.append(float(steps.sum(axis=1).mean()))
    return SiBounds(*bounds)


def _cores(neurons: int, hardware: HardwareProfile) -> int:
    bounds = hardware.limits.neurons_per_core.in_si()
    # The lower figure is what compilers grant in practice.
    limit = bounds.low or bounds.typical
    return math.ceil(neurons / limit) if limit else 1


def _passes(hardware: HardwareProfile) -> SiBounds:
    return hardware.energy.dendrite_updates_per_neuron_update.in_si()


def _scaled(quantity: Quantity, count: float) -> SiBounds:
    return SiBounds(*(None if x is None else x * count for x in quantity.in_si()))


def _times(a: SiBounds, b: SiBounds) -> SiBounds:
    pairs = zip(a, b, strict=True)
    return SiBounds(*(None if x is None or y is None else x * y for x, y in pairs))


def _sum(parts: list[SiBounds]) -> SiBounds:
    """Add bound by bound; one unknown bound makes the sum's unknown."""
    columns = zip(*parts, strict=True)
    return SiBounds(*(None if None in column else sum(column) for column in columns))
