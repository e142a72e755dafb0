"""The report of a network: one HTML file that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kipuka.convert.decisions import Decisions
from kipuka.convert.operands import as_numbers, checked_inputs
from kipuka.convert.program import Program
from kipuka.convert.trace import Trace
from kipuka.deploy.costs.advice import Advice
from kipuka.deploy.costs.conventional import on_processors
from kipuka.deploy.costs.cost import Cost
from kipuka.deploy.costs.cost import profile as price
from kipuka.deploy.costs.sensitivity import sensitivities
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.lowered.comparison import LoweredComparison, NotLowered, without_microcode
from kipuka.deploy.reference import Simulation, simulate_reference
from kipuka.deploy.report import VERIFIED_SAMPLES, plots, question, tables
from kipuka.deploy.report.provenance import chip_view, elsewhere_view
from kipuka.deploy.report.replay import time_view
from kipuka.deploy.report.tables import Compared, delays_by_label, plural
from kipuka.deploy.report.words import how_to_read, words_on
from kipuka.deploy.verification import Verification, verify
from kipuka.errors import KipukaError, expect
from kipuka.files import replacing
from kipuka.hardware_profiles import HardwareProfile, load_profile
from kipuka.hardware_profiles.numbers import count, si, si_bounds
from kipuka.hardware_profiles.processors import load_processors

TEMPLATE = "page.html.jinja"


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
    profiles : tuple of (Cost, HardwareProfile)
        Costs of that run; the first chip makes the headlines.
    verification : Verification or None
    accuracy : mapping of str to float
        Backend to the fraction of samples that the integer network gets right; may be empty.
    delays_before : mapping of str to integer array, or None
        Delays before training in steps, under the labels of `delays_by_label`.
    seconds : mapping of str to float
        Stage of the work to its wall time in s; may be empty.
    lowered : LoweredComparison or NotLowered, optional
        The network without microcode, on the first chip.
    advice : tuple of Advice, optional
        Changes that were tried on this run; None if nobody asked.
    compared : tuple of Compared
        This network and others, side by side; may be empty.
    decisions : Decisions, optional
        On the inputs, if their classes are known: count, interval and confusions are shown.
    advice_from : str
        Samples that changes were tried on.
    refused : tuple of (str, str)
        Chips that cannot run the network, and why.
    samples_from : str
        Where the samples come from, such as ``test part of words``.
    step_s : float or None
        Time that a step stands for; None if it stands for none, or nobody knows.
    """

    title: str
    program: Program
    inputs: NDArray[Any]
    simulation: Simulation
    profiles: tuple[tuple[Cost, HardwareProfile], ...]
    verification: Verification | None
    accuracy: Mapping[str, float]
    delays_before: Mapping[str, NDArray[Any]] | None
    seconds: Mapping[str, float]
    lowered: LoweredComparison | NotLowered | None = None
    advice: tuple[Advice, ...] | None = None
    compared: tuple[Compared, ...] = ()
    decisions: Decisions | None = None
    advice_from: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    samples_from: str = ""
    step_s: float | None = None

    @classmethod
    def of(
        cls,
        program: Program,
        inputs: Any,
        labels: Any = None,
        *,
        group_of: Any = None,
        hardware: str | HardwareProfile = "loihi2",
        title: str = "",
        samples_from: str = "samples given in Python",
    ) -> ReportContents:
        """Run, price and check a network on samples: all that a report of them needs.

        Parameters
        ----------
        program : Program
        inputs : array (samples, units, steps)
            What `kipuka.deploy.simulate` takes.
        labels : integer array (samples,), optional
            Classes of the samples, for the accuracy.
        group_of : array (samples,), optional
            Person, session or the like that each sample comes from.
        hardware : str or HardwareProfile
            Chip, or its name.
        title : str
            What the network was trained on if not given.
        samples_from : str
            Where the samples come from, such as ``test part of words``.

        Raises
        ------
        KipukaError
            If samples or labels do not fit the network, or the chip cannot run it.

        Examples
        --------
        >>> from kipuka.convert import load_net
        >>> program = load_net("run/model.net")  # doctest: +SKIP
        >>> write_report("run.html", ReportContents.of(program, inputs))  # doctest: +SKIP
        """
        chip = load_profile(hardware) if isinstance(hardware, str) else hardware
        values = checked_inputs(program, inputs, "input")
        run = simulate(program, values)
        traces = {
            "reference": simulate_reference(program, values[:VERIFIED_SAMPLES]).trace,
            "fast": run.trace.first(VERIFIED_SAMPLES),
        }
        found = None
        if labels is not None:
            found = Decisions.of(program, run.trace.layers[-1], labels, group_of=group_of)
        network, data = question.trained_on(program)
        return cls(
            title=title or (f"{network} on {data}" if network and data else "a network"),
            program=program,
            inputs=values,
            simulation=run,
            profiles=((price(program, values, run, chip), chip),),
            verification=verify(program, traces),
            accuracy={} if found is None else {"fast": found.accuracy},
            delays_before=None,
            seconds={},
            lowered=without_microcode(program, values, chip),
            decisions=found,
            samples_from=samples_from,
            step_s=question.step_s(program),
        )


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
    parts = "kipuka.deploy.report.page.ReportContents(...) holds what a report is of"
    expect(contents, ReportContents, "argument contents", parts)
    contents = replace(contents, inputs=as_numbers(contents.inputs, "report, inputs"))
    _check(contents)
    view = _view(contents)
    # Below the results stand sources, where a word means what it means everywhere.
    results = _render({**view, "words": []}).partition('<section id="sources">')[0]
    page = _render({**view, "words": words_on(results)})
    with replacing(path) as temporary:
        # Metadata may hold halves of characters, which no encoding has.
        temporary.write_text(page, "utf-8", "backslashreplace", "\n")


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
    source = resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(view)


