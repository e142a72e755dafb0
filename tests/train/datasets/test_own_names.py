"""Own recordings as people have them: other names of arrays, seconds, groups in files and names."""

import json

import numpy as np
import pytest

from kipuka.convert.formats.guarded.event_files import ArrayNames
from kipuka.errors import KipukaError
from kipuka.train.datasets import DataOptions, Dataset, load_dataset
from kipuka.train.datasets.group_names import group_of, group_pattern
from kipuka_recordings import groups_of, spikes_and_labels, write_hdf5, write_single

SPIKES, LABELS = spikes_and_labels()
GROUPS = groups_of(LABELS)
EVENTS = [np.nonzero(one.T) for one in SPIKES]
NAMES = ArrayNames(times="t", units="ch")
ORDER = [np.flatnonzero(label == LABELS) for label in range(4)]


def write_folder(folder, arrays, name="{k:02}"):
    """A folder per class; `arrays` makes the arrays of a recording from its number and events."""
    for k, (label, (times, units)) in enumerate(zip(LABELS, EVENTS, strict=True)):
        path = folder / "abcd"[label] / f"{name.format(k=k, group=GROUPS[k])}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **arrays(k, times, units))
    return str(folder)


def seconds(times):
    return (times + 0.5) / 100


def expected(**given):
    """The same recordings in the order of the folders."""
    order = np.concatenate(ORDER)
    groups = {} if "groups" not in given else {"groups": given.pop("groups")[order]}
    return Dataset.from_arrays(SPIKES[order], LABELS[order], **groups, **given)


def refusal(data, check_error, options=None, **parts):
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(data), options)
    check_error(caught.value, **{"where": "", "limit": "", "value": "", "remedy": "", **parts})


def test_seconds_under_other_names_are_divided_into_steps(tmp_path):
    data = write_folder(tmp_path / "f", lambda k, t, u: {"t": seconds(t), "ch": u.astype(np.int16)})
    found = load_dataset(data, DataOptions(arrays=NAMES))
    assert found.digest == expected().digest
    assert "12 units x 30 steps of 10 ms; " in repr(found)
    finer = load_dataset(data, DataOptions(arrays=NAMES, bin_ms=5.0))
    assert "12 units x 60 steps of 5 ms; " in repr(finer)


def test_steps_stay_steps(tmp_path):
    data = write_folder(tmp_path, lambda k, t, u: {"times": t, "units": u, "frames": 30})
    found = load_dataset(data, DataOptions(arrays=ArrayNames(n_steps="frames")))
    assert found.digest == expected().digest
    assert "12 units x 30 steps as recorded; " in repr(found)


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint64])
@pytest.mark.parametrize(("unit", "per_step"), [("ms", 10), ("us", 10_000)])
def test_times_in_a_unit_that_is_said(unit, per_step, dtype, tmp_path):
    def arrays(k, t, u):
        return {"times": (t * per_step).astype(dtype), "units": u}

    data = write_folder(tmp_path, arrays)
    assert load_dataset(data, DataOptions(time_unit=unit)).digest == expected().digest


def test_whole_seconds(tmp_path):
    data = write_folder(tmp_path, lambda k, t, u: {"times": t, "units": u})
    options = DataOptions(time_unit="s", bin_ms=1000.0)
    assert load_dataset(data, options).digest == expected().digest


def test_what_a_file_has_and_what_to_type(tmp_path, check_error):
    def arrays(k, t, u):
        return {"t": seconds(t), "ch": u, "quality": 3}

    data = write_folder(tmp_path, arrays)
    refusal(
        data,
        check_error,
        what="no list of events",
        where="a/",
        limit="seconds as floating-point numbers",
        value="no times and units among the arrays ch, quality, t",
        remedy="kipuka train --set arrays.times=t --set arrays.units=ch",
    )
    wrong = DataOptions(arrays=ArrayNames(times="t", units="ch", groups="person"))
    refusal(data, check_error, wrong, value="no person among", remedy="--set arrays.groups=NAME")
    many = {f"a{k:02}": k for k in range(15)}
    np.savez(tmp_path / "m.npz", **many)
    refusal(tmp_path / "m.npz", check_error, value="a11 and 3 more", remedy="arrays.times=NAME")
    np.savez(tmp_path / "n.npz")
    refusal(tmp_path / "n.npz", check_error, value="the arrays none")


