"""What a run of the fast simulator keeps, and how it becomes a trace."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kipuka.convert.operands import truth_value, whole_number
from kipuka.convert.program import Program
from kipuka.convert.trace import LayerTrace, Trace, read_state
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.reference import state_names
from kipuka.errors import KipukaError, expect


@dataclass(frozen=True)
class Record:
    """What to keep of a run beside the counters' sums; None stands for everything.

    Attributes
    ----------
    spikes : tuple of int or None
        Layers, counted from 0 or, negative, from the last one back.
    states : tuple of (int, str) or None
        Layers and names of their state variables.
    steps : bool
        Whether spikes and synaptic operations are counted step by step. If not, and with no
        spikes and states, memory does not grow with the steps.

    Raises
    ------
    KipukaError
        If one of them is of another kind.
    """

    spikes: tuple[int, ...] | None = None
    states: tuple[tuple[int, str], ...] | None = None
    steps: bool = True

    def __post_init__(self) -> None:
        for name, limit in (
            ("spikes", "positions of layers, such as (0, -1), or None for all"),
            ("states", 'pairs such as (0, "v") of a layer and a state, or None for all'),
        ):
            given = getattr(self, name)
            listed = isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)
            values = tuple(given) if listed else ()
            pairs = name != "states" or all(_is_pair(value) for value in values)
            if given is not None and not (listed and pairs):
                raise KipukaError(
                    "the record does not say what to keep",
                    where=f"record, {name}",
                    limit=limit,
                    value=repr(given),
                    remedy="see kipuka.deploy.Record; COUNTERS and EVERYTHING are two of them",
                )
            object.__setattr__(self, name, None if given is None else values)
        truth_value(self.steps, "record, steps")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], str)


def record_for_readout(program: Program) -> Record:
    """Record of what a decision is made from."""
    last = len(program.layers) - 1
    names = state_names(program.layers[last]) if read_state(program) else ()
    states = tuple((last, name) for name in names)
    return Record(spikes=(last,), states=states, steps=False)


EVERYTHING = Record()
"""Record spikes and states of every layer."""

COUNTERS = Record(spikes=(), states=(), steps=False)
"""Record nothing but decisions and counts, whatever the network's size."""


