"""What the commands do with files: read, call the folders' functions, print, return the numbers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kipuka.backends import chosen_backends
from kipuka.console import STDOUT, bounds_text, print_table, progress_bar
from kipuka.convert.netfile import GoldenVector, load_golden, load_net, save_net
from kipuka.convert.program import Program, Reset
from kipuka.convert.range_analysis import with_verdict
from kipuka.convert.trace import Trace, decide, readout_input
from kipuka.costing import (
    advice_numbers,
    mapping_numbers,
    print_advice,
    print_comparison,
    print_mapping,
)
from kipuka.deploy.advice import advise
from kipuka.deploy.fast import Record, simulate
from kipuka.deploy.golden import golden_mismatches, golden_vectors
from kipuka.deploy.inputs import load_inputs, save_spikes
from kipuka.deploy.neurobench import neurobench
from kipuka.deploy.numbers import si_bounds
from kipuka.deploy.profile import Profile
from kipuka.deploy.profile import profile as price
from kipuka.deploy.reference import Simulation, state_names
from kipuka.deploy.report import ReportContents, write_report
from kipuka.deploy.verify import Verification, verify
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka.hardware_profiles.yaml_text import parse_yaml

if TYPE_CHECKING:
    from kipuka.train.config import TrainConfig
    from kipuka.train.metrics import EpochMetrics
    from kipuka.train.trainer import TrainingResult

GOLDEN_VECTORS = 3
"""Inputs that a network file carries with their results."""

NETWORK_FILE = "model.net"


def train_run(
    out: Path, config_file: Path | None, given: Mapping[str, object], *, resume: bool = False
) -> dict[str, Any]:
    """Train, write the run folder and its network file, and print the accuracies.

    Under ``torchrun`` only the first process converts and prints.
    """
    config = run_settings(out, config_file, given, resume=resume)
    result = train_with_progress(config, out, resume=resume)
    if int(os.environ.get("RANK", "0")):
        return {"config": config.model_dump(), "metrics": list(result.metrics)}
    converted = convert_run(out, out / NETWORK_FILE)
    return {"config": config.model_dump(), "metrics": list(result.metrics), **converted}


def run_settings(
    out: Path, config_file: Path | None, given: Mapping[str, object], *, resume: bool
) -> TrainConfig:
    """Settings of a run: those in `given` that are not None come before those of a file.

    A run that is resumed without a file starts from the settings in its own folder.

    Raises
    ------
    KipukaError
        If a file given by the user, who may have it from someone else, names a folder or has
        something downloaded.
    """
    from kipuka.train.config import load_config, make_config
    from kipuka.train.trainer import CONFIG_FILE

    if resume and config_file is None and (out / CONFIG_FILE).exists():
        config_file = out / CONFIG_FILE
    own = resume and config_file == out / CONFIG_FILE
    base = load_config(config_file).model_dump() if config_file else {}
    for key in () if own else ("data_dir", "download"):
        if base.get(key) and given.get(key) is None:
            raise KipukaError(
                "a configuration cannot reach beyond its own file",
                where=f"{config_file}, key {key}",
                limit="no folders and no downloads in a file given by --config",
                value=base[key],
                remedy=f"look whether you want that, and give --{key.replace('_', '-')} yourself",
            )
    named = {key: value for key, value in given.items() if value is not None}
    return make_config({**base, **named}, "command line")


def parse_settings(words: Sequence[str]) -> dict[str, object]:
    """Settings from words of the form ``key=value``, with values as in YAML.

    Raises
    ------
    KipukaError
        If a word has another form, or its value is not YAML.
    """
    parsed: dict[str, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        _, parsed[key] = parse_yaml(value.encode(), f"option set, {key}", "setting")
        if not equals:
            raise KipukaError(
                "a setting cannot be read",
                where="option set",
                limit="key=value",
                value=word,
                remedy="write it like --set learning_rate=0.01",
            )
    return parsed


def train_with_progress(
    config: TrainConfig, folder: Path, *, resume: bool = False
) -> TrainingResult:
    """Train with a progress bar, an epoch at a time."""
    from kipuka.train.trainer import train

    with progress_bar(f"training {config.network} on {config.data}", unit="epochs") as advance:

        def show(metrics: EpochMetrics) -> None:
            advance(metrics.epoch, config.epochs)

        return train(config, folder, progress=show, resume=resume)


def convert_run(run: Path, output: Path) -> dict[str, Any]:
    """Quantize a run folder's network, with golden vectors from the validation part."""
    from kipuka.train.trainer import accuracy_of, load_run, program_of

    config, network, dataset = load_run(run)
    program = with_verdict(program_of(network, config), dataset.test.spikes.shape[-1])
    golden = golden_vectors(program, dataset.validation.spikes[:GOLDEN_VECTORS])
    save_net(output, program, golden)
    accuracy = {"torch": accuracy_of(network, dataset.test)}
    traced = simulate(program, dataset.test.spikes, record=_for_readout(program)).trace
    accuracy["fast"] = accuracy_in(program, traced.layers[-1], dataset.test.labels)
    rows = [[name, f"{value:.2%}"] for name, value in accuracy.items()]
    print_table(f"{output}: accuracy on the test part", ["backend", "accuracy"], rows)
    return {"accuracy": accuracy, "network": str(output)}


