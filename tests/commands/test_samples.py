"""`kipuka profile --data`: an array, events with labels, or a data set by name."""

import dataclasses
import json

import numpy as np
import pytest

from kipuka.commands.app import main
from kipuka.commands.inputs.samples import labelled_samples
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.convert.program import RECURRENT
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_advice_for_a_chip_without_microcode_is_evaluated_on_the_validation_part(
    rng, tmp_path, capsys
):
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.datasets import load_dataset

    validation = load_dataset("digits").validation
    n_inputs = validation.spikes.shape[1]
    network = program(n_inputs, random_gru(rng, n_inputs, 8), random_cuba(rng, 8, 10))
    trained = dataclasses.replace(network, metadata={"training": json.dumps({"data": "digits"})})
    net, numbers = tmp_path / "d.net", tmp_path / "p.json"
    save_net(net, trained)
    words = ["profile", str(net), "--data", "digits", "--advise"]
    assert main([*words, "--json", str(numbers)]) == 0
    values = json.loads(numbers.read_text())
    assert values["samples_from"] == "test part of digits"
    tried_on = f"{len(validation.labels)} samples, validation part of digits"
    assert values["advice_from"] == tried_on
    found = [one for one in values["advice"] if "without microcode" in one["change"]]
    for part in (
        "delays.recurrent_min_steps=4 and proven_ranges=true (K 6 to 1)",
        "one gate (gates=shared, as in smgu-delay), delays.recurrent_min_steps=4",
        "a constant reset gate (gates=update, as in slgru-delay), delays.recurrent_min_steps=4",
    ):
        (one,) = (x for x in found if f"train with {part}" in x["change"])
        assert one["energy_gain"] > 0.5
        low, high = one["accuracy_interval"]
        assert low <= one["accuracy_change"] <= high
        assert one["untrained"]
    before, after = (
        decide(one, simulate(one, validation.spikes).trace.layers[-1]) == validation.labels
        for one in (network, longer_recurrent_delays(network, 4))
    )
    (alone,) = (x for x in found if "with delays.recurrent_min_steps=4 (K" in x["change"])
    assert alone["accuracy_change"] == float(after.mean()) - float(before.mean())
    text = " ".join(capsys.readouterr().out.split())
    assert f"advice (each change run and priced on {tried_on})" in text
    assert "trained anew" in text


def longer_recurrent_delays(network, least):
    """The network with recurrent delays of at least so many steps."""
    first, *others = network.layers
    projections = tuple(
        dataclasses.replace(one, delays=np.maximum(one.delays, least))
        if one.source == RECURRENT
        else one
        for one in first.projections
    )
    return program(
        first.projections[0].synapses.n_sources,
        dataclasses.replace(first, projections=projections),
        *others,
    )


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
        (np.zeros(0, np.int64), "int64 of shape (0,)"),
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
