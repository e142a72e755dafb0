"""Tables of a report as text: layers, cores, metrics, lowered form, advice, two networks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from kipuka.convert.decisions import Decisions
from kipuka.convert.program import RECURRENT, Program
from kipuka.deploy.costs.advice import Advice
from kipuka.deploy.costs.cost import Cost, LayerCost
from kipuka.deploy.costs.mapping.limits import NAMES
from kipuka.deploy.costs.ndns import ndns_proxy
from kipuka.deploy.costs.neurobench import neurobench
from kipuka.deploy.costs.sensitivity import ENERGY, LATENCY, Sensitivity
from kipuka.deploy.counters import Counters
from kipuka.deploy.lowered.comparison import LoweredComparison, NotLowered
from kipuka.deploy.reference import Simulation
from kipuka.hardware_profiles.numbers import NOT_PUBLISHED, SPACE, bounds_text, count, si, si_bounds


@dataclass(frozen=True, eq=False)
class Compared:
    """One of several networks side by side.

    Attributes
    ----------
    name : str
    cost : Cost
    accuracy : float or None
        Fraction of samples decided right; None without labels.
    """

    name: str
    cost: Cost
    accuracy: float | None = None


def delays_by_label(program: Program) -> dict[str, NDArray[Any]]:
    """Return the delays of each layer's recurrence and output, in steps.

    They are named on the layer that sends, as in `kipuka.convert.inspect`.

    Parameters
    ----------
    program : Program

    Returns
    -------
    dict of str to int16 array
        ``layer K, recurrence`` where layer K has one, and ``layer K, output``.
    """
    found: dict[str, NDArray[Any]] = {}
    for position, (number, layer) in enumerate(zip(program.numbers, program.layers, strict=True)):
        recurrence = layer.delays_from(RECURRENT)
        if recurrence.size:
            found[f"layer {number}, recurrence"] = recurrence
        found[f"layer {number}, output"] = program.output_delays(position)
    return found


def core_rows(profile: Cost) -> list[dict[str, str]]:
    """Fullest core under each limit."""
    rows = []
    for name in NAMES:
        limit, share = profile.mapping.limits.per_core[name], profile.mapping.utilisation(name)
        most = int(profile.mapping.needs(name).max(initial=0))
        rows.append(
            {
                "name": name,
                "used": count(most),
                "available": NOT_PUBLISHED if limit is None else count(limit),
                "share": "–" if share is None else percent(float(share.max(initial=0.0))),
            }
        )
    return rows


def metric_rows(program: Program, simulation: Simulation, profile: Cost) -> list[tuple[str, str]]:
    """Names and values of the NeuroBench metrics and of the N-DNS proxy."""
    values = asdict(neurobench(program, simulation.counters))
    rows = [(name.replace("_", " "), count(value)) for name, value in values.items()]
    proxy = ndns_proxy(profile).operations_per_step
    return [*rows, ("N-DNS power proxy, operations a step", count(proxy))]


def layer_rows(program: Program, profile: Cost) -> list[dict[str, str]]:
    """One row for each layer: size, delays, work and energy."""
    delays = delays_by_label(program)
    rows = []
    for layer, cost in zip(program.layers, profile.layers, strict=True):
        weights = [projection.synapses for projection in layer.projections]
        nonzero = sum(int(synapses.fan_out().sum()) for synapses in weights)
        possible = sum(synapses.n_targets * synapses.n_sources for synapses in weights)
        rows.append(
            {
                "name": f"{cost.layer}",
                "model": layer.model,
                "neurons": count(layer.n_neurons),
                "cores": plural(cost.cores, "core"),
                "synapses": count(nonzero),
                "density": f"{100 * nonzero / possible:.3g}{SPACE}% of all" if possible else "",
                "recurrence_delays": _span(delays.get(f"layer {cost.layer}, recurrence")),
                "output_delays": _span(delays[f"layer {cost.layer}, output"]),
                **_work(cost),
            }
        )
    return rows


def _work(cost: LayerCost) -> dict[str, str]:
    typical, between = si_bounds(cost.dynamic_energy_j, "J")
    return {
        "spikes": count(cost.spikes),
        "synaptic_operations": count(cost.synaptic_operations),
        "neuron_updates": count(cost.neuron_updates),
        "energy": typical,
        "energy_bounds": between,
    }


def input_row(program: Program, profile: Cost) -> dict[str, str]:
    """Row of the input."""
    return {
        "units": count(program.n_inputs),
        "output_delays": _span(program.output_delays(-1)),
        "spikes": count(profile.input_spikes),
    }


def total_row(program: Program, profile: Cost) -> dict[str, str]:
    """Row of the whole network."""
    synapses = [p.synapses for layer in program.layers for p in layer.projections]
    typical, between = si_bounds(profile.dynamic_energy_j, "J")
    return {
        "neurons": count(sum(layer.n_neurons for layer in program.layers)),
        "synapses": count(sum(int(one.fan_out().sum()) for one in synapses)),
        "spikes": count(profile.spikes),
        "synaptic_operations": count(profile.synaptic_operations),
        "neuron_updates": count(profile.neuron_updates),
        "energy": typical,
        "energy_bounds": between,
    }


def saturated_text(counters: Counters) -> str | None:
    """Say in how many of a run's neuron updates a state saturated; None if none did."""
    if not counters.saturations:
        return None
    updates = sum(layer.updates for layer in counters.layers)
    per_hundred = 100 * counters.saturations / updates
    return f"{count(float(f'{per_hundred:.2g}'))} in 100 neuron updates."


