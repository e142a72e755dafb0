"""What Lava's own processes cannot express, said before Lava starts."""

from __future__ import annotations

import numpy as np

from kipuka.convert.neurons import CubaParameters
from kipuka.convert.program import Program
from kipuka.errors import KipukaError


def check_common_values(program: Program) -> None:
    """Refuse layers whose neurons differ in what ``LIF`` has once per process.

    Raises
    ------
    KipukaError
        Naming layer and key.
    """
    for number, layer in zip(program.numbers, program.layers, strict=True):
        if not isinstance(layer.neuron, CubaParameters):
            continue
        for key in ("current_decay", "voltage_decay", "threshold"):
            values = getattr(layer.neuron, key)
            if np.any(values != values[0]):
                raise KipukaError(
                    "Lava's LIF takes one value per layer",
                    where=f"layer {number}, key {key}",
                    limit="the same value for all neurons",
                    value=f"{np.unique(values).size} different values",
                    remedy="split the layer by value, or verify with the other backends",
                )
