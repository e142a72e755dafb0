"""``kipuka train``: settings, the run with a progress bar, its network file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.convert import NETWORK_FILE, convert_run
from kipuka.commands.options import Config, Data, DataDir, Json, Settings, given
from kipuka.commands.paths import FILLS, path_option
from kipuka.errors import KipukaError, choose
from kipuka.strangers import exists, inside

if TYPE_CHECKING:
    from kipuka.train.datasets import Dataset
    from kipuka.train.runs.config import TrainConfig
    from kipuka.train.runs.metrics import EpochMetrics
    from kipuka.train.runs.trainer import TrainingResult


def train(
    out: Annotated[
        Path, path_option("--out", FILLS, metavar="DIR", help="Run folder, new or empty.")
    ],
    network: Annotated[str | None, typer.Option(help="Name, such as sgru-delay.")] = None,
    data: Data = None,
    data_dir: DataDir = None,
    download: Annotated[
        bool | None, typer.Option("--download", help="Let tonic download missing files.")
    ] = None,
    config: Config = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training part.")] = None,
    hidden: Annotated[int | None, typer.Option(help="Neurons of each hidden layer.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness.")] = None,
    settings: Settings = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder.")
    ] = False,
    json_file: Json = None,
) -> int:
    """Train a network; write its run folder and network file."""
    options = given(network=network, data=data, epochs=epochs, hidden=hidden, seed=seed)
    options |= given(data_dir=data_dir and str(data_dir), download=download)
    chosen = chosen_settings(settings or [], options)
    train_run(out, config, chosen, resume=resume, json_file=json_file)
    return 0


def train_run(
    out: Path,
    config_file: Path | None,
    chosen: Mapping[str, object],
    *,
    resume: bool = False,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Train, write the run folder and its network file, and print the accuracies.

    Under ``torchrun`` only the first process converts and prints.
    """
    config = run_settings(out, config_file, chosen, resume=resume)
    output = inside(out, NETWORK_FILE)

    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.trainer import data_options

    dataset = load_dataset(config.data, data_options(config))
    result = train_with_progress(config, out, resume=resume, dataset=dataset)
    values = {"config": config.model_dump(), "metrics": list(result.metrics)}
    if os.environ.get("RANK", "0") != "0":
        return values
    return convert_run(
        out, output, dataset=dataset, json_file=json_file, known=values, shown=str(dataset)
    )


def run_settings(
    out: Path, config_file: Path | None, chosen: Mapping[str, object], *, resume: bool
) -> TrainConfig:
    """Settings of a run: those in `chosen` come before those of a file.

    A run that is resumed without a file starts from the settings in its own folder.

    Raises
    ------
    KipukaError
        If a file, which the user may have from someone else, names a folder or has something
        downloaded.
    """
    from kipuka.train.datasets import DATASETS
    from kipuka.train.datasets.own_files import is_own
    from kipuka.train.network_names import NETWORK_NAMES
    from kipuka.train.runs.config import CONFIG_FILE, load_config, make_config, refuse_reach

    if resume and not exists(out / CONFIG_FILE):
        raise KipukaError(
            "there is no run to go on with",
            where=f"option --out, {out}",
            limit=f"a folder that kipuka train has made, with a {CONFIG_FILE}",
            value="a folder without one" if exists(out) else "no such folder",
            remedy="check the path, or leave --resume out to start a run there",
        )
    if resume and config_file is None:
        config_file = inside(out, CONFIG_FILE)
    base = load_config(config_file) if config_file else None
    if base is not None:
        refuse_reach(base, chosen, str(config_file))
    config = make_config(chosen, "command line", base)
    # What a file or the command line names is looked up before torch is loaded.
    choose(dict.fromkeys(NETWORK_NAMES), config.network, "network", "option network")
    if not is_own(config.data):
        choose(DATASETS, config.data, "data set", "option data")
    return config


def chosen_settings(words: Sequence[str], options: Mapping[str, object]) -> dict[str, object]:
    """Settings from words of the form ``key=value``, with values as in YAML, and from options.

    Parameters
    ----------
    words : sequence of str
        What stands behind ``--set``.
    options : mapping
        Settings that have an option of their own.

    Raises
    ------
    KipukaError
        If a word has another form, its value is not YAML, or a setting is given twice.
    """
    from kipuka.yaml_text import parse_yaml

    chosen = dict(options)
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise KipukaError(
                "a setting cannot be read",
                where="option set",
                limit="key=value",
                value=word,
                remedy="write it like --set learning_rate=0.01",
            )
        if key in chosen:
            raise KipukaError(
                "a setting is given twice",
                where=f"option set, key {key}",
                limit="each setting once, by --set or by an option of its own",
                value=f"{chosen[key]} and {value}",
                remedy="leave one of the two out",
            )
        # Bytes that are no text are left to the YAML reader to refuse.
        content = value.encode("utf-8", "surrogateescape")
        _, chosen[key] = parse_yaml(content, f"option set, {key}", "setting")
    return chosen


def train_with_progress(
    config: TrainConfig, folder: Path, *, resume: bool = False, dataset: Dataset | None = None
) -> TrainingResult:
    """Train with a progress bar, an epoch at a time, on what the settings name or on `dataset`."""
    from kipuka.commands.console import progress_bar
    from kipuka.train.runs.trainer import train as run

    with progress_bar(f"training {config.network} on {config.data}", unit="epochs") as advance:

        def show(metrics: EpochMetrics) -> None:
            advance(metrics.epoch, config.epochs)

        return run(config, folder, progress=show, resume=resume, dataset=dataset)