def _view(contents: ReportContents) -> dict[str, Any]:
    """Everything that the template prints, as text."""
    profile, hardware = contents.profiles[0]
    program, counters = contents.program, contents.simulation.counters
    return {
        "title": contents.title,
        "subtitle": f"{plural(len(program.layers), 'layer')}, {program.n_inputs:,} inputs, "
        f"{plural(program.n_outputs, 'class', 'classes')}; {plural(counters.n_samples, 'sample')}"
        f" of {plural(counters.n_steps, 'step')}",
        "chip": hardware.title,
        "accuracy": tables.accuracy_cards(contents.accuracy),
        "decisions": None
        if contents.decisions is None
        else tables.decided(contents.decisions, question.class_names(program)),
        "verification": _verification(contents.verification, counters.n_samples),
        "energy": si_bounds(profile.dynamic_energy_j, "J"),
        "latency": si_bounds(profile.latency_s, "s"),
        "time": time_view(profile, hardware, contents.step_s),
        "asked": question.asked(program, counters.n_steps, contents.step_s),
        "asked_of": _asked_of(contents),
        "held_out": question.held_out(program),
        "spikes": count(profile.spikes),
        "input_spikes": count(profile.input_spikes),
        "synaptic_operations": count(profile.synaptic_operations),
        "neuron_updates": count(profile.neuron_updates),
        "saturations": count(counters.saturations),
        "wraps": count(counters.wraps),
        "wrapped": counters.wraps > 0,
        "saturated": tables.saturated_text(counters),
        "layers": tables.layer_rows(program, profile),
        "input": tables.input_row(program, profile),
        "total": tables.total_row(program, profile),
        "fits": f"{tables.cores_text(profile.cores)} on {plural(profile.mapping.n_chips, 'chip')}",
        "cores": tables.core_rows(profile),
        "kinds": [
            (kind, *si_bounds(bounds, "J")) for kind, bounds in profile.energy_by_kind_j.items()
        ],
        "metrics": tables.metric_rows(program, contents.simulation, profile),
        "plots": _plots(contents),
        "lowered": None if contents.lowered is None else tables.lowered_view(contents.lowered),
        "advice": None
        if contents.advice is None
        else {**tables.advice_view(contents.advice), "tried_on": contents.advice_from},
        "compared": tables.comparison_view(contents.compared),
        "refused": contents.refused,
        "sensitivities": tables.sensitivity_rows(
            sensitivities(program, profile, counters.n_samples, hardware)
        ),
        "elsewhere": [elsewhere_view(one) for one in on_processors(program, counters)],
        "elsewhere_references": load_processors().references,
        "chips": [chip_view(cost, chip) for cost, chip in contents.profiles],
        "reading": how_to_read(),
        "seconds": {stage: si(value, "s") for stage, value in contents.seconds.items()},
        "metadata": {key: tables.settings_text(text) for key, text in program.metadata.items()},
    }


def _asked_of(contents: ReportContents) -> str:
    """Samples that the question was asked of, in words."""
    samples = plural(contents.simulation.counters.n_samples, "sample")
    return f"{samples}, {contents.samples_from}" if contents.samples_from else samples


def _plots(contents: ReportContents) -> list[plots.Plot]:
    program, trace = contents.program, contents.simulation.trace
    profile, hardware = contents.profiles[0]
    energies = [si(layer.dynamic_energy_j.typical, "J") for layer in profile.layers]
    drawn = [
        plots.plot_rasters(program, contents.inputs, trace, 0, question.class_names(program)),
        _first_layer(program, trace),
        plots.plot_delays(delays_by_label(program), contents.delays_before or {}),
        plots.plot_spikes(profile),
        plots.plot_energy(profile, hardware.title, energies),
        plots.plot_timeline(profile, sample=0),
        plots.plot_cores(profile),
        plots.plot_links(profile),
        plots.plot_rates(contents.simulation.counters),
    ]
    return [plot for plot in drawn if plot is not None]


def _first_layer(program: Program, trace: Trace) -> plots.Plot:
    number, layer, traced = program.numbers[0], program.layers[0], trace.layers[0]
    if layer.neuron_model.sends.graded:
        return plots.plot_activations(number, layer, traced, sample=0)
    return plots.plot_membranes(number, layer, traced, sample=0)


def _verification(verification: Verification | None, n_samples: int) -> dict[str, Any] | None:
    """Outcome in a sentence; `n_samples` are those of the run, of which it may have had a part."""
    if verification is None:
        return None
    samples = plural(verification.samples, "sample")
    if verification.samples < n_samples:
        samples = f"the first {count(verification.samples)} of {plural(n_samples, 'sample')}"
    return {
        "agree": verification.agree,
        "sentence": f"{count(verification.values_compared)} values in "
        f"{samples} × {plural(verification.steps, 'step')} "
        f"compared in {', '.join(verification.backends)}{verification.parts_text}: "
        f"{plural(verification.spike_mismatches, 'spike mismatch', 'spike mismatches')}, "
        f"{plural(verification.state_mismatches, 'state mismatch', 'state mismatches')}",
        "mismatches": verification.mismatches,
    }
