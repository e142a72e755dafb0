"""What data sets made in Python are given: options, events, tonic's data sets, each checked."""

import numpy as np
import pytest

from kipuka.errors import KipukaError
from kipuka.train.datasets import DataOptions, Dataset, Splits, load_dataset

EVENTS = [(np.arange(5) / 100, np.arange(5))] * 12
LABELS = np.arange(12) % 2


def refusal(take, check_error, where, limit=""):
    with pytest.raises(KipukaError) as caught:
        take()
    check_error(caught.value, what="", where=where, limit=limit, value="", remedy="")


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"bin_ms": "10"}, "milliseconds"),
        ({"bin_ms": True}, "milliseconds"),
        ({"steps": 2.5}, "whole number"),
        ({"steps": True}, "whole number"),
        ({"channels": "5"}, "whole number"),
        ({"validation": "persons"}, "speakers"),
        ({"time_unit": "sec"}, "ms"),
        ({"download": "yes"}, "True or False"),
        ({"data_dir": 3}, "folder"),
        ({"splits": None}, "Splits"),
        ({"arrays": {"times": "t"}}, "ArrayNames"),
        ({"groups_from": ""}, "pattern"),
    ],
)
def test_options_of_another_type(options, limit, check_error):
    (name,) = options
    refusal(lambda: DataOptions(**options), check_error, name, limit)


@pytest.mark.parametrize("steps", [0, 10**9])
def test_a_number_of_steps_that_no_run_has(steps, check_error):
    options = DataOptions(steps=steps)
    refusal(
        lambda: Dataset.from_events(EVENTS, LABELS, shape=5, options=options),
        check_error, "setting steps", "1 to 1048576",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test", 0),
        ("test", -1),
        ("test", float("nan")),
        ("validation", 1),
        ("validation", "0.1"),
        ("seed", -1),
        ("seed", 1.5),
        ("seed", None),
    ],
)
def test_parts_that_are_none(name, value, check_error):
    refusal(lambda: Splits(**{name: value}), check_error, f"argument {name} of Splits")


@pytest.mark.parametrize("options", [{"bin_ms": 5.0}, "splits", 0])
def test_options_of_another_class(options, check_error):
    for take in (
        lambda: load_dataset("digits", options),
        lambda: Dataset.from_arrays(np.ones((4, 2, 3), bool), [0, 1, 0, 1], options=options),
        lambda: Dataset.from_events(EVENTS, LABELS, shape=5, options=options),
    ):
        refusal(take, check_error, "argument options", "DataOptions")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"samples": None}, "sample 0"),
        ({"samples": "x"}, "sample 0"),
        ({"samples": [*EVENTS[1:], np.zeros((2, 5))]}, "sample 11"),
        ({"samples": [{"times": [1], "units": [2]}] * 12}, "sample 0"),
        ({"shape": None}, "shape"),
        ({"shape": 2.5}, "shape"),
        ({"shape": 10**9}, "shape"),
        ({"steps": "5"}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"classes": "ab"}, "classes"),
        ({"classes": None}, "classes"),
        ({"classes": ["a", "a"]}, "classes"),
        ({"classes": [1, 2]}, "classes"),
    ],
)
def test_events_that_are_none(change, where, check_error):
    given = {"samples": EVENTS, "labels": LABELS, "shape": 5, "name": "mine"}
    assert Dataset.from_events(**given).n_classes == 2
    refusal(lambda: Dataset.from_events(**given | change), check_error, f"mine, {where}")


class Tonic(list):
    """Samples as a data set of tonic's has them."""

    sensor_size = (5, 1, 1)


def recordings(times):
    kind = np.dtype([("t", times.dtype), ("x", np.int16)])
    events = np.zeros(len(times), kind)
    events["t"], events["x"] = times, np.arange(len(times))
    return Tonic((events, number % 2) for number in range(12))


def test_times_of_tonic_are_microseconds_in_whatever_type():
    times = np.array([100, 10_000, 25_000])
    whole, floats = (Dataset.from_tonic(recordings(t), name="t") for t in (times, times * 1.0))
    assert whole.digest == floats.digest
    assert np.argwhere(floats.train.spikes[0]).tolist() == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize("time", [np.nan, np.inf, 1e300])
def test_times_of_tonic_that_are_none(time, check_error):
    data = recordings(np.array([100.0, time]))
    refusal(lambda: Dataset.from_tonic(data), check_error, "Tonic, sample 0", "microseconds")


@pytest.mark.parametrize("data", [None, 3, "x", [1]])
def test_what_is_no_data_set_of_tonic(data, check_error):
    refusal(lambda: Dataset.from_tonic(data, name="t"), check_error, "t, sample 0", "a pair")


def test_frames_of_one_size_in_all_samples(check_error):
    frames = [(np.ones((4, 2, 3, size)), number % 2) for number, size in enumerate([3] * 11 + [4])]
    refusal(lambda: Dataset.from_tonic(frames, name="t"), check_error, "t", "one size")
    mixed = recordings(np.array([100, 200]))
    mixed[3] = (np.ones((4, 1, 1, 5)), 1)
    refusal(lambda: Dataset.from_tonic(mixed, name="t"), check_error, "t", "events in all")
