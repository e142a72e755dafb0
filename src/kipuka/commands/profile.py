"""What `kipuka profile` does: run the samples, price the run, print, report, return the numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kipuka.commands.console import STDOUT, progress_bar
from kipuka.commands.samples import Samples, labelled_samples
from kipuka.commands.tables.costs import (
    advice_numbers,
    mapping_numbers,
    print_advice,
    print_comparison,
    print_mapping,
    print_profile,
)
from kipuka.commands.tables.lowered_form import forms_numbers, print_forms
from kipuka.convert.formats.net.file import load_net
from kipuka.convert.program import Program
from kipuka.convert.trace import accuracy
from kipuka.deploy.costs.advice import Advice, advise, record_for_advice
from kipuka.deploy.costs.cost import Profile
from kipuka.deploy.costs.cost import profile as price
from kipuka.deploy.costs.neurobench import neurobench
from kipuka.deploy.fast.recording import Record
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.lowered.comparison import Forms, NotLowered, without_microcode
from kipuka.deploy.reference import Simulation, state_names
from kipuka.deploy.report.page import ReportContents, write_report
from kipuka.deploy.report.tables import Compared
from kipuka.hardware_profiles import HardwareProfile, load_profile


@dataclasses.dataclass(frozen=True)
class Question:
    """What is to be profiled.

    Attributes
    ----------
    hardware : str
        Name or file of a hardware profile.
    data : str or None
        As in `kipuka.commands.samples.labelled_samples`.
    data_dir : Path or None
    first : int or None
        Samples, if not all.
    cores : int or None
        Neuro cores to spread over, if not the fewest.
    """

    hardware: str = "loihi2"
    data: str | None = None
    data_dir: Path | None = None
    first: int | None = None
    cores: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Priced:
    """A network that was run and priced."""

    program: Program
    samples: Samples
    simulation: Simulation
    cost: Profile
    right: float | None


def profile_file(
    net: Path,
    program: Program,
    question: Question,
    *,
    advice: bool = False,
    other: Path | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Cost of a network file on a chip, per sample; `other` is a second one beside it."""
    hardware = load_profile(question.hardware)
    own = _priced(net, program, question, hardware)
    forms = without_microcode(program, own.samples.values, hardware)
    print_profile(own.cost)
    print_mapping(own.cost)
    print_forms(forms, hardware.name)
    values = profile_numbers(own.cost, own.simulation)
    values["accuracy"] = own.right
    values["neurobench"] = dataclasses.asdict(neurobench(program, own.simulation.counters))
    values["without_microcode"] = forms_numbers(forms)
    if own.right is not None:
        STDOUT.print(f"accuracy of the integer network on these samples: {own.right:.2%}")
    changes = _advised(own, question, hardware) if advice else None
    if changes is not None:
        print_advice(changes)
        values["advice"] = advice_numbers(changes)
    compared = []
    if other is not None:
        second = _priced(other, load_net(other), question, hardware)
        pair = zip(_names_apart(net, other), (own, second), strict=True)
        compared = [Compared(name, one.cost, one.right) for name, one in pair]
        print_comparison(compared)
        numbers = profile_numbers(second.cost, second.simulation)
        values["compare"] = {"network": str(other), **numbers, "accuracy": second.right}
    if report is not None:
        write_report(report, _contents(net.name, own, hardware, forms, changes, compared))
    return values


def _names_apart(net: Path, other: Path) -> tuple[str, str]:
    """File names, with as many folders before them as tell the two files apart.

    Examples
    --------
    >>> _names_apart(Path("runs/a/model.net"), Path("runs/b/model.net"))
    ('a/model.net', 'b/model.net')
    """
    one, two = net.absolute().parts, other.absolute().parts
    for length in range(1, max(len(one), len(two))):
        names = "/".join(one[-length:]), "/".join(two[-length:])
        if names[0] != names[1]:
            return names
    return net.name, other.name


def _priced(net: Path, program: Program, question: Question, hardware: HardwareProfile) -> Priced:
    samples = labelled_samples(net, program, question.data, question.data_dir, question.first)
    with progress_bar(f"simulating {net.name}", unit="steps") as advance:
        simulation = simulate(program, samples.values, record=_record(program), progress=advance)
    cost = price(program, samples.values, simulation, hardware, cores=question.cores)
    right = None
    if samples.labels is not None:
        right = accuracy(program, simulation.trace.layers[-1], samples.labels)
    return Priced(program, samples, simulation, cost, right)


def _record(program: Program) -> Record:
    """Record of costs, decisions and the first layer's membranes, which a report draws."""
    states = record_for_advice(program).states or ()
    first = tuple((0, name) for name in state_names(program.layers[0]))
    return Record(states=(*states, *first))


def _advised(own: Priced, question: Question, hardware: HardwareProfile) -> tuple[Advice, ...]:
    return advise(
        own.program,
        own.samples.values,
        own.simulation,
        hardware,
        own.cost,
        question.cores,
        own.samples.labels,
    )


def _contents(
    title: str,
    own: Priced,
    hardware: HardwareProfile,
    forms: Forms | NotLowered,
    changes: tuple[Advice, ...] | None,
    compared: list[Compared],
) -> ReportContents:
    return ReportContents(
        title=title,
        program=own.program,
        inputs=own.samples.values,
        simulation=own.simulation,
        profiles=((own.cost, hardware),),
        verification=None,
        accuracy={} if own.right is None else {"fast": own.right},
        delays_before=None,
        seconds={},
        forms=forms,
        advice=changes,
        compared=tuple(compared),
    )


def profile_numbers(priced: Profile, simulation: Simulation) -> dict[str, Any]:
    """Return a profile as plain values, with low, typical and high by name."""
    return {
        "hardware": priced.hardware,
        "samples": simulation.counters.n_samples,
        "steps": priced.steps,
        "input_spikes_per_sample": priced.input_spikes,
        "spikes_per_sample": priced.spikes,
        "synops_per_sample": priced.synaptic_operations,
        "neuron_updates_per_sample": priced.neuron_updates,
        "dynamic_energy_j": priced.dynamic_energy_j._asdict(),
        "static_energy_j": priced.static_energy_j._asdict(),
        "latency_s": priced.latency_s._asdict(),
        "saturations": simulation.counters.saturations,
        "wraps": simulation.counters.wraps,
        "layers": [
            {**vars(layer), "dynamic_energy_j": layer.dynamic_energy_j._asdict()}
            for layer in priced.layers
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
