"""Runs on one's own data: from Python and from the command line, to a network that is checked."""

import json

import numpy as np
import pytest

from kipuka.commands.app import main
from kipuka.commands.inputs.samples import labelled_samples
from kipuka.convert.formats.net.file import load_net
from kipuka.errors import KipukaError
from kipuka.train.datasets import Dataset, load_dataset
from kipuka.train.runs.config import TrainConfig, load_config
from kipuka.train.runs.result import program_of
from kipuka.train.runs.trainer import load_run, train
from kipuka_recordings import (
    STEPS,
    UNITS,
    groups_of,
    spikes_and_labels,
    write_hdf5,
    write_npz,
    write_single,
)

pytestmark = pytest.mark.slow

SPIKES, LABELS = spikes_and_labels()
CONFIG = TrainConfig(hidden=8, epochs=2, batch_size=14)
WORDS = ["--set", "epochs=1", "--set", "hidden=8"]


def test_a_data_set_from_python(tmp_path, check_error):
    data = Dataset.from_arrays(SPIKES, LABELS)
    result = train(CONFIG, tmp_path / "r", dataset=data)
    assert load_config(tmp_path / "r" / "config.yaml").data == "own data"
    config, network, same = load_run(tmp_path / "r", dataset=data)
    assert same is data
    metadata = program_of(network, config, data).metadata
    assert json.loads(metadata["data"]) == {
        "name": "own data",
        "sha256": data.digest,
        "classes": [],
    }
    again = train(CONFIG, tmp_path / "r", dataset=data, resume=True)
    assert again.metrics == result.metrics
    other = Dataset.from_arrays(SPIKES[::-1], LABELS[::-1])
    with pytest.raises(KipukaError) as caught:
        train(CONFIG, tmp_path / "r", dataset=other, resume=True)
    check_error(caught.value, what="other data", where="state.safetensors", limit=data.digest[:16])
    check_error(caught.value, value=other.digest[:16], remedy="same data")
    with pytest.raises(KipukaError) as caught:
        load_run(tmp_path / "r")
    check_error(caught.value, what="beyond its own file", where="key data", value="own data")
    check_error(caught.value, limit="given on the command line", remedy="--data")


def trained(tmp_path, data, *words):
    """Run folder of a command, and what it wrote as JSON."""
    run, numbers = tmp_path / "run", tmp_path / "train.json"
    command = ["train", "--out", str(run), "--data", str(data), *WORDS, *words]
    assert main([*command, "--json", str(numbers)]) == 0
    return run, json.loads(numbers.read_text())


def profiled(tmp_path, net, data):
    numbers = tmp_path / "profile.json"
    assert main(["profile", str(net), "--data", str(data), "--json", str(numbers)]) == 0
    return json.loads(numbers.read_text())


def test_an_event_file_from_the_command_line(tmp_path, capsys):
    path = write_npz(tmp_path / "mine.npz", SPIKES, LABELS, groups=groups_of(LABELS))
    run, numbers = trained(tmp_path, path, "--set", "splits.seed=2")
    printed = " ".join(capsys.readouterr().out.split())
    assert "whole groups, seed 2: 1 of 5 groups for test" in printed
    assert [len(numbers["groups"][part]) for part in ("training", "validation", "test")] == [
        3,
        1,
        1,
    ]
    assert numbers["decisions"]["groups"] == 1
    assert "samples as independent; they come from 1 group " in printed
    # Where the data lie stands nowhere in the folder.
    assert load_config(run / "config.yaml").data == "mine.npz"
    assert str(tmp_path) not in (run / "config.yaml").read_text()
    net = run / "model.net"
    assert not any(str(tmp_path) in text for text in load_net(net).metadata.values())
    found = profiled(tmp_path, net, path)
    assert found["samples_from"] == "test part of mine.npz"
    assert found["samples"] == 8
    assert found["accuracy"] == numbers["accuracy"]["fast"]
    assert found["decisions"] == numbers["decisions"]
    assert "they come from 1 group " in " ".join(capsys.readouterr().out.split())
    # The same samples under another name, or other samples: all of them.
    other = tmp_path / "other.npz"
    other.write_bytes(path.read_bytes())
    assert profiled(tmp_path, net, other)["samples"] == 40
    write_npz(path, SPIKES[::-1], LABELS[::-1], groups=groups_of(LABELS))
    assert profiled(tmp_path, net, path)["samples_from"] == "all of mine.npz"


