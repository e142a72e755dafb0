"""Labelled recordings that may still be in one piece, and how parts are drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kipuka.errors import KipukaError
from kipuka.train.datasets.splits import DataOptions, hold_out

GROUPS_SHOWN = 12

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Parts, as the key ``parts`` of a file numbers them."""


@dataclass(frozen=True)
class EventGrid:
    """What events were recorded on, and laid on.

    Attributes
    ----------
    shape : tuple of int
        Units as recorded, before neighbours were pooled, or channels, height and width.
    n_steps : int
    bin_ms : float or None
        Width of a step; None if the recordings' times are steps.
    """

    shape: tuple[int, ...]
    n_steps: int
    bin_ms: float | None

    @property
    def text(self) -> str:
        """How times became steps, as a sentence goes on after the number of steps."""
        return " as recorded" if self.bin_ms is None else f" of {self.bin_ms:g} ms"


@dataclass(frozen=True, eq=False)
class Recordings:
    """Samples on one grid, before they are split.

    Attributes
    ----------
    name : str
    spikes : bool array (samples, units, steps)
    labels : int64 array (samples,)
    n_classes : int
    groups : int64 or text array (samples,) or None
        Speaker or session of each sample.
    parts : int64 array (samples,)
        `TRAIN`, `VALIDATION` or `TEST` of each sample; all `TRAIN` if nothing was said.
    shape : tuple of int
        Channels, height, width; empty for units without places.
    classes : tuple of str
    events, events_left_out : int
    grid : EventGrid or None
        None of arrays of spikes.
    labelled : bool
        Whether labels are known; they are 0 otherwise.
    """

    name: str
    spikes: np.ndarray
    labels: np.ndarray
    n_classes: int
    groups: np.ndarray | None
    parts: np.ndarray
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    events: int
    events_left_out: int
    grid: EventGrid | None = None
    labelled: bool = True


def with_parts(recordings: Recordings, options: DataOptions) -> tuple[np.ndarray, str]:
    """Part of each sample, and in words how validation and test samples were chosen.

    Parts that the recordings name stay. Of the others the test part is drawn first, then
    validation, both from what is said to be for training.

    Raises
    ------
    KipukaError
        If nothing is for training, or there are too few samples or groups to draw from.
    """
    parts = recordings.parts.copy()
    if not np.any(parts == TRAIN):
        raise KipukaError(
            "the data have no training part",
            where=recordings.name,
            limit=f"samples of part {TRAIN}, which is for training",
            value=f"{len(parts)} samples, none of that part",
            remedy="say what is for training, or leave the parts out to have them drawn",
        )
    splits, by_groups = options.splits, options.validation == "speakers"
    groups = recordings.groups if by_groups else None
    # Each part draws its own numbers, so that more for one does not change the other's order.
    wanted = {TEST: ("test", splits.test), VALIDATION: ("validation", splits.validation)}
    said, drawn = [], []
    for part, (word, fraction) in wanted.items():
        if np.any(parts == part):
            said.append(word)
            continue
        here = np.flatnonzero(parts == TRAIN)
        generator = np.random.default_rng([splits.seed, part])
        own = None if groups is None else groups[here]
        where = f"{recordings.name}, for the {word} part"
        held = hold_out(recordings.labels[here], own, fraction, generator, where)
        parts[here[held]] = part
        drawn.append(word)
    words = [f"{' and '.join(said)} part as given"] if said else []
    if drawn:
        way = "single samples" if groups is None else "whole groups"
        which = "" if groups is None else _groups_text(groups, parts, drawn)
        words.append(f"{' and '.join(drawn)} part drawn by {way}, seed {splits.seed}{which}")
    return parts, "; ".join(words)


def groups_of_parts(groups: np.ndarray | None, parts: np.ndarray) -> tuple[tuple[str, ...], ...]:
    """Return the groups of the training, the validation and the test part, in order."""
    if groups is None:
        return ()
    names = [
        sorted({str(one) for one in groups[parts == part]}, key=lambda name: (len(name), name))
        for part in (TRAIN, VALIDATION, TEST)
    ]
    return tuple(map(tuple, names))


def _groups_text(groups: np.ndarray, parts: np.ndarray, drawn: Sequence[str]) -> str:
    """Say which groups were held out, of how many."""
    names = groups_of_parts(groups, parts)
    count = len({name for own in names for name in own})
    found: list[str] = []
    for word, own in (("test", names[TEST]), ("validation", names[VALIDATION])):
        if word in drawn:
            more = ", ..." if len(own) > GROUPS_SHOWN else ""
            total = "" if found else f" of {count} groups"
            shown = ", ".join(own[:GROUPS_SHOWN])
            found.append(f"{len(own)}{total} for {word} ({shown}{more})")
    return f": {', '.join(found)}"
