"""``kipuka train``: settings, the run as one can watch it, its network file, what to do next."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.convert import show_accuracy
from kipuka.commands.options import Config, Data, DataDir, Json, Settings, given
from kipuka.commands.paths import FILLS, READS, path_option
from kipuka.errors import KipukaError, choose
from kipuka.names import NETWORK_FILE, REPORT_FILE
from kipuka.strangers import exists, inside

if TYPE_CHECKING:
    from kipuka.train.runs.config import TrainConfig
    from kipuka.train.runs.metrics import EpochMetrics
    from kipuka.train.runs.result import TrainingResult

KEPT_BY = {
    "accuracy": ", the best accuracy there",
    "loss": ", the lowest loss there",
    "last": ", the last one",
}
"""Why an epoch was kept, by the setting `selection`."""


LATE = 0.9
"""Share of the epochs after which a gain on validation says that more of them may be better."""

FEW_UPDATES, SMALL_BATCH = 10, 16
"""Updates in an epoch below which a batch is better made so small."""


def _list_settings(wanted: bool) -> None:
    """Print all settings and end, before other options are looked at."""
    if wanted:
        from kipuka.commands.tables.settings import print_settings

        print_settings()
        raise typer.Exit


def _network_names() -> list[str]:
    """Names for the shell to complete."""
    from kipuka.names import NETWORK_NAMES

    return list(NETWORK_NAMES)


def train(
    out: Annotated[
        Path, path_option("--out", FILLS, metavar="DIR", help="Run folder, new or empty.")
    ],
    network: Annotated[
        str | None, typer.Option(help="Name, such as sgru-delay.", autocompletion=_network_names)
    ] = None,
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
    start: Annotated[
        Path | None,
        path_option(
            "--start",
            READS,
            metavar="RUN|FILE",
            help="Start from the parameters of another run or its checkpoint.",
        ),
    ] = None,
    list_settings: Annotated[
        bool,
        typer.Option(
            "--list-settings",
            is_eager=True,
            callback=_list_settings,
            help="Show all settings with default, range and meaning.",
        ),
    ] = False,
    json_file: Json = None,
) -> int:
    """Train a network; write its run folder and network file."""
    options = given(network=network, data=data, epochs=epochs, hidden=hidden, seed=seed)
    options |= given(data_dir=data_dir and str(data_dir), download=download)
    chosen = chosen_settings(settings or [], options)
    del list_settings  # It acts before the command does.
    train_run(out, config, chosen, resume=resume, start=start, json_file=json_file)
    return 0


def train_run(
    out: Path,
    config_file: Path | None,
    chosen: Mapping[str, object],
    *,
    resume: bool = False,
    start: Path | None = None,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Train, write the run folder and its network file, and print the accuracies.

    Under ``torchrun`` only the first process converts and prints.
    """
    config = run_settings(out, config_file, chosen, resume=resume, start=start)
    output = inside(out, NETWORK_FILE)

    from kipuka.train.datasets import load_dataset
    from kipuka.train.runs.data_settings import data_options

    # Before anything that loads torch: data that cannot be used are the most frequent mistake.
    dataset = load_dataset(config.data, data_options(config))
    from kipuka.train.runs.counting import counting_baseline
    from kipuka.train.runs.trainer import train as run

    if _is_first():
        from kipuka.commands.console import print_line

        print_line(f"data: {dataset.text}")
    result = run(config, out, resume=resume, start=start, dataset=dataset)
    values: dict[str, Any] = {
        "config": config.model_dump(),
        "metrics": list(result.metrics),
    }
    if not _is_first():
        return values
    values["counting_baseline"] = counting_baseline(dataset).test_accuracy
    values |= _outcome(result)
    network, program = result.network, result.program
    values = show_accuracy(network, program, dataset, output, json_file=json_file, known=values)
    _print_outcome(values, config, output)
    return values


