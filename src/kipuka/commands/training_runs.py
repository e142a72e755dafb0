"""Training from the command line: settings, the run with a progress bar, its network file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kipuka.commands.console import print_table, progress_bar
from kipuka.convert.analysis.state_ranges import with_verdict
from kipuka.convert.formats.net.file import save_net
from kipuka.convert.trace import accuracy
from kipuka.deploy.fast.recording import record_for_readout
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.golden import golden_vectors
from kipuka.errors import KipukaError
from kipuka.yaml_text import parse_yaml

if TYPE_CHECKING:
    from kipuka.train.runs.config import TrainConfig
    from kipuka.train.runs.metrics import EpochMetrics
    from kipuka.train.runs.trainer import TrainingResult

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
    from kipuka.train.runs.config import load_config, make_config
    from kipuka.train.runs.trainer import CONFIG_FILE

    if resume and config_file is None and (out / CONFIG_FILE).exists():
        config_file = out / CONFIG_FILE
    own = resume and config_file == out / CONFIG_FILE
    base = load_config(config_file) if config_file else None
    for key in () if own or base is None else ("data_dir", "download"):
        if getattr(base, key) and given.get(key) is None:
            raise KipukaError(
                "a configuration cannot reach beyond its own file",
                where=f"{config_file}, key {key}",
                limit="no folders and no downloads in a file given by --config",
                value=getattr(base, key),
                remedy=f"look whether you want that, and give --{key.replace('_', '-')} yourself",
            )
    named = {key: value for key, value in given.items() if value is not None}
    return make_config(named, "command line", base)


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
    from kipuka.train.runs.trainer import train

    with progress_bar(f"training {config.network} on {config.data}", unit="epochs") as advance:

        def show(metrics: EpochMetrics) -> None:
            advance(metrics.epoch, config.epochs)

        return train(config, folder, progress=show, resume=resume)


def convert_run(run: Path, output: Path) -> dict[str, Any]:
    """Quantize a run folder's network, with golden vectors from the validation part."""
    from kipuka.train.runs.trainer import accuracy_of, load_run, program_of

    config, network, dataset = load_run(run)
    program = with_verdict(program_of(network, config), dataset.test.spikes.shape[-1])
    golden = golden_vectors(program, dataset.validation.spikes[:GOLDEN_VECTORS])
    save_net(output, program, golden)
    right = {"torch": accuracy_of(network, dataset.test)}
    traced = simulate(program, dataset.test.spikes, record=record_for_readout(program)).trace
    right["fast"] = accuracy(program, traced.layers[-1], dataset.test.labels)
    rows = [[name, f"{value:.2%}"] for name, value in right.items()]
    print_table(f"{output}: accuracy on the test part", ["backend", "accuracy"], rows)
    return {"accuracy": right, "network": str(output)}
