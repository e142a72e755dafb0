"""Tables and numbers of a profile: layers, mapping, advice, two networks at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from kipuka.commands.console import print_line, print_table
from kipuka.convert.program import Program
from kipuka.deploy.costs.advice import SMALLEST_GAIN, Advice
from kipuka.deploy.costs.conventional import on_processors
from kipuka.deploy.costs.cost import TERMS, Cost
from kipuka.deploy.costs.mapping.limits import NAMES
from kipuka.deploy.costs.ndns import ndns_proxy
from kipuka.deploy.costs.real_time import (
    from_host_s,
    in_real_time,
    static_power_w,
)
from kipuka.deploy.reference import Simulation
from kipuka.deploy.report.replay import FROM_HOST, REPLAY, latency_text, real_time_text
from kipuka.deploy.report.tables import Compared, accuracy_text, comparison_rows
from kipuka.hardware_profiles import HardwareProfile
from kipuka.hardware_profiles.numbers import NOT_PUBLISHED, bounds_text, si_bounds


def profile_numbers(priced: Cost, simulation: Simulation) -> dict[str, Any]:
    """Return a profile as plain values, with low, typical and high by name."""
    return {
        "hardware": priced.hardware,
        "samples": simulation.counters.n_samples,
        "steps": priced.steps,
        "input_spikes_per_sample": priced.input_spikes,
        "spikes_per_sample": priced.spikes,
        "synops_per_sample": priced.synaptic_operations,
        "multiplications_per_sample": priced.multiplications,
        "neuron_updates_per_sample": priced.neuron_updates,
        "ndns_proxy": dataclasses.asdict(ndns_proxy(priced)),
        "dynamic_energy_j": priced.dynamic_energy_j._asdict(),
        "static_energy_j": priced.static_energy_j._asdict(),
        "latency_s": priced.latency_s._asdict(),
        "saturations": simulation.counters.saturations,
        "wraps": simulation.counters.wraps,
        "layers": [
            {
                **vars(layer),
                "dynamic_energy_j": layer.dynamic_energy_j._asdict(),
                "activity_by_step": counted.spikes.mean(axis=0) / layer.neurons,
            }
            for layer, counted in zip(priced.layers, simulation.counters.layers, strict=True)
        ],
        "mapping": mapping_numbers(priced),
        "left_out": list(priced.left_out),
        "estimate": True,
    }


def headline(profiles: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Shorten profiles to the figures of a summary."""
    keys = ("spikes_per_sample", "synops_per_sample", "dynamic_energy_j", "static_energy_j")
    return {
        name: {key: values[key] for key in (*keys, "latency_s")}
        for name, values in profiles.items()
    }


