"""``kipuka compare``: networks on equal terms, over seeds, evaluated as integer networks."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.options import (
    COUNT_MAX,
    Config,
    Data,
    DataDir,
    Hardware,
    Json,
    Settings,
    given,
    named,
    write_numbers,
)
from kipuka.commands.paths import FILLS, path_option
from kipuka.commands.train import chosen_settings, run_settings
from kipuka.errors import KipukaError
from kipuka.strangers import inside

if TYPE_CHECKING:
    from kipuka.commands.tables.comparison import ComparedRun
    from kipuka.convert.program import Program
    from kipuka.deploy.reference import Simulation
    from kipuka.hardware_profiles import HardwareProfile
    from kipuka.train.datasets import Dataset, Split
    from kipuka.train.runs.config import TrainConfig

TABLE_FILE, TEXT_FILE, PLOT_NAME = "compare.json", "compare.md", "compare"


def compare(
    out: Annotated[
        Path, path_option("--out", FILLS, metavar="DIR", help="Folder for runs, table and plot.")
    ],
    networks: Annotated[
        str, typer.Option(help="Names, separated by commas.")
    ] = "sgru,sgru-delay,sgru-delay-2l",
    seeds: Annotated[
        int, typer.Option(min=1, max=COUNT_MAX, help="Train each with seeds 0 to this less one.")
    ] = 3,
    data: Data = None,
    data_dir: DataDir = None,
    config: Config = None,
    settings: Settings = None,
    hardware: Hardware = "loihi2",
    json_file: Json = None,
) -> int:
    """Train several networks and seeds; show accuracy over cost.

    Writes a table and a plot; a comparison that was stopped goes on where it was.
    """
    chosen = chosen_settings(settings or [], given(data=data, data_dir=data_dir and str(data_dir)))
    names = named(networks)
    _refuse_doubled(names, chosen)
    configs = [
        run_settings(out, config, {**chosen, "network": name}, resume=False) for name in names
    ]
    compare_networks(configs, range(seeds), out, hardware, json_file)
    return 0


def _refuse_doubled(names: Sequence[str], chosen: Mapping[str, object]) -> None:
    """Refuse a network that is named twice, and settings that the comparison gives itself."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    taken = [key for key in ("network", "seed") if key in chosen]
    if doubled or taken:
        raise KipukaError(
            "the comparison gives each network and seed itself, once",
            where="option networks" if doubled else f"option set, key {taken[0]}",
            limit="networks by --networks, each once; seeds by --seeds",
            value=", ".join(doubled) if doubled else chosen[taken[0]],
            remedy="leave the second one out",
        )


def compare_networks(
    configs: Sequence[TrainConfig],
    seeds: Sequence[int],
    out: str | Path,
    hardware: str = "loihi2",
    json_file: Path | None = None,
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
    json_file : Path, optional
        Receives the same as ``compare.json``.

    Returns
    -------
    dict
        What ``compare.json`` holds.

    Raises
    ------
    KipukaError
        If there is nothing to compare, a folder holds another run, or a training diverges.
    """
    from kipuka.commands.console import print_line
    from kipuka.commands.tables.comparison import BASELINE, print_compared, summary
    from kipuka.hardware_profiles import load_profile
    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.counting import counting_baseline
    from kipuka.train.runs.data_settings import data_options

    _check(configs, seeds)
    out, chip = Path(out), load_profile(hardware)
    dataset = load_dataset(configs[0].data, data_options(configs[0]))
    baseline = counting_baseline(dataset)
    runs = [
        _run(config.with_settings(seed=seed), dataset, out, chip)
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
    _write(results, out)
    write_numbers(json_file, results)
    print_compared(results)
    print_line(f"results in {out}: {TABLE_FILE}, {TEXT_FILE}, {PLOT_NAME}.svg, {PLOT_NAME}.png")
    return results


def _write(results: dict[str, Any], out: Path) -> None:
    """Write a comparison as JSON, as a table in Markdown, and as a plot in two formats."""
    from kipuka.commands.tables.comparison import markdown, table
    from kipuka.commands.tables.comparison_plot import plot_accuracy_against_energy
    from kipuka.files import replacing

    with replacing(inside(out, TABLE_FILE)) as temporary:
        temporary.write_text(json.dumps(results, indent=2) + "\n")
    with replacing(inside(out, TEXT_FILE)) as temporary:
        temporary.write_text(markdown(*table(results)), "utf-8", "backslashreplace")
    for suffix in (".svg", ".png"):
        with replacing(inside(out, PLOT_NAME + suffix)) as temporary:
            plot_accuracy_against_energy(results, temporary)


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
    from kipuka.commands.tables.comparison import ComparedRun
    from kipuka.convert.operands import presented
    from kipuka.deploy.costs.cost import profile
    from kipuka.train.runs.trainer import train

    folder = inside(out, f"{config.network}-seed{config.seed}", is_folder=True)
    result = train(config, folder, resume=True, dataset=dataset)
    program = result.program
    start = time.perf_counter()
    on_validation = None
    if not config.train_on_validation:
        on_validation = evaluated(program, dataset.validation)[0]
    test_accuracy, simulation = evaluated(program, dataset.test)
    simulation_s = time.perf_counter() - start
    counters = simulation.counters
    priced = profile(program, presented(program, dataset.test.spikes), simulation, chip)
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


def evaluated(program: Program, split: Split) -> tuple[float, Simulation]:
    """Accuracy of the integer network on a part of a data set, and the run."""
    from kipuka.convert.operands import presented
    from kipuka.convert.trace import decide
    from kipuka.deploy.costs.program_run import record_for_costs
    from kipuka.deploy.fast.recording import record_for_readout
    from kipuka.deploy.fast.simulator import simulate

    record = record_for_costs(program)
    read = record_for_readout(program).states or ()
    record = replace(record, states=(*(record.states or ()), *read))
    simulation = simulate(program, presented(program, split.spikes), record=record)
    decided = decide(program, simulation.trace.layers[-1])
    return float((decided == split.labels).mean()), simulation
