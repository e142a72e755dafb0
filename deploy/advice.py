"""What to change for less energy or time, each change priced by mapping and costing it anew."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from kipuka.convert.program import OWN, Program, Projection
from kipuka.convert.synapses import DenseSynapses
from kipuka.deploy.profile import Profile, profile
from kipuka.deploy.reference import Simulation
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import HardwareProfile

SMALLEST_GAIN = 0.005
"""Changes that gain less than this share of energy and time are not worth a line."""


@dataclass(frozen=True)
class Advice:
    """One change.

    Attributes
    ----------
    change : str
    energy_gain, latency_gain : float
        Share of the typical dynamic energy and latency that it saves; negative if it costs.
    cores_saved : int
    exact : bool
        Whether the network computes the same afterwards; if not, accuracy must be measured again.
    """

    change: str
    energy_gain: float
    latency_gain: float
    cores_saved: int
    exact: bool


def advise(
    program: Program,
    inputs: np.ndarray,
    simulation: Simulation,
    hardware: HardwareProfile,
    now: Profile,
    cores: int | None = None,
) -> tuple[Advice, ...]:
    """Price changes of a network on the spikes of a run, the largest gain first.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
    simulation : Simulation
        Of these inputs, with all spikes.
    hardware : HardwareProfile
    now : Profile
        Cost as it is.
    cores : int, optional
        Cores over which it is spread.

    Returns
    -------
    tuple of Advice
    """
    found = [*_spreads(program, inputs, simulation, hardware, now)]
    busiest = max(range(len(now.layers)), key=lambda k: now.layers[k].synaptic_operations)
    candidates = [
        _without_small_weights(program, busiest),
        _without_silent_outputs(program, simulation),
        _with_shorter_delays(program),
    ]
    for change, changed, exact in candidates:
        if changed is not None:
            found.append(_priced(change, changed, exact, inputs, simulation, hardware, now, cores))
    worth = [
        one
        for one in found
        if max(one.energy_gain, one.latency_gain) >= SMALLEST_GAIN or one.cores_saved > 0
    ]
    return tuple(sorted(worth, key=lambda one: -max(one.energy_gain, one.latency_gain)))


Candidate = tuple[str, Program | None, bool]


def _spreads(
    program: Program,
    inputs: np.ndarray,
    simulation: Simulation,
    hardware: HardwareProfile,
    now: Profile,
) -> list[Advice]:
    """Try twice the cores, if one chip has them."""
    cores = 2 * now.mapping.n_cores
    available = now.mapping.limits.cores_per_chip
    if available is not None and now.mapping.n_chips == 1:
        cores = min(cores, available)
    spread = profile(program, inputs, simulation, hardware, cores=cores)
    if (
        spread.mapping.n_chips > now.mapping.n_chips
        or spread.mapping.n_cores <= now.mapping.n_cores
    ):
        return []
    return [
        _gain(f"spread over {spread.mapping.n_cores} cores (--cores {cores})", True, spread, now)
    ]


def _without_small_weights(program: Program, position: int) -> Candidate:
    """Prune the weakest fifth of the nonzero weights of the layer with most operations."""
    layer = program.layers[position]
    changed, removed, there = [], 0, 0
    for projection in layer.projections:
        weights = projection.synapses.weights
        sizes = np.abs(weights[weights != 0].astype(np.int64))
        if not sizes.size:
            changed.append(projection)
            continue
        cut = np.sort(sizes)[(sizes.size - 1) // 5]
        kept = np.where(np.abs(weights.astype(np.int64)) > cut, weights, 0).astype(weights.dtype)
        removed += int(np.count_nonzero(weights) - np.count_nonzero(kept))
        there += sizes.size
        changed.append(_with_weights(projection, kept))
    text = (
        f"prune the {removed} smallest of {there} weights of layer {program.numbers[position]}, "
        "which has most synaptic operations"
    )
    return text, _with_layer(program, position, tuple(changed)) if removed else None, False


def _without_silent_outputs(program: Program, simulation: Simulation) -> Candidate:
    """Prune every synapse into and out of neurons that never spiked, but of the readout."""
    silent = [layer.spikes_per_neuron == 0 for layer in simulation.counters.layers]
    silent[-1] = np.zeros_like(silent[-1])
    count = int(sum(s.sum() for s in silent))
    changed = program
    for position, layer in enumerate(program.layers):
        projections = []
        for projection in layer.projections:
            synapses = projection.synapses
            if isinstance(synapses, DenseSynapses):
                weights = synapses.weights.copy()
                weights[silent[position]] = 0
                sender = position if projection.source == OWN else position - projection.source
                if sender >= 0:
                    weights[:, silent[sender]] = 0
                projection = _with_weights(projection, weights)
            projections.append(projection)
        changed = _with_layer(changed, position, tuple(projections))
    text = f"prune the synapses of {count} neurons of dense layers that never spiked on this data"
    return text, changed if count else None, False


def _with_shorter_delays(program: Program) -> Candidate:
    """Halve the longest delay, which saves bits of synaptic memory and delay slots."""
    longest = max(
        (int(p.delays.max(initial=0)) for layer in program.layers for p in layer.projections),
        default=0,
    )
    changed = program
    for position, layer in enumerate(program.layers):
        shorter = tuple(
            dataclasses.replace(p, delays=np.minimum(p.delays, longest // 2))
            for p in layer.projections
        )
        changed = _with_layer(changed, position, shorter)
    return (
        f"train with delays up to {longest // 2} instead of {longest} steps",
        (changed if longest else None),
        False,
    )


def _with_weights(projection: Projection, weights: np.ndarray) -> Projection:
    synapses = dataclasses.replace(projection.synapses, weights=weights)
    return dataclasses.replace(projection, synapses=synapses)


def _with_layer(program: Program, position: int, projections: tuple[Projection, ...]) -> Program:
    layers = list(program.layers)
    layers[position] = dataclasses.replace(layers[position], projections=projections)
    return dataclasses.replace(program, layers=tuple(layers))


def _priced(
    change: str,
    changed: Program,
    exact: bool,
    inputs: np.ndarray,
    simulation: Simulation,
    hardware: HardwareProfile,
    now: Profile,
    cores: int | None,
) -> Advice:
    """Cost of the changed network, if its neurons spike as they did."""
    try:
        then = profile(changed, inputs, simulation, hardware, cores=cores)
    except KipukaError:
        return Advice(change, 0.0, 0.0, 0, exact)
    return _gain(change, exact, then, now)


def _gain(change: str, exact: bool, then: Profile, now: Profile) -> Advice:
    def share(new: float | None, old: float | None) -> float:
        return 0.0 if not old or new is None else 1 - new / old

    return Advice(
        change=change,
        energy_gain=share(then.dynamic_energy_j.typical, now.dynamic_energy_j.typical),
        latency_gain=share(then.latency_s.typical, now.latency_s.typical),
        cores_saved=now.mapping.n_cores - then.mapping.n_cores,
        exact=exact,
    )
