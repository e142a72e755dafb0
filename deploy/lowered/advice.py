"""What to train for where there is no microcode: a limit on recurrent delays, and what it saves."""

from __future__ import annotations

import dataclasses

import numpy as np

from kipuka.convert.program import RECURRENT, Program
from kipuka.deploy.costs.advice import Advice
from kipuka.deploy.lowered.comparison import (
    SAMPLES,
    LoweredComparison,
    NotLowered,
    compare_lowered,
)
from kipuka.deploy.lowered.lowering import lower
from kipuka.hardware_profiles import HardwareProfile, SiBounds

LEAST_DELAYS = (2, 4)
"""Recurrent delays in steps from which on a step takes two hardware steps, and one if no state can
saturate."""

NO_STEPS_TO_SATURATE = 1
"""A graph for samples of a single step has the size of one whose states cannot saturate."""


def advise_lowered(
    program: Program, inputs: np.ndarray, hardware: HardwareProfile, now: LoweredComparison
) -> tuple[Advice, ...]:
    """Price a network without microcode as if its recurrent delays had been longer in training.

    Gains are shares of the lowered form's energy and least latency. What the network would decide
    after such a training nobody knows, so that no accuracy is given.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
        As for `without_microcode`.
    hardware : HardwareProfile
    now : LoweredComparison
        Of the network as it is.

    Returns
    -------
    tuple of Advice
        Empty for a network that has no recurrence to change or gains nothing; by what they save.
    """
    if not now.needs_microcode:
        return ()
    found = []
    for least in LEAST_DELAYS:
        changed = _with_longer_delays(program, least)
        settings = f"delays.recurrent_min_steps={least}"
        found.append(_tried(settings, changed, inputs, inputs.shape[2], hardware, now))
        settings += " and proven_ranges=true"
        found.append(_tried(settings, changed, inputs, NO_STEPS_TO_SATURATE, hardware, now))
    kept = [one for one in found if one.worthwhile or one.refusal is not None]
    return tuple(sorted(kept, key=lambda one: -one.gain))


def _with_longer_delays(program: Program, least: int) -> Program:
    layers = []
    for layer in program.layers:
        projections = [
            dataclasses.replace(p, delays=np.maximum(p.delays, least))
            if p.source == RECURRENT
            else p
            for p in layer.projections
        ]
        layers.append(dataclasses.replace(layer, projections=tuple(projections)))
    return dataclasses.replace(program, layers=tuple(layers))


def _tried(
    settings: str,
    changed: Program,
    inputs: np.ndarray,
    n_steps: int,
    hardware: HardwareProfile,
    now: LoweredComparison,
) -> Advice:
    then = compare_lowered(changed, lower(changed, n_steps), inputs[:SAMPLES], hardware)
    if isinstance(then, NotLowered):
        return Advice(f"without microcode: train with {settings}", refusal=then.reason)
    return Advice(
        change=f"without microcode: train with {settings} (K {now.period} to {then.period})",
        energy_gain=_saved(then.lowered.dynamic_energy_j, now.lowered.dynamic_energy_j),
        latency_gain=_saved(then.lowered.latency_s, now.lowered.latency_s),
        cores_saved=now.lowered_cores[0] - then.lowered_cores[0],
    )


def _saved(new: SiBounds, old: SiBounds) -> float:
    """Share that is saved, of what is known: the typical value, or the least one."""
    pairs = ((new.typical, old.typical), (new.low, old.low))
    for after, before in pairs:
        if after is not None and before:
            return 1 - after / before
    return 0.0
