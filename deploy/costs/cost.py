"""What a run costs on a chip: counts by core times the chip's costs, low, typical and high.

The latency is a lower bound in the form of Timcheck, Pierro and Shrestha (arXiv:2601.10035, eq. 1):
per step the maximum of what the busiest core, the busiest link and the barrier need, summed over
the steps of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert.program import Program
from kipuka.deploy.costs.core_activity import Work, work_of
from kipuka.deploy.costs.energy import Prices, energy_of, prices_of, total_of
from kipuka.deploy.costs.latency import TERMS, Timing, timing_of
from kipuka.deploy.costs.mapping import Mapping, Spread, map_program
from kipuka.deploy.reference import Simulation
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import SiBounds

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

__all__ = ["TERMS", "LayerCost", "Profile", "profile"]


@dataclass(frozen=True)
class LayerCost:
    """Work and dynamic energy of one layer per sample, mean over samples.

    Attributes
    ----------
    layer : int
        Number in the file.
    neurons, cores : int
    spikes, synaptic_operations, neuron_updates, messages : float
        ``messages`` counts a spike once for each core that it reaches.
    dynamic_energy_j : SiBounds
    """

    layer: int
    neurons: int
    cores: int
    spikes: float
    synaptic_operations: float
    neuron_updates: float
    messages: float
    dynamic_energy_j: SiBounds


@dataclass(frozen=True, eq=False)
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
    energy_by_kind_j : mapping of str to SiBounds
        Parts of the dynamic energy: synaptic operations, neuron updates, messages, hops.
    core_energy_j : float array (cores,)
        Typical dynamic energy of each core.
    mapping : Mapping
    work : Work
    timing : Timing
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
    energy_by_kind_j: dict[str, SiBounds]
    core_energy_j: np.ndarray
    mapping: Mapping
    work: Work
    timing: Timing
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


def _refuse_graded(program: Program) -> None:
    """Refuse graded spikes, of whose payload the prices of a spike say nothing."""
    for number, layer in zip(program.numbers, program.layers, strict=True):
        if layer.neuron_model.sends.graded:
            raise KipukaError(
                "graded spikes have no price yet",
                where=f"layer {number}",
                limit="neurons that send spikes without a payload",
                value=layer.model,
                remedy="take the counts of a simulation, or price a network of spikes",
            )


def profile(
    program: Program,
    inputs: np.ndarray,
    simulation: Simulation,
    hardware: HardwareProfile,
    *,
    cores: int | None = None,
) -> Profile:
    """Map a network onto a chip and price a run of it.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
    simulation : Simulation
        Of these inputs, with the spikes of every layer.
    hardware : HardwareProfile
    cores : int, optional
        Cores to spread over; by default the fewest that hold the network.

    Returns
    -------
    Profile

    Raises
    ------
    KipukaError
        If the network does not fit the chip.
    """
    _refuse_graded(program)
    counters = simulation.counters
    load = tuple(layer.arrivals_per_neuron for layer in counters.layers)
    mapping = map_program(program, hardware, load, None if cores is None else Spread(cores))
    work = work_of(program, mapping, inputs, simulation)
    prices = prices_of(hardware)
    timing = timing_of(mapping, work, hardware)
    n_samples = counters.n_samples
    everything = slice(0, mapping.n_cores)
    by_kind = energy_of(work, everything, prices, n_samples)
    static = _static(timing.latency_s, hardware, mapping.n_chips)
    core_energy = [
        total_of(energy_of(work, slice(k, k + 1), prices, n_samples), prices).typical or 0.0
        for k in range(mapping.n_cores)
    ]
    return Profile(
        hardware=hardware.name,
        layers=_layer_costs(mapping, work, simulation, prices),
        input_spikes=float(counters.input_spikes.sum(axis=1).mean()),
        steps=counters.n_steps,
        dynamic_energy_j=total_of(by_kind, prices),
        static_energy_j=static,
        latency_s=timing.latency_s,
        energy_by_kind_j={
            kind: SiBounds(None, None, None) if kind in prices.unpublished else prices.bounds(parts)
            for kind, parts in by_kind.items()
        },
        core_energy_j=np.array(core_energy),
        mapping=mapping,
        work=work,
        timing=timing,
        left_out=(
            *prices.left_out,
            *timing.left_out,
            *_always_left_out(program, mapping, hardware),
        ),
    )


def _layer_costs(
    mapping: Mapping, work: Work, simulation: Simulation, prices: Prices
) -> tuple[LayerCost, ...]:
    n_samples = simulation.counters.n_samples
    costs = []
    for own, counted in zip(mapping.layers, simulation.counters.layers, strict=True):
        energy = energy_of(work, own.cores, prices, n_samples)
        costs.append(
            LayerCost(
                layer=own.layer,
                neurons=counted.n_neurons,
                cores=own.n_cores,
                spikes=float(counted.spikes.sum(axis=1).mean()),
                synaptic_operations=float(counted.synaptic_operations.sum(axis=1).mean()),
                neuron_updates=float(work.updates[own.cores].sum() / n_samples),
                messages=float(work.messages[own.cores].sum() / n_samples),
                dynamic_energy_j=total_of(energy, prices),
            )
        )
    return tuple(costs)


def _static(latency_s: SiBounds, hardware: HardwareProfile, n_chips: int) -> SiBounds:
    """Static power times latency: of the system, where it is known, or of each chip in use."""
    powers = 1 if _of_whole_system(hardware) else n_chips
    pairs = zip(hardware.static_power.in_si(), latency_s, strict=True)
    return SiBounds(*(None if p is None or t is None else powers * p * t for p, t in pairs))


def _of_whole_system(hardware: HardwareProfile) -> bool:
    return hardware.system is not None and hardware.system.static_power is not None


def _always_left_out(program: Program, mapping: Mapping, hardware: HardwareProfile) -> list[str]:
    notes = []
    chips, system = mapping.n_chips, hardware.system
    if hardware.static_power.in_si().typical is None:
        notes.append("static power: not published")
    elif chips > 1 and not _of_whole_system(hardware):
        notes.append(
            f"static power of what joins {chips} chips: static energy is {chips} times that of one"
        )
    fewer = None if system is None else system.chips.in_si().low
    if system is not None and fewer is not None and chips > fewer:
        notes.append(
            f"another source gives {system.system} only {fewer:g} chips; {chips} are planned"
        )
    notes.append(
        "host input and output, embedded processors; input spikes send no messages on the mesh"
    )
    if any(layer.model == "SPIKING_GRU" for layer in program.layers):
        notes.append("microcode of the spiking GRU: priced like any other neuron update")
    return notes
