"""Tables and numbers of the form without microcode beside the fused one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from kipuka.commands.console import print_line, print_table
from kipuka.deploy.lowered.comparison import Forms, NotLowered
from kipuka.deploy.lowered.counters import LoweredLayer
from kipuka.deploy.report.numbers import si_bounds

SIZES = ("layer", "neurons", "lowered_neurons", "neuron_processes", "synapse_processes")
WORK = ("layer", "spikes", "graded_messages", "products", "synaptic_operations")


def forms_numbers(forms: Forms | NotLowered) -> dict[str, Any]:
    """Return both forms as plain values: keys ``lowered`` and ``estimate``."""
    if isinstance(forms, NotLowered):
        return {"lowered": {"not_lowered": forms.reason}}
    return {
        "lowered": {
            "period": forms.period,
            "hardware_steps": forms.hardware_steps,
            "samples": forms.samples,
            "layers": [dataclasses.asdict(layer) for layer in forms.layers],
        },
        "estimate": {
            name: {key: bounds._asdict() for key, bounds in form._asdict().items()}
            for name, form in (("fused", forms.fused), ("lowered", forms.lowered))
        },
    }


def print_forms(forms: Forms | NotLowered, hardware: str) -> None:
    """Print K, the processes of each layer and what doing without microcode costs, or why not."""
    if isinstance(forms, NotLowered):
        print_line(f"without microcode: not lowered, {forms.reason}")
        return
    print_lowered_layers(forms.layers)
    rows = [
        [
            name,
            steps,
            *si_bounds(form.dynamic_energy_j, "J"),
            *si_bounds(form.latency_s, "s"),
        ]
        for name, steps, form in (
            ("fused", 1, forms.fused),
            ("lowered", forms.period, forms.lowered),
        )
    ]
    columns = ["form", "K", "dynamic\nenergy", "low to high", "latency\nat least", "low to high"]
    forms_named = (
        "with microcode and without" if forms.needs_microcode else "no layer needs microcode"
    )
    title = f"per sample on {hardware}, {forms_named} (estimate; K hardware steps a step)"
    print_table(title, columns, rows)


def print_lowered_layers(layers: Sequence[LoweredLayer]) -> None:
    """Print sizes and work of each layer of a lowered network."""
    for title, keys in (("lowered network", SIZES), ("its work per sample, mean", WORK)):
        rows = [[getattr(layer, key) for key in keys] for layer in layers]
        print_table(title, [key.replace("_", "\n") for key in keys], rows)