@pytest.mark.parametrize(
    ("arrays", "options", "parts"),
    [
        (
            {"times": [1, 7]},
            {},
            {"what": "what the times are", "value": "int64 from 1 to 7", "remedy": "time_unit=us"},
        ),
        (
            {"times": [0.1, 0.2], "n_steps": 9},
            {},
            {"what": "counts steps", "value": "n_steps 9, times of float64", "remedy": "leave n_"},
        ),
        (
            {"times": [1, 2], "n_steps": 9},
            {"time_unit": "ms"},
            {"what": "counts steps", "value": "time_unit=ms", "remedy": "leave n_steps out"},
        ),
        ({"times": [0.1, -1.0]}, {}, {"what": "time of an event", "value": "-1.0"}),
        ({"times": [0.1, np.nan]}, {}, {"what": "time of an event", "value": "nan"}),
        (
            {"times": [0.1, 1e308]},
            {},
            {"what": "too long", "limit": "1048576 steps", "remedy": "longer ones"},
        ),
        ({"times": [True, False]}, {"time_unit": "ms"}, {"value": "times of shape (2,), bool"}),
        ({"times": [0.1, 0.2], "groups": [1, 2]}, {}, {"what": "groups do not fit"}),
    ],
)
def test_times_that_could_mean_two_things(arrays, options, parts, tmp_path, check_error):
    for name in "ab":
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "0.npz", units=[0, 1], **arrays)
    refusal(tmp_path, check_error, DataOptions(**options), **parts)


def test_a_number_of_steps_cuts_however_long_a_recording_is(tmp_path):
    def arrays(k, t, u):
        return {"times": np.append(seconds(t), 1e308), "units": np.append(u, 0)}

    found = load_dataset(write_folder(tmp_path, arrays), DataOptions(steps=30))
    assert found.digest == expected().digest
    assert found.events_left_out == len(LABELS)


def test_a_file_that_claims_very_many_steps(tmp_path, check_error):
    path = tmp_path / "a.npz"
    np.savez(path, times=[0, 0], units=[0, 0], samples=[0, 1], labels=[0, 1], n_steps=1 << 26)
    refusal(path, check_error, what="too many steps", limit="1048576", value=str(1 << 26))


def test_steps_beside_seconds_are_refused(tmp_path, check_error):
    data = write_folder(tmp_path, lambda k, t, u: {"times": seconds(t), "units": u})
    write_single(tmp_path / "a" / "steps.npz", SPIKES[0])
    refusal(data, check_error, what="same times", value="steps.npz alone", remedy="one form")


@pytest.mark.parametrize("form", [lambda g: g, lambda g: [g]])
def test_each_file_may_carry_its_group(form, tmp_path, check_error):
    def arrays(k, t, u):
        return {"times": t, "units": u, "n_steps": 30, "groups": form(int(GROUPS[k]))}

    found = load_dataset(write_folder(tmp_path, arrays))
    assert found.digest == expected(groups=GROUPS).digest
    assert found.groups == (("0", "1", "2"), ("3",), ("4",))
    write_single(tmp_path / "a" / "lost.npz", SPIKES[0])
    refusal(
        tmp_path,
        check_error,
        what="some recordings have a group",
        where="lost.npz",
        limit="groups for all",
        value="1 of 41 without",
        remedy="give each its group",
    )


