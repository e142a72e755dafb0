"""What decisions are worth: counts, an interval, what guessing gives, what is taken for what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.intervals import DEVIATIONS_95, interval_over_groups, wilson_interval
from kipuka.convert.operands import as_numbers, whole_number
from kipuka.convert.program import Program
from kipuka.convert.trace import LayerTrace, decide
from kipuka.display import Shown, Table
from kipuka.errors import KipukaError, expect


def paired_interval(won: int, lost: int, samples: int) -> tuple[float, float]:
    """Return the 95 % interval of a change of accuracy on the same samples.

    The normal interval after half a sample is added to each of the four outcomes (Agresti and Min,
    Stat. Med. 24, 2005).

    Parameters
    ----------
    won, lost : int
        Samples that are decided right only afterwards, and only before.
    samples : int
        All of them, at least 1.

    Examples
    --------
    >>> low, high = paired_interval(2, 0, 20)
    >>> low < 0 < high
    True
    """
    samples = whole_number(samples, 1, fixed.INT32_MAX, "argument samples")
    won = whole_number(won, 0, samples, "argument won")
    lost = whole_number(lost, 0, samples - won, "argument lost")
    n = samples + 2
    change = (won - lost) / n
    reach = DEVIATIONS_95 * math.sqrt(won + lost + 1 - (won - lost) ** 2 / n) / n
    return max(-1.0, change - reach), min(1.0, change + reach)


@dataclass(frozen=True, eq=False)
class Decisions(Shown):
    """Decisions of an integer network on samples whose classes are known.

    Attributes
    ----------
    labels, decided : int64 array (samples,)
    n_classes : int
    groups : int or None
        Persons, sessions or the like that the samples come from, at most; None if nobody knows.
    group_of : array (samples,) or None
        Group of each sample, where that is known.
    """

    labels: np.ndarray
    decided: np.ndarray
    n_classes: int
    groups: int | None = None
    group_of: np.ndarray | None = None

    def __post_init__(self) -> None:
        rows = [np.asarray(row) for row in (self.labels, self.decided)]
        whole = all(row.dtype.kind in "iu" and row.ndim == 1 for row in rows)
        if not whole or rows[0].size != rows[1].size or not rows[0].size:
            raise KipukaError(
                "the labels do not fit the samples",
                where="arguments labels and decided",
                limit="whole numbers, one for each sample, at least 1 sample",
                value=", ".join(f"shape {row.shape}, {row.dtype}" for row in rows),
                remedy="give the class of each sample, and what was decided on it",
            )
        n_classes = whole_number(self.n_classes, 1, fixed.INT32_MAX, "argument n_classes")
        for name, row in zip(("labels", "decided"), rows, strict=True):
            object.__setattr__(self, name, row)
            low, high = int(row.min()), int(row.max())
            if low < 0 or high >= n_classes:
                raise KipukaError(
                    "a class is none of the network's",
                    where=f"argument {name}",
                    limit=f"0 to {n_classes - 1}",
                    value=low if low < 0 else high,
                    remedy="number the classes as the network does",
                )

    @classmethod
    def of(
        cls,
        program: Program,
        last: LayerTrace,
        labels: np.ndarray,
        groups: int | None = None,
        group_of: np.ndarray | None = None,
    ) -> Decisions:
        """Decide from the trace of the last layer; `groups` are counted where `group_of` is known.

        Raises
        ------
        KipukaError
            If trace or labels are not those of samples of the network, or there is no sample.
        """
        decided, row = decide(program, last), np.asarray(labels)
        if not decided.size:
            raise KipukaError(
                "there is nothing to evaluate",
                where="trace, last layer",
                limit="at least 1 sample",
                value="none",
                remedy="give the trace of a run",
            )
        if row.shape != decided.shape or row.dtype.kind not in "iu":
            raise KipukaError(
                "the labels do not fit the samples",
                where="labels",
                limit=f"{decided.size} whole numbers, one for each sample",
                value=f"shape {row.shape}, {row.dtype}",
                remedy="give the class of each sample that was run",
            )
        if group_of is not None:
            group_of = _names_or_numbers(group_of)
            if group_of.shape != decided.shape or group_of.dtype.kind not in "iuU":
                raise KipukaError(
                    "the groups do not fit the samples",
                    where="group_of",
                    limit=f"{decided.size} names or whole numbers, one for each sample",
                    value=f"shape {group_of.shape}, {group_of.dtype}",
                    remedy="give the person or session of each sample that was run",
                )
            groups = len(np.unique(group_of))
        return cls(row, decided, program.n_classes, groups, group_of)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.labels)

    @property
    def correct(self) -> int:
        """Samples that are decided right."""
        return int((self.decided == self.labels).sum())

    @property
    def accuracy(self) -> float:
        """Fraction of samples that are decided right."""
        return float((self.decided == self.labels).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy on new samples of the same kind, all independent."""
        return wilson_interval(self.correct, self.samples)

    @property
    def interval_over_groups(self) -> tuple[float, float] | None:
        """95 % interval of the accuracy on new groups; None if it is not known who is in which."""
        if self.group_of is None:
            return None
        return interval_over_groups(self.decided == self.labels, self.group_of)

    @property
    def chance(self) -> float:
        """Accuracy of always naming the most frequent class of these samples."""
        return float(np.bincount(self.labels).max() / self.samples)

    @property
    def confusion(self) -> np.ndarray:
        """Samples of each class (rows) that are taken for each class (columns), int64."""
        found = np.zeros((self.n_classes, self.n_classes), dtype=np.int64)
        np.add.at(found, (self.labels, self.decided), 1)
        return found

    @property
    def groups_text(self) -> str:
        """What the groups of the samples mean for the interval; empty if none are known."""
        if self.groups is None:
            return ""
        noun = "group" if self.groups == 1 else "groups"
        over = self.interval_over_groups
        if over is not None:
            low, high = (100 * end for end in over)
            return (
                f"on other persons or sessions, from the {self.groups:,} {noun} that the samples "
                f"come from: 95 % interval {low:.1f} to {high:.1f} %"
            )
        return (
            f"the interval takes the samples as independent; they come from {self.groups:,} {noun} "
            "(persons, sessions), and it is too narrow if those of a group resemble each other"
        )

    def _line(self) -> str:
        return self.text()

    def _table(self) -> Table:
        rows = [(f"class {number}", *row) for number, row in enumerate(self.confusion.tolist())]
        classes = [f"as {number}" for number in range(self.n_classes)]
        notes = [f"always the most frequent class: {self.chance:.2%}", self.groups_text]
        return Table(["samples of", *classes], rows, [note for note in notes if note])

    def text(self) -> str:
        """Return accuracy, count and interval as a sentence would say them."""
        low, high = self.interval
        return (
            f"{self.accuracy:.2%} ({self.correct:,} of {self.samples:,}; "
            f"95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
        )

    def numbers(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "accuracy": self.accuracy,
            "correct": self.correct,
            "samples": self.samples,
            "interval_95": list(self.interval),
            "interval_95_over_groups": self.interval_over_groups,
            "chance": self.chance,
            "groups": self.groups,
            "confusion": self.confusion.tolist(),
        }


