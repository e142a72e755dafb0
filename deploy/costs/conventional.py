"""What the operations of a run would take on a conventional processor, to compare a chip with."""

from __future__ import annotations

from dataclasses import dataclass

from kipuka.convert.program import Program
from kipuka.deploy.costs.neurobench import neurobench
from kipuka.deploy.counters import Counters
from kipuka.hardware_profiles import SiBounds
from kipuka.hardware_profiles.processors import Processor, load_processors


@dataclass(frozen=True)
class ConventionalCost:
    """Energy of a sample on a processor that is no spiking chip.

    Each synaptic operation and each neuron update counts as one multiply-accumulate, as in
    keras-spiking's ModelEnergy.

    Attributes
    ----------
    processor : Processor
        With source and boundary of its figure.
    where_spikes_arrive_j : SiBounds
        If only the operations are done that spikes give rise to.
    every_step_j : SiBounds
        If every weight is used in every step, as in a dense network.
    """

    processor: Processor
    where_spikes_arrive_j: SiBounds
    every_step_j: SiBounds


def on_processors(program: Program, counters: Counters) -> tuple[ConventionalCost, ...]:
    """Price a run on the processors of ``hardware_profiles/conventional``.

    Parameters
    ----------
    program : Program
    counters : Counters
        Of a run of the program.

    Returns
    -------
    tuple of ConventionalCost
        Per sample, mean over samples.
    """
    found = neurobench(program, counters)
    sparse = found.effective_macs + found.effective_acs + found.membrane_updates
    dense = found.dense_operations + found.membrane_updates
    return tuple(
        ConventionalCost(one, _times(one, sparse), _times(one, dense))
        for one in load_processors().processors
    )


def _times(processor: Processor, operations: float) -> SiBounds:
    """Energy of so many operations, in J."""
    bounds = processor.multiply_accumulate.in_si()
    return SiBounds(*(None if end is None else end * operations for end in bounds), unit="J")
