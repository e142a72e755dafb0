"""What rounding did to each layer, and integers beside floats, as tables and plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from kipuka.commands.console import print_line, print_table
from kipuka.convert.quantization import LayerQuantization
from kipuka.deploy.fidelity import Fidelity


def quantization_numbers(layers: Sequence[LayerQuantization]) -> list[dict[str, Any]]:
    """Return reports as plain values; no head-room is None."""
    values = [dataclasses.asdict(layer) for layer in layers]
    return [
        {**one, "headroom": one["headroom"] if np.isfinite(one["headroom"]) else None}
        for one in values
    ]


def print_quantization(title: str, layers: Sequence[LayerQuantization]) -> None:
    """Print a row per layer."""
    print_table(title, ["node", "outcome"], [[one.layer, one.outcome] for one in layers])


def fidelity_numbers(fidelity: Fidelity) -> dict[str, Any]:
    """Return a comparison with floats as plain values."""
    return dataclasses.asdict(fidelity)


def print_fidelity(fidelity: Fidelity) -> None:
    """Print how integers follow floats, a row per layer."""
    columns = [
        "node",
        "spikes,\nfloats",
        "spikes,\nintegers",
        "same in\na step",
        "spikes\ncoincide",
        "rates\ndiffer by",
        "membrane\nerror",
    ]
    rows = [
        [
            one.layer,
            one.float_spikes,
            one.integer_spikes,
            _share(one.agreement),
            _share(one.coincidence),
            "" if one.rate_difference is None else f"{one.rate_difference:.5f}",
            _share(one.membrane_error),
        ]
        for one in fidelity.layers
    ]
    print_table("integers beside floats (forward Euler)", columns, rows)
    print_line(
        f"{fidelity.same_decisions} of {fidelity.samples} decisions are the same in floats and "
        f"integers, {fidelity.steps} steps each"
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
