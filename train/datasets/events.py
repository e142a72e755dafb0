"""Recorded events (time, channel) as spikes in steps: binning and channel pooling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from kipuka.errors import KipukaError
from kipuka.strangers import content_bytes, opened
from kipuka.train.datasets.splits import DataOptions

FREE_BYTES, BYTES_PER_BYTE = 1 << 28, 64
"""Bytes of spikes that any file may be laid out on, and for each of its bytes.

Spiking Heidelberg Digits takes less than one per byte on its default grid, and 16 without pooling
in steps of 1 ms.
"""

US_PER_MS, US_PER_S = 1000, 1_000_000
"""Microseconds are what times are rounded to before they are divided into steps."""

STEPS_MAX = 1 << 20
"""Steps of a sample."""

BIN_MS_MIN, BIN_MS_MAX = 1e-3, 1e6
"""Widths of a step: from the microsecond of the time base to a quarter of an hour."""


@dataclass(frozen=True)
class Binning:
    """Grid that events are laid on.

    Attributes
    ----------
    bin_ms : float
    steps : int
    channels : int
        After pooling.
    recorded_channels : int
    """

    bin_ms: float
    steps: int
    channels: int
    recorded_channels: int

    @classmethod
    def of(cls, options: DataOptions, default: Binning) -> Binning:
        """Fill in what the options leave open, and check that channels can be pooled.

        Raises
        ------
        KipukaError
            If a setting is out of range, or neighbours cannot be pooled in equal groups.
        """
        chosen = cls(
            default.bin_ms if options.bin_ms is None else options.bin_ms,
            default.steps if options.steps is None else options.steps,
            default.channels if options.channels is None else options.channels,
            default.recorded_channels,
        )
        limits = {
            "bin_ms": (BIN_MS_MIN, BIN_MS_MAX, f"{BIN_MS_MIN:g} to {BIN_MS_MAX:g} ms"),
            "steps": (1, STEPS_MAX, f"1 to {STEPS_MAX}"),
            "channels": (1, chosen.recorded_channels, f"1 to {chosen.recorded_channels}"),
        }
        for name, (low, high, limit) in limits.items():
            value = getattr(chosen, name)
            if not low <= value <= high:
                raise KipukaError(
                    "events cannot be laid on such a grid",
                    where=f"setting {name}",
                    limit=limit,
                    value=value,
                    remedy="leave it out for the data set's default",
                )
        if chosen.recorded_channels % chosen.channels:
            raise KipukaError(
                "the channels cannot be pooled in equal groups",
                where="setting channels",
                limit=f"a divisor of {chosen.recorded_channels}",
                value=chosen.channels,
                remedy=f"leave it out for {default.channels} channels",
            )
        return chosen

    @cached_property
    def _width_us(self) -> Fraction:
        """Width of a step: the decimal number that was written, not the nearest binary one."""
        return Fraction(str(float(self.bin_ms))) * US_PER_MS

    @cached_property
    def _edges_us(self) -> np.ndarray:
        """First whole microsecond of each step and of the one after the last, int64."""
        above, below = self._width_us.numerator, self._width_us.denominator
        edges = [-(-step * above // below) for step in range(self.steps + 1)]
        return np.array(edges, dtype=np.int64)

    @cached_property
    def _edges_s(self) -> np.ndarray:
        """Begin of the steps after the first, in seconds, each the nearest float64."""
        above, below = self._width_us.numerator, self._width_us.denominator * US_PER_S
        return np.array([step * above / below for step in range(1, self.steps + 1)])

    def step_of(self, times: np.ndarray) -> np.ndarray:
        """Step in which each time lies; an event on an edge belongs to the step that begins there.

        A time in binary is rarely the decimal number that was meant. So it is rounded to whole
        microseconds and divided in integers; and where numbers of its type lie further apart than
        that, it is on an edge if it is the one nearest to it. Half precision, in which Spiking
        Heidelberg Digits come, is coarse beside a step and taken as it is, to the microsecond.

        Parameters
        ----------
        times : float array (seconds), or integer array (microseconds)
            Not negative.

        Returns
        -------
        int64 array
            `steps` for all that lies beyond the last step.
        """
        last_us = int(self._edges_us[-1])
        if times.dtype.kind in "iu":
            whole = np.minimum(times, last_us).astype(np.int64)
        else:
            # Beyond the last edge, infinite ones too, it does not matter by how much.
            beyond = (last_us + 1) / US_PER_S
            inside = np.minimum(times.astype(np.float64), beyond)
            whole = np.rint(inside * US_PER_S).astype(np.int64)
        step = np.searchsorted(self._edges_us, whole, side="right") - 1
        if times.dtype.kind == "f" and times.dtype.itemsize > np.dtype(np.float16).itemsize:
            next_edge = self._edges_s[np.minimum(step, self.steps - 1)].astype(times.dtype)
            step += (step < self.steps) & (times >= next_edge)
        return step.astype(np.int64)


def bin_events(
    samples: Iterable[tuple[np.ndarray, np.ndarray]], count: int, grid: Binning, where: str
) -> tuple[np.ndarray, int, int]:
    """Lay events on a grid; several events of a channel in a step make one spike.

    Parameters
    ----------
    samples : iterable of (times, channels)
        Times as `Binning.step_of` takes them.
    count : int
        Number of samples.
    grid : Binning
    where : str
        File, for messages.

    Returns
    -------
    spikes : bool array (samples, channels, steps)
    events, left_out : int
        Events in all, and those beyond the last step.

    Raises
    ------
    KipukaError
        If a sample's arrays differ in length, a channel is out of range, or a time is negative or
        not a number.
    """
    spikes = np.zeros((count, grid.channels, grid.steps), dtype=bool)
    events = left_out = 0
    for number, (times, units) in enumerate(samples):
        _check(times, units, grid, f"{where}, sample {number}")
        step = grid.step_of(times)
        inside = step < grid.steps
        channel = units.astype(np.int64) * grid.channels // grid.recorded_channels
        spikes[number, channel[inside], step[inside]] = True
        events += step.size
        left_out += int(step.size - inside.sum())
    return spikes, events, left_out


def stored_bytes(path: Path) -> int:
    """Bytes that a data file stores, without its holes."""
    with opened(path, "data file") as file:
        return content_bytes(file)


def check_room(count: int, grid: Binning, where: str, stored: int) -> None:
    """Check that files store enough to mean as many samples as they name.

    Parameters
    ----------
    count : int
        Samples.
    grid : Binning
    where : str
        File or folder, for messages.
    stored : int
        Its bytes; see `stored_bytes`.

    Raises
    ------
    KipukaError
        If their spikes take far more memory than the file has bytes.
    """
    limit = max(FREE_BYTES, BYTES_PER_BYTE * stored)
    needed = count * grid.channels * grid.steps
    if needed > limit:
        raise KipukaError(
            "the data file names more samples than it can hold",
            where=where,
            limit=f"{limit} bytes of spikes, for a file of {stored} bytes",
            value=f"{count} samples x {grid.channels} channels x {grid.steps} steps",
            remedy="check how the file was made, or choose fewer steps or channels",
        )


def _check(times: np.ndarray, units: np.ndarray, grid: Binning, where: str) -> None:
    def refuse(what: str, limit: str, value: object) -> None:
        raise KipukaError(
            what,
            where=where,
            limit=limit,
            value=value,
            remedy="check that the file belongs to this data set, or download it again",
        )

    if times.shape != units.shape:
        refuse("times and channels do not match", f"{times.size} channels", units.size)
    if units.size and not 0 <= int(units.min()) <= int(units.max()) < grid.recorded_channels:
        wrong = units[(units < 0) | (units >= grid.recorded_channels)][0]
        refuse(
            "the file has another number of channels", f"0 to {grid.recorded_channels - 1}", wrong
        )
    good = np.isfinite(times) & (times >= 0)
    if not good.all():
        refuse("the time of an event cannot be used", "seconds from 0 on", times[~good][0])
