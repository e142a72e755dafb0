"""What the forward pass of a script of one's own gives, beside the integer network made of it.

A SLAYER block whose ``delay_shift`` is True hands its spikes on one step later. Between layers the
exported network has that step too. Behind the last block there is nothing to go to: the integer
network counts a spike in the step it is sent, the script one step later, and it never sees the
spikes of the last step. Apart from that the two have to be the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.blocks import find_blocks
from kipuka.convert.formats.slayer.evaluation import evaluated, unwrapped
from kipuka.convert.operands import as_numbers, as_spikes
from kipuka.convert.program import Program, expect_program
from kipuka.convert.trace import Trace, largest_class, read_values
from kipuka.errors import KipukaError, expect

BATCH = 128
"""Samples that the forward pass is given at a time."""


@dataclass(frozen=True)
class ScriptComparison:
    """A script's output beside what the readout of the integer network receives.

    Attributes
    ----------
    samples, steps : int
    shift_steps : int
        Steps by which the script's output is late: 1 if its last block has ``delay_shift``.
    values_compared, mismatches : int
        Output values, the shift taken into account, and those that differ.
    first_mismatch : str
        The first of them in the order of samples and time; empty if there is none.
    unseen_spikes : int
        Spikes of the integer network that the script's shift moves beyond its last step.
    script_classes, classes : tuple of int
        Class of each sample, by the script's output and by the integer network.
    """

    samples: int
    steps: int
    shift_steps: int
    values_compared: int
    mismatches: int
    first_mismatch: str
    unseen_spikes: int
    script_classes: tuple[int, ...]
    classes: tuple[int, ...]

    @property
    def agree(self) -> bool:
        """Whether the script computes the integer network, the shift taken into account."""
        return self.mismatches == 0

    @property
    def decided_differently(self) -> int:
        """Samples of which script and integer network name different classes."""
        return sum(a != b for a, b in zip(self.script_classes, self.classes, strict=True))

    @property
    def text(self) -> str:
        """One paragraph."""
        found = f"{self.mismatches:,} differ, first {self.first_mismatch}"
        parts = [
            f"{self.values_compared:,} output values of {self.samples:,} samples compared, "
            f"{'none differ' if self.agree else found}"
        ]
        if self.shift_steps:
            parts.append(
                "delay_shift=True of the last block makes the script's output one step late, so "
                f"that it lacks {self.unseen_spikes:,} spikes of the last step, which the integer "
                "network counts"
            )
        parts.append(f"{self.decided_differently:,} of {self.samples:,} samples decided otherwise")
        return "; ".join(parts)


def compare_script(network: Any, inputs: Any, program: Program, trace: Trace) -> ScriptComparison:
    """Compare a network's own forward pass with the integer network that was made of it.

    Parameters
    ----------
    network : torch.nn.Module
        With the forward pass that is trained; it is run in evaluation mode, from rest and on the
        CPU, and left as it was.
    inputs : array or tensor (samples, ..., steps)
        As the forward pass takes them.
    program : Program
        As exported: `kipuka.convert.program_from_blocks`, or `kipuka.convert.load_net` of the file.
    trace : Trace
        What an engine makes of `program` on the same samples, such as
        ``kipuka.deploy.simulate(program, units).trace`` with their units in a row.

    Returns
    -------
    ScriptComparison

    Raises
    ------
    KipukaError
        If the network has no forward pass of its own, gives something else than the values of its
        last block, or the trace is of other samples.
    """
    expect_program(program)
    expect(trace, Trace, "argument trace", "give kipuka.deploy.simulate(program, inputs).trace")
    if program.readout.kind == "value":
        raise _no_output(
            "a readout of spikes or membranes",
            "sigma-delta neurons",
            "use kipuka.deploy.deviation.deployment_deviation for sigma-delta networks",
        )
    shift, wanted = _shift_steps(network), read_values(program, trace.layers[-1])
    given = _output_of(network, _checked(program, inputs, len(wanted), wanted.shape[-1]))
    if program.readout.kind == "membrane":
        given = np.rint(given * fixed.STATE_SCALE)
    elif given.shape[1] == program.n_classes != program.n_outputs:
        # An Average block gives means of 0 and 1 over each class.
        given = np.rint(given * program.readout.population)
        wanted = wanted.reshape(len(wanted), program.n_classes, -1, wanted.shape[-1]).sum(axis=2)
    if given.shape != wanted.shape:
        raise _no_output(
            f"samples x units x steps: {_times(wanted.shape)}",
            _times(given.shape),
            "let forward return what the last block gives, and give the samples of the trace",
        )
    n_steps = wanted.shape[-1]
    seen = np.zeros_like(given)
    seen[..., shift:] = wanted[..., : n_steps - shift]
    different = given != seen
    return ScriptComparison(
        samples=len(given),
        steps=n_steps,
        shift_steps=shift,
        values_compared=given[..., shift:].size,
        mismatches=int(different.sum()),
        first_mismatch=_first(different),
        unseen_spikes=int(np.count_nonzero(wanted[..., n_steps - shift :])),
        script_classes=_classes(program, given),
        classes=_classes(program, wanted),
    )


def _checked(program: Program, inputs: Any, n_samples: int, n_steps: int) -> np.ndarray:
    """Inputs that are those of the trace, as float32."""
    numbers = as_numbers(inputs, "input")
    units = numbers.shape[1:-1]
    if numbers.ndim < 3 or (len(numbers), math.prod(units), numbers.shape[-1]) != (
        n_samples,
        program.n_inputs,
        n_steps,
    ):
        raise KipukaError(
            "the input is not that of the trace",
            where="argument inputs",
            limit=f"{n_samples} samples x {program.n_inputs} units x {n_steps} steps",
            value=f"shape {numbers.shape}",
            remedy="give the engine and compare_script the same samples",
        )
    if program.encoder is None:
        return as_spikes(numbers, "input").astype(np.float32)
    program.encoder.activation(numbers)  # refuses what is no finite number
    return numbers.astype(np.float32)


def _shift_steps(network: Any) -> int:
    """Steps between the last block's spikes and the network's output, its delays aside."""
    senders = [one for one in find_blocks(network) if hasattr(one.module, "neuron")]
    if not senders:
        raise _no_output("blocks with neurons", "none", "give the module that holds the blocks")
    last = senders[-1]
    return int(last.kind != "Affine" and bool(last.module.delay_shift))


def _output_of(network: Any, inputs: np.ndarray) -> np.ndarray:
    """Output of the forward pass, float64 (samples, units, steps)."""
    module = unwrapped(network)
    forward = getattr(module, "forward", None)
    if getattr(forward, "__name__", "_forward_unimplemented") == "_forward_unimplemented":
        raise _no_output(
            "a module with a forward pass",
            type(network).__name__,
            "give the module itself, or torch.nn.Sequential(*blocks)",
        )
    parts: list[np.ndarray] = []
    for batch in torch.from_numpy(inputs.astype(np.float32)).split(BATCH):
        with evaluated([module]):
            # With count_log, spikes come first.
            given = module(batch)
            given = given[0] if isinstance(given, Sequence) else given
        if not isinstance(given, torch.Tensor) or given.ndim < 3 or len(given) != len(batch):
            shape = tuple(getattr(given, "shape", ()))
            raise _no_output(
                "a tensor, samples first and steps last",
                f"{type(given).__name__} of shape {shape}",
                "let forward return what the last block gives",
            )
        parts.append(given.flatten(1, -2).to(torch.float64).numpy())
    return np.concatenate(parts)


def _classes(program: Program, values: np.ndarray) -> tuple[int, ...]:
    """Class of each sample, from the values of neurons or of whole classes."""
    totals = values.sum(axis=-1, dtype=np.float64)
    by_neuron = totals.shape[1] == program.n_outputs
    return tuple((largest_class(program, totals) if by_neuron else totals.argmax(1)).tolist())


def _first(different: np.ndarray) -> str:
    """Place of the first difference, by sample and then by step."""
    if not different.any():
        return ""
    sample, step, unit = np.argwhere(different.swapaxes(1, 2))[0]
    return f"sample {sample}, step {step}, unit {unit}"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _no_output(limit: str, value: str, remedy: str) -> KipukaError:
    return KipukaError(
        "the network's own output cannot be compared with its spikes in integers",
        where="argument network",
        limit=limit,
        value=value,
        remedy=remedy,
    )
