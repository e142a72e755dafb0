"""Golden vectors: what the reference simulator makes of a few inputs, to be kept in the file."""

from __future__ import annotations

import numpy as np

from kipuka.convert.formats.net.file import GoldenVector, golden_of
from kipuka.convert.operands import checked_inputs
from kipuka.convert.program import Program
from kipuka.convert.trace import Trace
from kipuka.deploy.reference import simulate_reference


def golden_vectors(program: Program, inputs: np.ndarray) -> tuple[GoldenVector, ...]:
    """Run inputs through the reference and keep spikes and digest.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
        Spikes; real numbers or activations for a network with an encoder.

    Returns
    -------
    tuple of GoldenVector
        One for each sample, to be saved with the network.

    Raises
    ------
    KipukaError
        If the inputs are not such an array.
    """
    inputs = checked_inputs(program, inputs)
    return golden_of(program, inputs, simulate_reference(program, inputs).trace)


def golden_mismatches(golden: tuple[GoldenVector, ...], trace: Trace) -> int:
    """Count the golden vectors whose spikes or states a trace of the same inputs does not give."""
    return sum(trace.digest(k) != vector.digest for k, vector in enumerate(golden))
