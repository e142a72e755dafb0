"""``kipuka train``: settings, the run with a progress bar, its network file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.convert import NETWORK_FILE, convert_run
from kipuka.commands.options import (
    Data,
    DataDir,
    Json,
    Settings,
    data_files,
    given,
    keep_apart,
)
from kipuka.errors import KipukaError
from kipuka.strangers import exists, inside

if TYPE_CHECKING:
    from kipuka.train.datasets import Dataset
    from kipuka.train.runs.config import TrainConfig
    from kipuka.train.runs.metrics import EpochMetrics
    from kipuka.train.runs.trainer import TrainingResult


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
    settings: Settings = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder.")
    ] = False,
    json_file: Json = None,
) -> int:
    """Train a network; write its run folder and network file."""
    from kipuka.train.runs.config import RUN_FILES

    own = [out / name for name in (*RUN_FILES, NETWORK_FILE)]
    keep_apart(config, data, *own, *data_files(data_dir), json=json_file)
    chosen = {
        **parse_settings(settings or []),
        **given(network=network, data=data, epochs=epochs, hidden=hidden, seed=seed),
        **given(data_dir=data_dir and str(data_dir), download=download),
    }
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
    from kipuka.commands.console import STDOUT
    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.trainer import data_options

    config = run_settings(out, config_file, chosen, resume=resume)
    output = inside(out, NETWORK_FILE)
    dataset = load_dataset(config.data, data_options(config))
    result = train_with_progress(config, out, resume=resume, dataset=dataset)
    values = {"config": config.model_dump(), "metrics": list(result.metrics)}
    if int(os.environ.get("RANK", "0")):
        return values
    STDOUT.print(str(dataset), markup=False)
    return convert_run(out, output, dataset=dataset, json_file=json_file, known=values)


def run_settings(
    out: Path, config_file: Path | None, chosen: Mapping[str, object], *, resume: bool
) -> TrainConfig:
    """Settings of a run: those in `chosen` that are not None come before those of a file.

    A run that is resumed without a file starts from the settings in its own folder.

    Raises
    ------
    KipukaError
        If a file, which the user may have from someone else, names a folder or has something
        downloaded.
    """
    from kipuka.train.runs.config import CONFIG_FILE, load_config, make_config, refuse_reach

    if resume and config_file is None and exists(out / CONFIG_FILE):
        config_file = inside(out, CONFIG_FILE)
    base = load_config(config_file) if config_file else None
    if base is not None:
        refuse_reach(base, chosen, str(config_file))
    known = {key: value for key, value in chosen.items() if value is not None}
    return make_config(known, "command line", base)


def parse_settings(words: Sequence[str]) -> dict[str, object]:
    """Settings from words of the form ``key=value``, with values as in YAML.

    Raises
    ------
    KipukaError
        If a word has another form, or its value is not YAML.
    """
    from kipuka.yaml_text import parse_yaml

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
    config: TrainConfig, folder: Path, *, resume: bool = False, dataset: Dataset | None = None
) -> TrainingResult:
    """Train with a progress bar, an epoch at a time, on what the settings name or on `dataset`."""
    from kipuka.commands.console import progress_bar
    from kipuka.train.runs.trainer import train as run

    with progress_bar(f"training {config.network} on {config.data}", unit="epochs") as advance:

        def show(metrics: EpochMetrics) -> None:
            advance(metrics.epoch, config.epochs)

        return run(config, folder, progress=show, resume=resume, dataset=dataset)
