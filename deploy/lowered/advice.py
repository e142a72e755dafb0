"""What to train for where there is no microcode, and what it saves.

A limit on recurrent delays, ranges that are proven, and cells with one gate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons import SPIKING_GRU, SPIKING_MGU
from kipuka.convert.neurons.spiking_gru import SpikingGruParameters
from kipuka.convert.neurons.spiking_mgu import SpikingMguParameters
from kipuka.convert.program import RECURRENT, Layer, Program, Projection, Target
from kipuka.convert.trace import decide
from kipuka.deploy.costs.advice import SMALLEST_GAIN, Advice, evaluated
from kipuka.deploy.fast.recording import record_for_readout
from kipuka.deploy.fast.simulator import simulate
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
CONSTANT_RESET = "a constant reset gate (gates=update, as in slgru-delay)"
PROVEN = "proven_ranges=true"

NO_STEPS_TO_SATURATE = 1
"""A graph for samples of a single step has the size of one whose states cannot saturate."""


def advise_lowered(
    program: Program,
    inputs: np.ndarray,
    hardware: HardwareProfile,
    now: LoweredComparison,
    labels: np.ndarray | None = None,
) -> tuple[Advice, ...]:
    """Price a network without microcode as if it had been trained for that.

    With longer recurrent delays, with proven ranges too, and with the cells that it does not have.

    Gains are shares of the lowered form's energy and least latency. What the network would decide
    after such a training nobody knows. With labels, each change is run as it is, not trained anew,
    and its accuracy says how far the training would have to go back.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
        As for `without_microcode`.
    hardware : HardwareProfile
    now : LoweredComparison
        Of the network as it is.
    labels : int64 array (samples,), optional
        Class of each sample.

    Returns
    -------
    tuple of Advice
        Empty for a network that has no recurrence to change or gains nothing; by what they save.
    """
    if not now.needs_microcode:
        return ()
    tries = _Tries(inputs, hardware, now, labels, _right(program, inputs, labels))
    found = []
    for least in LEAST_DELAYS:
        changed = _with_longer_delays(program, least)
        settings = f"delays.recurrent_min_steps={least}"
        found += tries.both(settings, f"{settings} and {PROVEN}", changed, changed)
    of_settings = found[-1].energy_gain, found[-1].latency_gain
    for cell, changed in other_cells(program):
        longer = _with_longer_delays(changed, LEAST_DELAYS[-1])
        settings = f"{cell}, delays.recurrent_min_steps={LEAST_DELAYS[-1]} and {PROVEN}"
        alone, all_of_it = tries.both(cell, settings, changed, longer)
        # Another cell is no advice where it saves energy at the cost of time, or time for energy,
        # nor where the settings alone save as much.
        found += [alone] if _saves_beyond(alone, 0.0, 0.0) else []
        more = all_of_it.refusal is not None or all_of_it.gain > alone.gain
        found += [all_of_it] if more and _saves_beyond(all_of_it, *of_settings) else []
    kept = [one for one in found if one.worthwhile or one.refusal is not None]
    return tuple(sorted(kept, key=lambda one: -one.gain))


def _saves_beyond(one: Advice, energy: float, latency: float) -> bool:
    """Say whether advice saves more of one and not less of the other; a refusal is told as well."""
    beyond = one.energy_gain - energy, one.latency_gain - latency
    saves = min(beyond) > -SMALLEST_GAIN and max(beyond) >= SMALLEST_GAIN
    return one.refusal is not None or saves


def _has_both_gates(layer: Layer) -> bool:
    targets = {p.target for p in layer.projections}
    return layer.model == SPIKING_GRU and {"r", "z"} <= targets and layer.of_current is None


def _has_constant_reset(layer: Layer) -> bool:
    targets = {p.target for p in layer.projections}
    return layer.model == SPIKING_GRU and "r" not in targets and layer.of_current is None


def other_cells(program: Program) -> Iterator[tuple[str, Program]]:
    """Yield the network with each cell of fewer gates that some of its layers do not have."""
    layers = program.layers
    if any(_has_both_gates(layer) or _has_constant_reset(layer) for layer in layers):
        yield ONE_GATE, _changed(program, _with_one_gate)
    if any(_has_both_gates(layer) or layer.model == SPIKING_MGU for layer in layers):
        yield CONSTANT_RESET, _changed(program, _with_constant_reset)


def _changed(program: Program, change: Callable[[Layer], Layer]) -> Program:
    layers = tuple(change(layer) for layer in program.layers)
    return dataclasses.replace(program, layers=layers)


def _with_one_gate(layer: Layer) -> Layer:
    """Take a minimal gated unit: the reset gate, or what the update gate leaves, is its gate."""
    old = layer.neuron
    if _has_both_gates(layer):
        kept = {"i": "i", "r": "f"}
        projections = tuple(
            dataclasses.replace(p, target=kept[p.target])
            for p in layer.projections
            if p.target in kept
        )
        bias = old.bias_r
    elif _has_constant_reset(layer):
        projections, bias = _turned(layer, "z", "f"), -old.bias_z
    else:
        return layer
    return Layer(SpikingMguParameters(old.threshold, old.bias_i, bias), layer.shape, projections)


def _with_constant_reset(layer: Layer) -> Layer:
    """Take a light GRU: its reset gate is what its bias makes it, or half open."""
    old = layer.neuron
    if _has_both_gates(layer):
        kept = tuple(p for p in layer.projections if p.target != "r")
        return dataclasses.replace(layer, projections=kept)
    if layer.model != SPIKING_MGU:
        return layer
    half = np.zeros_like(old.bias_f)
    neuron = SpikingGruParameters(old.threshold, old.bias_i, half, -old.bias_f)
    return Layer(neuron, layer.shape, _turned(layer, "f", "z"))


def _turned(layer: Layer, target: Target, becomes: Target) -> tuple[Projection, ...]:
    """Give the projections to a gate to its complement: weights change their sign."""
    turned = []
    for projection in layer.projections:
        if projection.target == target:
            # An even weight of -256 has no opposite in a weight's range.
            weights = np.minimum(-projection.synapses.weights.astype(np.int64), fixed.WEIGHT_MAX)
            weights = weights.astype(projection.synapses.weights.dtype)
            synapses = dataclasses.replace(projection.synapses, weights=weights)
            projection = dataclasses.replace(projection, target=becomes, synapses=synapses)
        turned.append(projection)
    return tuple(turned)


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


@dataclasses.dataclass(frozen=True, eq=False)
class _Tries:
    """Prices changed networks on the same samples; `right` are those that are decided right."""

    inputs: np.ndarray
    hardware: HardwareProfile
    now: LoweredComparison
    labels: np.ndarray | None
    right: np.ndarray | None

    def both(self, alone: str, proven: str, changed: Program, longer: Program) -> list[Advice]:
        """Try a change without proven ranges, and one with them."""
        after = _right(changed, self.inputs, self.labels)
        beyond = after if longer is changed else _right(longer, self.inputs, self.labels)
        return [
            self._tried(alone, changed, self.inputs.shape[2], after),
            self._tried(proven, longer, NO_STEPS_TO_SATURATE, beyond),
        ]

    def _tried(
        self, settings: str, changed: Program, n_steps: int, after: np.ndarray | None
    ) -> Advice:
        few, text = self.inputs[:SAMPLES], f"without microcode: train with {settings}"
        then = compare_lowered(changed, lower(changed, n_steps), few, self.hardware)
        if isinstance(then, NotLowered):
            return Advice(text, refusal=then.reason)
        now = self.now
        found = Advice(
            change=f"{text} (K {now.period} to {then.period})",
            energy_gain=_saved(then.lowered.dynamic_energy_j, now.lowered.dynamic_energy_j),
            latency_gain=_saved(then.lowered.latency_s, now.lowered.latency_s),
            cores_saved=now.lowered_cores[0] - then.lowered_cores[0],
            untrained=True,
        )
        if self.right is None or after is None:
            return found
        return evaluated(found, self.right, after)


def _right(program: Program, inputs: np.ndarray, labels: np.ndarray | None) -> np.ndarray | None:
    """Say which samples a network decides right; None without labels."""
    if labels is None:
        return None
    run = simulate(program, inputs, record=record_for_readout(program))
    right: np.ndarray = decide(program, run.trace.layers[-1]) == labels
    return right


def _saved(new: SiBounds, old: SiBounds) -> float:
    """Share that is saved, of what is known: the typical value, or the least one."""
    pairs = ((new.typical, old.typical), (new.low, old.low))
    for after, before in pairs:
        if after is not None and before:
            return 1 - after / before
    return 0.0
