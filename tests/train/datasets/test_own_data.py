"""One's own recordings: files, folders, arrays, events and tonic data sets, with their parts."""

import itertools
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from kipuka.errors import KipukaError
from kipuka.train.datasets import DataOptions, Dataset, Splits, load_dataset
from kipuka_recordings import (
    CLASSES,
    GROUPS,
    PER_CLASS,
    STEPS,
    UNITS,
    groups_of,
    spikes_and_labels,
    write_hdf5,
    write_npz,
    write_single,
)

SPIKES, LABELS = spikes_and_labels()


def parts(data):
    return data.train, data.validation, data.test


def sorted_samples(spikes, labels):
    """Samples in an order that does not depend on where they stood."""
    return sorted((int(label), one.tobytes()) for one, label in zip(spikes, labels, strict=True))


def assert_same_samples(data, spikes=SPIKES, labels=LABELS):
    together = [sorted_samples(part.spikes, part.labels) for part in parts(data)]
    assert sorted(itertools.chain(*together)) == sorted_samples(spikes, labels)


def assert_same_data(one, other):
    assert one.digest == other.digest
    for mine, theirs in zip(parts(one), parts(other), strict=True):
        np.testing.assert_array_equal(mine.spikes, theirs.spikes)
        np.testing.assert_array_equal(mine.labels, theirs.labels)


def test_an_event_file(tmp_path):
    path = write_npz(tmp_path / "mine.npz", SPIKES, LABELS)
    data = load_dataset(str(path))
    assert (data.name, data.n_classes, data.n_units, data.n_steps) == (
        "mine.npz",
        CLASSES,
        UNITS,
        STEPS,
    )
    assert_same_samples(data)
    # A fifth of each class for the test, and a tenth of what is left for validation.
    assert [np.bincount(part.labels).tolist() for part in parts(data)] == [
        [PER_CLASS - 3] * CLASSES,
        [1] * CLASSES,
        [2] * CLASSES,
    ]
    assert data.held_out == "test and validation part drawn by single samples, seed 0"
    assert "28 training, 4 validation and 8 test samples of 4 classes" in repr(data)
    assert data.events == SPIKES.sum()


def test_all_ways_lead_to_the_same_data(tmp_path):
    from_file = load_dataset(str(write_npz(tmp_path / "a.npz", SPIKES, LABELS)))
    from_hdf5 = load_dataset(str(write_hdf5(tmp_path / "b.h5", SPIKES, LABELS)))
    events = [np.nonzero(one.T) for one in SPIKES]
    assert_same_data(from_file, from_hdf5)
    assert_same_data(from_file, Dataset.from_arrays(SPIKES, LABELS))
    assert_same_data(from_file, Dataset.from_arrays(SPIKES.astype(np.float32), LABELS.tolist()))
    steps = Dataset.from_events(events, LABELS, shape=UNITS, steps=STEPS)
    assert_same_data(from_file, steps)
    seconds = [((times + 0.5) / 100, units) for times, units in events]
    assert_same_data(from_file, Dataset.from_events(seconds, LABELS, shape=UNITS))
    microseconds = [(times * 10_000, units) for times, units in events]
    assert_same_data(from_file, Dataset.from_events(microseconds, LABELS, shape=UNITS))


def test_draws_depend_on_their_seed_alone():
    first = Dataset.from_arrays(SPIKES, LABELS)
    assert_same_data(first, Dataset.from_arrays(SPIKES, LABELS))
    other = Dataset.from_arrays(SPIKES, LABELS, options=DataOptions(splits=Splits(seed=1)))
    assert other.digest != first.digest
    assert_same_samples(other)
    # More for validation leaves the test part as it is.
    more = Dataset.from_arrays(SPIKES, LABELS, options=DataOptions(splits=Splits(validation=0.5)))
    np.testing.assert_array_equal(more.test.spikes, first.test.spikes)
    assert len(more.validation.labels) == 16


