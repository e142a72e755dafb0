"""How far a deployed sigma-delta network is from what was trained, layer by layer.

SLAYER's own blocks compute in floats what the chip computes in integers, without the step that a
message takes from layer to layer and with thresholds and biases that are no whole 1/64. They are
exported as deployed; this says what that changes. Equal they are never called.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import Program
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.deploy.fast.simulator import simulate
from kipuka.errors import KipukaError

NOMINAL_UNIT = 1 << (fixed.GRADED_SHIFT + fixed.WEIGHT_SCALE_BITS)
"""State units of a sigma-delta neuron in a nominal unit."""


@dataclass(frozen=True)
class LayerDeviation:
    """One layer as deployed beside the same layer as trained.

    Attributes
    ----------
    layer : int
        Number in the file.
    trained_messages, deployed_messages : int
        Of all samples, neurons and steps.
    different : float
        Share of neurons and steps in which the payloads differ.
    largest : float
        Largest difference of activations (of sums, in a decoder), in nominal units.
    relative : float
        Root mean square of that difference over that of the trained activations; 0 if both are 0.
    """

    layer: int
    trained_messages: int
    deployed_messages: int
    different: float
    largest: float
    relative: float


def deployment_deviation(
    program: Program, activations: np.ndarray, trained: Trace
) -> tuple[LayerDeviation, ...]:
    """Run a deployed network and compare each layer with the trained one.

    Parameters
    ----------
    program : Program
        Of the blocks: `kipuka.convert.program_from_blocks`.
    activations : int32 array (samples, units, steps)
        Input in weight units, as `Program.encoder.activation` gives it.
    trained : Trace
        Of the same samples: `kipuka.train.sigma_delta.as_trained.trace_as_trained`.

    Returns
    -------
    tuple of LayerDeviation

    Raises
    ------
    KipukaError
        If the trace is of another network or of other samples.
    """
    deployed = simulate(program, activations).trace
    _check(program, deployed, trained)
    pairs = zip(program.numbers, trained.layers, deployed.layers, strict=True)
    return tuple(_compared(number, wanted, found) for number, wanted, found in pairs)


def _compared(number: int, wanted: LayerTrace, found: LayerTrace) -> LayerDeviation:
    (state,) = wanted.states
    before = wanted.states[state].astype(np.float64) / NOMINAL_UNIT
    gap = found.states[state] / NOMINAL_UNIT - before
    power = float(np.sqrt(np.mean(before**2)))
    return LayerDeviation(
        layer=number,
        trained_messages=int(np.count_nonzero(wanted.spikes)),
        deployed_messages=int(np.count_nonzero(found.spikes)),
        different=float(np.mean(wanted.spikes != found.spikes)),
        largest=float(np.abs(gap).max()),
        relative=float(np.sqrt(np.mean(gap**2))) / power if power else 0.0,
    )


def _check(program: Program, deployed: Trace, trained: Trace) -> None:
    shapes = [[layer.spikes.shape for layer in trace.layers] for trace in (deployed, trained)]
    if shapes[0] != shapes[1]:
        raise KipukaError(
            "the trained trace is not of this network and these samples",
            where="argument trained",
            limit=f"layers of {', '.join(map(str, shapes[0]))}",
            value=", ".join(map(str, shapes[1])),
            remedy=f"trace the blocks of {program!r} on the same samples",
        )