def accuracy_cards(accuracy: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return accuracies with the backends that have them: one where all agree."""
    by_value: dict[float, list[str]] = {}
    for name, value in accuracy.items():
        by_value.setdefault(value, []).append(name)
    return [(percent(value), ", ".join(names)) for value, names in by_value.items()]


def decided(decisions: Decisions, names: Sequence[str] = ()) -> dict[str, Any]:
    """Sentences about the accuracy, and what is taken for what; classes may have names."""
    low, high = decisions.interval
    return {
        "count": f"{count(decisions.correct)} of {plural(decisions.samples, 'sample')}",
        "interval": f"{percent(low)} to {percent(high)}",
        "chance": percent(decisions.chance),
        "groups": decisions.groups_text,
        "confusion": decisions.confusion.tolist(),
        "names": [
            f"{number}{SPACE}{names[number]}" if names else str(number)
            for number in range(decisions.n_classes)
        ],
    }


def accuracy_text(one: Advice) -> str:
    """What a change does to the accuracy, as far as the data tell."""
    if one.exact:
        return "the same"
    if one.accuracy_change is None:
        return "not measured"
    points = f"{100 * one.accuracy_change:+.2f} points"
    if one.accuracy_interval is not None:
        low, high = (100 * end for end in one.accuracy_interval)
        points += f" (95 %: {low:+.1f} to {high:+.1f})"
    if one.untrained:
        points += ", not trained anew"
    per_point = one.operations_per_point
    if per_point is None:
        return points
    return f"{points}; {count(round(per_point))} synaptic operations saved per point"


def advice_view(advice: tuple[Advice, ...]) -> dict[str, list[Any]]:
    """Worthwhile changes as rows, and names of the others."""
    rows = [
        (
            one.change,
            *(_signed(x) for x in (one.energy_gain, one.latency_gain, one.memory_gain)),
            f"{one.cores_saved:+d}",
            accuracy_text(one),
        )
        for one in advice
        if one.worthwhile
    ]
    refused = [(one.change, one.refusal) for one in advice if one.refusal is not None]
    little = [one.change for one in advice if not one.worthwhile and one.refusal is None]
    return {"rows": rows, "refused": refused, "little": little}


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}{SPACE}%"


def comparison_rows(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    """Quantities by network: a name and the text of each network."""
    costs = [one.cost for one in compared]
    rows = [
        ("cores", *(cores_text(cost.cores) for cost in costs)),
        ("chips", *(count(cost.mapping.n_chips) for cost in costs)),
        ("neurons", *(count(sum(x.neurons for x in cost.layers)) for cost in costs)),
        ("spikes", *(count(cost.spikes) for cost in costs)),
        ("synaptic operations", *(count(cost.synaptic_operations) for cost in costs)),
        ("neuron updates", *(count(cost.neuron_updates) for cost in costs)),
        ("dynamic energy (estimate)", *(bounds_text(cost.dynamic_energy_j, "J") for cost in costs)),
        ("static energy (estimate)", *(bounds_text(cost.static_energy_j, "J") for cost in costs)),
        ("latency (lower bound)", *(bounds_text(cost.latency_s, "s") for cost in costs)),
    ]
    if any(one.accuracy is not None for one in compared):
        known = ("–" if x.accuracy is None else percent(x.accuracy) for x in compared)
        rows.insert(0, ("accuracy", *known))
    return rows


def comparison_view(compared: Sequence[Compared]) -> dict[str, Any] | None:
    """Side by side as a table; None if there is nothing to compare."""
    if not compared:
        return None
    rows = [
        (name, [text.rstrip(")").partition(" (")[::2] for text in texts])
        for name, *texts in comparison_rows(compared)
    ]
    return {"names": [one.name for one in compared], "rows": rows}


def lowered_view(comparison: LoweredComparison | NotLowered) -> dict[str, Any]:
    """The form without microcode beside the fused one, or the reason why there is none."""
    if isinstance(comparison, NotLowered):
        return {"reason": comparison.reason}
    fused = "fused, with microcode" if comparison.needs_microcode else "one process a layer"
    pairs = (
        (fused, 1, comparison.fused),
        ("lowered", comparison.period, comparison.lowered),
    )
    return {
        "reason": None,
        "needs_microcode": comparison.needs_microcode,
        "period": comparison.period,
        "hardware_steps": count(comparison.hardware_steps),
        "samples": comparison.samples_text,
        "ratios": comparison.ratios_text,
        "cores": [cores_text(own) for own in (comparison.fused_cores, comparison.lowered_cores)],
        "rows": [
            (name, steps, *si_bounds(form.dynamic_energy_j, "J"), *si_bounds(form.latency_s, "s"))
            for name, steps, form in pairs
        ],
        "layers": [[count(value) for value in asdict(one).values()] for one in comparison.layers],
    }


def sensitivity_rows(found: Sequence[Sensitivity]) -> list[tuple[str, ...]]:
    """Numbers that move a result, with the result at their bounds, those that move most first."""
    units = {ENERGY: "J", LATENCY: "s"}

    def text(one: Sensitivity, value: float | None) -> str:
        if value is None:
            return "does not fit"
        return si(value, units[one.result]) if one.result in units else count(value)

    return [
        (
            one.key.replace("_", " ").replace(".", ": "),
            f"{count(one.low)} to {count(one.high)}{SPACE}{one.unit}",
            one.result,
            *(text(one, value) for value in (one.at_low, one.at_value, one.at_high)),
            percent(one.move) if math.isfinite(one.move) else "–",
        )
        for one in found
    ]


def cores_text(cores: tuple[int, int]) -> str:
    """Fewest and most cores; one number where they are the same."""
    fewest, most = cores
    return plural(most, "core") if fewest == most else f"{count(fewest)} to {plural(most, 'core')}"


def percent(fraction: float) -> str:
    """Fraction as percent with two decimals."""
    return f"{100 * fraction:.2f}{SPACE}%"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Number with its noun."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def _span(delays: NDArray[Any] | None) -> str:
    """Shortest and longest delay; a dash where there is nothing to be delayed."""
    if delays is None or not delays.size:
        return "–"
    low, high = int(delays.min()), int(delays.max())
    return f"{low}" if low == high else f"{low}–{high}"


def settings_text(text: str) -> str:
    """Write settings that a file keeps as JSON as words, without those that were left open.

    Parameters
    ----------
    text : str
        Of the metadata; what is no JSON object comes back as it is.

    Examples
    --------
    >>> settings_text('{"network":"sgru","steps":null,"delays":{"rule":"annealed"}}')
    'network sgru, delays.rule annealed'
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(found, dict):
        return text
    flat: dict[str, Any] = {}
    for key, value in found.items():
        group = value if isinstance(value, dict) else None
        flat |= {key: value} if group is None else {f"{key}.{k}": v for k, v in group.items()}
    return ", ".join(f"{key} {value}" for key, value in flat.items() if value is not None)
