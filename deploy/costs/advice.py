"""What to change for less energy, time or memory, each change mapped, run and priced anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kipuka.convert.decisions import PairedDifference
from kipuka.convert.program import Program
from kipuka.convert.trace import decide
from kipuka.deploy.costs.changes import Change, changes
from kipuka.deploy.costs.cost import Cost, profile
from kipuka.deploy.costs.mapping.limits import SYNAPTIC_MEMORY
from kipuka.deploy.costs.program_run import record_for_costs
from kipuka.deploy.fast.recording import Record, record_for_readout
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.reference import Simulation
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import HardwareProfile

SMALLEST_GAIN = 0.005
"""Changes that save less than this share of energy, time and memory are listed by name only, and so
are those that save memory alone and cost more than this share of energy or time."""


@dataclass(frozen=True)
class Advice:
    """One change that was tried on the data of a run.

    Attributes
    ----------
    change : str
    layer : int or None
        Number of the layer that it is about.
    energy_gain, latency_gain, memory_gain : float
        Share of the typical dynamic energy, of the typical latency and of the words of synaptic
        memory that it saves; negative if it costs.
    operations_saved : float
        Synaptic operations per sample.
    cores_saved : int
    exact : bool
        Whether the network computes the same afterwards; if not, it was run again for the gains.
    accuracy_change : float or None
        Difference of the fraction of samples that are decided right; None without labels, and for a
        network that would have to be trained first.
    accuracy_interval : tuple of float or None
        95 % interval of that difference on new samples.
    refusal : str or None
        Why the changed network does not fit the chip any more; then nothing is gained.
    untrained : bool
        Whether the change asks for a training, and the accuracy is that of the network without it.
    """

    change: str
    layer: int | None = None
    energy_gain: float = 0.0
    latency_gain: float = 0.0
    memory_gain: float = 0.0
    operations_saved: float = 0.0
    cores_saved: int = 0
    exact: bool = False
    accuracy_change: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    refusal: str | None = None
    untrained: bool = False

    @property
    def gain(self) -> float:
        """Largest of the shares saved."""
        return max(self.energy_gain, self.latency_gain, self.memory_gain)

    @property
    def worthwhile(self) -> bool:
        """Whether it saves enough for a line of its own; memory alone must not cost the rest."""
        if self.refusal is not None:
            return False
        dearer = min(self.energy_gain, self.latency_gain) <= -SMALLEST_GAIN
        dearer = dearer and max(self.energy_gain, self.latency_gain) < SMALLEST_GAIN
        return not dearer and (self.gain >= SMALLEST_GAIN or self.cores_saved > 0)

    @property
    def operations_per_point(self) -> float | None:
        """Synaptic operations saved per percentage point of accuracy lost, if both are so."""
        if self.accuracy_change is None or self.accuracy_change >= 0 or self.operations_saved <= 0:
            return None
        return self.operations_saved / (-100 * self.accuracy_change)


def advise(
    program: Program,
    inputs: np.ndarray,
    simulation: Simulation,
    hardware: HardwareProfile,
    now: Cost,
    cores: int | None = None,
    labels: np.ndarray | None = None,
) -> tuple[Advice, ...]:
    """Try changes of a network on the data of a run: run each, price it, and evaluate its accuracy.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
    simulation : Simulation
        Of these inputs, with what the readout decides from.
    hardware : HardwareProfile
    now : Cost
        Cost as it is.
    cores : int, optional
        Cores over which it is spread.
    labels : int64 array (samples,), optional
        Class of each sample.

    Returns
    -------
    tuple of Advice
        All that were tried: worthwhile ones by their gain, the others, those that do not fit.
    """
    before = None
    if labels is not None:
        before = decide(program, simulation.trace.layers[-1]) == labels
    found = [_spread(program, inputs, simulation, hardware, now)]
    for change in changes(program, simulation.counters):
        found.append(_tried(change, inputs, hardware, now, cores, labels, before))
    tried = [one for one in found if one is not None]
    return tuple(sorted(tried, key=lambda x: (not x.worthwhile, x.refusal is not None, -x.gain)))


def record_for_advice(program: Program) -> Record:
    """Record of what costs and decisions are computed from."""
    costs, readout = record_for_costs(program), record_for_readout(program)
    return Record(states=(*(costs.states or ()), *(readout.states or ())))


def _spread(
    program: Program,
    inputs: np.ndarray,
    simulation: Simulation,
    hardware: HardwareProfile,
    now: Cost,
) -> Advice | None:
    """Twice the cores, if the chips in use have them."""
    cores = 2 * now.mapping.n_cores
    available = now.mapping.limits.cores_per_chip
    if available is not None:
        cores = min(cores, available * now.mapping.n_chips)
    if cores <= now.mapping.n_cores:
        return None
    text = f"spread over up to {cores} cores (--cores {cores})"
    try:
        spread = profile(
            program, inputs, simulation, hardware, cores=cores, host_input=now.host_input
        )
    except KipukaError as error:
        return Advice(text, refusal=_refused(error))
    if spread.mapping.n_cores <= now.mapping.n_cores:
        return None
    return _gain(text, None, spread, now, exact=True)


def _tried(
    change: Change,
    inputs: np.ndarray,
    hardware: HardwareProfile,
    now: Cost,
    cores: int | None,
    labels: np.ndarray | None,
    before: np.ndarray | None,
) -> Advice:
    """Run and price a changed network."""
    run = simulate(change.program, inputs, record=record_for_advice(change.program))
    try:
        then = profile(
            change.program, inputs, run, hardware, cores=cores, host_input=now.host_input
        )
    except KipukaError as error:
        return Advice(change.text, change.layer, refusal=_refused(error))
    found = _gain(change.text, change.layer, then, now)
    if before is None or labels is None:
        return found
    return evaluated(found, before, decide(change.program, run.trace.layers[-1]) == labels)


def evaluated(found: Advice, before: np.ndarray, after: np.ndarray) -> Advice:
    """Give advice the change of accuracy on the same samples, with its 95 % interval.

    Parameters
    ----------
    found : Advice
    before, after : bool array (samples,)
        Whether each sample is decided right by the network and by the changed one.
    """
    return replace(
        found,
        accuracy_change=float(after.mean()) - float(before.mean()),
        accuracy_interval=PairedDifference.of(before, after).interval,
    )


def _refused(error: KipukaError) -> str:
    return f"{error.what}: {error.where}, limit {error.limit}, needed {error.value}"


def _gain(
    text: str,
    layer: int | None,
    then: Cost,
    now: Cost,
    *,
    exact: bool = False,
) -> Advice:
    def share(new: float | None, old: float | None) -> float:
        return 0.0 if not old or new is None else 1 - new / old

    words = [int(one.mapping.needs(SYNAPTIC_MEMORY).sum()) for one in (then, now)]
    return Advice(
        change=text,
        layer=layer,
        energy_gain=share(then.dynamic_energy_j.typical, now.dynamic_energy_j.typical),
        latency_gain=share(then.latency_s.typical, now.latency_s.typical),
        memory_gain=share(float(words[0]), float(words[1])),
        operations_saved=now.synaptic_operations - then.synaptic_operations,
        cores_saved=now.mapping.n_cores - then.mapping.n_cores,
        exact=exact,
    )