def test_groups_from_the_names_of_files(tmp_path, check_error):
    def arrays(k, t, u):
        return {"times": t, "units": u, "n_steps": 30}

    data = write_folder(tmp_path / "f", arrays, "{k:04}_person{group:02}")
    found = load_dataset(data, DataOptions(groups_from=r"person(\d+)"))
    assert found.digest == expected(groups=GROUPS).digest
    assert "1 of 5 groups for test (04), 1 for validation (03)" in repr(found)
    assert "03" in found._repr_html_()
    refusal(
        data,
        check_error,
        DataOptions(groups_from=r"speaker(\d+)"),
        what="does not tell its group",
        where="_person0",
        limit=r"speaker(\d+)",
        value="_person0",
        remedy="rename the file",
    )
    write_single(tmp_path / "f" / "a" / "person1.npz", SPIKES[0], groups=1)
    both = DataOptions(groups_from=r"person(\d+)")
    refusal(
        data, check_error, both, what="given twice", value="person(", remedy="leave groups_from"
    )


def test_a_test_part_that_is_given_needs_no_groups(tmp_path):
    def arrays(k, t, u):
        return {"times": t, "units": u, "n_steps": 30, "groups": int(GROUPS[k])}

    write_folder(tmp_path / "train", arrays)
    for k in np.concatenate([own[:2] for own in ORDER]):
        write_single(tmp_path / "test" / "abcd"[LABELS[k]] / f"{k}.npz", SPIKES[k])
    found = load_dataset(str(tmp_path))
    assert "validation part drawn by whole groups, seed 0: 1 of" in found.held_out


@pytest.mark.parametrize(
    ("pattern", "name", "group"),
    [
        (r"person(\d+)", "person07_1", "07"),
        (r"^([a-z]+)", "anna-3", "anna"),
        (r"_(..)$", "take_b2", "b2"),
        (r"s([^_]+)_\d+", "s12_4", "12"),
    ],
)
def test_patterns_of_groups(pattern, name, group):
    assert group_of(name, group_pattern(pattern), "x") == group


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "",
            "person",
            "(a)(b)",
            "(a+)+b",
            "(a*)*",
            "(a|b)",
            "(a{9})",
            r"(a)\1",
            "(?:a)",
            "(a",
            "a)",
        ),
        *(r"\(a\)", "(a+)a+a+", "(" + "a" * 80 + ")", "([)", "([[a])", "(a)\\", r"(\p)", "()"),
    ],
)
def test_patterns_that_could_take_long_or_mean_nothing(pattern, check_error):
    with pytest.raises(KipukaError) as caught:
        group_of("aaaa", group_pattern(pattern), "x.npz")
    check_error(caught.value, what="", where="", limit="", remedy="", value="")


@pytest.mark.parametrize(
    "options",
    [{"arrays": NAMES}, {"time_unit": "us"}, {"groups_from": "(a)"}],
)
def test_options_of_files_mean_nothing_elsewhere(options, tmp_path, check_error):
    wrong = DataOptions(**options)
    for name in ("digits", f"{tmp_path}/mine.py:Mine"):
        refusal(name, check_error, wrong, what="recordings in files", remedy="leave it out")
    if "groups_from" not in options:
        path = write_hdf5(tmp_path / "a.h5", SPIKES, LABELS)
        refusal(path, check_error, wrong, what="for .npz files", remedy="leave it out")


@pytest.mark.parametrize("name", ["words/", "../nothing.npz", "./a/b"])
def test_a_path_where_nothing_is(name, tmp_path, monkeypatch, check_error):
    monkeypatch.chdir(tmp_path)
    refusal(
        name,
        check_error,
        what="no such file or folder",
        where=f"option data, {name}",
        limit="digits",
        value=name,
        remedy="check the path",
    )


def test_a_word_that_is_neither_name_nor_path(check_error):
    refusal("words", check_error, what="data set is not known", remedy="path of your own data")


def test_settings_of_own_files_are_read_by_their_dotted_names():
    from kipuka.train.runs.config import make_config
    from kipuka.train.runs.data_settings import data_options

    given = {"arrays.times": "t", "arrays.units": "ch", "time_unit": "ms", "groups_from": "p(.)"}
    options = data_options(make_config(given, "x"))
    assert options == DataOptions(arrays=NAMES, time_unit="ms", groups_from="p(.)")
    assert json.loads(make_config(given, "x").model_dump_json())["arrays"]["times"] == "t"
