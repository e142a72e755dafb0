"""What a backend shows of a run: every spike and every state variable, and the decision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kipuka.convert.program import Program, Readout, expect_program
from kipuka.display import Shown, Table, counted
from kipuka.errors import KipukaError, expect


@dataclass(frozen=True, eq=False)
class LayerTrace(Shown):
    """One layer's activity.

    Attributes
    ----------
    spikes : bool array (samples, neurons, steps)
        In the step in which the neuron emits them, before any delay. Of neurons that send graded
        spikes int32: the payload, and 0 where nothing is sent.
    states : mapping of str to int32 array (samples, neurons, steps)
        State variables at the end of each step (after a hard reset), in state units.
    """

    spikes: np.ndarray
    states: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        for name, values in {"spikes": self.spikes, **self.states}.items():
            if not (
                isinstance(values, np.ndarray) and values.ndim == 3 and values.dtype.kind in "biu"
            ):
                found = getattr(values, "dtype", type(values).__name__)
                raise KipukaError(
                    "the activity of a layer is no array of its values",
                    where=f"trace, {name}",
                    limit="bools or integers, samples x neurons x steps",
                    value=f"shape {getattr(values, 'shape', 'none')}, {found}",
                    remedy="take traces as a backend returns them",
                )

    def _line(self) -> str:
        return f"{_held(self)}, states {_states(self)}"


@dataclass(frozen=True, eq=False)
class Trace(Shown):
    """Activity of all layers, with the backend's constant latency removed.

    Attributes
    ----------
    layers : tuple of LayerTrace
        First to last, each with its ``spikes`` and ``states``.
    """

    layers: tuple[LayerTrace, ...]

    def _line(self) -> str:
        held = "; ".join(map(_held, self.layers))
        return f"{counted(len(self.layers), 'layer')}: {held}"

    def _table(self) -> Table:
        rows = [
            (*one.spikes.shape, int(np.count_nonzero(one.spikes)), _states(one))
            for one in self.layers
        ]
        return Table(["samples", "neurons", "steps", "spikes", "states"], rows)

    @classmethod
    def joined(cls, traces: Sequence[Trace]) -> Trace:
        """One trace of the samples of several, in order."""
        layers = []
        for parts in zip(*(trace.layers for trace in traces), strict=True):
            states = {
                name: np.concatenate([part.states[name] for part in parts])
                for name in parts[0].states
            }
            layers.append(LayerTrace(np.concatenate([part.spikes for part in parts]), states))
        return cls(tuple(layers))

    def first(self, n_samples: int) -> Trace:
        """Trace of the first samples, in views of the same arrays."""
        return Trace(
            tuple(
                LayerTrace(
                    layer.spikes[:n_samples],
                    {name: values[:n_samples] for name, values in layer.states.items()},
                )
                for layer in self.layers
            )
        )

    def digest(self, sample: int) -> str:
        """SHA-256 over all spikes and states of one sample, in a fixed byte order."""
        sha = hashlib.sha256()
        for layer in self.layers:
            spikes = layer.spikes[sample]
            graded = spikes.dtype != np.bool_
            sha.update((spikes.astype("<i4") if graded else np.packbits(spikes)).tobytes())
            for name in sorted(layer.states):
                sha.update(layer.states[name][sample].astype("<i4").tobytes())
        return sha.hexdigest()


def _held(layer: LayerTrace) -> str:
    samples, neurons, steps = layer.spikes.shape
    size = f"{samples:,} samples x {neurons:,} neurons x {steps:,} steps"
    return f"{size}, {counted(int(np.count_nonzero(layer.spikes)), 'spike')}"


def _states(layer: LayerTrace) -> str:
    return " ".join(layer.states) or "none"


def readout_input(readout: Readout, spikes: np.ndarray) -> np.ndarray:
    """Spikes of the last layer as the readout receives them.

    Parameters
    ----------
    readout : Readout
    spikes : bool or int32 array (samples, neurons, steps)

    Returns
    -------
    array (samples, neurons, steps)
        Each neuron's spikes moved later by its delay; what would arrive after the end is gone.

    Raises
    ------
    KipukaError
        If they are those of another layer.
    """
    shifted = np.zeros_like(spikes)
    n_steps = spikes.shape[-1]
    if spikes.shape[1] != len(readout.delays):
        raise _no_last_layer(len(readout.delays), spikes.shape[1])
    for neuron, delay in enumerate(readout.delays.tolist()):
        if delay < n_steps:
            shifted[:, neuron, delay:] = spikes[:, neuron, : n_steps - delay]
    return shifted


def decide(program: Program, last: LayerTrace) -> np.ndarray:
    """Class of each sample: the largest sum over time and population; ties to the lower index.

    Parameters
    ----------
    program : Program
    last : LayerTrace
        Trace of the last layer.

    Returns
    -------
    int64 array (samples,)

    Raises
    ------
    KipukaError
        If it is the trace of another layer, or nothing of what the readout looks at was recorded.
    """
    expect_program(program)
    values = read_values(program, last)
    if not values.shape[-1]:
        state = read_state(program)
        raise _not_recorded("spikes" if state is None else f"the state {state}", "no steps")
    return largest_class(program, values.sum(axis=-1, dtype=np.int64))


def largest_class(program: Program, totals: np.ndarray) -> np.ndarray:
    """Return the class whose population has the largest total; ties to the lower index.

    Parameters
    ----------
    program : Program
    totals : int64 or float64 array (samples, neurons)
        Sums over time of what the readout reads.

    Returns
    -------
    int64 array (samples,)

    Raises
    ------
    KipukaError
        If they are those of another layer.
    """
    # Sums decide like means, because all populations have the same size.
    if totals.shape[1] != program.n_outputs:
        raise _no_last_layer(program.n_outputs, totals.shape[1])
    population = program.n_outputs // program.n_classes
    per_class = totals.reshape(len(totals), program.n_classes, population).sum(axis=-1)
    classes: np.ndarray = np.argmax(per_class, axis=1)
    return classes


def read_values(program: Program, last: LayerTrace) -> np.ndarray:
    """What the readout sums up: spikes as they arrive there, membranes, or decoded values.

    Parameters
    ----------
    program : Program
    last : LayerTrace
        Trace of the last layer.

    Returns
    -------
    bool or int32 array (samples, neurons, steps)
        Membranes and values in state units.

    Raises
    ------
    KipukaError
        If what the readout reads was not recorded.
    """
    expect_program(program)
    expect(last, LayerTrace, "argument last", "trace.layers[-1] of a run is the last layer's")
    state = read_state(program)
    if state is None:
        return readout_input(program.readout, last.spikes)
    if state not in last.states:
        raise _not_recorded(f"the state {state}", ", ".join(last.states) or "no states")
    return last.states[state]


def read_state(program: Program) -> str | None:
    """Name of the last layer's state that the readout looks at; None if it counts spikes."""
    if program.readout.kind == "membrane":
        return "v"
    if program.readout.kind == "value":
        names = [state.name for state in program.layers[-1].neuron_model.states]
        return "act" if "act" in names else "sigma"
    return None


def _not_recorded(limit: str, value: str) -> KipukaError:
    return KipukaError(
        "the trace lacks what the readout looks at",
        where="trace, last layer",
        limit=limit,
        value=value,
        remedy="record it",
    )


def _no_last_layer(limit: int, value: int) -> KipukaError:
    return KipukaError(
        "the trace is not that of the network's last layer",
        where="trace, last layer",
        limit=f"{limit} neurons",
        value=value,
        remedy="give the last layer of a trace of this network, with everything recorded",
    )