def test_a_run_goes_on_where_its_data_are_given_again(tmp_path, capsys):
    path = write_npz(tmp_path / "mine.npz", SPIKES, LABELS)
    run, _ = trained(tmp_path, path)
    capsys.readouterr()
    for words in (["train", "--out", str(run), "--resume"], ["convert", str(run)]):
        words += ["--output", str(tmp_path / "c.net")] * (words[0] == "convert")
        assert main(words) == 2
        assert "give --data" in capsys.readouterr().err
        assert main([*words, "--data", str(path)]) == 0
    assert load_net(tmp_path / "c.net") == load_net(run / "model.net")


def test_a_folder_for_each_class_up_to_the_verified_network(tmp_path):
    for number, (one, label) in enumerate(zip(SPIKES, LABELS, strict=True)):
        write_single(tmp_path / "words" / "abcd"[label] / f"{number:02}.npz", one)
    run, numbers = trained(tmp_path, tmp_path / "words", "--network", "csgru")
    net = run / "model.net"
    assert json.loads(load_net(net).metadata["data"])["classes"] == list("abcd")
    assert profiled(tmp_path, net, tmp_path / "words")["accuracy"] == numbers["accuracy"]["fast"]
    verified = tmp_path / "v.json"
    words = ["verify", str(net), "--data", str(tmp_path / "words"), "--samples", "3"]
    assert main([*words, "--backends", "reference,fast,torch", "--json", str(verified)]) == 0
    assert json.loads(verified.read_text())["samples"] == 3
    assert main([*words, "--input", str(tmp_path / "x.npy")]) == 2


def test_recordings_that_a_network_was_not_trained_on(tmp_path, check_error):
    path = write_npz(tmp_path / "mine.npz", SPIKES, LABELS)
    run, _ = trained(tmp_path, path)
    net, program = run / "model.net", load_net(run / "model.net")
    fresh = write_hdf5(tmp_path / "fresh.h5", SPIKES, LABELS)
    found = labelled_samples(net, program, str(fresh))
    np.testing.assert_array_equal(found.values, SPIKES)
    np.testing.assert_array_equal(found.labels, LABELS)
    assert found.source == "all of fresh.h5"
    wide = write_hdf5(tmp_path / "wide.h5", SPIKES, LABELS, n_units=UNITS + 1)
    with pytest.raises(KipukaError) as caught:
        labelled_samples(net, program, str(wide))
    check_error(caught.value, what="does not fit", where="wide.h5", limit="12 inputs", value="13")
    check_error(caught.value, remedy="trained on")
    more = write_hdf5(tmp_path / "more.h5", SPIKES, LABELS + 1)
    with pytest.raises(KipukaError) as caught:
        labelled_samples(net, program, str(more))
    check_error(caught.value, what="more classes", where="more.h5", limit="4 classes", value="5")
    check_error(caught.value, remedy="trained on")


@pytest.mark.parametrize("network", ["sgru", "csgru", "decoupled"])
def test_convolutional_networks_see_images_in_their_shape(network, tmp_path):
    images = SPIKES.reshape(len(SPIKES), 3, 2, 2, STEPS)
    data = Dataset.from_arrays(images, LABELS)
    config = CONFIG.model_copy(update={"network": network, "epochs": 1})
    result = train(config, tmp_path / "r", dataset=data)
    program = program_of(result.network, config, data)
    assert program.input_shape == ((12,) if network == "sgru" else (3, 2, 2))
    assert program.n_inputs == data.n_units


def test_compare_on_own_data(tmp_path):
    path = write_npz(tmp_path / "mine.npz", SPIKES, LABELS)
    words = ["compare", "--out", str(tmp_path / "c"), "--networks", "sgru,cuba-recurrent"]
    assert main([*words, "--seeds", "1", "--data", str(path), *WORDS]) == 0
    table = json.loads((tmp_path / "c" / "compare.json").read_text())
    assert table["data"] == "mine.npz"
    assert {run["network"] for run in table["runs"]} == {"sgru", "cuba-recurrent"}
    same = load_dataset(str(path))
    assert (tmp_path / "c" / "sgru-seed0" / "model.net").exists()
    known = json.loads(load_net(tmp_path / "c" / "sgru-seed0" / "model.net").metadata["data"])
    assert known["sha256"] == same.digest
