"""Training: Adam on spike counts, one cycle of rates, the best epoch on validation wins."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from kipuka.errors import KipukaError
from kipuka.locks import Lock, locked
from kipuka.names import NETWORK_FILE
from kipuka.strangers import as_path, exists, inside
from kipuka.train.cuba.compiled_blocks import compiled_blocks
from kipuka.train.datasets import Dataset, Split, load_dataset
from kipuka.train.runs.checkpoint import checkpoint_digest, load_checkpoint, save_checkpoint
from kipuka.train.runs.config import (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    REACHING,
    RUN_FILES,
    STATE_FILE,
    TrainConfig,
    load_config,
    refuse_reach,
    save_config,
    setting_values,
)
from kipuka.train.runs.data_settings import data_options, expect_run
from kipuka.train.runs.losses import count_correct
from kipuka.train.runs.metrics import (
    EpochMetrics,
    tensorboard_writer,
    write_metrics,
    write_tensorboard,
)
from kipuka.train.runs.parallel import joined_processes
from kipuka.train.runs.result import TrainingResult, program_of, save_trained
from kipuka.train.runs.run import Run, configured_network
from kipuka.train.runs.state import RunState, data_digest, load_state, save_state
from kipuka.train.threads import summing_in_one_order
from kipuka.train.watching import Progress, followed


def train(
    config: TrainConfig,
    folder: str | Path,
    progress: Progress = True,
    *,
    resume: bool = False,
    dataset: Dataset | None = None,
    start: str | Path | None = None,
) -> TrainingResult:
    """Train a named network on a data set and keep the best epoch on its validation part.

    Under ``torchrun`` every process calls this with the same arguments; the first one writes.

    Parameters
    ----------
    config : TrainConfig
    folder : path-like
        Run folder; receives ``config.yaml``, ``checkpoint.safetensors`` (the best epoch),
        ``metrics.jsonl``, and ``state.safetensors``, where the run stands after each epoch; at the
        end ``model.net``, the network in integers.
    progress : callable (EpochMetrics), bool or None
        By default each epoch is shown: as a bar on a terminal and in a notebook, as lines on a
        standard error that goes elsewhere. A function is called after each epoch instead, None
        shows nothing. Of several processes the first one does so.
    resume : bool
        Go on where the run in the folder stands; its settings must be `config`.
    dataset : Dataset, optional
        What to train on, instead of what the settings name; its name stands in the run's settings.
    start : path-like, optional
        Checkpoint of a network of the same name and sizes, or the run folder that holds it; its
        parameters take the place of freshly drawn ones, and its digest stands in the run's
        settings.

    Returns
    -------
    TrainingResult
        With the trained blocks as ``network``, the integers as ``program``, every epoch in
        ``metrics``, and what is decided on the test part in ``decisions``.

    Raises
    ------
    KipukaError
        If the folder holds a run already that is not to be resumed, or one with other settings or
        data, another process trains in it, the loss stops being a number, the disk is full, or the
        checkpoint is of another network.
    """
    expect_run(config, dataset)
    folder = as_path(folder, "argument folder")
    if dataset is not None:
        config = config.with_settings(data=dataset.name)
    watched = followed(config, progress)
    if start is not None:
        start = as_path(start, "argument start")
        start = inside(start, CHECKPOINT_FILE) if start.is_dir() else start
    config = _started(config, start, resume and exists(folder / STATE_FILE))
    with (
        joined_processes(config.device) as processes,
        locked(folder) if processes.first else nullcontext() as lock,
        summing_in_one_order(),
        compiled_blocks(),
    ):
        _check_folder(folder, config, resume)
        processes.wait()
        if dataset is None:
            dataset = load_dataset(config.data, data_options(config))
        run = Run(config, dataset, processes)
        if start is not None:
            load_checkpoint(start, run.network)
            run.keep_in_range()
        if processes.first:
            save_config(folder / CONFIG_FILE, config)
        state = run.initial_state()
        if resume and exists(folder / STATE_FILE):
            state = load_state(folder / STATE_FILE, run.network, run.optimizer, run.generator)
            _refuse_other_data(state.data_sha256, dataset, folder / STATE_FILE)
        writer = tensorboard_writer(folder) if config.tensorboard and processes.first else None
        left = len(state.metrics) < config.epochs
        with watched if processes.first and left else nullcontext() as show:
            state = _all_epochs(run, state, folder, lock, show, writer)
        processes.wait()
        load_checkpoint(folder / CHECKPOINT_FILE, run.network)
        network = run.network.eval()
        if lock is None:
            program = program_of(network, config, dataset)
        else:
            lock.check()
            program = save_trained(network, config, dataset, folder / NETWORK_FILE)
    return TrainingResult(network, state.metrics, state.delays_before, program, folder, dataset)


def load_run(
    folder: str | Path,
    data_dir: str | Path | None = None,
    *,
    data: str | None = None,
    dataset: Dataset | None = None,
) -> tuple[TrainConfig, torch.nn.ModuleList, Dataset]:
    """Configuration, trained network and data set of a run folder.

    Parameters
    ----------
    folder : path-like
    data_dir : path-like, optional
        Folder with the data set's files; a folder that anyone may have filled does not say where
        to look.
    data : str, optional
        Where own data are, for the same reason.
    dataset : Dataset, optional
        The data themselves, if they are there already.

    Raises
    ------
    KipukaError
        If a file of the folder is missing, damaged or no file of its own, the data are not there
        or others than those that the network was trained on, or the run was trained on files and no
        folder is given.
    """
    folder = as_path(folder, "argument folder")
    file = inside(folder, CONFIG_FILE)
    config = load_config(file)
    config = config.with_settings(download=False)
    if dataset is None:
        refuse_reach(config, {"data_dir": data_dir, "data": data}, file)
        given = None if data_dir is None else str(data_dir)
        config = config.with_settings(data_dir=given, data=data or config.data)
        dataset = load_dataset(config.data, data_options(config))
    _refuse_other_data(data_digest(inside(folder, STATE_FILE)), dataset, folder / STATE_FILE)
    network = configured_network(config, dataset)
    load_checkpoint(inside(folder, CHECKPOINT_FILE), network)
    return config, network.eval(), dataset


def accuracy_of(network: torch.nn.ModuleList, split: Split) -> float:
    """Fraction of samples whose class the quantized forward pass gets right."""
    spikes, labels = torch.from_numpy(split.spikes), torch.from_numpy(split.labels)
    return count_correct(network, spikes, labels) / len(labels)


def _all_epochs(
    run: Run,
    state: RunState,
    folder: Path,
    lock: Lock | None,
    progress: Callable[[EpochMetrics], None] | None,
    writer: Any,
) -> RunState:
    """Train the epochs that are left, and write what is known after each of them."""
    done = state.metrics[-1].seconds if state.metrics else 0.0
    start = time.perf_counter()
    for epoch in range(len(state.metrics) + 1, run.config.epochs + 1):
        metrics = run.epoch(epoch, state.metrics, done - start)
        state = replace(state, metrics=(*state.metrics, metrics))
        if lock is not None:
            lock.check()
            if metrics.best:
                save_checkpoint(folder / CHECKPOINT_FILE, run.network)
            write_metrics(folder, state.metrics)
            # Last, so that a run that is killed before this line repeats the whole epoch.
            save_state(folder / STATE_FILE, state, run.network, run.optimizer, run.generator)
            if writer is not None:
                write_tensorboard(writer, metrics)
            if progress:
                progress(metrics)
    return state


def _started(config: TrainConfig, start: str | Path | None, goes_on: bool) -> TrainConfig:
    """Settings with the digest of the checkpoint that a run starts from.

    Raises
    ------
    KipukaError
        If settings that name a checkpoint come without it, or with another.
    """
    named = config.start_sha256
    if goes_on and start is None:
        return config
    found = None if start is None else checkpoint_digest(start)
    if named not in (None, found):
        raise KipukaError(
            "the settings start from a checkpoint that was not given",
            where="setting start_sha256",
            limit=f"a checkpoint of SHA-256 {named}",
            value=found,
            remedy="give that checkpoint with --start (start= in Python), or remove the setting",
        )
    return config.with_settings(start_sha256=found)


def _check_folder(folder: Path, config: TrainConfig, resume: bool) -> None:
    """Check that the folder is free, or holds a run with the same settings to go on with.

    Raises
    ------
    KipukaError
        If it holds another run, or something else in the place of a run's files.
    """
    for name in (*RUN_FILES, NETWORK_FILE):
        inside(folder, name)
    if not resume:
        held = [name for name in (CHECKPOINT_FILE, STATE_FILE) if exists(folder / name)]
        if held:
            raise KipukaError(
                "the folder holds a training run already",
                where=str(folder),
                limit="a new or empty folder",
                value=held[0],
                remedy="choose another folder, remove this one, or go on with --resume "
                "(resume=True in Python)",
            )
        return
    if not exists(folder / CONFIG_FILE):
        return
    before, now = setting_values(load_config(folder / CONFIG_FILE)), setting_values(config)
    # Where the data lie now says nothing about the run.
    changed = [key for key in now if key not in REACHING and before[key] != now[key]]
    if changed:
        raise KipukaError(
            "the run was started with other settings",
            where=f"{folder / CONFIG_FILE}, key {changed[0]}",
            limit=f"{before[changed[0]]}, as at its start",
            value=now[changed[0]],
            remedy="resume with the same settings, or train in a new folder",
        )


def _refuse_other_data(known: str, dataset: Dataset, file: Path) -> None:
    if known not in ("", dataset.digest):
        raise KipukaError(
            "the run was started with other data",
            where=str(file),
            limit=f"data of SHA-256 {known[:16]}..., as at its start",
            value=f"{dataset.name} of {dataset.digest[:16]}...",
            remedy="give the same data and split, or train in a new folder; to run the network on "
            f"other data, load its {NETWORK_FILE} with kipuka.convert.load_network",
        )
