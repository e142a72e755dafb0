"""Own recordings read as a network's training read those that it learned from."""

import dataclasses
import json

import numpy as np
import pytest

from kipuka.commands.app import main
from kipuka.commands.inputs.samples import chosen_samples, labelled_samples
from kipuka.convert import decide, load_net, save_net
from kipuka.deploy.fast.simulator import simulate
from kipuka.errors import KipukaError
from kipuka.train import read_as_trained
from kipuka.train.datasets.recordings import EventGrid
from kipuka.train.runs.config import make_config
from kipuka_cases import program, random_cuba, random_gru

CHANNELS, POOLED, STEPS = 12, 6, 30
SETTINGS = {"data": "words", "arrays.times": "t", "arrays.units": "ch", "bin_ms": 5.0}
SETTINGS |= {"channels": POOLED, "groups_from": r"person(\d+)"}
NAMES = ["no", "off", "on", "yes"]


GRID = EventGrid((CHANNELS,), STEPS, 5.0)


def network_of(settings=SETTINGS, grid=GRID, n_inputs=POOLED):
    rng = np.random.default_rng(0)
    config = make_config(settings, "x")
    return dataclasses.replace(
        program(n_inputs, random_gru(rng, n_inputs, 8), random_cuba(rng, 8, 4)),
        metadata={
            "training": config.model_dump_json(),
            "data": json.dumps({"name": "words", "sha256": "0" * 64, "classes": NAMES}),
            "recordings": json.dumps(dataclasses.asdict(grid)),
        },
    )


def record(path, seed=0, steps=20, **more):
    """One recording in seconds, and its spikes on the network's grid."""
    rng = np.random.default_rng(seed)
    channels, bins = np.nonzero(rng.random((CHANNELS - 1, steps)) < 0.3)  # the highest is silent
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, t=(bins + 0.5) * 0.005, ch=channels, **more)
    spikes = np.zeros((POOLED, max(steps, STEPS)), dtype=bool)
    spikes[channels // 2, bins] = True
    return spikes


def refused(network, path, check_error, **parts):
    with pytest.raises(KipukaError) as caught:
        read_as_trained(network, path)
    check_error(caught.value, **{"where": "", "limit": "", "value": "", "remedy": "", **parts})


@pytest.mark.parametrize("steps", [20, 40])
def test_a_recording_is_binned_and_pooled_as_in_training(steps, tmp_path):
    spikes = record(tmp_path / "one.npz", steps=steps)
    found = read_as_trained(network_of(), tmp_path / "one.npz")
    np.testing.assert_array_equal(found.spikes, spikes[None])
    assert (found.labelled, found.classes) == (False, tuple(NAMES))


@pytest.mark.parametrize("cut", [10, 50])
def test_steps_that_training_cut_or_filled_up_to(cut, tmp_path):
    spikes = record(tmp_path / "one.npz", steps=40)
    network = network_of({**SETTINGS, "steps": cut}, EventGrid((CHANNELS,), cut, 5.0))
    expected = np.zeros((1, POOLED, cut), dtype=bool)
    expected[0, :, : min(cut, 40)] = spikes[:, :cut]
    found = read_as_trained(network, tmp_path / "one.npz")
    np.testing.assert_array_equal(found.spikes, expected)


def test_recordings_in_steps(tmp_path):
    network = network_of({"data": "words"}, EventGrid((POOLED,), STEPS, None))
    path = tmp_path / "x.npz"
    np.savez(path, times=[3, 3, 9], units=[0, 0, 4], samples=[0, 0, 2], n_steps=12, n_samples=3)
    found = read_as_trained(network, path)
    assert np.argwhere(found.spikes).tolist() == [[0, 0, 3], [2, 4, 9]]
    assert found.spikes.shape == (3, POOLED, STEPS)


def test_classes_are_those_of_the_network(tmp_path, check_error):
    for name in ("yes", "off"):
        record(tmp_path / "f" / name / "a.npz")
    found = read_as_trained(network_of(), tmp_path / "f")
    assert [found.classes[label] for label in found.labels] == ["off", "yes"]
    assert found.labelled
    record(tmp_path / "f" / "maybe" / "a.npz")
    refused(
        network_of(),
        tmp_path / "f",
        check_error,
        what="does not know",
        value="maybe",
        limit="no, off, on, yes",
        remedy="trained on",
    )


def test_what_does_not_fit(tmp_path, check_error):
    network, path = network_of(), tmp_path / "one.npz"
    record(path, n_units=POOLED)
    refused(network, path, check_error, what="not fit", limit="12 inputs", value="6")
    np.savez(path, t=[0.1], ch=[CHANNELS])
    refused(network, path, check_error, what="number of channels", value="12")
    np.savez(path, times=[0.1], units=[1])
    refused(network, path, check_error, what="no list of events", value="no t and ch")
    refused(network, tmp_path / "two.npz", check_error, what="no such file", where="two.npz")


@pytest.mark.parametrize("grid", ["[]", "3", '{"shape": [2]}', '{"shape": [0], "n_steps": 3}', "{"])
def test_metadata_that_a_stranger_wrote(grid, tmp_path, check_error):
    record(tmp_path / "one.npz")
    network = network_of()
    metadata = {**network.metadata, "recordings": grid}
    strange = dataclasses.replace(network, metadata=metadata)
    refused(strange, tmp_path / "one.npz", check_error, what="metadata", where="key recordings")


@pytest.fixture
def net(tmp_path):
    save_net(tmp_path / "model.net", network_of())
    return tmp_path / "model.net"


def test_the_command_says_the_class_by_its_name(net, tmp_path, capsys):
    files = [tmp_path / "one.npz", tmp_path / "two.npz"]
    spikes = np.stack([record(path, seed) for seed, path in enumerate(files)])
    numbers = tmp_path / "c.json"
    assert main(["classify", str(net), *map(str, files), "--json", str(numbers)]) == 0
    network = load_net(net)
    expected = decide(network, simulate(network, spikes).trace.layers[-1])
    found = json.loads(numbers.read_text())["recordings"]
    assert [one["class"] for one in found] == expected.tolist()
    assert [one["name"] for one in found] == [NAMES[k] for k in expected]
    printed = " ".join(capsys.readouterr().out.split())
    assert "6 units x 30 steps of 5 ms" in printed
    assert f"two.npz {NAMES[expected[1]]}" in printed
    assert main(["classify", str(net), str(tmp_path / "three.npz")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_simulate_and_profile_read_it_the_same_way(net, tmp_path):
    spikes = record(tmp_path / "one.npz")
    out = tmp_path / "y.npy"
    words = ["simulate", str(net), "--input", str(tmp_path / "one.npz"), "--output", str(out)]
    assert main([*words, "--layer", "0"]) == 0
    np.testing.assert_array_equal(np.load(out), spikes)
    found = labelled_samples(net, load_net(net), str(tmp_path / "one.npz"))
    np.testing.assert_array_equal(found.values, spikes[None])
    chosen = chosen_samples(net, load_net(net), tmp_path / "one.npz", None)
    np.testing.assert_array_equal(chosen.values, spikes[None])
    assert found.labels is None
    record(tmp_path / "two.npz", labels=[2])
    assert labelled_samples(net, load_net(net), str(tmp_path / "two.npz")).labels.tolist() == [2]
