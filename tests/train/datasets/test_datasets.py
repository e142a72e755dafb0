"""Data sets in their real on-disk formats, written small by the tests."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from kipuka.errors import KipukaError
from kipuka.train.datasets import DataOptions, load_dataset
from kipuka.train.datasets.digits import SILENT_STEPS, STEPS_PER_ROW
from kipuka.train.datasets.files import CACHE_FOLDER

CLASSES, SPEAKERS = 4, 3


def test_digits_show_one_row_at_a_time():
    data = load_dataset("digits")
    assert (data.n_units, data.n_steps) == (8, 8 * STEPS_PER_ROW + SILENT_STEPS)
    assert [len(s.labels) for s in (data.train, data.validation, data.test)] == [1357, 200, 240]
    assert not data.train.spikes[..., -SILENT_STEPS:].any()
    # Within a row a unit's spikes come first: once silent, it stays silent until the next row.
    rows = data.train.spikes[..., :-SILENT_STEPS].reshape(-1, STEPS_PER_ROW).astype(int)
    assert (np.diff(rows, axis=1) <= 0).all()


def test_digits_are_split_the_same_way_whatever_the_seed():
    first, second = load_dataset("digits"), load_dataset("digits")
    np.testing.assert_array_equal(first.test.spikes, second.test.spikes)
    every = np.concatenate([s.labels for s in (first.train, first.validation, first.test)])
    assert len(every) == 1797


def test_digits_have_no_files_or_channels(check_error):
    with pytest.raises(KipukaError) as caught:
        load_dataset("digits", DataOptions(channels=4))
    check_error(caught.value, where="setting channels", value="4", remedy="another data set")


def write_heidelberg(path, per_class=9, classes=range(CLASSES), units=700, change=None):
    """A file in the layout of SHD and SSC: ragged float16 seconds and uint16 units."""
    rng = np.random.default_rng(len(path.name))
    labels = np.tile(list(classes), per_class)
    count = len(labels)
    events = [np.sort(rng.uniform(0, 1.3, 9 + k)).astype(np.float16) for k in range(count)]
    with h5py.File(path, "w") as file:
        for key, dtype in (("times", np.float16), ("units", np.uint16)):
            ragged = file.create_dataset(f"spikes/{key}", (count,), h5py.vlen_dtype(dtype))
            for k, times in enumerate(events):
                drawn = rng.integers(0, units, len(times))
                ragged[k] = times if key == "times" else drawn.astype(np.uint16)
        file["labels"] = labels.astype(np.uint16)
        file["extra/speaker"] = (np.arange(count) % SPEAKERS).astype(np.uint16)
        file["extra/keys"] = np.array([f"word {k}".encode() for k in range(CLASSES)])
        if change:
            change(file)


@pytest.fixture
def shd(tmp_path):
    for name in ("shd_train.h5", "shd_test.h5"):
        write_heidelberg(tmp_path / name)
    return tmp_path


def test_shd_bins_and_pools_every_event(shd):
    data = load_dataset("shd", DataOptions(data_dir=str(shd)))
    assert (data.name, data.n_classes, data.n_units, data.n_steps) == ("shd", CLASSES, 140, 140)
    with h5py.File(shd / "shd_test.h5") as file:
        expected = np.zeros((36, 140, 140), dtype=bool)
        for k, (times, units) in enumerate(
            zip(file["spikes/times"], file["spikes/units"], strict=True)
        ):
            for time, unit in zip(times.astype(float), units, strict=True):
                expected[k, unit // 5, int(time * 100)] = True
        np.testing.assert_array_equal(data.test.spikes, expected)
        np.testing.assert_array_equal(data.test.labels, file["labels"])
    assert data.events_left_out == 0


def test_options_change_the_grid_and_what_is_cut_off_is_counted(shd):
    given = DataOptions(data_dir=str(shd), bin_ms=20, steps=10, channels=20)
    data = load_dataset("shd", given)
    assert data.test.spikes.shape == (36, 20, 10)
    beyond = 0
    for name in ("shd_train.h5", "shd_test.h5"):
        with h5py.File(shd / name) as file:
            beyond += sum(int((t.astype(float) >= 0.2).sum()) for t in file["spikes/times"])
    assert data.events_left_out == beyond > 0


def test_shd_validates_on_speakers_that_training_does_not_hear(shd):
    # In this file speakers take turns, so speaker 2 says every third sample.
    data = load_dataset("shd", DataOptions(data_dir=str(shd)))
    whole = load_dataset("shd", DataOptions(data_dir=str(shd), validation="samples"))
    every = np.concatenate([whole.train.spikes, whole.validation.spikes])
    held = np.arange(36) % SPEAKERS == 2
    np.testing.assert_array_equal(data.validation.spikes, every[held])
    np.testing.assert_array_equal(data.train.spikes, every[~held])
    np.testing.assert_array_equal(data.validation.groups, np.full(held.sum(), 2))
    np.testing.assert_array_equal(data.train.groups, (np.arange(36) % SPEAKERS)[~held])
    np.testing.assert_array_equal(data.test.groups, np.arange(36) % SPEAKERS)


def test_a_single_speaker_cannot_be_held_out(shd, check_error):
    def alone(file):
        file["extra/speaker"][:] = 0

    write_heidelberg(shd / "shd_train.h5", change=alone)
    with pytest.raises(KipukaError) as caught:
        load_dataset("shd", DataOptions(data_dir=str(shd)))
    check_error(caught.value, what="no speaker", where="shd_train.h5", remedy="by samples")


def test_ssc_has_three_files_in_tonic_s_folder(tmp_path):
    (tmp_path / "SSC").mkdir()
    for part in ("train", "valid", "test"):
        write_heidelberg(tmp_path / "SSC" / f"ssc_{part}.h5", per_class=2)
    data = load_dataset("ssc", DataOptions(data_dir=str(tmp_path)))
    assert [len(s.labels) for s in (data.train, data.validation, data.test)] == [8, 8, 8]
    np.testing.assert_array_equal(data.validation.groups, np.arange(8) % SPEAKERS)


def write_ntidigits(path, words="o123456789z", units=64):
    rng = np.random.default_rng(3)
    with h5py.File(path, "w") as file:
        for part in ("train", "test"):
            names = [
                f"{who}-{take}-{w}"
                for who in ("man-ab", "woman-cd")
                for take in "ab"
                for w in words
            ]
            names.append("man-ab-a-1z")
            file[f"{part}_labels"] = np.array([name.encode() for name in names])
            for name in names:
                times = np.sort(rng.uniform(0, 1, 20))
                file[f"{part}_timestamps/{name}"] = times
                file[f"{part}_addresses/{name}"] = rng.integers(0, units, 20)


def test_ntidigits_takes_single_digits_and_holds_out_a_speaker(tmp_path):
    write_ntidigits(tmp_path / "n-tidigits.hdf5")
    data = load_dataset("ntidigits", DataOptions(data_dir=str(tmp_path)))
    assert (data.n_classes, data.n_units, data.n_steps) == (11, 64, 200)
    assert [len(s.labels) for s in (data.train, data.validation, data.test)] == [22, 22, 44]
    assert data.train.labels.tolist() == list(range(11)) * 2
    assert data.test.groups.tolist() == [0] * 22 + [1] * 22


@pytest.mark.parametrize("name", ["shd", "ssc", "ntidigits"])
def test_without_data_one_sentence_says_what_to_download_and_where_to_put_it(
    name, tmp_path, check_error
):
    for given in (None, str(tmp_path)):
        with pytest.raises(KipukaError) as caught:
            load_dataset(name, DataOptions(data_dir=given))
        check_error(caught.value, what=f"{name} is not there", where="data-dir", remedy="download")
        assert "https://" in caught.value.remedy
        assert (given or "DIR") in caught.value.remedy


def test_tonic_downloads_what_is_missing(tmp_path, monkeypatch):
    from tonic import datasets

    def fetch(save_to, train):
        folder = Path(save_to) / "SHD"
        folder.mkdir(exist_ok=True)
        write_heidelberg(folder / ("shd_train.h5" if train else "shd_test.h5"))

    monkeypatch.setattr(datasets, "SHD", fetch)
    data = load_dataset("shd", DataOptions(data_dir=str(tmp_path), download=True))
    assert data.n_classes == CLASSES


def test_a_download_that_fails_says_so(tmp_path, monkeypatch, check_error):
    from tonic import datasets

    def fetch(save_to, train):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets, "SHD", fetch)
    with pytest.raises(KipukaError) as caught:
        load_dataset("shd", DataOptions(data_dir=str(tmp_path), download=True))
    check_error(caught.value, what="cannot be downloaded", value="no route", remedy="by hand")


def remove(key):
    def change(file):
        del file[key]

    return change


def set_time(value):
    def change(file):
        file["spikes/times"][3] = np.array([value], dtype=np.float16)
        file["spikes/units"][3] = np.array([3], dtype=np.uint16)

    return change


def drop_a_unit(file):
    file["spikes/units"][2] = np.array([1], dtype=np.uint16)


def fewer_speakers(file):
    del file["extra/speaker"]
    file["extra/speaker"] = np.zeros(5, dtype=np.uint16)


def strange_label(file):
    file["labels"][0] = 9


BAD = {
    "channels": ({"units": 800}, {"what": "another number of channels", "limit": "699"}),
    "class missing": ({"classes": (0, 1, 3)}, {"what": "class is missing", "value": "class 2"}),
    "label": ({"change": strange_label}, {"what": "not one of the classes", "value": "9"}),
    "no labels": ({"change": remove("labels")}, {"what": "key is missing", "where": "key labels"}),
    "time": ({"change": set_time(-1)}, {"what": "time of an event", "value": "-1"}),
    "not a time": ({"change": set_time(np.nan)}, {"what": "time of an event", "value": "nan"}),
    "unequal": ({"change": drop_a_unit}, {"what": "do not match", "where": "sample 2"}),
    "speakers": ({"change": fewer_speakers}, {"what": "contradicts itself", "value": "5"}),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_cannot_be_used(name, shd, check_error):
    settings, parts = BAD[name]
    write_heidelberg(shd / "shd_test.h5", **settings)
    with pytest.raises(KipukaError) as caught:
        load_dataset("shd", DataOptions(data_dir=str(shd)))
    check_error(
        caught.value,
        **{"where": "shd_test.h5", "remedy": "file", **parts}
        | ({"remedy": "download it again"} if name in ("no labels", "speakers") else {}),
    )


def test_a_truncated_file(shd, check_error):
    path = shd / "shd_test.h5"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(KipukaError) as caught:
        load_dataset("shd", DataOptions(data_dir=str(shd)))
    check_error(caught.value, what="cannot be read", where=str(path), remedy="download it again")


@pytest.mark.parametrize(
    ("options", "where"),
    [({"channels": 150}, "channels"), ({"channels": 0}, "channels"), ({"bin_ms": -1.0}, "bin_ms")],
)
def test_grids_that_do_not_fit(options, where, shd, check_error):
    with pytest.raises(KipukaError) as caught:
        load_dataset("shd", DataOptions(data_dir=str(shd), **options))
    check_error(caught.value, where=f"setting {where}", value=str(options[where]))


def test_the_second_reading_comes_from_the_cache(shd):
    options = DataOptions(data_dir=str(shd), steps=50)
    first = load_dataset("shd", options)
    (stored,) = (shd / CACHE_FOLDER).iterdir()
    before = stored.stat().st_mtime_ns
    again = load_dataset("shd", options)
    assert stored.stat().st_mtime_ns == before
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(first, part).spikes, getattr(again, part).spikes)
        np.testing.assert_array_equal(getattr(first, part).labels, getattr(again, part).labels)
        np.testing.assert_array_equal(getattr(first, part).groups, getattr(again, part).groups)
        assert getattr(again, part).groups is not None
    assert (again.events, again.events_left_out) == (first.events, first.events_left_out)
    load_dataset("shd", DataOptions(data_dir=str(shd), steps=60))
    assert len(list((shd / CACHE_FOLDER).iterdir())) == 2


def test_a_folder_that_may_not_be_written_to_is_left_as_it_is(shd):
    shd.chmod(0o555)
    try:
        assert load_dataset("shd", DataOptions(data_dir=str(shd))).n_classes == CLASSES
        assert not (shd / CACHE_FOLDER).exists()
    finally:
        shd.chmod(0o755)


def test_a_damaged_cache_is_made_again_and_an_old_one_is_not_taken(shd):
    options = DataOptions(data_dir=str(shd))
    first = load_dataset("shd", options)
    (stored,) = (shd / CACHE_FOLDER).iterdir()
    stored.write_bytes(stored.read_bytes()[:200])
    np.testing.assert_array_equal(load_dataset("shd", options).test.spikes, first.test.spikes)
    write_heidelberg(shd / "shd_test.h5", per_class=3)
    os.utime(shd / "shd_test.h5", ns=(1, 1))
    assert len(load_dataset("shd", options).test.labels) == 12


@pytest.mark.skipif("KIPUKA_SPOKEN_DIGITS" not in os.environ, reason="needs recorded data")
def test_recorded_speech_in_shd_s_format():
    folder = os.environ["KIPUKA_SPOKEN_DIGITS"]
    data = load_dataset("shd", DataOptions(data_dir=folder, validation="samples", steps=100))
    assert (data.n_classes, data.n_units) == (10, 140)
    assert [len(s.labels) for s in (data.train, data.validation, data.test)] == [1600, 200, 200]
    assert np.bincount(data.validation.labels).tolist() == [20] * 10


def test_classes_without_number_take_no_memory(check_error):
    from kipuka.train.datasets.splits import check_classes

    with pytest.raises(KipukaError) as caught:
        check_classes(np.arange(3), 1 << 40, "cache")
    check_error(caught.value, what="class is missing", where="cache", value="none of class 3")
