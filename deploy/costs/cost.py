"""What a run costs on a chip: counts by core times the chip's costs, low, typical and high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert.operands import truth_value, whole_number
from kipuka.convert.program import Program, expect_program
from kipuka.deploy.costs.core_activity import CoreActivity, Sent, core_activity
from kipuka.deploy.costs.energy import Prices, energy_of, prices_of, total_of
from kipuka.deploy.costs.latency import TERMS, Laid, Timing, timing_of
from kipuka.deploy.costs.mapping import (
    Group,
    Mapping,
    Spread,
    groups_of,
    map_by_halving,
    map_groups,
)
from kipuka.deploy.costs.program_run import sent_in
from kipuka.deploy.counters import Counters
from kipuka.deploy.reference import Simulation
from kipuka.display import Shown, Table, counted
from kipuka.errors import expect
from kipuka.hardware_profiles import SiBounds
from kipuka.lazy import listing

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

__all__ = ["TERMS", "Cost", "LayerCost", "cost_of", "profile"]

__dir__ = listing(__all__)

CORES_MAX = 1 << 31
"""More than any system has; spreading goes no further than one neuron a core."""


@dataclass(frozen=True)
class LayerCost:
    """Counts and dynamic energy of one layer per sample, mean over samples.

    Attributes
    ----------
    layer : int
        Number in the file.
    neurons, cores : int
    spikes, synaptic_operations, multiplications, neuron_updates, messages : float
        ``spikes`` with those that are graded; ``multiplications`` are the synaptic operations whose
        message carries a payload; ``messages`` counts a spike once for each core that it reaches.
    dynamic_energy_j : SiBounds
    """

    layer: int
    neurons: int
    cores: int
    spikes: float
    synaptic_operations: float
    multiplications: float
    neuron_updates: float
    messages: float
    dynamic_energy_j: SiBounds


@dataclass(frozen=True, eq=False)
class Cost(Shown):
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
        On the fewest cores, or so many as were asked for.
    halved : Mapping
        As a splitter by halving makes it; the compiler's lies between the two.
    activity : CoreActivity
        Over `mapping`.
    timing : Timing
    host_input : bool
        Whether spikes come from a program on the host; else they are preloaded.
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
    halved: Mapping
    activity: CoreActivity
    timing: Timing
    host_input: bool
    left_out: tuple[str, ...]

    def _line(self) -> str:
        few, many = self.cores
        cores = f"{few} cores" if few == many else f"{few} to {many} cores"
        chips = counted(self.mapping.n_chips, "chip")
        return (
            f"{self.hardware}, estimates per sample: energy "
            f"{_scaled(self.total_energy_j, 1e6, 'µJ')}, dynamic "
            f"{_typical(self.dynamic_energy_j, 1e6, 'µJ')}, static "
            f"{_typical(self.static_energy_j, 1e6, 'µJ')}; latency at least "
            f"{_scaled(self.latency_s, 1e6, 'µs')}; {cores} of {chips}"
        )

    def _table(self) -> Table:
        rows = [
            (
                str(layer.layer),
                f"{layer.spikes:,.1f}",
                f"{layer.synaptic_operations:,.0f}",
                _scaled(layer.dynamic_energy_j, 1e6, "µJ"),
            )
            for layer in self.layers
        ]
        energies = {
            "all layers, dynamic": self.dynamic_energy_j,
            "static, as long as a sample takes": self.static_energy_j,
            "together": self.total_energy_j,
        }
        rows += [(name, "", "", _scaled(one, 1e6, "µJ")) for name, one in energies.items()]
        columns = ["layer", "spikes", "synaptic operations", "energy, typical (low to high)"]
        return Table(columns, rows, [f"left out: {note}" for note in self.left_out])

    @property
    def total_energy_j(self) -> SiBounds:
        """Dynamic and static energy of a sample together, bound by bound; None where one is."""
        pairs = zip(self.dynamic_energy_j, self.static_energy_j, strict=True)
        return SiBounds(*(None if a is None or b is None else a + b for a, b in pairs), unit="J")

    @property
    def cores(self) -> tuple[int, int]:
        """Fewest and most cores that the compiler may take."""
        counts = self.mapping.n_cores, self.halved.n_cores
        return min(counts), max(counts)

    @property
    def spikes(self) -> float:
        """Spikes of all layers per sample, without the input's."""
        return sum(layer.spikes for layer in self.layers)

    @property
    def synaptic_operations(self) -> float:
        """Synaptic operations of all layers per sample."""
        return sum(layer.synaptic_operations for layer in self.layers)

    @property
    def multiplications(self) -> float:
        """Synaptic operations of all layers per sample that multiply by a payload."""
        return sum(layer.multiplications for layer in self.layers)

    @property
    def neuron_updates(self) -> float:
        """Neuron updates of all layers per sample."""
        return sum(layer.neuron_updates for layer in self.layers)


