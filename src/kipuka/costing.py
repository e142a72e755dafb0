"""What `kipuka profile` shows beside the layers: mapping, metrics, advice, two networks at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from kipuka.console import STDOUT, bounds_text, print_table
from kipuka.deploy.advice import Advice
from kipuka.deploy.mapping.limits import NAMES
from kipuka.deploy.numbers import NOT_PUBLISHED
from kipuka.deploy.profile import TERMS, Profile


def mapping_numbers(priced: Profile) -> dict[str, Any]:
    """Return cores, links and the timeline of a profile as plain values."""
    mapping, work, timing = priced.mapping, priced.work, priced.timing
    needs = {name: mapping.needs(name) for name in NAMES}
    layer_of = [own.layer for own in mapping.layers for _ in range(own.n_cores)]
    cores = [
        {
            "core": core,
            "layer": layer_of[core],
            "chip": int(mapping.chips[core]),
            "router": mapping.routers[core].tolist(),
            "needs": {name: int(values[core]) for name, values in needs.items()},
            "synaptic_operations": int(work.synaptic_operations[core]),
            "dynamic_energy_j": float(priced.core_energy_j[core]),
        }
        for core in range(mapping.n_cores)
    ]
    return {
        "cores_used": mapping.n_cores,
        "chips_used": mapping.n_chips,
        "limits_per_core": dict(mapping.limits.per_core),
        "cores": cores,
        "links": [
            {"chip": link[0], "from": link[1:3], "to": link[3:], "messages": int(messages)}
            for link, messages in zip(work.routes.links, work.link_messages, strict=True)
        ],
        "chip_links": [
            {"from": link[0], "to": link[1], "messages": int(messages)}
            for link, messages in zip(work.routes.chip_links, work.chip_link_messages, strict=True)
        ],
        "timeline": {
            "terms": TERMS,
            "mean_step_s": timing.step_s.mean(axis=0),
            "steps_bounded_by": bound_by(priced),
        },
        "energy_by_kind_j": {
            kind: bounds._asdict() for kind, bounds in priced.energy_by_kind_j.items()
        },
    }


def bound_by(priced: Profile) -> dict[str, int]:
    """Number of steps of the run that each term bounds."""
    return {name: int((priced.timing.bottleneck == k).sum()) for k, name in enumerate(TERMS)}


def print_mapping(priced: Profile) -> None:
    """Print how full the fullest core is under each limit, and what bounds the steps."""
    mapping = priced.mapping
    rows = []
    for name in NAMES:
        share = mapping.utilisation(name)
        limit = mapping.limits.per_core[name]
        full = "" if share is None else f"{share.max():.0%}"
        most = int(mapping.needs(name).max())
        rows.append([name, f"{most:,}", NOT_PUBLISHED if limit is None else f"{limit:,}", full])
    chips = f"{mapping.n_chips} chip{'s' * (mapping.n_chips > 1)}"
    title = f"fits: {mapping.n_cores} cores on {chips}; the fullest core"
    print_table(title, ["limit", "used", "available", "share"], rows)
    busiest = int(priced.work.synaptic_operations.argmax())
    owner = next(o.layer for o in mapping.layers if o.cores.start <= busiest < o.cores.stop)
    bounding = ", ".join(f"{name} in {n:,}" for name, n in bound_by(priced).items() if n)
    STDOUT.print(f"busiest core: {busiest} (layer {owner}); steps are bounded by: {bounding}")


def print_advice(advice: Sequence[Advice]) -> None:
    """Print changes with what they gain."""
    rows = [
        [
            one.change,
            f"{one.energy_gain:+.1%}",
            f"{one.latency_gain:+.1%}",
            f"{one.cores_saved:+d}",
            "same" if one.exact else "measure again",
        ]
        for one in advice
    ]
    columns = ["change", "energy saved", "time saved", "cores saved", "accuracy"]
    print_table("advice (predicted on the spikes of this run)", columns, rows)


def advice_numbers(advice: Sequence[Advice]) -> list[dict[str, Any]]:
    """Return advice as plain values."""
    return [dataclasses.asdict(one) for one in advice]


def print_comparison(names: Sequence[str], profiles: Sequence[Profile]) -> None:
    """Print the costs of several networks side by side."""
    rows: list[list[object]] = [
        ["cores", *(one.mapping.n_cores for one in profiles)],
        ["chips", *(one.mapping.n_chips for one in profiles)],
        ["spikes", *(f"{one.spikes:,.1f}" for one in profiles)],
        ["synaptic operations", *(f"{one.synaptic_operations:,.0f}" for one in profiles)],
        ["neuron updates", *(f"{one.neuron_updates:,.0f}" for one in profiles)],
        ["dynamic energy", *(bounds_text(one.dynamic_energy_j, "J") for one in profiles)],
        ["static energy", *(bounds_text(one.static_energy_j, "J") for one in profiles)],
        ["latency at least", *(bounds_text(one.latency_s, "s") for one in profiles)],
    ]
    print_table(f"per sample on {profiles[0].hardware}", ["", *names], rows)