def test_whole_groups_are_held_out(tmp_path):
    groups = groups_of(LABELS)
    data = Dataset.from_arrays(SPIKES, LABELS, groups=groups)
    assert data.held_out == (
        "test and validation part drawn by whole groups, seed 0: "
        "1 of 5 groups for test (4), 1 for validation (3)"
    )
    assert data.groups == (("0", "1", "2"), ("3",), ("4",))
    number = {one.tobytes(): group for one, group in zip(SPIKES, groups, strict=True)}
    heard = [{number[one.tobytes()] for one in part.spikes} for part in parts(data)]
    assert [len(speakers) for speakers in heard] == [GROUPS - 2, 1, 1]
    assert len(set.union(*heard)) == GROUPS
    path = write_hdf5(tmp_path / "b.h5", SPIKES, LABELS, speakers=groups)
    assert_same_data(data, load_dataset(str(path)))
    assert_same_data(
        data, load_dataset(str(write_npz(tmp_path / "a", SPIKES, LABELS, groups=groups)) + ".npz")
    )
    by_samples = Dataset.from_arrays(
        SPIKES, LABELS, groups=groups, options=DataOptions(validation="samples")
    )
    assert_same_data(by_samples, Dataset.from_arrays(SPIKES, LABELS))


def test_parts_that_are_given_stay():
    said = np.arange(len(LABELS)) % 4 // 2 * 2  # training and test in turns
    data = Dataset.from_arrays(SPIKES, LABELS, parts=said)
    np.testing.assert_array_equal(data.test.spikes, SPIKES[said == 2])
    assert data.held_out == ("test part as given; validation part drawn by single samples, seed 0")
    said = np.arange(len(LABELS)) % 3
    data = Dataset.from_arrays(SPIKES, LABELS, parts=said)
    for number, part in enumerate(parts(data)):
        np.testing.assert_array_equal(part.spikes, SPIKES[said == number])
    assert data.held_out == "test and validation part as given"


def test_a_folder_with_a_file_for_each_part(tmp_path):
    said = np.arange(len(LABELS)) % 3
    expected = Dataset.from_arrays(SPIKES, LABELS, parts=said)
    for folder in "ab":
        (tmp_path / folder).mkdir()
    for number, name in enumerate(("train", "valid", "test")):
        own = SPIKES[said == number], LABELS[said == number]
        write_npz(tmp_path / "a" / f"x_{name}.npz", *own)
        write_hdf5(tmp_path / "b" / f"{name}.h5", *own)
    assert_same_data(load_dataset(str(tmp_path / "a")), expected)
    assert_same_data(load_dataset(str(tmp_path / "b")), expected)


def test_a_folder_for_each_class(tmp_path):
    names = ["down", "left", "right", "up"]
    for number, (one, label) in enumerate(zip(SPIKES, LABELS, strict=True)):
        write_single(tmp_path / names[label] / f"take{number:02}.npz", one)
    data = load_dataset(str(tmp_path))
    assert data.classes == tuple(names)
    assert_same_samples(data)
    # The same recordings in folders for the parts, where not every part has them in one order.
    for folder in names:
        for file in sorted((tmp_path / folder).iterdir()):
            part = "test" if file.stem.endswith(("3", "8")) else "train"
            (tmp_path / "split" / part / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / "split" / part / folder)
    data = load_dataset(str(tmp_path / "split"))
    assert data.classes == tuple(names)
    assert_same_samples(data)
    assert data.held_out.startswith("test part as given")
    assert len(data.test.labels) == 8


def test_classes_are_matched_by_their_names(tmp_path):
    keys = ["a", "b", "c", "d"]
    write_hdf5(tmp_path / "x_train.h5", SPIKES, LABELS, keys=keys)
    turned = (LABELS + 1) % CLASSES
    write_hdf5(tmp_path / "x_test.h5", SPIKES, turned, keys=["d", "a", "b", "c"])
    data = load_dataset(str(tmp_path))
    assert data.classes == tuple(keys)
    np.testing.assert_array_equal(data.test.labels, LABELS)


def test_silent_recordings_count(tmp_path):
    silent = SPIKES.copy()
    silent[[0, 7, len(silent) - 1]] = False
    data = load_dataset(str(write_npz(tmp_path / "s.npz", silent, LABELS, n_units=UNITS)))
    assert_same_samples(data, silent)
    for number, (one, label) in enumerate(zip(silent, LABELS, strict=True)):
        path = tmp_path / "f" / str(label) / f"{number:02}.npz"
        write_single(path, one, n_units=UNITS, n_samples=1)
    assert_same_samples(load_dataset(str(tmp_path / "f")), silent)
    events = [np.nonzero(one.T) for one in silent]
    assert_same_samples(Dataset.from_events(events, LABELS, shape=UNITS, steps=STEPS), silent)


