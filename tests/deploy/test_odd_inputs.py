"""Inputs that another writer, or a stranger, may have made: silent samples, odd bytes, holes."""

import os

import numpy as np
import pytest

from kipuka.deploy.inputs import load_inputs
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba


@pytest.fixture
def network(rng):
    return program(3, random_cuba(rng, 3, 2))


def events(tmp_path, **arrays):
    path = tmp_path / "x.npz"
    given = {"times": [1, 2], "units": [0, 2], "samples": [0, 1], "n_steps": 5, **arrays}
    np.savez(path, **{name: np.asarray(value, np.int64) for name, value in given.items()})
    return path


@pytest.mark.parametrize("said", [{"labels": [0, 1, 1]}, {"n_samples": 3}])
def test_a_silent_recording_counts(network, tmp_path, said):
    found = load_inputs(events(tmp_path, **said), network)
    assert found.values.shape == (3, 3, 5)
    assert found.batched
    assert not found.values[2].any()


def test_all_of_them_may_be_silent(network, tmp_path):
    nothing = {"times": [], "units": [], "samples": []}
    assert load_inputs(events(tmp_path, n_samples=4, **nothing), network).values.shape[0] == 4
    labelled = events(tmp_path, labels=[0, 1], **nothing)
    assert load_inputs(labelled, network).values.shape == (2, 3, 5)


@pytest.mark.parametrize("said", [{}, {"labels": []}, {"n_samples": 0}])
def test_a_batch_without_samples_is_refused(network, tmp_path, said, check_error):
    with pytest.raises(KipukaError) as caught:
        load_inputs(events(tmp_path, times=[], units=[], samples=[], **said), network)
    check_error(caught.value, what="no list of events", value="no sample", remedy="savez")


def test_one_sample_may_be_silent(network, tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, times=np.zeros(0, np.int64), units=np.zeros(0, np.int64), n_steps=5)
    assert load_inputs(path, network).values.shape == (1, 3, 5)


@pytest.mark.parametrize("n_samples", [1, [3, 3], -1])
def test_a_number_of_samples_that_does_not_fit_is_refused(
    network, tmp_path, n_samples, check_error
):
    with pytest.raises(KipukaError) as caught:
        load_inputs(events(tmp_path, n_samples=n_samples), network)
    check_error(caught.value, what="no list of events", value="n_samples", remedy="savez")


def test_very_many_steps_for_next_to_nothing_are_refused_first(tmp_path, rng, check_error):
    network = program(1, random_cuba(rng, 1, 500))
    path = events(tmp_path, units=[0, 0], samples=[0, 0], n_steps=1 << 21)
    with pytest.raises(KipukaError) as caught:
        load_inputs(path, network)
    check_error(caught.value, value="2 events in 1 samples x 500 neurons x 2097152 steps")


def test_a_byte_of_a_bool_array_is_looked_at(network, tmp_path, check_error):
    path = tmp_path / "x.npy"
    np.save(path, np.full((3, 7), 2, np.uint8).view(bool))
    with pytest.raises(KipukaError) as caught:
        load_inputs(path, network)
    check_error(caught.value, what="not spikes", limit="0 or 1", value="2", remedy="bin events")
    np.save(path, np.ones((3, 7), bool))
    assert load_inputs(path, network).values.all()


def test_an_array_that_is_mostly_a_hole_is_refused_unread(network, tmp_path, check_error):
    path = tmp_path / "x.npy"
    n_steps = 1 << 34
    with path.open("wb") as file:
        header = {"descr": "|b1", "fortran_order": False, "shape": (3, n_steps)}
        np.lib.format.write_array_header_1_0(file, header)
        os.truncate(path, file.tell() + 3 * n_steps)
    with pytest.raises(KipukaError) as caught:
        load_inputs(path, network)
    check_error(caught.value, what="not an array", value="file that stores", remedy="numpy.save")
