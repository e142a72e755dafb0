"""What to train for where there is no microcode, and what it saves.

A limit on recurrent delays, ranges that are proven, and one gate in the place of two.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from kipuka.convert.neurons import SPIKING_GRU
from kipuka.convert.neurons.spiking_mgu import SpikingMguParameters
from kipuka.convert.program import RECURRENT, Layer, Program
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

ONE_GATE = "one gate (gates=shared, as in smgu-delay)"

NO_STEPS_TO_SATURATE = 1
"""A graph for samples of a single step has the size of one whose states cannot saturate."""


def advise_lowered(
    program: Program, inputs: np.ndarray, hardware: HardwareProfile, now: LoweredComparison
) -> tuple[Advice, ...]:
    """Price a network without microcode as if it had been trained for that.

    With longer recurrent delays, with proven ranges too, and with one gate in the place of both.

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
    if any(_has_both_gates(layer) for layer in program.layers):
        changed, n_steps = _with_one_gate(program), inputs.shape[2]
        alone = _tried(ONE_GATE, changed, inputs, n_steps, hardware, now)
        changed = _with_longer_delays(changed, LEAST_DELAYS[-1])
        settings = f"{ONE_GATE}, delays.recurrent_min_steps={LEAST_DELAYS[-1]}"
        settings += " and proven_ranges=true"
        both = _tried(settings, changed, inputs, NO_STEPS_TO_SATURATE, hardware, now)
        found += [alone, both] if both.gain > alone.gain else [alone]
    kept = [one for one in found if one.worthwhile or one.refusal is not None]
    return tuple(sorted(kept, key=lambda one: -one.gain))


def _has_both_gates(layer: Layer) -> bool:
    targets = {p.target for p in layer.projections}
    return layer.model == SPIKING_GRU and {"r", "z"} <= targets and layer.of_current is None


def _with_one_gate(program: Program) -> Program:
    """Minimal gated units in the place of spiking GRU neurons: their reset gates are the gates."""
    layers = []
    for layer in program.layers:
        if _has_both_gates(layer):
            gate = {"i": "i", "r": "f"}
            projections = tuple(
                dataclasses.replace(p, target=gate[p.target])
                for p in layer.projections
                if p.target in gate
            )
            old = layer.neuron
            neuron = SpikingMguParameters(old.threshold, old.bias_i, old.bias_r)
            layer = Layer(neuron, layer.shape, projections)
        layers.append(layer)
    return dataclasses.replace(program, layers=tuple(layers))


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