def _outcome(result: TrainingResult) -> dict[str, Any]:
    """Which epoch is kept, on how many samples, after how many seconds."""
    dataset = result.dataset
    parts = {"training": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {
        "best_epoch": result.kept.epoch,
        "best_validation_accuracy": result.kept.validation_accuracy,
        "samples": {name: len(part.labels) for name, part in parts.items()},
        "groups": dict(zip(parts, dataset.groups, strict=False)),
        "seconds": result.metrics[-1].seconds,
    }


def _print_outcome(values: Mapping[str, Any], config: TrainConfig, output: Path) -> None:
    """Say what came of the training, and what one would type next."""
    from kipuka.commands.console import print_line, print_next
    from kipuka.screen import duration

    print_line(
        f"kept epoch {values['best_epoch']} of {config.epochs} "
        f"({values['best_validation_accuracy']:.2%} on validation{KEPT_BY[config.selection]}); "
        f"{values['samples']['training']:,} training samples, {duration(values['seconds'])}"
    )
    more = _more_to_learn(values, config)
    if more:
        print_line(more)
    print_line(
        "to choose between runs, compare the accuracy on validation: the test part tells how good "
        "the chosen one is only if it did not choose"
    )
    words = ["kipuka", "profile", str(output), "--data", config.data]
    words += ["--data-dir", config.data_dir] if config.data_dir else []
    words += ["--report", str(output.with_name(REPORT_FILE))]
    print_next(["kipuka", "verify", str(output)], words)


def _more_to_learn(values: Mapping[str, Any], config: TrainConfig) -> str:
    """Say what speaks for a longer training; empty if nothing does."""
    behind = values["accuracy"]["fast"] < values["counting_baseline"]
    gained = _last_gain(values["metrics"], config)
    if not behind and gained <= LATE * config.epochs:
        return ""
    reason = "counting spikes decides better" if behind else f"epoch {gained} was still a gain"
    epochs = max(2 * config.epochs, type(config)().epochs)
    settings = f"--epochs {epochs}"
    updates = values["samples"]["training"] // config.batch_size
    if updates < FEW_UPDATES and config.batch_size > SMALL_BATCH:
        settings += f" --set batch_size={SMALL_BATCH}"
    return f"{reason}: it may learn more when trained anew with {settings}"


def _last_gain(metrics: Sequence[EpochMetrics], config: TrainConfig) -> int:
    """Epoch of the best figure on validation; of equals the first, where the last one is kept."""
    if config.selection == "loss":
        return min(metrics, key=lambda one: one.validation_loss).epoch
    return max(metrics, key=lambda one: one.validation_accuracy).epoch


def _is_first() -> bool:
    """Whether this is the one of several processes that writes and prints."""
    return os.environ.get("RANK", "0") == "0"


def run_settings(
    out: Path,
    config_file: Path | None,
    chosen: Mapping[str, object],
    *,
    resume: bool,
    start: Path | None = None,
) -> TrainConfig:
    """Settings of a run: those in `chosen` come before those of a file.

    A run that is resumed without a file starts from the settings in its own folder, and one that
    starts from the folder of another run from the settings there.

    Raises
    ------
    KipukaError
        If a file, which the user may have from someone else, names a folder or has something
        downloaded.
    """
    check_names(chosen)

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
    starts = config_file is None and start is not None and exists(start / CONFIG_FILE)
    if starts and start is not None:
        config_file = inside(start, CONFIG_FILE)
    base = load_config(config_file) if config_file else None
    if base is not None:
        # What the other run itself started from is not what this one starts from.
        base = base.with_settings(start_sha256=None) if starts else base
        refuse_reach(base, chosen, str(config_file))
    config = make_config(chosen, "command line", base)
    check_names({"network": config.network, "data": config.data})
    return config


def check_names(settings: Mapping[str, object]) -> None:
    """Look up the names of settings, network and data set, for which nothing large is loaded.

    Raises
    ------
    KipukaError
        If a setting, a network or a data set has no such name; values that are no text are refused
        where all settings are.
    """
    from kipuka.names import NETWORK_NAMES, SETTING_NAMES, check_data
    from kipuka.train.runs.old_settings import MOVED, PRUNED
    from kipuka.yaml_text import short

    groups = {name.partition(".")[0] for name in SETTING_NAMES}
    for key in settings:
        if key not in (*SETTING_NAMES, *MOVED, *PRUNED) and key not in groups:
            near = difflib.get_close_matches(key, SETTING_NAMES, 1)
            raise KipukaError(
                "there is no setting of this name",
                where=f"command line, key {key}",
                limit=f"one of {', '.join(SETTING_NAMES)}",
                value=short(settings[key]),
                remedy=f"did you mean {near[0]}?" if near else "see kipuka train --list-settings",
            )
    network, data = settings.get("network"), settings.get("data")
    if isinstance(network, str):
        choose(dict.fromkeys(NETWORK_NAMES), network, "network", "option network")
    if isinstance(data, str):
        check_data(data)


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
        from kipuka.yaml_text import parse_yaml

        _, chosen[key] = parse_yaml(content, f"option set, {key}", "setting")
    return chosen