def profile(
    program: Program,
    inputs: np.ndarray,
    simulation: Simulation,
    hardware: HardwareProfile,
    *,
    cores: int | None = None,
    host_input: bool = False,
) -> Cost:
    """Map a network, fused, onto a chip and price a run of it.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
    simulation : Simulation
        Of these inputs, with the spikes of every layer.
    hardware : HardwareProfile
    cores : int, optional
        Cores to spread over; by default the fewest that hold the network.
    host_input : bool
        Whether spikes come from a program on the host in each step; else they are preloaded.

    Returns
    -------
    Cost

    Raises
    ------
    KipukaError
        If the chip cannot compute the network, or it does not fit.
    """
    if cores is not None:
        cores = whole_number(cores, 1, CORES_MAX, "argument cores")
    from kipuka.hardware_profiles.schema import expect_profile

    expect_program(program)
    expect(simulation, Simulation, "argument simulation", "kipuka.deploy.simulate makes it")
    expect_profile(hardware)
    host_input = truth_value(host_input, "argument host_input")
    sent = sent_in(program, inputs, simulation)
    groups, counters = groups_of(program), simulation.counters
    return cost_of(groups, counters, sent, hardware, cores=cores, host_input=host_input)


def cost_of(
    groups: tuple[Group, ...],
    counters: Counters,
    sent: Sent,
    hardware: HardwareProfile,
    *,
    cores: int | None = None,
    host_input: bool = False,
) -> Cost:
    """Map groups of neurons onto a chip and price a run of them.

    Parameters
    ----------
    groups : tuple of Group
    counters : Counters
        Of the run, with an entry for each group.
    sent : Sent
        What they sent in it.
    hardware : HardwareProfile
    cores : int, optional
        Cores to spread over; by default the fewest.
    host_input : bool
        As in `profile`.
    """
    load = tuple(layer.arrivals_per_neuron for layer in counters.layers)
    spread = None if cores is None else Spread(cores, counters.n_steps * counters.n_samples)
    mapping = map_groups(groups, hardware, load, spread)
    halved = map_by_halving(groups, hardware)
    activity = core_activity(groups, mapping, counters, sent)
    other = Laid(halved, core_activity(groups, halved, counters, sent))
    timing = timing_of(Laid(mapping, activity), (other,), hardware, host_input=host_input)
    prices = prices_of(hardware)
    n_samples = counters.n_samples
    by_kind = energy_of(activity, slice(0, mapping.n_cores), prices, n_samples)
    chips = min(mapping.n_chips, halved.n_chips), max(mapping.n_chips, halved.n_chips)
    core_energy = [
        total_of(energy_of(activity, slice(k, k + 1), prices, n_samples), prices).typical or 0.0
        for k in range(mapping.n_cores)
    ]
    left_out = _always_left_out(groups, mapping, hardware, host_input)
    return Cost(
        hardware=hardware.name,
        layers=_layer_costs(mapping, activity, counters, prices),
        input_spikes=float(counters.input_spikes.sum(axis=1).mean()),
        steps=counters.n_steps,
        dynamic_energy_j=total_of(by_kind, prices),
        static_energy_j=_static(timing.latency_s, hardware, mapping.n_chips, chips),
        latency_s=timing.latency_s,
        energy_by_kind_j={
            kind: SiBounds(None, None, None, unit="J")
            if kind in prices.unpublished
            else prices.bounds(parts)
            for kind, parts in by_kind.items()
        },
        core_energy_j=np.array(core_energy),
        mapping=mapping,
        halved=halved,
        activity=activity,
        timing=timing,
        host_input=host_input,
        left_out=(*prices.left_out, *timing.left_out, *left_out),
    )