def accuracy_in(program: Program, last: Any, labels: np.ndarray) -> float:
    """Fraction of samples that the traced last layer decides right."""
    return float((decide(program, last) == labels).mean())


def open_network(
    net: Path, *, clamp_delays: bool = False, reset: tuple[int, int] | None = None
) -> Program:
    """Load a network file; `reset` is (interval, offset) in steps and replaces the file's own."""
    program = load_net(net, clamp_delays=clamp_delays)
    return program if reset is None else dataclasses.replace(program, reset=Reset(*reset))


def simulate_file(
    program: Program, input_file: Path, output: Path, backend: str, layer: int | None
) -> dict[str, Any]:
    """Run a network on an input file and write the readout's input, or a layer's spikes."""
    given = load_inputs(input_file, program)
    position = None if layer is None else _position(program, layer)
    if backend == "fast":
        trace, spikes = _fast(program, given.values, position)
    else:
        trace = chosen_backends(backend)[backend](program, given.values)
        spikes = [int(layer.spikes.sum()) for layer in trace.layers]
    last = trace.layers[-1]
    if position is None:
        written = readout_input(program.readout, last.spikes)
    else:
        written = trace.layers[position].spikes if position >= 0 else given.values
    save_spikes(output, written, given.batched)
    rows = [list(row) for row in zip(program.numbers, spikes, strict=True)]
    samples, _, steps = given.values.shape
    print_table(f"{samples} samples x {steps} steps on {backend}", ["layer", "spikes"], rows)
    classes = [int(c) for c in decide(program, last)]
    return {
        "samples": samples,
        "steps": steps,
        "layers": list(program.numbers),
        "spikes": spikes,
        "classes": classes,
    }


def _fast(program: Program, inputs: np.ndarray, position: int | None) -> tuple[Trace, list[int]]:
    """Trace of what is asked for alone, and the number of spikes of every layer."""
    record = _for_readout(program)
    if position is not None and position >= 0:
        record = dataclasses.replace(record, spikes=(position, -1))
    with progress_bar("simulating", unit="steps") as advance:
        simulation = simulate(program, inputs, record=record, progress=advance)
    spikes = [int(layer.spikes_per_neuron.sum()) for layer in simulation.counters.layers]
    return simulation.trace, spikes


def _for_readout(program: Program) -> Record:
    """Record of what a decision is made from."""
    last = len(program.layers) - 1
    membrane = program.readout.kind == "membrane"
    states = tuple((last, name) for name in state_names(program.layers[last])) if membrane else ()
    return Record(spikes=(last,), states=states, steps=False)


def _position(program: Program, layer: int) -> int:
    """Index of the layer of that number in the file; -1 for an input without neurons."""
    numbered = {number: position for position, number in enumerate(program.numbers)}
    if program.encoder is None:
        numbered.setdefault(0, -1)
    if layer not in numbered:
        raise KipukaError(
            "the file has no layer of that number with spikes",
            where="option layer",
            limit=", ".join(str(number) for number in sorted(numbered)),
            value=layer,
            remedy="see kipuka inspect for the layers; flatten, concat and average have no neurons",
        )
    return numbered[layer]


