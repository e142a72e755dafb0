"""Comparing backends: every spike and every state variable of every layer in every step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.operands import whole_number
from kipuka.convert.program import Program, expect_program
from kipuka.convert.trace import Trace, decide
from kipuka.display import Shown, Table, counted
from kipuka.errors import KipukaError, expect


@dataclass(frozen=True)
class Mismatch:
    """Disagreement of two backends on one variable of one layer.

    Attributes
    ----------
    backend, against : str
    layer : int
        Number of the layer; the input is layer 0, as in NetX.
    variable : str
        ``spikes`` or a state variable.
    count : int
        Values that differ.
    first : str
        The first of them in time: sample, step, neuron and both values.
    """

    backend: str
    against: str
    layer: int
    variable: str
    count: int
    first: str


@dataclass(frozen=True)
class Verification(Shown):
    """Outcome of a comparison.

    Attributes
    ----------
    backends : tuple of str
        The first one is what the others are compared with.
    samples, steps : int
    values_compared : int
        Spikes and state values that were held against each other.
    mismatches : tuple of Mismatch
        Empty if all backends agree.
    classes : mapping of str to tuple of int
        Decision of each backend per sample.
    partly : mapping of str to int
        Backends that ran only so many of the first samples.
    """

    backends: tuple[str, ...]
    samples: int
    steps: int
    values_compared: int
    mismatches: tuple[Mismatch, ...]
    classes: Mapping[str, tuple[int, ...]]
    partly: Mapping[str, int] = field(default_factory=dict)

    @property
    def spike_mismatches(self) -> int:
        """Spikes that differ, over all backends and layers."""
        return sum(m.count for m in self.mismatches if m.variable == "spikes")

    @property
    def state_mismatches(self) -> int:
        """State values that differ, over all backends, layers and variables."""
        return sum(m.count for m in self.mismatches if m.variable != "spikes")

    @property
    def parts_text(self) -> str:
        """Clause about the backends that ran only some of the samples; often empty."""
        parts = [f"{name} on the first {n:,} samples" for name, n in self.partly.items()]
        return f" ({', '.join(parts)})" if parts else ""

    @property
    def agree(self) -> bool:
        """Whether nothing differs."""
        return not self.mismatches

    def _line(self) -> str:
        wrong = self.spike_mismatches + self.state_mismatches
        found = "agree" if self.agree else f"differ in {counted(wrong, 'value')}"
        return (
            f"{', '.join(self.backends)} {found}: {self.values_compared:,} spikes and states "
            f"compared, {counted(self.samples, 'sample')} x {counted(self.steps, 'step')}"
            f"{self.parts_text}"
        )

    def _table(self) -> Table:
        rows = [
            (one.backend, one.against, one.layer, one.variable, one.count, one.first)
            for one in self.mismatches
        ]
        columns = ["backend", "against", "layer", "variable", "values that differ", "the first"]
        agreed = [(name, self.backends[0], "all", "all", 0, "") for name in self.backends[1:]]
        return Table(columns, rows or agreed)


def verify(
    program: Program, traces: Mapping[str, Trace], partly: Mapping[str, int] | None = None
) -> Verification:
    """Compare traces of the same inputs with the first of them.

    Parameters
    ----------
    program : Program
    traces : mapping of str to Trace
    partly : mapping of str to int, optional
        Backends that ran only so many of the first samples.

    Returns
    -------
    Verification

    Raises
    ------
    KipukaError
        If there are fewer than two traces, or they are not of the same run, or of an empty one.
    """
    expect_program(program)
    given = "{'fast': simulate(...).trace, ...} names them"
    expect(traces, Mapping, "argument traces", given)
    check_enough(traces)
    if partly is not None:
        expect(partly, Mapping, "argument partly", "{'lava': 16} says how many of a backend")
    partly = {
        name: whole_number(n, 0, fixed.INT32_MAX, f"argument partly, {name}")
        for name, n in (partly or {}).items()
    }
    for name, trace in traces.items():
        _check_trace(program, name, trace, next(iter(traces.values())), partly.get(name))
    (standard, expected), *others = traces.items()
    mismatches: list[Mismatch] = []
    compared = 0
    for name, trace in others:
        for number, layer, wanted in zip(
            program.numbers, trace.layers, expected.layers, strict=True
        ):
            n = partly.get(name)
            variables = {"spikes": (layer.spikes, wanted.spikes[:n])}
            variables |= {k: (layer.states[k], wanted.states[k][:n]) for k in wanted.states}
            for variable, (found, right) in variables.items():
                compared += right.size
                differs = found != right
                if np.any(differs):
                    first = _first(differs, found, right, standard)
                    count = int(differs.sum())
                    mismatches.append(Mismatch(name, standard, number, variable, count, first))
    samples, _, steps = expected.layers[0].spikes.shape
    classes = {
        name: tuple(int(c) for c in decide(program, trace.layers[-1]))
        for name, trace in traces.items()
    }
    return Verification(tuple(traces), samples, steps, compared, tuple(mismatches), classes, partly)


def check_enough(backends: Collection[str]) -> None:
    """Refuse to compare fewer than two.

    Raises
    ------
    KipukaError
        If there are fewer.
    """
    if len(backends) < 2:
        raise KipukaError(
            "there is nothing to compare",
            where="argument traces, or option backends",
            limit="at least 2 different backends",
            value=", ".join(backends) or "none",
            remedy="give the traces of two or more, by their names; on the command line "
            "--backends reference,fast",
        )


def joined(parts: Sequence[Verification]) -> Verification:
    """Join comparisons of one backend each with the same first one.

    Parameters
    ----------
    parts : sequence of Verification
        At least one, in the order in which the backends are named.
    """
    first, *others = parts
    return Verification(
        backends=(*first.backends, *(name for one in others for name in one.backends[1:])),
        samples=first.samples,
        steps=first.steps,
        values_compared=sum(one.values_compared for one in parts),
        mismatches=tuple(found for one in parts for found in one.mismatches),
        classes={name: decided for one in parts for name, decided in one.classes.items()},
        partly={name: n for one in parts for name, n in one.partly.items()},
    )


def _check_trace(
    program: Program, name: str, trace: Trace, standard: Trace, first: int | None
) -> None:
    """Refuse what is no complete trace of the same run of this network, or of its first samples."""
    layers = getattr(trace, "layers", ())
    if len(layers) != len(program.layers) or len(standard.layers) != len(layers):
        raise _no_trace(name, f"{len(program.layers)} layers", f"{len(layers)} layers")
    for number, found, right in zip(program.numbers, layers, standard.layers, strict=True):
        missing = [state for state in right.states if state not in found.states]
        if missing:
            limit = f"states {', '.join(right.states)}, as the first has them"
            raise _no_trace(f"{name}, layer {number}", limit, f"no {', '.join(missing)}")
        for variable, right_values in {"spikes": right.spikes, **right.states}.items():
            values = found.spikes if variable == "spikes" else found.states[variable]
            shape = right_values[:first].shape
            where = f"{name}, layer {number}, {variable}"
            if values.shape != shape:
                raise _no_trace(where, f"shape {shape}", f"shape {values.shape}")
            # Where nothing was run, or recorded, nothing could differ.
            if not values.size:
                limit = "samples x neurons x steps, none of them 0"
                raise _no_trace(where, limit, f"shape {values.shape}")


def _no_trace(where: str, limit: str, value: str) -> KipukaError:
    return KipukaError(
        "the traces cannot be compared",
        where=f"trace {where}",
        limit=limit,
        value=value,
        remedy="give traces of one network and the same inputs, with everything recorded",
    )


def _first(differs: np.ndarray, found: np.ndarray, right: np.ndarray, standard: str) -> str:
    """Say where the earliest step differs: later differences only follow from it."""
    samples, neurons, steps = np.nonzero(differs)
    k = int(np.argmin(steps))
    index = samples[k], neurons[k], steps[k]
    return (
        f"sample {index[0]}, step {index[2]}, neuron {index[1]}: "
        f"{int(found[index])} instead of {int(right[index])} ({standard})"
    )
