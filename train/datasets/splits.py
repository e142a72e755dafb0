"""Parts of data sets: training, validation (which selects) and test (which does not)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from kipuka.convert.formats.guarded.event_files import ArrayNames
from kipuka.convert.operands import as_numbers, as_spikes, real_number, whole_number
from kipuka.display import Shown, Table, counted
from kipuka.errors import KipukaError, choose, expect

Validation = Literal["speakers", "samples"]
"""Where validation samples come from if a data set has none: held-out speakers, or the last ninth
of the training file."""


SEED_MAX = (1 << 63) - 1
"""Largest seed of a draw."""

TimeUnit = Literal["s", "ms", "us"]
"""What the times of one's own events are counted in, if their files do not show it."""


@dataclass(frozen=True)
class Splits:
    """What is held out of own data that come without parts of their own.

    Attributes
    ----------
    test : float
        Fraction of the samples for the test part.
    validation : float
        Fraction of the samples that are left for the validation part.
    seed : int
        Of the draw. It is another one than that of a training run, so that runs with several seeds
        are tested on the same samples.
    """

    test: float = 0.2
    validation: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("test", "validation"):
            share = real_number(getattr(self, name))
            if share is None or not 0 < share < 1:
                raise KipukaError(
                    "the parts of the data set are none",
                    where=f"argument {name} of Splits",
                    limit="a fraction of the samples, more than 0 and less than 1",
                    value=repr(getattr(self, name)),
                    remedy="leave it out for the default",
                )
        whole_number(self.seed, 0, SEED_MAX, "argument seed of Splits")


@dataclass(frozen=True)
class DataOptions:
    r"""How a data set is read; None stands for the data set's own default.

    Attributes
    ----------
    data_dir : str or None
        Folder that the data set's files were downloaded to.
    bin_ms : float or None
        Width of a step in milliseconds.
    steps : int or None
        Steps of each sample; what lies beyond is left out and counted.
    channels : int or None
        Input channels; neighbours are pooled, so it must divide the number that was recorded.
    validation : {"speakers", "samples"}
        Whether whole groups are held out, such as speakers or sessions, if they are known.
    download : bool
        Let tonic download what is missing.
    splits : Splits
        Of own data.
    arrays : ArrayNames
        What own ``.npz`` files call their arrays.
    time_unit : {"s", "ms", "us"} or None
        What times in own ``.npz`` files are. None: steps where the file says how many, and
        otherwise seconds as floating-point numbers.
    groups_from : str or None
        Pattern of the names of own files whose parenthesis is a recording's group, such as
        ``person(\d+)``; see `kipuka.train.datasets.group_names`.
    """

    data_dir: str | None = None
    bin_ms: float | None = None
    steps: int | None = None
    channels: int | None = None
    validation: Validation = "speakers"
    download: bool = False
    splits: Splits = Splits()
    arrays: ArrayNames = field(default_factory=ArrayNames)
    time_unit: TimeUnit | None = None
    groups_from: str | None = None

    def __post_init__(self) -> None:
        for name, (kinds, limit) in OPTION_KINDS.items():
            value = getattr(self, name)
            truth = isinstance(value, bool) and bool not in kinds
            if truth or not isinstance(value, kinds) or value == "":
                raise KipukaError(
                    "an option of the data is none",
                    where=f"argument {name} of DataOptions",
                    limit=limit,
                    value=repr(value),
                    remedy="leave it out for the data set's default",
                )
        choose(dict.fromkeys(get_args(Validation)), self.validation, "part", "validation")
        if self.time_unit is not None:
            choose(dict.fromkeys(get_args(TimeUnit)), self.time_unit, "unit of times", "time_unit")


_NOTHING, _WHOLE = type(None), (int, np.integer)

OPTION_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "data_dir": ((str, _NOTHING), "the name of a folder, or None"),
    "bin_ms": ((float, *_WHOLE, np.floating, _NOTHING), "a number of milliseconds, or None"),
    "steps": ((*_WHOLE, _NOTHING), "a whole number, or None"),
    "channels": ((*_WHOLE, _NOTHING), "a whole number, or None"),
    "download": ((bool,), "True or False"),
    "splits": ((Splits,), "kipuka.train.Splits(...)"),
    "arrays": ((ArrayNames,), "the names of the arrays, as an ArrayNames"),
    "groups_from": ((str, _NOTHING), "a pattern of file names, or None"),
}
"""Options of `DataOptions` by name: their types, and how a message calls these. Their ranges are
for whoever reads the data."""


def given_options(options: DataOptions | None) -> DataOptions:
    """Return options, or the defaults in the place of None.

    Raises
    ------
    KipukaError
        If they are something else.
    """
    if options is None:
        return DataOptions()
    expect(options, DataOptions, "argument options", "kipuka.train.DataOptions(...) makes them")
    return options


