"""Both forms of a network on the same samples: fused, with microcode, and lowered, without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.convert.program import Program
from kipuka.deploy.costs.core_activity import record_for_costs
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.costs.lowered_price import FormPrice, price_lowered
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.lowered.counters import LoweredLayer, lowered_counters, summarise_lowered
from kipuka.deploy.lowered.graph import StockGraph
from kipuka.deploy.lowered.interpreter import run_stock
from kipuka.deploy.lowered.lowering import lower
from kipuka.deploy.lowered.size import too_many_synapses
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import HardwareProfile

SAMPLES = 1
"""Samples on which `without_microcode` counts: the lowered graph runs in plain numpy."""

MESSAGES_AT_MOST = 400_000_000
"""Lowered neurons times hardware steps that are counted in reasonable time and memory; beyond,
`without_microcode` says so."""


@dataclass(frozen=True)
class Forms:
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
        Per sample. The lowered form has no placement: each process has cores of its own.
    """

    period: int
    hardware_steps: int
    samples: int
    layers: tuple[LoweredLayer, ...]
    fused: FormPrice
    lowered: FormPrice

    @property
    def needs_microcode(self) -> bool:
        """Whether the fused form has a process that Lava lacks on Loihi 2; then K exceeds 1."""
        return self.period > 1


@dataclass(frozen=True)
class NotLowered:
    """Why there is no lowered form.

    Attributes
    ----------
    reason : str
        One line.
    """

    reason: str


def without_microcode(
    program: Program, inputs: np.ndarray, hardware: HardwareProfile
) -> Forms | NotLowered:
    """Lower a network and price it, or say in a line why that cannot be done.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
        The first `SAMPLES` are run.
    hardware : HardwareProfile

    Returns
    -------
    Forms or NotLowered
    """
    too_many = too_many_synapses(program)
    if too_many is not None:
        return NotLowered(too_many)
    try:
        graph = lower(program, inputs.shape[2])
    except KipukaError as error:
        return NotLowered(f"{error.what}: {error.where} ({error.value})")
    neurons = sum(node.size for node in graph.nodes)
    messages = neurons * graph.hardware_steps(inputs.shape[2])
    if messages > MESSAGES_AT_MOST:
        return NotLowered(
            f"{neurons:,} neurons in {graph.hardware_steps(inputs.shape[2]):,} hardware steps are "
            "more than are counted here"
        )
    return compare_forms(program, graph, inputs[:SAMPLES], hardware)


def compare_forms(
    program: Program, graph: StockGraph, inputs: np.ndarray, hardware: HardwareProfile
) -> Forms:
    """Price a network and its lowered form on the same samples.

    Parameters
    ----------
    program : Program
    graph : StockGraph
        Of the program.
    inputs : array (samples, units, steps)
    hardware : HardwareProfile

    Returns
    -------
    Forms

    Raises
    ------
    KipukaError
        If the fused form does not fit the chip.
    """
    run = run_stock(graph, inputs)
    counters = lowered_counters(program, graph, run)
    simulation = simulate(program, inputs, record=record_for_costs(program))
    fused = profile(program, inputs, simulation, hardware)
    return Forms(
        period=graph.period,
        hardware_steps=counters.n_steps,
        samples=len(inputs),
        layers=summarise_lowered(program, graph, run),
        fused=FormPrice(fused.dynamic_energy_j, fused.latency_s),
        lowered=price_lowered(counters, hardware),
    )