def test_shorter_recordings_are_silent_at_their_end(tmp_path):
    for number, (one, label) in enumerate(zip(SPIKES, LABELS, strict=True)):
        write_single(tmp_path / str(label) / f"{number:02}.npz", one[:, : STEPS - number % 3])
    data = load_dataset(str(tmp_path))
    assert data.n_steps == STEPS
    cut = SPIKES.copy()
    for number in range(len(cut)):
        cut[number, :, STEPS - number % 3 :] = False
    assert_same_samples(data, cut)


def test_images_keep_their_shape(tmp_path):
    images = SPIKES.reshape(len(SPIKES), 2, 2, 3, STEPS)
    data = Dataset.from_arrays(images, LABELS)
    assert (data.shape, data.n_units) == ((2, 2, 3), UNITS)
    shape = np.array([2, 2, 3])
    path = write_npz(tmp_path / "i.npz", SPIKES, LABELS, shape=shape)
    assert_same_data(data, load_dataset(str(path)))
    events = [np.nonzero(one.T) for one in SPIKES]
    from_events = Dataset.from_events(events, LABELS, shape=(2, 2, 3), steps=STEPS)
    assert from_events.shape == (2, 2, 3)
    assert "2 x 2 x 3 units" in repr(data)


def test_channels_are_pooled_and_steps_cut(tmp_path):
    path = str(write_npz(tmp_path / "a.npz", SPIKES, LABELS))
    data = load_dataset(path, DataOptions(channels=4, steps=20))
    pooled = SPIKES.reshape(len(SPIKES), 4, 3, STEPS).any(2)[..., :20]
    assert_same_samples(data, pooled)
    assert data.events_left_out == SPIKES[..., 20:].sum()


def test_last_channels_that_were_silent_do_not_stand_against_pooling(tmp_path, check_error):
    quiet = SPIKES.copy()
    quiet[:, -1] = False
    path = str(write_npz(tmp_path / "a.npz", quiet, LABELS))
    assert load_dataset(path).n_units == UNITS - 1
    data = load_dataset(path, DataOptions(channels=4))
    assert_same_samples(data, quiet.reshape(len(SPIKES), 4, 3, STEPS).any(2))
    assert data.grid.shape == (UNITS,)
    # Where the file says how many there are, that many are pooled, and nothing else.
    for given, channels in (({"n_units": UNITS - 1}, 4), ({}, 7)):
        path = str(write_npz(tmp_path / "a.npz", quiet, LABELS, **given))
        with pytest.raises(KipukaError) as caught:
            load_dataset(path, DataOptions(channels=channels))
        check_error(caught.value, what="equal groups", where="channels", value=str(channels))
        check_error(caught.value, limit=f"divisor of {UNITS - 1}", remedy="leave it out")


