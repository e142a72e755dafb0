"""`kipuka profile --data`: an array, events with labels, or a data set by name."""

import json

import numpy as np
import pytest

from kipuka.commands.app import main
from kipuka.commands.inputs.samples import labelled_samples
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.convert.trace import decide
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.golden import golden_vectors
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba, random_gru, random_spikes


@pytest.fixture
def net(rng, tmp_path):
    network = program(64, random_gru(rng, 64, 8), random_cuba(rng, 8, 10))
    path = tmp_path / "small.net"
    save_net(path, network, golden_vectors(network, random_spikes(rng, 2, 64, 20)))
    return path


@pytest.fixture
def events(rng, tmp_path):
    spikes = random_spikes(rng, 5, 64, 20)
    samples, units, times = np.nonzero(spikes)
    named = {"times": times, "units": units, "samples": samples, "n_steps": 20}

    def write(**others):
        path = tmp_path / "events.npz"
        np.savez(path, **named, **others)
        return str(path)

    return spikes, write


def test_events_with_labels_give_an_accuracy(net, events, tmp_path):
    spikes, write = events
    labels = np.array([3, 1, 4, 1, 5])
    numbers = tmp_path / "p.json"
    words = ["profile", str(net), "--data", write(labels=labels), "--json", str(numbers)]
    assert main([*words, "--advise", "--compare", str(net)]) == 0
    values = json.loads(numbers.read_text())
    network = load_net(net)
    run = simulate(network, spikes)
    assert values["samples"] == 5
    assert values["accuracy"] == (decide(network, run.trace.layers[-1]) == labels).mean()
    assert values["compare"]["accuracy"] == values["accuracy"]
    assert values["synops_per_sample"] * 5 == sum(
        int(layer.synaptic_operations.sum()) for layer in run.counters.layers
    )
    # A network that would have to be trained again has no accuracy yet.
    tried = [one for one in values["advice"] if "train with" not in one["change"]]
    assert all(one["accuracy_change"] is not None for one in tried if not one["exact"])
    comparison = values["without_microcode"]
    assert comparison["lowered"]["period"] > 1
    assert {one["layer"] for one in comparison["lowered"]["layers"]} == {1, 2}
    assert set(comparison["estimate"]) == {"fused", "lowered"}


def test_arrays_have_no_labels_and_can_be_cut(net, rng, tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, random_spikes(rng, 5, 64, 20))
    found = labelled_samples(net, load_net(net), str(path), first=2)
    assert found.values.shape == (2, 64, 20)
    assert found.labels is None


def test_golden_vectors_stand_in_for_data(net):
    assert labelled_samples(net, load_net(net), None).values.shape == (2, 64, 20)


@pytest.mark.parametrize(
    ("labels", "value"),
    [
        (np.array([1, 2]), "shape (2,)"),
        (np.array([0, 1, 2, 3, 10]), "0 to 10"),
        (np.array([0, 1, 2, 3, -1]), "-1 to 3"),
        (np.array([0.0, 1, 2, 3, 4]), "float64"),
    ],
)
def test_labels_that_do_not_fit_are_refused(net, events, labels, value, check_error):
    with pytest.raises(KipukaError) as caught:
        labelled_samples(net, load_net(net), events[1](labels=labels))
    check_error(
        caught.value,
        what="labels do not fit",
        where="events.npz, array labels",
        limit="5 integers from 0 to 9",
        value=value,
        remedy="one class for each sample",
    )


def test_a_data_set_by_name_is_its_test_part(rng, tmp_path, check_error):
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.datasets import load_dataset

    test = load_dataset("digits").test
    n_inputs = test.spikes.shape[1]
    network = program(n_inputs, random_cuba(rng, n_inputs, 10))
    net = tmp_path / "d.net"
    found = labelled_samples(net, network, "digits", first=7)
    np.testing.assert_array_equal(found.values, test.spikes[:7])
    np.testing.assert_array_equal(found.labels, test.labels[:7])
    with pytest.raises(KipukaError) as caught:
        labelled_samples(net, program(3, random_cuba(rng, 3, 10)), "digits")
    value = f"{n_inputs} channels"
    check_error(caught.value, where="digits", limit="3 inputs", value=value, remedy="trained on")
    with pytest.raises(KipukaError) as caught:
        labelled_samples(net, network, "nothing.such")
    check_error(caught.value, what="data set is not known", limit="digits", value="nothing.such")