def mapping_numbers(priced: Cost) -> dict[str, Any]:
    """Return cores, links and the timeline of a profile as plain values."""
    mapping, activity, timing = priced.mapping, priced.activity, priced.timing
    needs, routes = {name: mapping.needs(name) for name in NAMES}, activity.routes
    layer_of = [own.layer for own in mapping.groups for _ in range(own.n_cores)]
    cores = [
        {
            "core": core,
            "layer": layer_of[core],
            "chip": int(mapping.chips[core]),
            "router": mapping.routers[core].tolist(),
            "needs": {name: int(values[core]) for name, values in needs.items()},
            "synaptic_operations": int(activity.synaptic_operations[core]),
            "dynamic_energy_j": float(priced.core_energy_j[core]),
        }
        for core in range(mapping.n_cores)
    ]
    return {
        "cores_used": mapping.n_cores,
        "cores_of_the_compiler": dict(zip(("low", "high"), priced.cores, strict=True)),
        "chips_used": mapping.n_chips,
        "limits_per_core": dict(mapping.limits.per_core),
        "cores": cores,
        "links": [
            {"chip": link[0], "from": link[1:3], "to": link[3:], "messages": int(messages)}
            for link, messages in zip(routes.links, activity.link_messages, strict=True)
        ],
        "chip_links": [
            {"from": link[0], "to": link[1], "messages": int(messages)}
            for link, messages in zip(routes.chip_links, activity.chip_link_messages, strict=True)
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


def bound_by(priced: Cost) -> dict[str, int]:
    """Number of steps of the run that each term bounds."""
    return {name: int((priced.timing.bottleneck == k).sum()) for k, name in enumerate(TERMS)}


def real_time_numbers(
    priced: Cost, hardware: HardwareProfile, step_s: float | None
) -> dict[str, Any]:
    """Return what a sample costs that is not replayed at full speed, as plain values."""
    real = None if step_s is None else dataclasses.asdict(in_real_time(priced, step_s))
    if real is not None:
        real["static_energy_j"] = real["static_energy_j"]._asdict()
    return {
        "total_energy_j": priced.total_energy_j._asdict(),
        "static_power_w": static_power_w(priced)._asdict(),
        "real_time": real,
        "input_from_host_s": from_host_s(priced, hardware)._asdict(),
    }


def processor_numbers(program: Program, simulation: Simulation) -> list[dict[str, Any]]:
    """Return what the operations of a run take on processors that are no spiking chips."""
    return [
        {
            "processor": one.processor.title,
            "where_spikes_arrive_j": one.where_spikes_arrive_j._asdict(),
            "every_step_j": one.every_step_j._asdict(),
            "boundary": one.processor.multiply_accumulate.note,
            "source": one.processor.multiply_accumulate.source,
            "secondary": one.processor.multiply_accumulate.secondary,
        }
        for one in on_processors(program, simulation.counters)
    ]


def print_profile(priced: Cost, hardware: HardwareProfile, step_s: float | None = None) -> None:
    """Print the cost of each layer and of the whole, per sample; a step may stand for `step_s`."""
    rows = [
        [
            layer.layer,
            layer.neurons,
            layer.spikes,
            layer.synaptic_operations,
            layer.neuron_updates,
            *si_bounds(layer.dynamic_energy_j, "J"),
        ]
        for layer in priced.layers
    ]
    columns = ["layer", "neurons", "spikes", "synaptic\noperations", "neuron\nupdates"]
    columns += ["dynamic\nenergy", "low to high"]
    print_table(f"estimate per sample on {priced.hardware}", columns, rows)
    print_line(
        f"dynamic energy {bounds_text(priced.dynamic_energy_j, 'J')}, "
        f"static energy {bounds_text(priced.static_energy_j, 'J')}, "
        f"together {bounds_text(priced.total_energy_j, 'J')}"
    )
    print_line(f"latency at least {latency_text(priced.latency_s)}")
    if not priced.host_input:
        print_line(f"{REPLAY}; {real_time_text(priced, step_s)}")
        host = from_host_s(priced, hardware)
        if host.typical is not None:
            print_line(f"{FROM_HOST}: {bounds_text(host, 's')} a sample, by published runs")
    if priced.multiplications:
        _print_graded(priced)
    if priced.host_input:
        print_line(
            "warning: each step waits for a program on the host, by the wall times of published "
            "runs; preload the input, as `kipuka deploy --target loihi2` does"
        )
    print_line(f"left out: {'; '.join(priced.left_out)}")


def _print_graded(priced: Cost) -> None:
    """Print what payloads make of the operations, and the proxy by which such networks compare."""
    proxy = ndns_proxy(priced)
    sending = ", ".join(
        f"layer {layer.layer} {layer.spikes / max(layer.neurons * priced.steps, 1):.1%}"
        for layer in priced.layers
    )
    print_line(
        f"{priced.multiplications:,.0f} of {priced.synaptic_operations:,.0f} synaptic operations "
        f"multiply by a payload; neurons that send in a step: {sending}"
    )
    print_line(
        f"N-DNS power proxy (SynOPS + 10 NeuronOPS, no energy): {proxy.operations_per_step:,.0f} "
        "operations a step"
    )


def print_mapping(priced: Cost, *, fused: bool) -> None:
    """Print how full the fullest core is under each limit, and what bounds the steps.

    A form that is `fused` needs microcode, which is said beside the cores that it takes.
    """
    mapping = priced.mapping
    rows = []
    for name in NAMES:
        share = mapping.utilisation(name)
        limit = mapping.limits.per_core[name]
        full = "" if share is None else f"{share.max():.0%}"
        most = int(mapping.needs(name).max())
        rows.append([name, f"{most:,}", NOT_PUBLISHED if limit is None else f"{limit:,}", full])
    chips = f"{mapping.n_chips} chip{'s' * (mapping.n_chips > 1)}"
    form = " in the fused form, with microcode" if fused else ""
    cores = f"{mapping.n_cores:,} core{'s' * (mapping.n_cores > 1)}"
    title = f"fits: {cores} on {chips}{form}; the fullest core"
    fewest, most_cores = priced.cores
    print_table(title, ["limit", "used", "available", "share"], rows)
    span = f"{fewest:,} to {most_cores:,} cores"
    if fewest == most_cores:
        span = f"{fewest:,} core{'s' * (fewest > 1)} by both laws"
    print_line(
        f"the compiler may take {span}: the fewest that the law of its tables allows, to a "
        "splitter by halving"
    )
    busiest = int(priced.activity.synaptic_operations.argmax())
    owner = next(o.layer for o in mapping.groups if o.cores.start <= busiest < o.cores.stop)
    bounding = ", ".join(f"{name} in {n:,}" for name, n in bound_by(priced).items() if n)
    print_line(f"busiest core: {busiest} (layer {owner}); steps are bounded by: {bounding}")


def print_advice(advice: Sequence[Advice], tried_on: str) -> None:
    """Print changes with what they gain on some samples, and what was tried without."""
    rows = [
        [
            one.change,
            *(f"{gain:+.1%}" for gain in (one.energy_gain, one.latency_gain, one.memory_gain)),
            f"{one.cores_saved:+d}",
            accuracy_text(one),
        ]
        for one in advice
        if one.worthwhile
    ]
    columns = [
        "change",
        "energy\nsaved",
        "time\nsaved",
        "memory\nsaved",
        "cores\nsaved",
        "accuracy",
    ]
    print_table(f"advice (each change run and priced on {tried_on})", columns, rows)
    for one in advice:
        if one.refusal is not None:
            print_line(f"would not fit: {one.change}; {one.refusal}")
    little = [one.change for one in advice if not one.worthwhile and one.refusal is None]
    if little:
        print_line(
            f"tried, with less than {SMALLEST_GAIN:.1%} saved or more lost: {'; '.join(little)}"
        )


def advice_numbers(advice: Sequence[Advice]) -> list[dict[str, Any]]:
    """Return advice as plain values."""
    return [
        {
            **dataclasses.asdict(one),
            "worthwhile": one.worthwhile,
            "operations_per_point": one.operations_per_point,
        }
        for one in advice
    ]


def print_comparison(compared: Sequence[Compared]) -> None:
    """Print the costs of several networks side by side."""
    rows = comparison_rows(compared)
    title = f"per sample on {compared[0].cost.hardware}"
    print_table(title, ["", *(one.name for one in compared)], [list(row) for row in rows])
