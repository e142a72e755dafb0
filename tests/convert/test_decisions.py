import math

import numpy as np
import pytest

from kipuka.convert.decisions import Decisions, compare_decisions, paired_interval
from kipuka.convert.intervals import interval_over_groups, t_quantile, wilson_interval
from kipuka.convert.trace import LayerTrace
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba


@pytest.mark.parametrize(("correct", "samples"), [(0, 1), (1, 1), (0, 7), (3, 20), (233, 240)])
def test_the_interval_holds_the_fractions_from_which_the_count_is_one_score_away(correct, samples):
    low, high = wilson_interval(correct, samples)
    assert 0 <= low <= correct / samples <= high <= 1
    for end in {low, high} - {0.0, 1.0}:
        deviation = math.sqrt(end * (1 - end) / samples)
        assert abs(correct / samples - end) / deviation == pytest.approx(1.95996, abs=1e-4)


def test_two_more_of_twenty_are_within_the_interval():
    assert wilson_interval(16, 20)[1] > 18 / 20


def test_counts_guesses_and_confusions():
    labels, decided = np.array([0, 0, 0, 2, 2, 1]), np.array([0, 2, 0, 2, 0, 1])
    found = Decisions(labels, decided, 4)
    assert (found.correct, found.samples, found.accuracy) == (4, 6, 4 / 6)
    assert found.chance == 0.5
    expected = [[2, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert found.numbers()["confusion"] == expected
    assert found.confusion.dtype == np.int64
    assert found.text() == "66.67% (4 of 6; 95 % interval 30.0 to 90.3 %)"


@pytest.mark.parametrize(("groups", "words"), [(1, "1 group ("), (1200, "1,200 groups (")])
def test_samples_of_few_groups_are_not_independent(groups, words):
    labels = np.array([0, 1, 1])
    assert Decisions(labels, labels, 2).groups_text == ""
    assert Decisions(labels, labels, 2).numbers()["groups"] is None
    found = Decisions(labels, labels, 2, groups)
    assert words in found.groups_text
    assert "too narrow if those of a group resemble each other" in found.groups_text
    assert found.numbers()["groups"] == groups


def test_two_networks_are_compared_sample_by_sample():
    labels = np.repeat(np.arange(3), 10)
    first, second = labels.copy(), labels.copy()
    first[:5], second[4:6] = 2, 1
    found = compare_decisions(Decisions(labels, first, 3), Decisions(labels, second, 3))
    assert (found.won, found.lost, found.samples) == (4, 1, 30)
    assert found.change == 3 / 30
    assert found.interval == paired_interval(4, 1, 30)
    low, high = found.interval
    assert repr(found) == (
        "PairedDifference(+10.00 points (only the second right on 4, only the first on 1 of 30 "
        f"samples; 95 % interval {100 * low:+.1f} to {100 * high:+.1f} points; these samples do "
        "not tell the two apart))"
    )
    assert found.numbers()["interval_95"] == [low, high]
    sure = compare_decisions(Decisions(labels, (labels + 1) % 3, 3), Decisions(labels, labels, 3))
    assert "tell the two apart" not in sure.text()


def test_decisions_on_other_samples_are_not_compared(check_error):
    labels = np.array([0, 1, 1])
    first = Decisions(labels, labels, 2)
    with pytest.raises(KipukaError) as caught:
        compare_decisions(first, Decisions(labels[::-1], labels, 2))
    check_error(caught.value, what="other samples", where="labels", limit="3 labels")
    check_error(caught.value, value="not the same", remedy="same samples")
    with pytest.raises(KipukaError) as caught:
        compare_decisions(first, labels)
    check_error(caught.value, what="no Decisions", where="argument second", value="ndarray")
    check_error(caught.value, limit="Decisions", remedy="Decisions.of")


@pytest.mark.parametrize(
    ("freedom", "within"), [(1, 12.7062), (2, 4.3027), (9, 2.2622), (120, 1.9799)]
)
def test_student_s_quantiles_are_those_of_the_tables(freedom, within):
    assert t_quantile(freedom) == pytest.approx(within, abs=1e-4)


def test_groups_that_are_right_or_wrong_as_a_whole_count_about_once_each():
    right = np.repeat([True, False, True, True, False, True], 100)
    low, high = interval_over_groups(right, np.repeat(np.arange(6), 100))
    alone = wilson_interval(4, 6)
    assert low < alone[0]
    assert alone[1] < high < 1
    narrow = wilson_interval(400, 600)
    assert low < narrow[0] < narrow[1] < high


def test_the_interval_over_groups_is_that_of_its_equations():
    right = np.array([1, 1, 1, 0, 1, 0, 0, 0, 1, 1], dtype=bool)
    groups = np.array(["a", "a", "a", "a", "b", "b", "b", "b", "b", "c"])
    # 0.6 of 10; group by group 3 of 4, 2 of 5, 1 of 1.
    variance = ((3 - 2.4) ** 2 + (2 - 3.0) ** 2 + (1 - 0.6) ** 2) * 3 / 2 / 100
    worth = 0.24 / variance * (2.262157 / 4.302653) ** 2
    assert worth < 10
    assert interval_over_groups(right, groups) == pytest.approx(
        wilson_interval(0.6 * worth, worth), abs=1e-6
    )


def test_groups_never_make_an_interval_narrower():
    right = np.tile([True, True, True, False], 12)
    assert interval_over_groups(right, np.repeat(np.arange(12), 4)) == wilson_interval(36, 48)
    assert interval_over_groups(np.ones(6, bool), np.arange(6) // 2) == wilson_interval(6, 6)
    assert interval_over_groups(right, np.zeros(48)) is None


def test_decisions_say_what_other_persons_may_see():
    labels = np.repeat([0, 1, 0, 1], 5)
    decided = np.where(np.arange(20) < 10, labels, 1 - labels)
    found = Decisions(labels, decided, 2, 4, np.repeat([7, 8, 9, 10], 5))
    low, high = found.interval_over_groups
    assert found.numbers()["interval_95_over_groups"] == (low, high)
    assert f"95 % interval {100 * low:.1f} to {100 * high:.1f} %" in found.groups_text
    assert "the 4 groups" in found.groups_text
    assert low < found.interval[0]


@pytest.mark.parametrize("names", [["a", "b", "a"], np.array(["a", "b", "a"]), [3, 1, 3]])
def test_groups_have_names_or_numbers(names):
    network = program(2, random_cuba(np.random.default_rng(0), 2, 2))
    last = LayerTrace(np.zeros((3, 2, 4), bool), {})
    assert Decisions.of(network, last, [0, 1, 1], group_of=names).groups == 2


def test_groups_are_those_of_the_samples(check_error):
    network = program(2, random_cuba(np.random.default_rng(0), 2, 2))
    last = LayerTrace(np.zeros((3, 2, 4), bool), {})
    with pytest.raises(KipukaError) as caught:
        Decisions.of(network, last, [0, 1, 1], group_of=["a", "b"])
    check_error(
        caught.value,
        what="the groups do not fit the samples",
        where="group_of",
        limit="3 names or whole numbers",
        value="shape (2,)",
        remedy="the person or session of each sample",
    )


@pytest.mark.parametrize(
    ("labels", "decided"),
    [([0, 1], [0]), ([0, 1], 0), ([0.0, 1.0], [0, 1]), ([], []), (None, [0]), ("ab", [0, 1])],
)
def test_decisions_are_one_for_each_sample(labels, decided, check_error):
    with pytest.raises(KipukaError) as caught:
        Decisions(labels, decided, 2)
    check_error(caught.value, what="labels", where="decided", limit="one for each", remedy="give")


@pytest.mark.parametrize(("name", "wrong"), [("labels", 2), ("labels", -1), ("decided", 2)])
def test_decisions_are_on_the_classes_of_the_network(name, wrong, check_error):
    given = {"labels": [0, 1], "decided": [0, 1]} | {name: [0, wrong]}
    with pytest.raises(KipukaError) as caught:
        Decisions(**given, n_classes=2)
    check_error(
        caught.value, what="none of the network", where=name, limit="0 to 1", value=str(wrong),
        remedy="number",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "where"),
    [((-1, 0, 5), "won"), ((1, 5, 5), "lost"), ((0, 0, 0), "samples"), ((1.5, 0, 5), "won")],
)
def test_a_paired_interval_is_of_counts(counts, where, check_error):
    with pytest.raises(KipukaError) as caught:
        paired_interval(*counts)
    check_error(caught.value, what="whole number", where=where, limit="", value="", remedy="")