@dataclass(frozen=True, repr=False)
class PairedDifference(Shown):
    """Change of accuracy between two networks on the same samples.

    Attributes
    ----------
    won, lost : int
        Samples that only the second network decides right, and only the first.
    samples : int
        All of them.
    """

    won: int
    lost: int
    samples: int

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray) -> PairedDifference:
        """Count from whether each sample is decided right by either: bool arrays (samples,).

        Raises
        ------
        KipukaError
            If they are not of the same samples, or of none.
        """
        first, second = (as_numbers(x, "before and after") for x in (before, after))
        if (
            first.shape != second.shape
            or first.ndim != 1
            or not first.size
            or not (first.dtype == second.dtype == bool)
        ):
            raise KipukaError(
                "what each network decides right cannot be compared",
                where="before and after",
                limit="one bool for each sample, for both networks on the same samples",
                value=f"shape {first.shape}, {first.dtype}, and {second.shape}, {second.dtype}",
                remedy="give whether each sample is decided right by either network",
            )
        first, second = (x.view(np.uint8) != 0 for x in (first, second))
        won, lost = int((second & ~first).sum()), int((first & ~second).sum())
        return cls(won, lost, len(second))

    @property
    def change(self) -> float:
        """Accuracy of the second less that of the first."""
        return (self.won - self.lost) / self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the change on new samples of the same kind, all independent."""
        return paired_interval(self.won, self.lost, self.samples)

    def text(self) -> str:
        """Return change, counts and interval as a sentence would say them."""
        low, high = self.interval
        verdict = "" if low > 0 or high < 0 else "; these samples do not tell the two apart"
        return (
            f"{100 * self.change:+.2f} points (only the second right on {self.won:,}, only the "
            f"first on {self.lost:,} of {self.samples:,} samples; 95 % interval {100 * low:+.1f} "
            f"to {100 * high:+.1f} points{verdict})"
        )

    def numbers(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "accuracy_change": self.change,
            "only_second_correct": self.won,
            "only_first_correct": self.lost,
            "samples": self.samples,
            "interval_95": list(self.interval),
        }

    def _line(self) -> str:
        return self.text()


def compare_decisions(first: Decisions, second: Decisions) -> PairedDifference:
    """Compare two networks on the same samples, sample by sample.

    That is sharper than comparing two accuracies, whose intervals are those of unrelated samples.

    Parameters
    ----------
    first, second : Decisions
        As `Decisions.of` makes them of each network, and a training's result has them.

    Returns
    -------
    PairedDifference

    Raises
    ------
    KipukaError
        If they are decisions on other samples.
    """
    for name, one in (("first", first), ("second", second)):
        made = "Decisions.of(program, trace of its last layer, labels) makes them"
        expect(one, Decisions, f"argument {name}", made)
    if not np.array_equal(first.labels, second.labels):
        raise KipukaError(
            "the two networks decided on other samples",
            where="argument second, labels",
            limit=f"the {first.samples} labels of the first",
            value=f"{second.samples} labels, and not the same",
            remedy="run both networks on the same samples in the same order",
        )
    return PairedDifference.of(first.decided == first.labels, second.decided == second.labels)


def _names_or_numbers(group_of: Any) -> np.ndarray:
    if isinstance(group_of, list | tuple) and all(isinstance(name, str) for name in group_of):
        return np.array(group_of, dtype=np.str_)
    named = isinstance(group_of, np.ndarray) and group_of.dtype.kind == "U"
    return group_of if named else as_numbers(group_of, "group_of")
