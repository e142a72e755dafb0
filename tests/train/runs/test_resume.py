"""Runs that were stopped go on as if they had not been."""

import dataclasses
import json

import pytest
import torch

from kipuka.errors import KipukaError
from kipuka.locks import locked
from kipuka.train.runs import trainer
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.metrics import EpochMetrics
from kipuka.train.runs.state import RunState, load_state, save_state
from kipuka.train.runs.trainer import train

pytestmark = pytest.mark.slow

SETTINGS = TrainConfig(
    hidden=6,
    epochs=4,
    batch_size=256,
    seed=5,
    delays={"rule": "annealed"},
    augmentation={"time_stretch": 0.1, "time_shift_steps": 2, "channel_shift": 1},
    penalties={"overshoot": 0.1, "rate": 1.0},
)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, train(SETTINGS, folder)


def assert_same_run(folder, result, uninterrupted):
    whole_folder, whole = uninterrupted
    lines, right = (
        [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
        for place in (folder, whole_folder)
    )
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    for found, expected in zip(result.metrics, whole.metrics, strict=True):
        assert dataclasses.replace(found, seconds=expected.seconds) == expected
    for line in (*lines, *right):
        del line["seconds"]
    assert lines == right
    for found, expected in zip(
        result.network.parameters(), whole.network.parameters(), strict=True
    ):
        assert torch.equal(found, expected)
    assert {k: v.tolist() for k, v in result.delays_before.items()} == {
        k: v.tolist() for k, v in whole.delays_before.items()
    }


class Killed(BaseException):
    """What no error handling catches, like the end of the process."""


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 3])
def test_resumed_run_equals_the_uninterrupted_one(epoch, uninterrupted, tmp_path):
    def stop(metrics):
        if metrics.epoch == epoch:
            raise Killed

    with pytest.raises(Killed):
        train(SETTINGS, tmp_path / "r", stop)
    result = train(SETTINGS, tmp_path / "r", resume=True)
    assert_same_run(tmp_path / "r", result, uninterrupted)


@pytest.mark.parametrize("written", ["save_checkpoint", "write_metrics", "save_state"])
def test_killed_while_files_are_written(written, uninterrupted, tmp_path, monkeypatch):
    right = getattr(trainer, written)
    calls = []

    def killed_at_the_second_call(*given):
        calls.append(given)
        if len(calls) == 2:
            raise Killed
        right(*given)

    monkeypatch.setattr(trainer, written, killed_at_the_second_call)
    with pytest.raises(Killed):
        train(SETTINGS, tmp_path / "r")
    monkeypatch.undo()
    result = train(SETTINGS, tmp_path / "r", resume=True)
    assert_same_run(tmp_path / "r", result, uninterrupted)


def test_resuming_a_finished_run_trains_nothing(uninterrupted):
    folder, whole = uninterrupted

    def show(metrics):
        raise AssertionError("an epoch was trained")

    assert train(SETTINGS, folder, show, resume=True).metrics == whole.metrics


def test_resuming_nothing_starts_from_the_beginning(uninterrupted, tmp_path):
    result = train(SETTINGS, tmp_path / "new", resume=True)
    assert_same_run(tmp_path / "new", result, uninterrupted)


def test_other_settings_are_refused(uninterrupted, check_error):
    folder, _ = uninterrupted
    with pytest.raises(KipukaError) as caught:
        train(SETTINGS.model_copy(update={"learning_rate": 1e-4}), folder, resume=True)
    where = f"{folder / 'config.yaml'}, key learning_rate"
    check_error(caught.value, what="other settings", where=where, limit="0.005", value="0.0001")


def test_a_damaged_state_is_refused_and_the_checkpoint_left_alone(tmp_path, check_error):
    settings = SETTINGS.model_copy(update={"epochs": 1})
    train(settings, tmp_path / "r")
    state = tmp_path / "r" / "state.safetensors"
    kept = (tmp_path / "r" / "checkpoint.safetensors").read_bytes()
    state.write_bytes(state.read_bytes()[:300])
    with pytest.raises(KipukaError) as caught:
        train(settings, tmp_path / "r", resume=True)
    check_error(caught.value, what="cannot be resumed", where=str(state), remedy="new folder")
    assert (tmp_path / "r" / "checkpoint.safetensors").read_bytes() == kept


def test_nothing_is_pickled(uninterrupted):
    folder, _ = uninterrupted
    written = sorted(path.name for path in folder.iterdir())
    assert written == [
        "checkpoint.safetensors",
        "config.yaml",
        "metrics.jsonl",
        "model.net",
        "state.safetensors",
    ]


def test_a_folder_in_which_another_process_trains_is_refused(tmp_path, check_error):
    with locked(tmp_path), pytest.raises(KipukaError) as caught:
        train(SETTINGS, tmp_path, resume=True)
    check_error(caught.value, what="another process", where=str(tmp_path), limit="one process")
    assert list(tmp_path.iterdir()) == []


def metrics_of(**changes):
    names = [field.name for field in dataclasses.fields(EpochMetrics)]
    values = {"epoch": 1, "best": True, "delay_histograms": {}, "seconds": 1.0, **changes}
    return EpochMetrics(**{name: values.get(name, 0.5) for name in names})


@pytest.mark.parametrize(
    ("metrics", "value"),
    [
        ([metrics_of(best=False)], "first epoch that was not kept"),
        ([metrics_of(epoch=2)], "epochs that do not follow"),
        ([metrics_of(), metrics_of()], "epochs that do not follow"),
        ([metrics_of(seconds=float("nan"))], "seconds that do not follow"),
        ([metrics_of(seconds=float("inf"))], "seconds that do not follow"),
        ([metrics_of(seconds=-1.0)], "seconds that do not follow"),
        ([metrics_of(seconds=2.0), metrics_of(epoch=2)], "seconds that do not follow"),
    ],
)
def test_epochs_that_no_run_has(metrics, value, tmp_path, check_error):
    network = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    parts = network, torch.optim.Adam(network.parameters()), torch.Generator()
    save_state(tmp_path / "s", RunState(tuple(metrics), {}), *parts)
    with pytest.raises(KipukaError) as caught:
        load_state(tmp_path / "s", *parts)
    check_error(caught.value, what="cannot be resumed", where="s", limit="complete", value=value)
