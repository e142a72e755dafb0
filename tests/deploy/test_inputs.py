import numpy as np
import pytest

from kipuka.deploy.inputs import load_inputs, save_spikes
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba


@pytest.fixture
def network(rng):
    return program(3, random_cuba(rng, 3, 2))


def refused(path, network, check_error, **parts):
    with pytest.raises(KipukaError) as caught:
        load_inputs(path, network)
    check_error(caught.value, **{"where": str(path), **parts})


def saved(tmp_path, array):
    path = tmp_path / "x.npy"
    np.save(path, array)
    return path


def test_with_and_without_batch_axis(network, tmp_path):
    one = load_inputs(saved(tmp_path, np.eye(3)), network)
    assert (one.values.shape, one.batched) == ((1, 3, 3), False)
    many = load_inputs(saved(tmp_path, np.ones((5, 3, 7), dtype=np.float32)), network)
    assert (many.values.shape, many.batched) == ((5, 3, 7), True)
    assert many.values.dtype == bool


def test_output_has_the_batch_axis_of_the_input(tmp_path):
    path = tmp_path / "y.npy"
    spikes = np.zeros((1, 2, 4), dtype=bool)
    save_spikes(path, spikes, batched=False)
    assert np.load(path).shape == (2, 4)
    save_spikes(path, spikes, batched=True)
    assert np.load(path).shape == (1, 2, 4)
    assert np.load(path).dtype == np.uint8


@pytest.mark.parametrize("shape", [(2, 7), (5, 4, 7), (3,), (2, 5, 3, 7), (0, 3, 7), (3, 0)])
def test_wrong_shape(network, tmp_path, shape, check_error):
    refused(
        saved(tmp_path, np.zeros(shape)),
        network,
        check_error,
        what="does not fit the network",
        limit="[batch,] 3, time",
        value=f"shape {shape}",
        remedy="time last",
    )


@pytest.mark.parametrize("value", [2, 0.5, -1, np.nan])
def test_values_that_are_not_spikes(network, tmp_path, value, check_error):
    array = np.zeros((3, 4))
    array[1, 2] = value
    refused(
        saved(tmp_path, array),
        network,
        check_error,
        what="not spikes",
        where="index (1, 2)",
        limit="0 or 1",
        value=str(value),
    )


def test_missing_input(network, tmp_path, check_error):
    refused(tmp_path / "no.npy", network, check_error, what="input cannot be read")


def test_pickled_objects_are_not_loaded(network, tmp_path, check_error):
    path = tmp_path / "x.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    refused(path, network, check_error, what="not an array")


def test_text_is_not_an_array(network, tmp_path, check_error):
    path = tmp_path / "x.npy"
    path.write_text("1, 0, 1")
    refused(path, network, check_error, what="not an array", limit=".npy")


def events(tmp_path, **arrays):
    path = tmp_path / "x.npz"
    given = {"times": [0, 4, 2], "units": [2, 0, 1], "n_steps": 5, **arrays}
    np.savez(path, **{name: np.array(x) for name, x in given.items() if x is not None})
    return path


def test_events_are_the_spikes_of_one_sample(network, tmp_path):
    given = load_inputs(events(tmp_path), network)
    assert not given.batched
    assert np.argwhere(given.values[0]).tolist() == [[0, 4], [1, 2], [2, 0]]
    assert given.values.shape == (1, 3, 5)


def test_events_of_a_batch(network, tmp_path):
    given = load_inputs(events(tmp_path, samples=[2, 0, 2]), network)
    assert given.batched
    assert np.argwhere(given.values).tolist() == [[0, 0, 4], [2, 1, 2], [2, 2, 0]]


@pytest.mark.parametrize(
    ("arrays", "shape"),
    [
        ({}, (1, 3, 5)),
        ({"samples": [], "n_samples": 2}, (2, 3, 5)),
        ({"samples": [], "labels": [1, 0]}, (2, 3, 5)),
    ],
)
def test_a_silent_recording_may_be_written_as_empty_lists(network, tmp_path, arrays, shape):
    given = load_inputs(events(tmp_path, times=[], units=[], **arrays), network)
    assert given.values.shape == shape
    assert not given.values.any()


@pytest.mark.parametrize(
    ("arrays", "where", "limit", "value"),
    [
        ({"times": [[0, 1]]}, "x.npz", "times", "not one row"),
        ({"units": [2, 3, 1]}, "unit of event 1", "0 to 2", "3"),
        ({"times": [0, 4, 5]}, "time of event 2", "0 to 4", "5"),
        ({"times": [0, -1, 1]}, "time of event 1", "0 to 4", "-1"),
        ({"times": [1, 4, 4], "units": [0, 1, 1]}, "event 2", "one spike", "unit 1 in step 4"),
        ({"times": [0.0, 1.0, 2.0]}, "times of events", "integer", "float64"),
        ({"units": None}, "x.npz", "times, units and n_steps", "n_steps, times"),
        ({"units": [1]}, "x.npz", "times, units", "(1,), (3,)"),
        ({"n_steps": 0}, "x.npz", "at least 1", "0 steps"),
        ({"samples": [0, -1, 0]}, "x.npz", "samples from 0", "from -1 on"),
    ],
)
def test_events_that_do_not_fit(network, tmp_path, arrays, where, limit, value, check_error):
    with pytest.raises(KipukaError) as caught:
        load_inputs(events(tmp_path, **arrays), network)
    check_error(caught.value, where=where, limit=limit, value=value)
    assert "x.npz" in caught.value.where


def test_text_is_no_list_of_events(network, tmp_path, check_error):
    path = tmp_path / "x.npz"
    path.write_text("times, units")
    refused(path, network, check_error, what="no list of events", remedy="numpy.savez")
