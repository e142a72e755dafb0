"""Runs that start from the parameters of another."""

import hashlib

import pytest
import torch

from kipuka.commands.app import main
from kipuka.commands.train import run_settings
from kipuka.errors import KipukaError
from kipuka.train.datasets import load_dataset
from kipuka.train.runs.checkpoint import checkpoint_digest
from kipuka.train.runs.config import TrainConfig, load_config, save_config
from kipuka.train.runs.parallel import Processes
from kipuka.train.runs.run import Run
from kipuka.train.runs.trainer import train

SMALL = TrainConfig(hidden=8, epochs=1, seed=3)
FURTHER = SMALL.model_copy(update={"seed": 5, "learning_rate": 1e-9})


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    return folder, train(SMALL, folder)


@pytest.fixture(scope="module")
def second(first, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "second"
    return folder, train(FURTHER, folder, start=first[0] / "checkpoint.safetensors")


def test_parameters_are_those_of_the_checkpoint(first, second):
    fresh = Run(FURTHER, load_dataset("digits"), Processes()).network
    differ = []
    for drawn, (name, started), (_, kept) in zip(
        fresh.parameters(),
        second[1].network.named_parameters(),
        first[1].network.named_parameters(),
        strict=True,
    ):
        if "delay" not in name:  # Delays have a learning rate of their own.
            torch.testing.assert_close(started, kept, rtol=0, atol=1e-5)
            differ.append(not torch.equal(started, drawn))
    assert sum(differ) == 4


def test_the_digest_stands_in_the_settings_and_goes_on_with_them(first, second):
    checkpoint = first[0] / "checkpoint.safetensors"
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    config = load_config(second[0] / "config.yaml")
    assert config.start_sha256 == digest
    again = train(config, second[0], resume=True)
    assert again.metrics == second[1].metrics


def test_settings_that_name_a_checkpoint_need_it(first, second, tmp_path, check_error):
    config = load_config(second[0] / "config.yaml")
    with pytest.raises(KipukaError) as error:
        train(config, tmp_path / "r")
    check_error(
        error.value,
        what="not given",
        where="start_sha256",
        limit=config.start_sha256,
        value="None",
        remedy="--start",
    )
    other = second[0] / "checkpoint.safetensors"
    with pytest.raises(KipukaError) as error:
        train(config, tmp_path / "r", start=other)
    check_error(error.value, limit=config.start_sha256, value=checkpoint_digest(other))
    assert not (tmp_path / "r" / "config.yaml").exists()


def test_a_checkpoint_of_another_network_is_refused(first, tmp_path, check_error):
    with pytest.raises(KipukaError) as error:
        train(SMALL.model_copy(update={"hidden": 9}), tmp_path / "r", start=first[0] / "no.st")
    check_error(
        error.value,
        what="checkpoint",
        where="no.st",
        limit="existing file",
        value="nothing",
        remedy="path",
    )
    checkpoint = first[0] / "checkpoint.safetensors"
    with pytest.raises(KipukaError) as error:
        train(SMALL.model_copy(update={"hidden": 9}), tmp_path / "r", start=checkpoint)
    check_error(error.value, what="another network", where="safetensors", remedy="config.yaml")


def test_no_pickle_is_opened(tmp_path, check_error):
    path = tmp_path / "x.pt"
    torch.save({}, path)
    with pytest.raises(KipukaError) as error:
        train(SMALL, tmp_path / "r", start=path)
    check_error(
        error.value,
        what="cannot be read",
        where="x.pt",
        limit="safetensors",
        value="header",
        remedy="train again",
    )


@pytest.mark.slow
def test_the_command_takes_the_folder_of_a_run(first, tmp_path, capsys):
    out = tmp_path / "r"
    words = ["train", "--out", str(out), "--hidden", "8", "--epochs", "1", "--start", str(first[0])]
    assert main(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "kept epoch 1 of 1" in printed
    assert f"next: kipuka verify {out}/model.net" in printed
    assert load_config(out / "config.yaml").start_sha256


def test_what_is_not_given_is_set_as_in_the_other_run(first, second, tmp_path, check_error):
    def settings(start, **chosen):
        return run_settings(tmp_path / "r", None, chosen, resume=False, start=start)

    assert settings(second[0], epochs=7) == FURTHER.model_copy(update={"epochs": 7})
    assert settings(first[0] / "checkpoint.safetensors") == TrainConfig()
    own = tmp_path / "own"
    own.mkdir()
    save_config(own / "config.yaml", SMALL.model_copy(update={"data": "gestures"}))
    with pytest.raises(KipukaError) as error:
        settings(own)
    check_error(error.value, what="reach", where="key data", value="gestures", remedy="--data")
    assert settings(own, data="digits").hidden == SMALL.hidden
