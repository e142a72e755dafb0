"""Labelled recordings that may still be in one piece, and how parts are drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.errors import KipukaError
from kipuka.train.datasets.splits import DataOptions, hold_out

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Parts, as the key ``parts`` of a file numbers them."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """Samples on one grid, before they are split.

    Attributes
    ----------
    name : str
    spikes : bool array (samples, units, steps)
    labels : int64 array (samples,)
    n_classes : int
    groups : int64 array (samples,) or None
        Speaker or session of each sample.
    parts : int64 array (samples,)
        `TRAIN`, `VALIDATION` or `TEST` of each sample; all `TRAIN` if nothing was said.
    shape : tuple of int
        Channels, height, width; empty for units without places.
    classes : tuple of str
    events, events_left_out : int
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
    way = "single samples" if groups is None else f"whole groups of {np.unique(groups).size}"
    words = [f"{' and '.join(said)} part as given"] if said else []
    words += [f"{' and '.join(drawn)} part drawn by {way}, seed {splits.seed}"] if drawn else []
    return parts, "; ".join(words)