class Columns:
    """Columns of the recording arrays, given out layer by layer.

    Parameters
    ----------
    program : Program
    record : Record

    Raises
    ------
    KipukaError
        If the record names a layer or a state that the network does not have.
    """

    def __init__(self, program: Program, record: Record) -> None:
        made = "give a kipuka.deploy.Record, such as COUNTERS or EVERYTHING"
        expect(record, Record, "argument record", made)
        self.program = program
        self.steps = record.steps
        self.n_spikes = self.n_payloads = self.n_states = 0
        self._spikes: dict[int, int] = {}
        self._payloads: dict[int, int] = {}
        self._states: dict[tuple[int, str], int] = {}
        n_layers = len(program.layers)
        positions = range(n_layers) if record.spikes is None else tuple(record.spikes)
        for position in sorted({_checked(program, position) for position in positions}):
            layer = program.layers[position]
            if layer.neuron_model.sends.graded:
                self._payloads[position] = self.n_payloads
                self.n_payloads += layer.n_neurons
            else:
                self._spikes[position] = self.n_spikes
                self.n_spikes += layer.n_neurons
        for position, name in self._named_states(record):
            self._states[position, name] = self.n_states
            self.n_states += program.layers[position].n_neurons

    def of_part(self, program: Program, first_layer: int, first_neuron: int) -> Columns:
        """Columns of some layers as a Program of their own, or of some neurons of one layer."""
        part = copy.copy(self)
        part.program = program
        ours = range(first_layer, first_layer + len(program.layers))
        for name in ("_spikes", "_payloads"):
            columns = getattr(self, name)
            own = {k - first_layer: columns[k] + first_neuron for k in ours if k in columns}
            setattr(part, name, own)
        part._states = {
            (k - first_layer, name): column + first_neuron
            for (k, name), column in self._states.items()
            if k in ours
        }
        return part

    def _named_states(self, record: Record) -> list[tuple[int, str]]:
        layers = self.program.layers
        if record.states is None:
            return [(k, name) for k, layer in enumerate(layers) for name in state_names(layer)]
        named = sorted({(_checked(self.program, k), name) for k, name in record.states})
        for position, name in named:
            if name not in state_names(layers[position]):
                raise KipukaError(
                    "the layer has no such state",
                    where=f"record, layer at position {position} ({layers[position].model})",
                    limit=", ".join(state_names(layers[position])),
                    value=name,
                    remedy="name a state variable of the layer's neuron model",
                )
        return named

    def in_table(self, layers: np.ndarray) -> np.ndarray:
        """Copy the kernels' table of layers with the columns entered."""
        table = layers.copy()
        columns = ("state_column", "second_state_column", "third_state_column")
        for name in ("spike_column", "payload_column", *columns):
            table[name] = -1
        for position, column in self._spikes.items():
            table[position + 1]["spike_column"] = column
        for position, column in self._payloads.items():
            table[position + 1]["payload_column"] = column
        for (position, name), column in self._states.items():
            number = state_names(self.program.layers[position]).index(name)
            table[position + 1][columns[number]] = column
        return table

    @property
    def grow(self) -> bool:
        """Whether what is recorded grows with the steps."""
        return self.steps or self.n_spikes + self.n_payloads + self.n_states > 0

    def recordings(self, n_samples: int, n_steps: int) -> at.Recording:
        """Empty arrays with the samples as first axis."""
        n_layers = 1 + len(self.program.layers)
        columns = n_steps if self.steps else 1
        return at.Recording(
            spikes=np.zeros((n_samples, n_steps if self.n_spikes else 0, self.n_spikes), bool),
            payloads=np.zeros(
                (n_samples, n_steps if self.n_payloads else 0, self.n_payloads), np.int32
            ),
            states=np.zeros((n_samples, n_steps if self.n_states else 0, self.n_states), np.int32),
            step_spikes=np.zeros((n_samples, n_layers, columns), np.int64),
            step_operations=np.zeros((n_samples, n_layers, columns), np.int64),
        )

    def joined(self, parts: list[at.Recording]) -> at.Recording:
        """Join recordings that follow each other in time."""
        if len(parts) == 1:
            return parts[0]
        together = [
            np.concatenate(arrays, axis=1) for arrays in zip(*(p[:3] for p in parts), strict=True)
        ]
        counts = [
            np.concatenate(arrays, axis=2) for arrays in zip(*(p[3:] for p in parts), strict=True)
        ]
        if not self.steps:
            counts = [array.sum(axis=2, keepdims=True) for array in counts]
        return at.Recording(*together, *counts)

    def trace(self, recorded: at.Recording) -> Trace:
        """Views of the arrays as a trace; what was not recorded has no steps."""
        n_samples = recorded.spikes.shape[0]
        layers = []
        for position, layer in enumerate(self.program.layers):
            n = layer.n_neurons
            graded = layer.neuron_model.sends.graded
            spikes = np.zeros((n_samples, n, 0), np.int32 if graded else bool)
            if position in self._spikes:
                spikes = _of_neurons(recorded.spikes, self._spikes[position], n)
            if position in self._payloads:
                spikes = _of_neurons(recorded.payloads, self._payloads[position], n)
            states = {
                name: _of_neurons(recorded.states, self._states[position, name], n)
                for name in (state_names(layer) if self._states else ())
                if (position, name) in self._states
            }
            layers.append(LayerTrace(spikes, states))
        return Trace(tuple(layers))


def _of_neurons(array: np.ndarray, first: int, n: int) -> np.ndarray:
    """Columns of an array (samples, steps, columns) as (samples, neurons, steps)."""
    return array[..., first : first + n].transpose(0, 2, 1)


def _checked(program: Program, position: int) -> int:
    n_layers = len(program.layers)
    if isinstance(position, bool) or not isinstance(position, int | np.integer):
        whole_number(position, -n_layers, n_layers - 1, "record")
    if not -n_layers <= position < n_layers:
        raise KipukaError(
            "there is no such layer to record",
            where="record",
            limit=f"{-n_layers} to {n_layers - 1}",
            value=position,
            remedy="count layers from 0, or from the last one back with negative numbers",
        )
    return int(position) % n_layers