def _layer_costs(
    mapping: Mapping, activity: CoreActivity, counters: Counters, prices: Prices
) -> tuple[LayerCost, ...]:
    n_samples = counters.n_samples
    costs = []
    for own, work in zip(mapping.groups, counters.layers, strict=True):
        energy = energy_of(activity, own.cores, prices, n_samples)
        costs.append(
            LayerCost(
                layer=own.layer,
                neurons=work.n_neurons,
                cores=own.n_cores,
                spikes=float(work.spikes.sum(axis=1).mean()),
                synaptic_operations=float(work.synaptic_operations.sum(axis=1).mean()),
                multiplications=work.multiplications / n_samples,
                neuron_updates=float(activity.updates[own.cores].sum() / n_samples),
                messages=float(activity.messages[own.cores].sum() / n_samples),
                dynamic_energy_j=total_of(energy, prices),
            )
        )
    return tuple(costs)


def _static(
    latency_s: SiBounds, hardware: HardwareProfile, n_chips: int, chips: tuple[int, int]
) -> SiBounds:
    """Static power times latency: of the system, where it is known, or of each chip in use."""
    powers = (1, 1, 1) if _of_whole_system(hardware) else (chips[0], n_chips, chips[1])
    triples = zip(powers, hardware.static_power.in_si(), latency_s, strict=True)
    return SiBounds(
        *(None if p is None or t is None else n * p * t for n, p, t in triples), unit="J"
    )


def _of_whole_system(hardware: HardwareProfile) -> bool:
    return hardware.system is not None and hardware.system.static_power is not None


def _always_left_out(
    groups: tuple[Group, ...], mapping: Mapping, hardware: HardwareProfile, host_input: bool
) -> list[str]:
    notes = []
    if hardware.taken_over:
        bundled, *taken = hardware.taken_over
        notes.append(f"{', '.join(taken)} of the chip: not in its profile, taken from {bundled}")
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
    step = hardware.host_input.step_from_host
    if not host_input and step.value is not None:
        ends = [step.value if end is None else end for end in (step.low, step.high)]
        notes.append(
            f"input from a program on the host: {ends[0]:g} to {ends[1]:g} {step.unit} a step by "
            "published runs; input is taken to be preloaded"
        )
    notes.append("host output, embedded processors; input spikes send no messages on the mesh")
    widths = sorted({b.payload_bits for group in groups for b in group.bundles if b.graded})
    if widths:
        notes.append(
            f"what payloads of {' and '.join(map(str, widths))} bits add to a synaptic operation "
            "and to a message: not published; each is priced as that of a spike, so that energy "
            "and time of a graded message may lie above their high bounds"
        )
    kinds = sorted({group.kind for group in groups if group.programmable})
    if kinds:
        notes.append(f"microcode of {', '.join(kinds)}: priced like any other neuron update")
    return notes


def _scaled(bounds: SiBounds, factor: float, unit: str) -> str:
    """Typical value with its bounds in a unit that is 1 / `factor` of the SI's."""
    typical = _typical(bounds, factor, unit)
    if bounds.low is None and bounds.high is None:
        return typical if bounds.typical is None else f"{typical} (range not published)"
    low, high = (
        "not published" if bound is None else f"{factor * bound:.3g}"
        for bound in (bounds.low, bounds.high)
    )
    return f"{typical} ({low} to {high})"


def _typical(bounds: SiBounds, factor: float, unit: str) -> str:
    return "not published" if bounds.typical is None else f"{factor * bounds.typical:.3g} {unit}"
