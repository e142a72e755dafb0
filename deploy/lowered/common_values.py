"""What Lava's own processes cannot express, said before Lava starts."""

from __future__ import annotations

import numpy as np

from kipuka.convert.neurons import (
    CUBA,
    DELTA,
    SIGMA,
    SIGMA_DELTA,
    SPIKING_GRU,
    SPIKING_MGU,
    handler,
)
from kipuka.convert.program import Program
from kipuka.errors import KipukaError

COMMON_VALUES: dict[str, tuple[str, ...]] = {
    CUBA: ("current_decay", "voltage_decay", "threshold"),
    DELTA: ("threshold",),
    SIGMA: (),
    SIGMA_DELTA: ("threshold", "activation"),
    SPIKING_GRU: (),
    SPIKING_MGU: (),
}
"""Models that have Lava processes, and the parameters that their process has once."""


def check_common_values(program: Program, engine: str) -> None:
    """Refuse layers that `engine` has no process for, or whose neurons differ in what it has once.

    Raises
    ------
    KipukaError
        Naming layer and model or key.
    """
    for number, layer in zip(program.numbers, program.layers, strict=True):
        for key in handler(COMMON_VALUES, layer.model, engine, f"layer {number}"):
            values = getattr(layer.neuron, key)
            if np.any(values != values[0]):
                raise KipukaError(
                    "Lava's process takes one value per layer",
                    where=f"layer {number}, key {key}",
                    limit="the same value for all neurons",
                    value=f"{np.unique(values).size} different values",
                    remedy="split the layer by value, or verify with the other backends",
                )
