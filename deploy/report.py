"""The report of a network: one HTML file that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kipuka.convert.files import replacing
from kipuka.convert.program import OWN, PREVIOUS, Program
from kipuka.deploy import plots
from kipuka.deploy.mapping.limits import NAMES
from kipuka.deploy.neurobench import neurobench
from kipuka.deploy.numbers import NOT_PUBLISHED, SPACE, count, si, si_bounds
from kipuka.deploy.profile import LayerCost, Profile
from kipuka.deploy.reference import Simulation
from kipuka.deploy.verify import Verification
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import HardwareProfile, Quantity

TEMPLATE = "report.html.jinja"


@dataclass(frozen=True, eq=False)
class ReportContents:
    """What a report shows.

    Attributes
    ----------
    title : str
    program : Program
    inputs : bool array (samples, units, steps)
        Input spikes of the run; the first sample is drawn.
    simulation : Simulation
        Trace and counters of `inputs`.
    profiles : tuple of (Profile, HardwareProfile)
        Costs of that run; the first chip makes the headlines.
    verification : Verification or None
    accuracy : mapping of str to float
        Backend to the fraction of samples that the integer network gets right; may be empty.
    delays_before : mapping of str to integer array, or None
        Delays before training in steps, under the labels of `delays_by_label`.
    seconds : mapping of str to float
        Stage of the work to its wall time in s; may be empty.
    """

    title: str
    program: Program
    inputs: NDArray[Any]
    simulation: Simulation
    profiles: tuple[tuple[Profile, HardwareProfile], ...]
    verification: Verification | None
    accuracy: Mapping[str, float]
    delays_before: Mapping[str, NDArray[Any]] | None
    seconds: Mapping[str, float]


def write_report(path: str | Path, contents: ReportContents) -> None:
    """Write a report; the same contents give the same bytes.

    Parameters
    ----------
    path : path-like
        HTML file to write or replace.
    contents : ReportContents

    Raises
    ------
    KipukaError
        If the parts of the contents do not belong together, or the file cannot be written.
    """
    _check(contents)
    page = _render(_view(contents))
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def delays_by_label(program: Program) -> dict[str, NDArray[Any]]:
    """Return the delays of each layer's recurrence and output, in steps.

    The delays at a layer's output stand with whoever receives them: the next layer, or the
    readout after the last one.

    Parameters
    ----------
    program : Program

    Returns
    -------
    dict of str to int16 array
        ``layer K, recurrence`` where layer K has one, and ``layer K, output``.
    """
    found: dict[str, NDArray[Any]] = {}
    followers = [layer.delays_from(PREVIOUS) for layer in program.layers[1:]]
    outputs = [*followers, program.readout.delays]
    for number, layer, output in zip(program.numbers, program.layers, outputs, strict=True):
        recurrence = layer.delays_from(OWN)
        if recurrence.size:
            found[f"layer {number}, recurrence"] = recurrence
        found[f"layer {number}, output"] = output
    return found


def _check(contents: ReportContents) -> None:
    counters = contents.simulation.counters
    expected = (counters.n_samples, contents.program.n_inputs, counters.n_steps)
    if contents.inputs.shape != expected or 0 in expected:
        raise KipukaError(
            "the inputs are not those of the simulation",
            where="report, inputs",
            limit=f"shape {expected} as (samples, units, steps), at least 1 of each",
            value=f"shape {contents.inputs.shape}",
            remedy="pass the inputs that were simulated",
        )
    if not contents.profiles:
        raise KipukaError(
            "the report has no cost to show",
            where="report, profiles",
            limit="at least 1 profile with its hardware",
            value="none",
            remedy="profile the run on a chip first, for example loihi2",
        )
    labels = list(delays_by_label(contents.program))
    unknown = [label for label in contents.delays_before or {} if label not in labels]
    if unknown:
        raise KipukaError(
            "delays before training belong to no delays of the network",
            where="report, delays_before",
            limit=f"labels out of {', '.join(labels)}",
            value=", ".join(unknown),
            remedy="take the labels from delays_by_label",
        )


def _render(view: Mapping[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("kipuka.deploy").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(view)


def _view(contents: ReportContents) -> dict[str, Any]:
    """Everything that the template prints, as text."""
    profile, hardware = contents.profiles[0]
    program, counters = contents.program, contents.simulation.counters
    return {
        "title": contents.title,
        "subtitle": f"{_plural(len(program.layers), 'layer')}, {program.n_inputs:,} inputs, "
        f"{_plural(program.n_outputs, 'class', 'classes')}; {_plural(counters.n_samples, 'sample')}"
        f" of {_plural(counters.n_steps, 'step')}",
        "chip": hardware.chip,
        "accuracy": {name: _percent(fraction) for name, fraction in contents.accuracy.items()},
        "verification": _verification(contents.verification),
        "energy": si_bounds(profile.dynamic_energy_j, "J"),
        "latency": si_bounds(profile.latency_s, "s"),
        "spikes": count(profile.spikes),
        "input_spikes": count(profile.input_spikes),
        "synaptic_operations": count(profile.synaptic_operations),
        "neuron_updates": count(profile.neuron_updates),
        "saturations": count(counters.saturations),
        "wraps": count(counters.wraps),
        "overflowed": counters.saturations + counters.wraps > 0,
        "layers": _layer_rows(program, profile),
        "input": _input_row(program, profile),
        "total": _total_row(program, profile),
        "fits": f"{_plural(profile.mapping.n_cores, 'core')} on "
        f"{_plural(profile.mapping.n_chips, 'chip')}",
        "cores": _core_rows(profile),
        "kinds": [
            (kind, *si_bounds(bounds, "J")) for kind, bounds in profile.energy_by_kind_j.items()
        ],
        "metrics": _metrics(program, contents.simulation),
        "plots": _plots(contents),
        "chips": [_chip(cost, chip) for cost, chip in contents.profiles],
        "seconds": {stage: si(value, "s") for stage, value in contents.seconds.items()},
        "metadata": dict(program.metadata),
    }


def _core_rows(profile: Profile) -> list[dict[str, str]]:
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
                "share": "–" if share is None else _percent(float(share.max(initial=0.0))),
            }
        )
    return rows


def _metrics(program: Program, simulation: Simulation) -> list[tuple[str, str]]:
    values = asdict(neurobench(program, simulation.counters))
    return [(name.replace("_", " "), count(value)) for name, value in values.items()]


def _plots(contents: ReportContents) -> list[plots.Plot]:
    program, trace = contents.program, contents.simulation.trace
    profile, hardware = contents.profiles[0]
    energies = [si(layer.dynamic_energy_j.typical, "J") for layer in profile.layers]
    drawn = [
        plots.plot_rasters(program, contents.inputs, trace, sample=0),
        plots.plot_membranes(program.layers[0], trace.layers[0], sample=0),
        plots.plot_delays(delays_by_label(program), contents.delays_before or {}),
        plots.plot_spikes(profile),
        plots.plot_energy(profile, hardware.chip, energies),
        plots.plot_timeline(profile, sample=0),
        plots.plot_cores(profile),
        plots.plot_rates(contents.simulation.counters),
    ]
    return [plot for plot in drawn if plot is not None]


def _verification(verification: Verification | None) -> dict[str, Any] | None:
    if verification is None:
        return None
    return {
        "agree": verification.agree,
        "sentence": f"{count(verification.values_compared)} values in "
        f"{_plural(verification.samples, 'sample')} × {_plural(verification.steps, 'step')} "
        f"compared in {', '.join(verification.backends)}: "
        f"{_plural(verification.spike_mismatches, 'spike mismatch', 'spike mismatches')}, "
        f"{_plural(verification.state_mismatches, 'state mismatch', 'state mismatches')}",
        "mismatches": verification.mismatches,
    }


def _layer_rows(program: Program, profile: Profile) -> list[dict[str, str]]:
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
                "cores": _plural(cost.cores, "core"),
                "synapses": count(nonzero),
                "density": f"{100 * nonzero / possible:.3g}{SPACE}%",
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


def _input_row(program: Program, profile: Profile) -> dict[str, str]:
    return {
        "units": count(program.n_inputs),
        "output_delays": _span(program.layers[0].delays_from(PREVIOUS)),
        "spikes": count(profile.input_spikes),
    }


def _total_row(program: Program, profile: Profile) -> dict[str, str]:
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


def _chip(profile: Profile, hardware: HardwareProfile) -> dict[str, Any]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for key, quantity in hardware.quantities():
        group, _, name = key.partition(".")
        row = _provenance(name or group, quantity)
        groups.setdefault(group.replace("_", " "), []).append(row)
    return {
        "name": hardware.chip,
        "description": hardware.description,
        "dynamic": si_bounds(profile.dynamic_energy_j, "J"),
        "static": si_bounds(profile.static_energy_j, "J"),
        "latency": si_bounds(profile.latency_s, "s"),
        "boundary": hardware.static_power.note,
        "left_out": profile.left_out,
        "groups": groups,
        "references": hardware.references,
    }


def _provenance(name: str, quantity: Quantity) -> dict[str, Any]:
    bases = (("low", quantity.low_basis), ("high", quantity.high_basis))
    return {
        "name": name.replace("_", " "),
        "value": _published(quantity.value),
        "low": _published(quantity.low),
        "high": _published(quantity.high),
        "unit": _unit(quantity.unit),
        "confidence": quantity.confidence or NOT_PUBLISHED,
        "source": quantity.source,
        "secondary": quantity.secondary,
        "bases": [(bound, basis) for bound, basis in bases if basis is not None],
        "formula": quantity.formula,
        "inputs": [
            (f"{one.name} = {count(one.value)}{SPACE}{_unit(one.unit)}", one)
            for one in quantity.inputs
        ],
        "note": quantity.note,
    }


def _published(value: float | None) -> str:
    return NOT_PUBLISHED if value is None else count(value)


def _unit(unit: str) -> str:
    return f"µ{unit[1:]}" if unit in ("uJ", "us", "uW") else unit


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}{SPACE}%"


def _plural(number: int, one: str, many: str | None = None) -> str:
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def _span(delays: NDArray[Any] | None) -> str:
    """Shortest and longest delay; a dash where there is nothing to be delayed."""
    if delays is None or not delays.size:
        return "–"
    low, high = int(delays.min()), int(delays.max())
    return f"{low}" if low == high else f"{low}–{high}"
