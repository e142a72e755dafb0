"""Tables and numbers of the form without microcode beside the fused one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from kipuka.commands.console import print_line, print_table
from kipuka.deploy.lowered.comparison import LoweredComparison, NotLowered
from kipuka.deploy.lowered.counters import LoweredLayer
from kipuka.deploy.lowered.placings import Placing
from kipuka.hardware_profiles.numbers import si_bounds

SIZES = ("layer", "neurons", "lowered_neurons", "neuron_processes", "synapse_processes")
WORK = ("layer", "spikes", "graded_messages", "products", "synaptic_operations")


def lowered_numbers(comparison: LoweredComparison | NotLowered) -> dict[str, Any]:
    """Return a comparison as plain values: keys ``lowered``, ``estimate`` and ``placings``."""
    if isinstance(comparison, NotLowered):
        return {"lowered": {"not_lowered": comparison.reason}}
    return {
        "lowered": {
            "period": comparison.period,
            "hardware_steps": comparison.hardware_steps,
            "samples": comparison.samples,
            "cores": dict(zip(("low", "high"), comparison.lowered_cores, strict=True)),
            "layers": [dataclasses.asdict(layer) for layer in comparison.layers],
        },
        "estimate": {
            name: {key: bounds._asdict() for key, bounds in form._asdict().items()}
            for name, form in (("fused", comparison.fused), ("lowered", comparison.lowered))
        },
        "placings": _placing_numbers(comparison.placings),
    }


def print_lowered(
    comparison: LoweredComparison | NotLowered, hardware: str, of_samples: int | None = None
) -> None:
    """Print K, the processes of each layer and what doing without microcode costs, or why not.

    Where figures of the fused form stand beside it that are means over `of_samples`, so many
    samples, the two are told apart.
    """
    if isinstance(comparison, NotLowered):
        print_line(f"without microcode: not lowered, {comparison.reason}")
        return
    print_lowered_layers(comparison.layers)
    rows = [
        [
            name,
            steps,
            _range(cores),
            *si_bounds(form.dynamic_energy_j, "J"),
            *si_bounds(form.latency_s, "s"),
        ]
        for name, steps, cores, form in (
            ("fused", 1, comparison.fused_cores, comparison.fused),
            ("lowered", comparison.period, comparison.lowered_cores, comparison.lowered),
        )
    ]
    columns = ["form", "K", "cores", "dynamic\nenergy", "low to high"]
    columns += ["latency\nat least", "low to high"]
    which = (
        "with microcode and without" if comparison.needs_microcode else "no layer needs microcode"
    )
    title = (
        f"per sample on {hardware}, {which}, both counted on {comparison.samples_text} "
        "(estimate; K hardware steps a step)"
    )
    print_table(title, columns, rows)
    if of_samples is not None and of_samples > comparison.samples:
        print_line(
            f"the fused form's figures further up are means over {of_samples:,} samples, and those "
            f"to quote; {comparison.ratios_text}"
        )
    if isinstance(comparison.placings, NotLowered):
        print_line(f"ways of placing them on cores: {comparison.placings.reason}")
    elif comparison.placings:
        _print_placings(comparison.placings)


def print_both_lowered(
    names: Sequence[str], pair: Sequence[LoweredComparison | NotLowered], hardware: str
) -> None:
    """Print what two networks cost without microcode side by side, or why one has no such form."""
    able = [one for one in pair if isinstance(one, LoweredComparison)]
    if len(able) == len(pair):
        samples = able[0].samples_text
        facts = {
            "K": [str(one.period) for one in able],
            "cores": [_range(one.lowered_cores) for one in able],
            "dynamic energy": [si_bounds(one.lowered.dynamic_energy_j, "J")[0] for one in able],
            "latency at least": [si_bounds(one.lowered.latency_s, "s")[0] for one in able],
        }
        title = f"without microcode, per sample on {hardware} (estimate; {samples})"
        print_table(title, ["", *names], [[name, *values] for name, values in facts.items()])
        return
    for name, one in zip(names, pair, strict=True):
        if isinstance(one, NotLowered):
            print_line(f"{name} without microcode: not lowered, {one.reason}")


def _range(cores: tuple[int, int]) -> str:
    low, high = cores
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _placing_numbers(placings: tuple[Placing, ...] | NotLowered) -> object:
    if isinstance(placings, NotLowered):
        return {"not_placed": placings.reason}
    return [{**one._asdict(), "latency_s": one.latency_s._asdict()} for one in placings]


def _print_placings(placings: Sequence[Placing]) -> None:
    """Print what ways of placing both forms on cores come to."""
    rows = [
        [
            one.form,
            one.on_a_core,
            f"{one.cores:,} {one.spread}",
            f"{one.messages:,.0f}",
            f"{one.to_other_cores:,.0f}",
            si_bounds(one.latency_s, "s")[0],
            one.bound_by,
        ]
        for one in placings
    ]
    columns = ["form", "a core\nholds", "cores", "messages", "to other\ncores"]
    columns += ["latency\nat least", "most steps\nbound by"]
    title = "ways of placing them per sample (estimate): on the fewest cores, or spread until the "
    print_table(f"{title}barrier bounds a step", columns, rows)


def print_lowered_layers(layers: Sequence[LoweredLayer]) -> None:
    """Print sizes and work of each layer of a lowered network."""
    for title, keys in (("lowered network", SIZES), ("its work per sample, mean", WORK)):
        rows = [[getattr(layer, key) for key in keys] for layer in layers]
        print_table(title, [key.replace("_", "\n") for key in keys], rows)
