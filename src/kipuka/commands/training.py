"""The commands ``kipuka train``, ``compare`` and ``convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kipuka.commands.options import DataDir, Json, write_numbers

Data = Annotated[
    str | None, typer.Option(help="Name of the data set: digits, ntidigits, shd, ssc.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting of the training; repeatable."),
]


def train(
    out: Annotated[Path, typer.Option(help="Run folder, new or empty.")],
    network: Annotated[str | None, typer.Option(help="Name, such as sgru-delay.")] = None,
    data: Data = None,
    data_dir: DataDir = None,
    download: Annotated[
        bool | None, typer.Option("--download", help="Let tonic download missing files.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings as YAML; options given here come first."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training part.")] = None,
    hidden: Annotated[int | None, typer.Option(help="Neurons of each hidden layer.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness.")] = None,
    settings: Set = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder.")
    ] = False,
    json_file: Json = None,
) -> int:
    """Train a named network on a data set and write the run folder with its network file."""
    from kipuka.commands.training_runs import parse_settings, train_run

    given = {
        **parse_settings(settings or []),
        **_given(network=network, data=data, epochs=epochs, hidden=hidden, seed=seed),
        **_given(data_dir=data_dir and str(data_dir), download=download),
    }
    write_numbers(json_file, train_run(out, config, given, resume=resume))
    return 0


def compare(
    out: Annotated[Path, typer.Option(help="Folder for all runs, table and plot.")],
    networks: Annotated[
        str, typer.Option(help="Names, separated by commas.")
    ] = "sgru,sgru-delay,sgru-delay-2l",
    seeds: Annotated[int, typer.Option(help="Train each with seeds 0 to this less one.")] = 3,
    data: Data = None,
    data_dir: DataDir = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings of all networks as YAML.")
    ] = None,
    settings: Set = None,
    hardware: Annotated[str, typer.Option(help="Name or file of a hardware profile.")] = "loihi2",
    json_file: Json = None,
) -> int:
    """Train networks over several seeds; write accuracy and cost as table and plot."""
    from kipuka.commands.comparing import compare as run
    from kipuka.commands.training_runs import parse_settings, run_settings

    given = {
        **parse_settings(settings or []),
        **_given(data=data, data_dir=data_dir and str(data_dir)),
    }
    names = [name.strip() for name in networks.split(",") if name.strip()]
    configs = [
        run_settings(out, config, {**given, "network": name}, resume=False) for name in names
    ]
    write_numbers(json_file, run(configs, range(seeds), out, hardware))
    return 0


def convert(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of kipuka train.")],
    output: Annotated[Path, typer.Option(metavar="FILE.net", help="Network file to write.")],
    json_file: Json = None,
) -> int:
    """Quantize a trained network into a network file with golden vectors."""
    from kipuka.commands.training_runs import convert_run

    write_numbers(json_file, convert_run(run, output))
    return 0


def _given(**options: object) -> dict[str, object]:
    """Options that were given."""
    return {key: value for key, value in options.items() if value is not None}
