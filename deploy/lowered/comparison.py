"""Both forms of a network on the same samples: fused, with microcode, and lowered, without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kipuka.convert.program import Program
from kipuka.deploy.costs.cost import Cost, cost_of
from kipuka.deploy.costs.mapping import groups_of
from kipuka.deploy.costs.program_run import record_for_costs, sent_in
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.lowered.counters import LoweredLayer, lowered_counters, summarise_lowered
from kipuka.deploy.lowered.graph import LoweredGraph
from kipuka.deploy.lowered.groups import groups_of_graph, sent_in_run
from kipuka.deploy.lowered.interpreter import run_lowered
from kipuka.deploy.lowered.lowering import lower, needs_microcode
from kipuka.deploy.lowered.placings import FormRun, Placing, placings_of
from kipuka.deploy.lowered.size import too_many_synapses, why_not_lowered
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import HardwareProfile, SiBounds

SAMPLES = 1
"""Samples on which `without_microcode` counts: the lowered graph runs in plain numpy."""

MESSAGES_AT_MOST = 400_000_000
"""Lowered neurons times hardware steps that are counted in reasonable time and memory; beyond,
`without_microcode` says so."""


class FormPrice(NamedTuple):
    """Estimates of one form of a network per sample, mean over samples.

    Attributes
    ----------
    dynamic_energy_j, latency_s : SiBounds
    """

    dynamic_energy_j: SiBounds
    latency_s: SiBounds

    @classmethod
    def of(cls, cost: Cost) -> FormPrice:
        """Take the figures that the forms are compared by."""
        return cls(cost.dynamic_energy_j, cost.latency_s)


@dataclass(frozen=True)
class LoweredComparison:
    """Size, work and estimated cost of the lowered form beside the fused one.

    Attributes
    ----------
    period : int
        K, hardware steps in an algorithmic step; the fused form takes one.
    hardware_steps : int
        Hardware steps of a sample in the lowered form.
    samples : int
        Samples that both forms were counted on.
    layers : tuple of LoweredLayer
    fused, lowered : FormPrice
        Per sample.
    fused_cores, lowered_cores : tuple of int
        Fewest and most neuro cores that the compiler may take.
    needs_microcode : bool
        Whether the fused form has a process that Lava lacks on Loihi 2.
    placings : tuple of Placing or NotLowered
        Ways of placing either form on cores, if they were asked for, or why one does not fit.
    """

    period: int
    hardware_steps: int
    samples: int
    layers: tuple[LoweredLayer, ...]
    fused: FormPrice
    lowered: FormPrice
    fused_cores: tuple[int, int]
    lowered_cores: tuple[int, int]
    needs_microcode: bool
    placings: tuple[Placing, ...] | NotLowered = ()

    @property
    def samples_text(self) -> str:
        """Samples that both forms were counted on, in words."""
        if self.samples == 1:
            return "the first sample alone"
        return f"the first {self.samples:,} samples"

    @property
    def ratios_text(self) -> str:
        """What the lowered form takes of the fused one's energy and time, typically."""
        energies = self.lowered.dynamic_energy_j.typical, self.fused.dynamic_energy_j.typical
        times = self.lowered.latency_s.typical, self.fused.latency_s.typical
        found = [
            f"{own / other:.3g} times the {what}"
            for what, (own, other) in (("dynamic energy", energies), ("time", times))
            if own is not None and other
        ]
        takes = " and ".join(found) or "nothing known"
        return f"on the same samples the lowered form takes {takes}"


@dataclass(frozen=True)
class NotLowered:
    """Why there is no lowered form to compare.

    Attributes
    ----------
    reason : str
        One line.
    """

    reason: str

    @classmethod
    def because(cls, error: KipukaError) -> NotLowered:
        """Say what was refused and what helps, in one line."""
        return cls(why_not_lowered(error))


def without_microcode(
    program: Program, inputs: np.ndarray, hardware: HardwareProfile
) -> LoweredComparison | NotLowered:
    """Lower a network and price it, or say in a line why that cannot be done.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
        The first `SAMPLES` are run.
    hardware : HardwareProfile

    Returns
    -------
    LoweredComparison or NotLowered
    """
    too_many = too_many_synapses(program)
    if too_many is not None:
        return NotLowered(too_many)
    try:
        graph = lower(program, inputs.shape[2])
    except KipukaError as error:
        return NotLowered.because(error)
    neurons = sum(node.size for node in graph.nodes)
    messages = neurons * graph.hardware_steps(inputs.shape[2])
    if messages > MESSAGES_AT_MOST:
        return NotLowered(
            f"{neurons:,} neurons in {graph.hardware_steps(inputs.shape[2]):,} hardware steps are "
            "more than are counted here"
        )
    return compare_lowered(program, graph, inputs[:SAMPLES], hardware)


def compare_lowered(
    program: Program,
    graph: LoweredGraph,
    inputs: np.ndarray,
    hardware: HardwareProfile,
    *,
    placings: bool = False,
) -> LoweredComparison | NotLowered:
    """Price a network and its lowered form on the same samples, or say why not.

    Parameters
    ----------
    program : Program
    graph : LoweredGraph
        Of the program.
    inputs : array (samples, units, steps)
    hardware : HardwareProfile
    placings : bool
        Whether to place both forms in every way that there is.

    Returns
    -------
    LoweredComparison or NotLowered
        The latter if the chip cannot compute one of the forms, or has no room for it.
    """
    run = run_lowered(graph, inputs)
    counters = lowered_counters(program, graph, run)
    groups = groups_of_graph(graph, program.numbers)
    simulation = simulate(program, inputs, record=record_for_costs(program))
    forms = (
        FormRun(groups_of(program), simulation.counters, sent_in(program, inputs, simulation)),
        FormRun(groups, counters, sent_in_run(graph, run)),
    )
    try:
        fused, lowered = (cost_of(*form, hardware) for form in forms)
    except KipukaError as error:
        return NotLowered.because(error)
    return LoweredComparison(
        period=graph.period,
        hardware_steps=counters.n_steps,
        samples=len(inputs),
        layers=summarise_lowered(program, graph, run),
        fused=FormPrice.of(fused),
        lowered=FormPrice.of(lowered),
        fused_cores=fused.cores,
        lowered_cores=lowered.cores,
        needs_microcode=needs_microcode(program),
        placings=_placings(*forms, graph, hardware) if placings else (),
    )


def _placings(
    fused: FormRun, lowered: FormRun, graph: LoweredGraph, hardware: HardwareProfile
) -> tuple[Placing, ...] | NotLowered:
    try:
        return placings_of(fused, lowered, graph, hardware)
    except KipukaError as error:
        return NotLowered.because(error)
