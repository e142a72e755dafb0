"""Static range analysis: how far every state can get, from the weights alone.

Interval arithmetic over the steps of a run in which every input may spike at any time. What one
spike does to two activations at once is not torn apart: a spike that opens the reset gate and
inhibits the current does both in the bound as well. Every bound is proven; none is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.arrivals import Sent
from kipuka.convert.analysis.cuba import cuba_range
from kipuka.convert.analysis.sigma_delta import delta_range, sigma_delta_range, sigma_range
from kipuka.convert.analysis.spiking_gru import gru_range, mgu_range
from kipuka.convert.analysis.steps import Given, Range
from kipuka.convert.encoder import Encoder
from kipuka.convert.neurons import CUBA, DELTA, SIGMA, SIGMA_DELTA, SPIKING_GRU, SPIKING_MGU
from kipuka.convert.neurons.model import StateVariable
from kipuka.convert.operands import MAX_STEPS, whole_number
from kipuka.convert.program import RECURRENT, Layer, Program, expect_program


@dataclass(frozen=True, eq=False)
class StateRange:
    """Proven range of one state variable of one layer.

    Attributes
    ----------
    layer : int
        Number in the file.
    variable : str
        One of the states of the neuron model, such as ``u`` and ``v`` of CUBA neurons.
    low, high : int64 arrays (neurons,)
        Bounds of the state at the end of a step, in state units.
    reach : int64 array (neurons,)
        Bound of the magnitude before anything wraps, saturates or is reset, in state units.
    limit : int
        Largest magnitude that the state holds, in state units.
    overflow : {"wrap", "saturate"}
        What happens beyond the limit.
    """

    layer: int
    variable: str
    low: np.ndarray
    high: np.ndarray
    reach: np.ndarray
    limit: int
    overflow: str

    @property
    def safe(self) -> bool:
        """Whether the state provably stays within its limit."""
        return bool(np.all(self.reach <= self.limit))

    @property
    def neuron(self) -> int:
        """The neuron that gets farthest."""
        return int(np.argmax(self.reach))

    @property
    def verdict(self) -> str:
        """One sentence."""
        worst = int(self.reach[self.neuron])
        if self.safe:
            room = f"{worst:,} of {self.limit:,}, neuron {self.neuron}"
            return f"cannot {self.overflow}: reaches at most {room}"
        return (
            f"may {self.overflow}: not proven to stay within its limit {self.limit:,}, some input "
            f"might drive it towards {worst:,}, neuron {self.neuron}"
        )


@dataclass(frozen=True, eq=False)
class RangeAnalysis:
    """Ranges of all states of a network.

    Attributes
    ----------
    n_steps : int
        Steps between two resets, up to which the ranges hold.
    states : tuple of StateRange
        Layer by layer.
    """

    n_steps: int
    states: tuple[StateRange, ...]

    @property
    def safe(self) -> bool:
        """Whether nothing can saturate or wrap."""
        return all(state.safe for state in self.states)

    def of(self, layer: int, variable: str) -> StateRange:
        """Range of a state of the layer of that number."""
        return next(s for s in self.states if (s.layer, s.variable) == (layer, variable))


def analyse_ranges(
    program: Program, n_steps: int, largest_input: int = fixed.INT32_MAX
) -> RangeAnalysis:
    """Bound every state over all possible inputs.

    Parameters
    ----------
    program : Program
        With resets of its own, their interval limits the steps.
    n_steps : int
        Longest run between two resets.
    largest_input : int
        Of a network with an encoder: largest magnitude of what `Encoder.activation` gives.

    Returns
    -------
    RangeAnalysis
    """
    expect_program(program)
    n_steps = whole_number(n_steps, 1, MAX_STEPS, "argument n_steps")
    if program.reset:
        n_steps = min(n_steps, program.reset.interval)
    spiking: list[Sent] = [np.ones(program.n_inputs, dtype=bool)]
    states: list[StateRange] = []
    for position, layer in enumerate(program.layers):
        can_spike = {back: spiking[max(1 + position - back, 0)] for back in layer.sources}
        encoded = _whole(largest_input, program.encoder) if position == 0 else None
        # First as if all neurons of the layer could spike, then without those that cannot.
        own: Sent = np.ones(layer.n_neurons, dtype=bool)
        for _ in range(2):
            sending = {**can_spike, RECURRENT: own}
            given = Given(sending, encoded, n_steps, program.reset is not None)
            ranges, own = _layer_ranges(layer, program.numbers[position], given)
        states += ranges
        spiking.append(own)
    return RangeAnalysis(n_steps, tuple(states))


def _whole(largest: int, encoder: Encoder | None) -> int | None:
    """Magnitude of an encoded input in weight units, rounded up; None without an encoder."""
    if encoder is None:
        return None
    return -(-largest >> fixed.STATE_SHIFT) if encoder.fine else largest


def with_verdict(program: Program, n_steps: int) -> Program:
    """Return the Program with the outcome of the analysis in its metadata, under ``ranges``.

    Parameters
    ----------
    program : Program
    n_steps : int
        Steps of the samples that the network is made for.
    """
    states = analyse_ranges(program, n_steps).states
    verdicts = [f"layer {state.layer} {state.variable} {state.verdict}" for state in states]
    text = f"runs of up to {n_steps} steps: {'; '.join(verdicts)}"
    return replace(program, metadata={**program.metadata, "ranges": text})


def _layer_ranges(layer: Layer, number: int, given: Given) -> tuple[list[StateRange], Sent]:
    """Ranges of a layer's states, and what is known of what its neurons send."""
    states = layer.neuron_model.states
    if layer.model not in RANGES:
        unknown = [_unknown(number, state, layer.n_neurons) for state in states]
        return unknown, given.can_spike[RECURRENT]
    run = RANGES[layer.model](layer, given)
    for _ in range(given.n_steps):
        if not run.advance():
            break
    ranges = [
        StateRange(number, state.name, *run.seen[k], run.reach[k], state.limit, state.overflow)
        for k, state in enumerate(states)
    ]
    return ranges, run.sent


def _unknown(number: int, state: StateVariable, n_neurons: int) -> StateRange:
    """Range of a state that no bounds are known for: all that it holds, and beyond."""
    ends = np.full(n_neurons, state.limit, dtype=np.int64)
    return StateRange(number, state.name, -ends, ends, ends + 1, state.limit, state.overflow)


RANGES: dict[str, Callable[[Layer, Given], Range]] = {
    CUBA: cuba_range,
    DELTA: delta_range,
    SIGMA: sigma_range,
    SIGMA_DELTA: sigma_delta_range,
    SPIKING_GRU: gru_range,
    SPIKING_MGU: mgu_range,
}
"""How to bound the states of each model; nothing is proven of a model that is not here."""
