"""Numbers and table of a comparison of trained networks, over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kipuka.commands.console import print_table
from kipuka.display import counted
from kipuka.hardware_profiles import SiBounds

BASELINE = "spike counts, logistic regression"


@dataclass(frozen=True)
class ComparedRun:
    """One trained network.

    Attributes
    ----------
    network : str
    seed : int
    validation_accuracy, test_accuracy : float
        Of the integer network in the fast simulator; None of a part that was trained on.
    parameters : int
        Weights, biases and delays that were learned.
    spikes, synaptic_operations : float
        Per test sample, of all layers.
    dynamic_energy_j : SiBounds
        Estimate per test sample.
    saturations : float
        State updates per test sample that saturated.
    training_s, simulation_s : float
    """

    network: str
    seed: int
    validation_accuracy: float | None
    test_accuracy: float
    parameters: int
    spikes: float
    synaptic_operations: float
    dynamic_energy_j: SiBounds
    saturations: float
    training_s: float
    simulation_s: float


def summary(network: str, runs: Sequence[ComparedRun]) -> dict[str, Any]:
    """Mean and sample standard deviation over the seeds of a network."""
    own = [run for run in runs if run.network == network]
    numbers: dict[str, Any] = {"network": network, "parameters": own[0].parameters}
    keys = ("validation_accuracy", "test_accuracy", "spikes", "synaptic_operations", "saturations")
    for key in (*keys, "training_s"):
        values = [getattr(run, key) for run in own]
        known = None not in values
        deviation = statistics.stdev(values) if known and len(values) > 1 else None
        numbers[key] = {"mean": statistics.mean(values) if known else None, "deviation": deviation}
    for bound in SiBounds._fields:
        values = [getattr(run.dynamic_energy_j, bound) for run in own]
        mean = None if None in values else statistics.mean(values)
        numbers.setdefault("dynamic_energy_j", {})[bound] = mean
    return numbers


ACCURACY, COST = (0, 1, 2, 3, 7), (0, 4, 5, 6)
"""Columns of `table` that say how good networks are and what made them, and what they cost."""


def table(results: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a comparison, as text."""
    columns = ["network", "validation", "test", "parameters", "spikes"]
    columns += ["synaptic operations", "energy, low to high (µJ)", "training (s)"]
    rows = []
    for network in results["networks"]:
        low, typical, high = (
            _micro(network["dynamic_energy_j"][bound]) for bound in SiBounds._fields
        )
        rows.append(
            [
                network["network"],
                _percent(network["validation_accuracy"]),
                _percent(network["test_accuracy"]),
                f"{network['parameters']:,}",
                f"{network['spikes']['mean']:,.0f}",
                f"{network['synaptic_operations']['mean']:,.0f}",
                f"{typical} ({low} to {high})",
                f"{network['training_s']['mean']:,.0f}",
            ]
        )
    baseline = results["baseline"]
    scores = [f"{baseline[key]:.2%}" for key in ("validation_accuracy", "test_accuracy")]
    rows.append([BASELINE, *scores, f"{baseline['parameters']:,}", "", "", "", ""])
    return columns, rows


def print_compared(results: Mapping[str, Any]) -> None:
    """Print a comparison as two tables, which fit on a narrow terminal: accuracy, and cost."""
    columns, rows = table(results)
    seeds = counted(len(results["seeds"]), "seed")
    for title, places, shown in (
        (f"{results['data']}, {seeds}, integer networks", ACCURACY, rows),
        (f"per test sample, estimated on {results['hardware']}", COST, rows[:-1]),
    ):
        heads = [columns[place].replace(" ", "\n", 1) for place in places]
        print_table(title, heads, [[_whole(row[place]) for place in places] for row in shown])


def _whole(cell: str) -> str:
    """Keep a number with its deviation in one line."""
    return cell.replace(" ± ", "\u00a0±\u00a0").replace(" %", "\u00a0%")


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(value: Mapping[str, float | None]) -> str:
    mean, deviation = value["mean"], value["deviation"]
    if mean is None:
        return "trained on"
    spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
    return f"{100 * mean:.2f}{spread} %"


def _micro(energy_j: float | None) -> str:
    return "unknown" if energy_j is None else f"{1e6 * energy_j:.3g}"
