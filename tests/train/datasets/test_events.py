"""An event on a bin's edge belongs to the bin that begins there, in every type of number."""

import numpy as np
import pytest

from kipuka.errors import KipukaError
from kipuka.train.datasets import DataOptions
from kipuka.train.datasets.events import Binning, bin_events


def steps_of_edges(times, bin_ms, steps):
    """Step of an event on each edge."""
    spikes, events, left_out = bin_events(
        [(times, np.zeros(len(times), int))], 1, Binning(bin_ms, steps, 1, 1), "x"
    )
    assert (events, left_out) == (steps, 0)
    return np.flatnonzero(spikes[0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize(
    ("bin_ms", "steps"),
    [(1.0, 1400), (10.0, 140), (0.1, 1400), (0.001, 900), (2.5, 400), (7.0, 3000), (1.0, 100_000)],
)
def test_events_on_edges(bin_ms, steps, dtype):
    # As a writer would make them, from whole numbers of steps.
    times = (np.arange(steps) * np.round(bin_ms * 1000) / 1e6).astype(dtype)
    np.testing.assert_array_equal(steps_of_edges(times, bin_ms, steps), np.arange(steps))


def test_events_on_edges_as_floating_division_and_sums_leave_them():
    np.testing.assert_array_equal(
        steps_of_edges(np.arange(1400) / 1000, 1.0, 1400), np.arange(1400)
    )
    np.testing.assert_array_equal(
        steps_of_edges(np.cumsum(np.full(1400, 1e-3)) - 1e-3, 1.0, 1400), np.arange(1400)
    )


def test_microseconds_are_divided_as_integers():
    grid = Binning(1.0, 10, 1, 1)
    times = np.array([0, 999, 1000, 1999, 9999, 10_000, 1 << 62])
    assert grid.step_of(times).tolist() == [0, 0, 1, 1, 9, 10, 10]
    assert grid.step_of(times.astype(np.uint64)).tolist() == [0, 0, 1, 1, 9, 10, 10]


def test_steps_that_are_no_whole_microseconds():
    third = Binning(1 / 3, 9, 1, 1)
    # The decimal that stands for a third ends below it, so steps begin within a microsecond.
    assert third.step_of(np.array([333, 334, 666, 667, 999, 1000, 3000])).tolist() == [
        *(0, 1, 1, 2, 2, 3, 9)
    ]


def test_what_is_off_an_edge_stays_where_it_is():
    grid = Binning(10.0, 100, 1, 1)
    below = np.array([0.0099, 0.019999, 0.5 - 1e-6])
    assert grid.step_of(below).tolist() == [0, 1, 49]
    assert grid.step_of(below.astype(np.float32)).tolist() == [0, 1, 49]
    # Half precision is taken as it is: the number nearest to 0.03 is 0.02999.
    assert grid.step_of(np.array([0.03, 0.25], np.float16)).tolist() == [2, 25]


def test_what_lies_beyond_is_counted():
    times = np.array([0.0, 0.0999999, 0.1, 1e300, np.finfo(float).max])
    spikes, events, left_out = bin_events(
        [(times, np.zeros(5, int))], 1, Binning(10.0, 10, 1, 1), "x"
    )
    assert (spikes.sum(), events, left_out) == (1, 5, 4)
    assert np.flatnonzero(spikes[0, 0]).tolist() == [0]


@pytest.mark.parametrize("bin_ms", [1e-320, 1e-4, 1e7, 1e308])
def test_steps_too_short_or_too_long_to_mean_anything(bin_ms, check_error):
    with pytest.raises(KipukaError) as caught:
        Binning.of(DataOptions(bin_ms=bin_ms), Binning(1.0, 10, 4, 4))
    check_error(caught.value, where="setting bin_ms", limit="0.001 to 1e+06 ms", value=str(bin_ms))
    check_error(caught.value, what="such a grid", remedy="leave it out")