class Events:
    """A data set as tonic's are."""

    sensor_size = (3, 2, 2)

    def __init__(self, save_to=".", train=True):
        chosen = slice(0, None, 2) if train else slice(1, None, 2)
        self.spikes, self.labels = SPIKES[chosen], LABELS[chosen]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, number):
        steps, units = np.nonzero(self.spikes[number].T)
        dtype = [("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)]
        events = np.zeros(len(steps), dtype)
        events["t"], events["x"] = steps * 10_000 + 99, units % 3
        events["y"], events["p"] = units // 3 % 2, units // 6
        return events, int(self.labels[number])


class Frames(Events):
    """The same as frames (steps, channels, height, width) with counts in them."""

    def __getitem__(self, number):
        frames = self.spikes[number].T.reshape(STEPS, 2, 2, 3)
        return 3 * frames.astype(np.int16), self.labels[number]


@pytest.mark.parametrize("kind", [Events, Frames])
def test_tonic_data_sets(kind):
    expected = Dataset.from_arrays(
        SPIKES.reshape(-1, 2, 2, 3, STEPS)[[*range(0, 40, 2), *range(1, 40, 2)]],
        LABELS[[*range(0, 40, 2), *range(1, 40, 2)]],
        parts=np.repeat([0, 2], 20),
    )
    data = Dataset.from_tonic(kind(), kind(train=False))
    assert (data.name, data.shape) == (kind.__name__, (2, 2, 3))
    assert_same_data(data, expected)
    alone = Dataset.from_tonic(kind())
    assert sum(len(part.labels) for part in parts(alone)) == 20


MODULE = """
import numpy as np

class Mine:
    sensor_size = (3, 1, 1)

    def __init__(self, split="train"):
        if split == "valid":
            raise ValueError("no such split")
        self.first = split == "train"

    def __len__(self):
        return 8

    def __getitem__(self, k):
        events = np.zeros(2, [("t", int), ("x", int)])
        events["t"], events["x"] = [k * 1000, 25_000], [k % 2, 2]
        return events, k % 2

class Broken(Mine):
    def __init__(self):
        raise RuntimeError("no disk")

class Strange(Mine):
    def __getitem__(self, k):
        return "sound", 0

class Outside(Mine):
    sensor_size = (2, 1, 1)

class Unsized(Mine):
    sensor_size = None
"""


@pytest.fixture
def module(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    return str(tmp_path / "mine.py")


def test_a_class_of_one_s_own_module(module):
    data = load_dataset(f"{module}:Mine")
    assert (data.name, data.n_units, data.shape) == ("mine.py:Mine", 3, ())
    assert len(data.test.labels) == 8
    assert data.n_steps == 3
    finer = load_dataset(f"{module}:Mine", DataOptions(bin_ms=1.0))
    assert finer.n_steps == 26


def test_a_class_of_an_installed_module(monkeypatch):
    from tonic import datasets

    monkeypatch.setattr(datasets, "SHD", Events)
    data = load_dataset("tonic.datasets:SHD")
    assert (data.shape, len(data.test.labels)) == ((2, 2, 3), 20)


@pytest.mark.parametrize(
    ("name", "what", "value"),
    [
        ("Broken", "class of a data set", "no disk"),
        ("Nothing", "class of a data set", "Nothing"),
        ("Strange", "no recording", "str"),
        ("Outside", "outside of the sensor", "2, 0, 0"),
        ("Unsized", "no size", "none"),
    ],
)
def test_classes_that_cannot_be_used(module, name, what, value, check_error):
    with pytest.raises(KipukaError) as caught:
        load_dataset(f"{module}:{name}")
    check_error(caught.value, what=what, where="mine.py", value=value, limit="", remedy="")


def labelled(**change):
    return {"spikes": SPIKES, "labels": LABELS, **change}


ONE_GROUP = np.zeros(len(LABELS), int)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"labels": LABELS[:-1]}, {"what": "labels do not fit", "value": "shape (39,)"}),
        ({"labels": LABELS - 1}, {"what": "labels do not fit", "value": "-1"}),
        ({"labels": LABELS * 0.5}, {"what": "labels do not fit", "value": "float64"}),
        ({"labels": None}, {"what": "no classes", "value": "nothing"}),
        ({"labels": LABELS * 2}, {"what": "class is missing", "value": "class 1"}),
        ({"groups": LABELS[:3]}, {"what": "groups do not fit", "value": "shape (3,)"}),
        ({"groups": ONE_GROUP}, {"what": "too few groups", "value": "1 groups"}),
        ({"parts": ONE_GROUP + 3}, {"what": "parts do not fit", "limit": "0 to 2", "value": "3"}),
        ({"parts": ONE_GROUP + 2}, {"what": "no training part", "value": "40 samples"}),
        ({"spikes": 2 * SPIKES}, {"what": "not spikes", "value": "2"}),
        ({"spikes": SPIKES * np.nan}, {"what": "not spikes", "value": "nan"}),
        ({"spikes": SPIKES[0]}, {"what": "no samples", "value": "shape (12, 30)"}),
        ({"spikes": SPIKES[:0], "labels": LABELS[:0]}, {"what": "no samples", "value": "(0, 12"}),
        ({"classes": ["a", "b"]}, {"what": "not one of the classes", "value": "3"}),
        (
            {"spikes": SPIKES[:4], "labels": np.arange(4)},
            {"what": "too few samples", "value": "1 of"},
        ),
    ],
)
def test_arrays_that_cannot_be_used(given, parts, check_error):
    values = labelled(**given)
    with pytest.raises(KipukaError) as caught:
        Dataset.from_arrays(values.pop("spikes"), values.pop("labels"), **values)
    check_error(caught.value, **{"where": "own data", "limit": "", "remedy": "", **parts})


def test_a_byte_of_a_bool_array_that_is_neither_0_nor_1_is_a_spike():
    raw = (SPIKES.astype(np.uint8) * 7).view(bool)
    data = Dataset.from_arrays(raw, LABELS)
    assert_same_data(data, Dataset.from_arrays(SPIKES, LABELS))
    assert set(np.unique(data.train.spikes.view(np.uint8))) == {0, 1}


EVENTS = [np.nonzero(one.T) for one in SPIKES]