@dataclass(frozen=True, eq=False)
class Split(Shown):
    """One part of a data set.

    Attributes
    ----------
    spikes : bool array (samples, units, steps)
    labels : int64 array (samples,)
    groups : array (samples,) or None
        Speaker or session of each sample, where that is known.
    """

    spikes: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        spikes, labels = as_numbers(self.spikes, "spikes of a part"), np.asarray(self.labels)
        fits = spikes.ndim == 3 and labels.shape == spikes.shape[:1]
        if not fits or labels.dtype.kind not in "iu":
            raise KipukaError(
                "the part of a data set is none",
                where="Split",
                limit="spikes (samples, units, steps), and for each sample a whole number",
                value=f"shapes {spikes.shape} and {labels.shape}, labels of {labels.dtype}",
                remedy="make data sets with kipuka.train.datasets.Dataset.from_arrays",
            )
        # Most are bools already, and too many to be copied for nothing.
        if spikes.dtype != np.bool_ or int(spikes.view(np.uint8).max(initial=0)) > 1:
            spikes = as_spikes(spikes, "spikes of a part")
        object.__setattr__(self, "spikes", spikes)
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))

    def _line(self) -> str:
        samples, units, steps = self.spikes.shape
        return (
            f"{counted(samples, 'sample')} of {counted(units, 'unit')} x {counted(steps, 'step')}, "
            f"{counted(len(np.unique(self.labels)), 'label')}"
        )

    def _table(self) -> Table:
        return Table(["label", "samples"], list(zip(*self._counts(), strict=True)))

    def _counts(self) -> tuple[list[int], list[int]]:
        labels, counts = np.unique(self.labels, return_counts=True)
        return labels.tolist(), counts.tolist()

    def joined(self, other: Split) -> Split:
        """One part with the samples of both."""
        known = self.groups is not None and other.groups is not None
        return Split(
            np.concatenate([self.spikes, other.spikes]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.groups, other.groups]) if known else None,
        )


COMPLETE = "use the complete file, or another choice of validation samples"

FROM_ZERO = "labels count from 0: subtract 1 from labels that count from 1, or use a complete file"


def check_classes(labels: np.ndarray, n_classes: int, where: str) -> None:
    """Check that a part has samples of every class and of no other.

    Raises
    ------
    KipukaError
        Naming the first class that is missing, or the first label out of range.
    """
    strange = labels[(labels < 0) | (labels >= n_classes)]
    if strange.size:
        raise KipukaError(
            "a label is not one of the classes",
            where=where,
            limit=f"0 to {n_classes - 1}",
            value=int(strange[0]),
            remedy="check how the file was made, or download it again",
        )
    # Of more classes than samples one of the first is missing, however many a file declares.
    missing = np.setdiff1d(np.arange(min(n_classes, labels.size + 1)), labels)
    if missing.size:
        raise KipukaError(
            "a class is missing from a part of the data set",
            where=where,
            limit=f"samples of all {n_classes} classes",
            value=f"none of class {', '.join(map(str, missing))}",
            remedy=FROM_ZERO if labels.size and labels.min() > 0 else COMPLETE,
        )


def numbered(groups: np.ndarray) -> np.ndarray:
    """Number groups that have names, or numbers that are not whole; whole numbers stay.

    Returns
    -------
    int64 array (samples,)
    """
    if groups.dtype.kind in "iu":
        return groups.astype(np.int64)
    return np.unique(groups, return_inverse=True)[1].reshape(-1).astype(np.int64)


def split_off_validation(
    labels: np.ndarray, speakers: np.ndarray, validation: Validation, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and validation samples of a training file.

    By speakers, those with the highest numbers are held out, as few as make up a tenth of the
    samples, and at least one. By samples, the last ninth of the file is.

    Raises
    ------
    KipukaError
        If there is only one speaker to hold out.
    """
    number = np.arange(len(labels))
    if validation == "samples":
        last = number >= len(labels) - len(labels) // 9
        return number[~last], number[last]
    known, owners, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    if known.size < 2:
        raise KipukaError(
            "no speaker can be held out for validation",
            where=where,
            limit="at least 2 speakers",
            value=f"{known.size}",
            remedy="choose validation by samples",
        )
    # Samples of the speakers with the highest numbers; the first speaker always stays.
    together = np.cumsum(counts[:0:-1])
    n_held = min(int(np.searchsorted(10 * together, len(labels))) + 1, known.size - 1)
    held = owners.reshape(-1) >= known.size - n_held
    return number[~held], number[held]


def hold_out(
    labels: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    generator: np.random.Generator,
    where: str,
) -> np.ndarray:
    """Draw the samples that are held out: whole groups, or the same fraction of every class.

    Parameters
    ----------
    labels : int64 array (samples,)
    groups : array (samples,) or None
        Speaker or session of each sample; None to draw single samples.
    fraction : float
        Of the samples; groups are drawn until they make up at least as many.
    generator : numpy Generator
    where : str
        Data, for messages.

    Returns
    -------
    bool array (samples,)

    Raises
    ------
    KipukaError
        If a class has a single sample, or all groups would be held out.
    """
    held = np.zeros(len(labels), dtype=bool)
    if groups is None:
        for number in np.unique(labels):
            own = generator.permutation(np.flatnonzero(labels == number))
            count = max(1, round(fraction * len(own)))
            if count >= len(own):
                raise KipukaError(
                    "a class has too few samples to hold some out",
                    where=where,
                    limit=f"more than {count} samples of each class",
                    value=f"{len(own)} of class {number}",
                    remedy="record more of it, or say which samples are for what: key parts",
                )
            held[own[:count]] = True
        return held
    known = np.unique(groups)
    for group in generator.permutation(known):
        held |= groups == group
        if held.sum() >= fraction * len(labels):
            break
    if held.all():
        raise KipukaError(
            "there are too few groups to hold some out",
            where=where,
            limit=f"groups that leave something to train on when {fraction:g} are held out",
            value=f"{known.size} groups",
            remedy="hold out single samples with validation=samples, or record more speakers",
        )
    return held
