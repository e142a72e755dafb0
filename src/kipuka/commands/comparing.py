"""Networks side by side on equal terms: trained over several seeds, judged as integer networks."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kipuka.commands.console import STDOUT, print_table
from kipuka.commands.training_runs import GOLDEN_VECTORS, NETWORK_FILE, train_with_progress
from kipuka.convert.formats.net.file import save_net
from kipuka.convert.program import Program
from kipuka.convert.trace import decide
from kipuka.deploy.costs.core_activity import record_for_costs
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.reference import Simulation
from kipuka.errors import KipukaError
from kipuka.files import replacing
from kipuka.hardware_profiles import HardwareProfile, SiBounds, load_profile

if TYPE_CHECKING:
    from kipuka.train.datasets import Dataset, Split
    from kipuka.train.runs.config import TrainConfig

TABLE_FILE, TEXT_FILE, PLOT_NAME = "compare.json", "compare.md", "compare"
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


def compare(
    configs: Sequence[TrainConfig],
    seeds: Sequence[int],
    out: str | Path,
    hardware: str = "loihi2",
) -> dict[str, Any]:
    """Train networks over several seeds and write what they achieve and cost.

    Each run has a folder of its own in `out` and is resumed if it is there already, so that a
    comparison that was stopped goes on, and one that is repeated with more seeds trains these only.

    Parameters
    ----------
    configs : sequence of TrainConfig
        One per network, on the same data; their seeds are not used.
    seeds : sequence of int
    out : path-like
        Receives ``compare.json``, ``compare.md``, ``compare.svg`` and ``compare.png``.
    hardware : str
        Profile that energy is estimated with.

    Returns
    -------
    dict
        What ``compare.json`` holds.

    Raises
    ------
    KipukaError
        If there is nothing to compare, a folder holds another run, or a training diverges.
    """
    from kipuka.commands.tables.comparison_plot import plot_accuracy_against_energy
    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.counting import counting_baseline
    from kipuka.train.runs.trainer import data_options

    _check(configs, seeds)
    out, chip = Path(out), load_profile(hardware)
    dataset = load_dataset(configs[0].data, data_options(configs[0]))
    baseline = counting_baseline(dataset)
    runs = [
        _run(config.model_copy(update={"seed": seed}), dataset, out, chip)
        for config in configs
        for seed in seeds
    ]
    results = {
        "data": dataset.name,
        "settings": [config.model_dump(exclude={"seed"}) for config in configs],
        "seeds": list(seeds),
        "hardware": chip.name,
        "energy": "dynamic energy per test sample, estimated",
        "baseline": {"network": BASELINE, **asdict(baseline)},
        "networks": [summary(name, runs) for name in dict.fromkeys(r.network for r in runs)],
        "runs": [{**asdict(r), "dynamic_energy_j": r.dynamic_energy_j._asdict()} for r in runs],
    }
    with replacing(out / TABLE_FILE) as temporary:
        temporary.write_text(json.dumps(results, indent=2) + "\n")
    columns, rows = table(results)
    with replacing(out / TEXT_FILE) as temporary:
        temporary.write_text(markdown(columns, rows))
    for suffix in (".svg", ".png"):
        with replacing((out / PLOT_NAME).with_suffix(suffix)) as temporary:
            plot_accuracy_against_energy(results, temporary)
    print_table(f"{dataset.name}, {len(seeds)} seeds, integer networks", columns, rows)
    STDOUT.print(f"results in {out}: {TABLE_FILE}, {TEXT_FILE}, {PLOT_NAME}.svg, {PLOT_NAME}.png")
    return results


def _check(configs: Sequence[TrainConfig], seeds: Sequence[int]) -> None:
    if not configs or not seeds:
        raise KipukaError(
            "there is nothing to compare",
            where="options networks and seeds",
            limit="at least 1 of each",
            value=f"{len(configs)} networks, {len(seeds)} seeds",
            remedy="name networks, such as --networks sgru,sgru-delay",
        )


def _run(config: TrainConfig, dataset: Dataset, out: Path, chip: HardwareProfile) -> ComparedRun:
    """Train a network, or take it from its folder, and run it as an integer network."""
    from kipuka.train.runs.trainer import program_of

    folder = out / f"{config.network}-seed{config.seed}"
    result = train_with_progress(config, folder, resume=True)
    program = program_of(result.network, config)
    golden = golden_vectors(program, dataset.validation.spikes[:GOLDEN_VECTORS])
    save_net(folder / NETWORK_FILE, program, golden)
    start = time.perf_counter()
    on_validation = None if config.train_on_validation else judged(program, dataset.validation)[0]
    test_accuracy, simulation = judged(program, dataset.test)
    simulation_s = time.perf_counter() - start
    counters = simulation.counters
    priced = profile(program, dataset.test.spikes, simulation, chip)
    return ComparedRun(
        network=config.network,
        seed=config.seed,
        validation_accuracy=on_validation,
        test_accuracy=test_accuracy,
        parameters=sum(p.numel() for p in result.network.parameters()),
        spikes=priced.spikes,
        synaptic_operations=priced.synaptic_operations,
        dynamic_energy_j=priced.dynamic_energy_j,
        saturations=counters.saturations / counters.n_samples,
        training_s=result.metrics[-1].seconds,
        simulation_s=simulation_s,
    )


def judged(program: Program, split: Split) -> tuple[float, Simulation]:
    """Accuracy of the integer network on a part of a data set, and the run."""
    record = record_for_costs(program)
    if program.readout.kind == "membrane":
        states = (*(record.states or ()), (len(program.layers) - 1, "v"))
        record = replace(record, states=states)
    simulation = simulate(program, split.spikes, record=record)
    decided = decide(program, simulation.trace.layers[-1])
    return float((decided == split.labels).mean()), simulation


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