def changed(times=lambda t: t, units=lambda u: u):
    return [(times(EVENTS[0][0]), units(EVENTS[0][1])), *EVENTS[1:]]


def test_events_of_a_unit_in_one_step_are_one_spike_and_counted():
    times, units = EVENTS[0]
    again = [(np.append(times, times[:3]), np.append(units, units[:3])), *EVENTS[1:]]
    data = Dataset.from_events(again, LABELS, shape=UNITS, steps=STEPS)
    assert_same_data(data, Dataset.from_events(EVENTS, LABELS, shape=UNITS, steps=STEPS))
    assert data.events_merged == 3
    assert f"3 of {data.events:,} events share unit and step" in repr(data)


@pytest.mark.parametrize(
    ("samples", "parts"),
    [
        (changed(times=lambda t: t + STEPS), {"limit": "steps from 0 to 29", "value": "steps 3"}),
        (changed(times=lambda t: t - 1), {"limit": "steps from 0", "value": "steps -1"}),
        (changed(times=lambda t: t * 0.5), {"limit": "whole steps", "value": "float64"}),
        (changed(times=lambda t: t[:-1]), {"what": "do not match"}),
        (changed(units=lambda u: u + 1), {"what": "number of channels", "value": "12"}),
        (changed(units=lambda u: u - 1), {"what": "number of channels", "value": "-1"}),
        (changed(units=lambda u: u * 1.0), {"limit": "whole numbers of units", "value": "float"}),
        (changed(units=lambda u: u[None]), {"limit": "in a row", "value": "shape (1,"}),
    ],
)
def test_events_that_cannot_be_used(samples, parts, check_error):
    with pytest.raises(KipukaError) as caught:
        Dataset.from_events(samples, LABELS, shape=UNITS, steps=STEPS)
    parts = {"where": "own data, sample 0", "limit": "", "remedy": "check", **parts}
    check_error(caught.value, **parts)


@pytest.mark.parametrize(
    ("options", "where", "value"),
    [
        ({"bin_ms": 1.0}, "setting bin_ms", "1.0"),
        ({"channels": 5}, "setting channels", "5"),
        ({"data_dir": "x"}, "option data-dir", "x"),
        ({"download": True}, "option download", "True"),
    ],
)
def test_options_that_mean_nothing_here(options, where, value, tmp_path, check_error):
    path = write_npz(tmp_path / "a.npz", SPIKES, LABELS)
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(path), DataOptions(**options))
    check_error(caught.value, where=where, value=value, limit="", remedy="leave it out")


def test_splits_are_for_own_data(check_error):
    with pytest.raises(KipukaError) as caught:
        load_dataset("digits", DataOptions(splits=Splits(seed=3)))
    check_error(caught.value, what="parts of its own", where="settings splits", value="seed=3")
    check_error(caught.value, limit="nothing", remedy="digits")


def folder_of(case, path):
    """Folders that are no data sets."""
    if case == "nothing":
        path.mkdir()
    elif case == "files and folders":
        write_single(path / "a" / "1.npz", SPIKES[0])
        write_npz(path / "all.npz", SPIKES, LABELS)
    elif case == "a part beside others":
        path.mkdir()
        write_npz(path / "train.npz", SPIKES, LABELS)
        write_npz(path / "more.npz", SPIKES, LABELS)
    elif case == "a class without a file":
        write_single(path / "a" / "1.npz", SPIKES[0])
        (path / "b").mkdir()
    elif case == "classes twice":
        write_single(path / "a" / "1.npz", SPIKES[0], labels=[1])
    elif case == "shapes":
        write_single(path / "a" / "1.npz", SPIKES[0], n_units=12)
        write_single(path / "b" / "1.npz", SPIKES[0], n_units=13)


@pytest.mark.parametrize(
    ("case", "value"),
    [
        ("nothing", "0 files and 0 folders"),
        ("files and folders", "1 files and 1 folders"),
        ("a part beside others", "more.npz beside names of parts"),
        ("a class without a file", "0 files of a class"),
        ("classes twice", "1.npz with labels of its own"),
        ("shapes", "recordings of 2 shapes"),
    ],
)
def test_folders_that_are_no_data_sets(case, value, tmp_path, check_error):
    folder_of(case, tmp_path / "f")
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path / "f"))
    check_error(caught.value, what="no data set", where=str(tmp_path / "f"), value=value)
    check_error(caught.value, limit="a folder for each class", remedy="arrange")