def verify_file(
    net: Path, program: Program, backends: str, input_file: Path | None
) -> dict[str, Any]:
    """Compare backends on a network file, and each of them with the file's golden vectors."""
    chosen = chosen_backends(backends)
    golden = load_golden(net) if input_file is None else ()
    inputs = _inputs(net, program, golden, input_file)
    traces = {name: run(program, inputs) for name, run in chosen.items()}
    verification = verify(program, traces)
    stale = {name: golden_mismatches(golden, trace) for name, trace in traces.items()}
    print_verification(verification)
    if golden:
        rows = [[name, len(golden), count] for name, count in stale.items()]
        print_table("golden vectors in the file", ["backend", "vectors", "mismatches"], rows)
    agree = verification.agree and not any(stale.values())
    return {**verification_numbers(verification), "golden_mismatches": stale, "agree": agree}


def verification_numbers(verification: Verification) -> dict[str, Any]:
    """Return a comparison as plain values."""
    return {
        **dataclasses.asdict(verification),
        "spike_mismatches": verification.spike_mismatches,
        "state_mismatches": verification.state_mismatches,
    }


def print_verification(verification: Verification) -> None:
    """Print the outcome in a line, and a row per disagreement."""
    names = ", ".join(verification.backends)
    STDOUT.print(
        f"{verification.values_compared:,} values in {verification.samples} samples x "
        f"{verification.steps} steps compared between {names}: "
        f"{verification.spike_mismatches} spike mismatches, "
        f"{verification.state_mismatches} state mismatches"
    )
    if verification.mismatches:
        rows = [list(vars(mismatch).values()) for mismatch in verification.mismatches]
        columns = ["backend", "against", "layer", "variable", "count", "first"]
        print_table("mismatches", columns, rows)


def profile_file(
    net: Path,
    program: Program,
    hardware: str,
    input_file: Path | None,
    report: Path | None,
    *,
    cores: int | None = None,
    advice: bool = False,
    other: Path | None = None,
) -> dict[str, Any]:
    """Cost of a network file on a chip, per sample; `other` is a second one beside it."""
    profiled = load_profile(hardware)
    inputs = _inputs(net, program, load_golden(net), input_file)
    with progress_bar("simulating", unit="steps") as advance:
        simulation = simulate(program, inputs, progress=advance)
    priced = price(program, inputs, simulation, profiled, cores=cores)
    print_profile(priced)
    print_mapping(priced)
    values = profile_numbers(priced, simulation)
    values["neurobench"] = dataclasses.asdict(neurobench(program, simulation.counters))
    if advice:
        changes = advise(program, inputs, simulation, profiled, priced, cores)
        print_advice(changes)
        values["advice"] = advice_numbers(changes)
    if other is not None:
        second = load_net(other)
        given = _inputs(other, second, load_golden(other), input_file)
        run = simulate(second, given)
        against = price(second, given, run, profiled, cores=cores)
        print_comparison([net.name, other.name], [priced, against])
        values["compare"] = {"network": str(other), **profile_numbers(against, run)}
    if report is not None:
        contents = ReportContents(
            title=net.name,
            program=program,
            inputs=inputs,
            simulation=simulation,
            profiles=((priced, profiled),),
            verification=None,
            accuracy={},
            delays_before=None,
            seconds={},
        )
        write_report(report, contents)
    return values


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


def print_profile(priced: Profile) -> None:
    """Print the cost of each layer and of the whole, per sample."""
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
    STDOUT.print(
        f"dynamic energy {bounds_text(priced.dynamic_energy_j, 'J')}, "
        f"static energy {bounds_text(priced.static_energy_j, 'J')}, "
        f"latency at least {bounds_text(priced.latency_s, 's')}"
    )
    STDOUT.print(f"left out: {'; '.join(priced.left_out)}")


def samples_of(net: Path, program: Program, input_file: Path | None) -> np.ndarray:
    """Samples of an input file, or else of the network file's golden vectors."""
    return _inputs(net, program, load_golden(net) if input_file is None else (), input_file)


def _inputs(
    net: Path, program: Program, golden: tuple[GoldenVector, ...], input_file: Path | None
) -> np.ndarray:
    if input_file is not None:
        return load_inputs(input_file, program).values
    if not golden:
        raise KipukaError(
            "there is no input to run on",
            where=str(net),
            limit="golden vectors in the file, or the option --input",
            value="neither",
            remedy="give --input X.npy",
        )
    return np.stack([vector.input for vector in golden])


def headline(profiles: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Shorten profiles to the figures of a summary."""
    keys = ("spikes_per_sample", "synops_per_sample", "dynamic_energy_j", "static_energy_j")
    return {
        name: {key: values[key] for key in (*keys, "latency_s")}
        for name, values in profiles.items()
    }
