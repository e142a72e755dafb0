"""What data sets are made of: training, validation (which selects) and test (which does not)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kipuka.errors import KipukaError

Validation = Literal["speakers", "samples"]
"""Where validation samples come from if a data set has none: held-out speakers, or the last ninth
of the training file."""


@dataclass(frozen=True)
class DataOptions:
    """How a data set is read; None stands for the data set's own default.

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
    download : bool
        Let tonic download what is missing.
    """

    data_dir: str | None = None
    bin_ms: float | None = None
    steps: int | None = None
    channels: int | None = None
    validation: Validation = "speakers"
    download: bool = False


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Attributes
    ----------
    spikes : bool array (samples, units, steps)
    labels : int64 array (samples,)
    """

    spikes: np.ndarray
    labels: np.ndarray

    def joined(self, other: Split) -> Split:
        """One part with the samples of both."""
        return Split(
            np.concatenate([self.spikes, other.spikes]), np.concatenate([self.labels, other.labels])
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that is split once and for all, whatever the seed of a training run.

    Attributes
    ----------
    name : str
    n_classes : int
    train, validation, test : Split
    events, events_left_out : int
        Recorded events of all parts, and how many of them lie beyond the last step; 0 for a data
        set that was not recorded as events.
    """

    name: str
    n_classes: int
    train: Split
    validation: Split
    test: Split
    events: int = 0
    events_left_out: int = 0

    @property
    def n_units(self) -> int:
        """Input units."""
        return int(self.train.spikes.shape[1])

    @property
    def n_steps(self) -> int:
        """Steps of each sample."""
        return int(self.train.spikes.shape[2])


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
            remedy="use the complete file, or another choice of validation samples",
        )


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