def test_one_class_alone_is_nothing_to_learn(tmp_path, check_error):
    for number in range(9):
        write_single(tmp_path / "words" / "one" / f"{number}.npz", SPIKES[number])
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path / "words"))
    check_error(caught.value, what="one class only", where="words", limit="at least 2 classes")
    check_error(caught.value, value="9 samples, all of class one", remedy="folder for each class")
    with pytest.raises(KipukaError) as caught:
        Dataset.from_arrays(SPIKES, np.zeros(len(SPIKES), int))
    check_error(caught.value, value="all of class 0", remedy="labels that differ")


def test_files_that_do_not_go_together(tmp_path, check_error):
    write_npz(tmp_path / "train.npz", SPIKES, LABELS)
    write_hdf5(tmp_path / "test.h5", SPIKES, LABELS)
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path))
    check_error(caught.value, what="same times", where=tmp_path.name, value="train.npz alone")
    check_error(caught.value, limit="steps in all", remedy="one form")
    (tmp_path / "train.npz").unlink()
    write_hdf5(tmp_path / "train.h5", SPIKES, LABELS, keys=list("abcd"))
    write_hdf5(tmp_path / "valid.h5", SPIKES, LABELS, keys=list("dabc"))
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path))
    check_error(caught.value, what="name their classes", where="test.h5", value="none")
    check_error(caught.value, limit="a, b, c", remedy="everywhere or nowhere")


@pytest.mark.parametrize("name", ["missing.npz", "missing.h5", "x.txt"])
def test_what_is_not_there_or_in_no_known_form(name, tmp_path, check_error):
    (tmp_path / "x.txt").write_text("0 1 2")
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path / name))
    check_error(caught.value, where=name, what="cannot be read" if "missing" in name else "form")
    check_error(caught.value, limit="", value="", remedy="")


def test_a_small_file_does_not_mean_many_samples(tmp_path, check_error):
    path = tmp_path / "a.npz"
    np.savez(path, times=[0], units=[1 << 40], n_steps=1 << 20, labels=[0, 1], samples=[1])
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(path))
    check_error(
        caught.value, what="more samples than it can hold", where="a.npz", value="2 samples"
    )
    check_error(caught.value, limit="bytes of spikes", remedy="fewer steps")
    np.savez(path, times=[0], units=[0], n_steps=9, labels=[0, 1], samples=[1 << 60])
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(path))
    check_error(caught.value, what="labels do not fit", where="a.npz", value="shape (2,)")
    check_error(caught.value, limit="whole numbers", remedy="one for each")


def test_recordings_that_are_too_long(check_error):
    events = [(np.array([1e6]), np.array([0]))]
    with pytest.raises(KipukaError) as caught:
        Dataset.from_events(events, [0], shape=2, options=DataOptions(bin_ms=0.5))
    check_error(caught.value, what="too long", where="bin_ms", value="1e+06 s", limit="1048576")
    check_error(caught.value, remedy="longer ones")


@pytest.mark.skipif("KIPUKA_SPOKEN_DIGITS" not in os.environ, reason="needs recorded data")
def test_recorded_speech_under_any_name(tmp_path, check_error):
    folder = Path(os.environ["KIPUKA_SPOKEN_DIGITS"])
    path = tmp_path / "anything.h5"
    path.symlink_to(folder / "shd_tiny.h5")
    splits = Splits(test=0.5, validation=0.5)
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(path), DataOptions(validation="samples", splits=splits))
    check_error(caught.value, what="too few", value="1 of class 0", limit="", remedy="", where="")
    options = DataOptions(channels=140, validation="samples")
    data = load_dataset(str(folder / "shd_train.h5"), options)
    assert (data.n_classes, data.n_units, data.classes[0]) == (10, 140, "zero")
    assert [len(part.labels) for part in parts(data)] == [1300, 140, 360]


def test_a_label_without_a_name_beside_other_names_is_refused(tmp_path, check_error):
    for name, keys in (("train", [b"one", b"two"]), ("test", [b"one"])):
        with h5py.File(write_hdf5(tmp_path / f"{name}.h5", SPIKES, LABELS), "a") as file:
            file.require_group("extra")
            if "keys" in file["extra"]:
                del file["extra/keys"]
            file["extra/keys"] = np.array([*keys, b"three"][: len(keys) + (name == "train")])
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path))
    check_error(caught.value, what="not one of the classes", where="test.h5, key labels")
