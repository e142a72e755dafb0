"""A data set in memory: by its parts, or made from one's own arrays, events or tonic data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kipuka.display import Shown, Table
from kipuka.errors import KipukaError
from kipuka.train.datasets.own_events import laid_out, recorded_events, recordings_of_arrays
from kipuka.train.datasets.recordings import (
    TEST,
    TRAIN,
    VALIDATION,
    EventGrid,
    Recordings,
    groups_of_parts,
    with_parts,
)
from kipuka.train.datasets.splits import DataOptions, Split, check_classes, given_options

OWN = "own data"

DATASET_MADE = "Dataset.from_arrays, from_events or from_tonic make one of your data"
"""Remedy where something else was given."""


@dataclass(frozen=True, eq=False)
class Dataset(Shown):
    """A data set that is split once and for all, whatever the seed of a training run.

    Attributes
    ----------
    name : str
    n_classes : int
    train, validation, test : Split
    events, events_left_out : int
        Recorded events of all parts, and how many of them lie beyond the last step; 0 for a data
        set that was not recorded as events.
    shape : tuple of int
        Channels, height and width of images and event cameras, whose units are in that order; empty
        for units without places.
    classes : tuple of str
        Names of the classes, if they have any.
    held_out : str
        How validation and test part came about, as a sentence would say it.
    groups : tuple of three tuples of str
        Speakers, sessions or the like in training, validation and test part; empty if none are
        known.
    grid : EventGrid or None
        What own events were recorded on and laid on.
    """

    name: str
    n_classes: int
    train: Split
    validation: Split
    test: Split
    events: int = 0
    events_left_out: int = 0
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    held_out: str = "parts of the data set itself"
    groups: tuple[tuple[str, ...], ...] = ()
    grid: EventGrid | None = None

    @property
    def n_units(self) -> int:
        """Input units."""
        return int(self.train.spikes.shape[1])

    @property
    def n_steps(self) -> int:
        """Steps of each sample."""
        return int(self.train.spikes.shape[2])

    @property
    def events_merged(self) -> int:
        """Events that share unit and step with another: together they are one spike."""
        if not self.events:
            return 0
        parts = (self.train, self.validation, self.test)
        spikes = sum(int(np.count_nonzero(part.spikes)) for part in parts)
        return self.events - self.events_left_out - spikes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all spikes and labels in their parts."""
        found = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            found.update(repr(part.spikes.shape).encode())
            found.update(np.packbits(part.spikes, axis=None).tobytes())
            found.update(part.labels.astype("<i8").tobytes())
        return found.hexdigest()

    @property
    def text(self) -> str:
        """What the data are and how they were split, in one line."""
        return self._line()

    def _line(self) -> str:
        parts = (self.train, self.validation, self.test)
        n_train, n_validation, n_test = (len(part.labels) for part in parts)
        units = " x ".join(map(str, self.shape or (self.n_units,)))
        step = "" if self.grid is None else self.grid.text
        return (
            f"{self.name}: {n_train} training, {n_validation} validation and {n_test} test "
            f"samples of {self.n_classes} classes, {units} units x {self.n_steps} steps{step}; "
            f"{self.held_out}{self._lost()}"
        )

    def _lost(self) -> str:
        """What became of events that are no spike of their own, as a sentence goes on."""
        found = ""
        if self.events_left_out:
            found += f"; {self.events_left_out:,} of {self.events:,} events beyond the last step"
        if self.events_merged:
            found += f"; {self.events_merged:,} of {self.events:,} events share unit and step "
            found += "with another, together one spike"
        return found

    def _table(self) -> Table:
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        rows = []
        for number, (name, part) in enumerate(parts.items()):
            counts = np.bincount(part.labels, minlength=self.n_classes)
            few, many = int(counts.min()), int(counts.max())
            row = (name, len(part.labels), str(few) if few == many else f"{few} to {many}")
            rows.append((*row, ", ".join(self.groups[number])) if self.groups else row)
        columns = ["part", "samples", "of each class", *(["groups"] if self.groups else [])]
        return Table(columns, rows)

    @classmethod
    def from_recordings(cls, recordings: Recordings, options: DataOptions) -> Dataset:
        """Split recordings into the parts that they name, or draw the parts that they do not.

        Parameters
        ----------
        recordings : Recordings
            As `kipuka.train.datasets.own_files.recordings_at` reads them.
        options : DataOptions

        Raises
        ------
        KipukaError
            If a part would lack a class, there is one class only, or there are too few samples or
            groups to draw from.
        """
        _refuse_one_class(recordings)
        parts, held_out = with_parts(recordings, options)
        splits = []
        for part, kind in ((TRAIN, "training"), (VALIDATION, "validation"), (TEST, "test")):
            own = parts == part
            groups = None if recordings.groups is None else recordings.groups[own]
            split = Split(recordings.spikes[own], recordings.labels[own], groups)
            check_classes(split.labels, recordings.n_classes, f"{recordings.name}, {kind} part")
            splits.append(split)
        train, validation, test = splits
        return cls(
            name=recordings.name,
            n_classes=recordings.n_classes,
            train=train,
            validation=validation,
            test=test,
            events=recordings.events,
            events_left_out=recordings.events_left_out,
            shape=recordings.shape,
            classes=recordings.classes,
            held_out=held_out,
            groups=groups_of_parts(recordings.groups, parts),
            grid=recordings.grid,
        )

    @classmethod
    def from_arrays(
        cls,
        spikes: Any,
        labels: Any,
        *,
        groups: Any = None,
        parts: Any = None,
        classes: Sequence[str] = (),
        name: str = OWN,
        options: DataOptions | None = None,
    ) -> Dataset:
        """Make a data set from arrays of spikes.

        Parameters
        ----------
        spikes : array (samples, units, steps) or (samples, channels, height, width, steps)
            Zeros and ones of any type.
        labels : integer array (samples,)
            Classes from 0 on.
        groups : integer array (samples,), optional
            Speaker, session or whatever must not stand in two parts.
        parts : integer array (samples,), optional
            0 for training, 1 for validation, 2 for test; parts that have no sample are drawn from
            the training part.
        classes : sequence of str
            Names of the classes.
        name : str
        options : DataOptions, optional
            `splits` and `validation` say how parts are drawn; the others are for events.

        Raises
        ------
        KipukaError
            If the arrays do not fit each other, have other values, or cannot be split.
        """
        recordings = recordings_of_arrays(spikes, labels, groups, parts, classes, name)
        return cls.from_recordings(recordings, given_options(options))

    @classmethod
    def from_events(
        cls,
        samples: Iterable[tuple[Any, Any]],
        labels: Any,
        *,
        shape: int | tuple[int, int, int],
        steps: int | None = None,
        groups: Any = None,
        parts: Any = None,
        classes: Sequence[str] = (),
        name: str = OWN,
        options: DataOptions | None = None,
    ) -> Dataset:
        """Make a data set from lists of events.

        Parameters
        ----------
        samples : iterable of (times, units)
            For each sample the time and the unit of its events. With `steps`, times are integers,
            the step of each event. Without it they are seconds as floating-point numbers or
            microseconds as integers, which `options.bin_ms` (10 ms if not given) divides into
            steps; `options.steps` cuts what is longer.
        labels : integer array (samples,)
        shape : int or (channels, height, width)
            Units. Of images, unit ``(channel * height + row) * width + column``.
        steps : int, optional
            Steps of each sample if times are steps.
        groups, parts, classes, name, options
            As in `from_arrays`.

        Raises
        ------
        KipukaError
            If events lie outside of the units or steps, or the data cannot be split.
        """
        options = given_options(options)
        recorded = recorded_events(samples, labels, groups, parts, shape, steps, name)
        return cls.from_recordings(laid_out([recorded], options, name, classes), options)

    @classmethod
    def from_tonic(
        cls,
        train: Any,
        test: Any = None,
        *,
        name: str = "",
        options: DataOptions | None = None,
    ) -> Dataset:
        """Make a data set from data sets as tonic has them.

        Parameters
        ----------
        train, test : sequence of (events, label)
            Events as a structured array with fields ``t`` (microseconds), ``x``, and if the sensor
            has them ``y`` and ``p``; or frames (steps, channels, height, width), as tonic's
            ``ToFrame`` makes them, in which all that is more than 0 is a spike. Their
            ``sensor_size`` (width, height, channels) gives the shape. Without `test` a test part is
            drawn.
        name : str
            The class's name if not given.
        options : DataOptions, optional
            As in `from_events`.

        Raises
        ------
        KipukaError
            If a sample is neither, or the data cannot be split.
        """
        from kipuka.train.datasets.own_tonic import recorded_tonic

        options, name = given_options(options), name or type(train).__name__
        found = [recorded_tonic(train, TRAIN, name)]
        found += [] if test is None else [recorded_tonic(test, TEST, name)]
        return cls.from_recordings(laid_out(found, options, name, ()), options)


def _refuse_one_class(recordings: Recordings) -> None:
    if recordings.n_classes < 2:
        names = ", ".join(recordings.classes) or "0"
        raise KipukaError(
            "there is one class only, and nothing to tell apart",
            where=recordings.name,
            limit="samples of at least 2 classes",
            value=f"{len(recordings.labels)} samples, all of class {names}",
            remedy="give a folder for each class, or labels that differ",
        )
