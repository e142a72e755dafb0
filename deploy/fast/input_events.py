"""Input of the fast simulator: dense arrays, event lists, or pieces of either, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from kipuka.convert.operands import (
    MAX_STEPS,
    as_activations,
    as_numbers,
    as_spikes,
    whole_number,
)
from kipuka.convert.program import Program
from kipuka.deploy.fast.addresses import address
from kipuka.deploy.fast.machine_code import call
from kipuka.errors import KipukaError

WINDOW_ENTRIES = 1 << 24
"""Entries of a dense array that are turned into events, or activations, at a time."""

TURNED_AT_ONCE = 1 << 15
"""Activations that are turned from a row for each unit to a row for each step while a near cache
holds them."""

LITTLE_ROOM = 1 << 13
"""Words of a list that is made sooner than another thread would take its turn."""

OFFSET_BYTES, UNIT_BYTES, ACTIVATION_BYTES = (
    np.dtype(kind).itemsize for kind in (np.int64, np.int32, np.int32)
)


@dataclass(frozen=True, eq=False)
class Events:
    """Input spikes of one sample, or of a piece of it, as a list in any order.

    Attributes
    ----------
    times : integer array (spikes,)
        Step of each spike, from 0 on.
    units : integer array (spikes,)
        Input unit of each spike; at most one spike per unit and step.
    n_steps : int
        Steps to simulate.
    """

    times: np.ndarray
    units: np.ndarray
    n_steps: int


Piece: TypeAlias = "np.ndarray | Events"
"""Steps of a sample: bool array (units, steps), or of images (channels, height, width, steps);
int32 with an encoder; or `Events`. Numbers of another type that stand for the same are taken."""

Sample: TypeAlias = "Piece | Iterable[Piece]"
"""A sample in one piece, or as pieces that follow each other in time."""


class Window(NamedTuple):
    """Some steps of input as the kernels read them: by where they lie.

    Attributes
    ----------
    n_steps : int
    offsets : int
        Address of an int64 array (steps + 1,).
    units : int
        Address of an int32 array (spikes,): units that spike in step t are
        ``units[offsets[t] : offsets[t + 1]]``.
    activations : int
        Address of an int32 array (steps or 1, units): input of a network with an encoder.
    activation_step : int
        Units; 0 where one row of activations stands for every step.
    arrays : tuple of arrays
        What must not go away before the window.
    """

    n_steps: int
    offsets: int
    units: int
    activations: int
    activation_step: int
    arrays: tuple[np.ndarray, ...]

    def from_step(self, step: int) -> tuple[int, int, int, int]:
        """Offsets, units, activations and their step, beginning with a later step."""
        offsets = self.offsets + step * OFFSET_BYTES
        activations = self.activations + step * self.activation_step * ACTIVATION_BYTES
        return offsets, self.units, activations, self.activation_step


def pieces_of(sample: Sample, where: str) -> Iterable[Piece]:
    """Pieces of a sample, in time.

    Raises
    ------
    KipukaError
        If it is neither a piece nor an iterable of them.
    """
    if isinstance(sample, np.ndarray | Events):
        return (sample,)
    if hasattr(sample, "__array__") or isinstance(sample, memoryview):
        return (as_numbers(sample, where),)
    if isinstance(sample, str | bytes | Mapping) or not isinstance(sample, Iterable):
        raise KipukaError(
            "the sample is no input",
            where=where,
            limit="an array (units, steps), Events, or an iterable of such pieces",
            value=type(sample).__name__,
            remedy="give one array or one Events for each sample",
        )
    return sample


def steps_of(piece: Piece, where: str) -> int:
    """Steps that a piece lasts; 0 if it has no axes.

    Raises
    ------
    KipukaError
        If it is no piece at all.
    """
    if isinstance(piece, Events):
        return whole_number(piece.n_steps, 1, MAX_STEPS, f"{where}, n_steps of Events")
    array = as_numbers(piece, where)
    return int(array.shape[-1]) if array.ndim else 0


def windows(
    program: Program, piece: Piece, where: str, order: np.ndarray | None = None
) -> Iterator[Window]:
    """Cut a piece into windows of bounded size, in the kernels' form.

    `order` says which unit an encoder's activations begin with, and so on: int32 array (units,).

    Raises
    ------
    KipukaError
        If the piece does not fit the network; the message starts its place with `where`.
    """
    if isinstance(piece, Events):
        _refuse_encoder(program, where)
        yield _listed(program, piece, where)
        return
    piece = in_rows(program, as_numbers(piece, where))
    check_dense(program, piece.shape, where)
    piece = as_taken(program, piece, where)
    n_steps = piece.shape[1]
    at_once = max(1, WINDOW_ENTRIES // program.n_inputs)
    for start in range(0, n_steps, at_once):
        part = piece[:, start : start + at_once]
        yield _activations(part, order) if program.encoder else _scanned(part)


def in_rows(program: Program, array: np.ndarray) -> np.ndarray:
    """Lay the channels, height and width of images in one row of units; other arrays stay.

    Parameters
    ----------
    program : Program
    array : array (units, steps) or (channels, height, width, steps), perhaps samples before them
    """
    shape = program.input_shape
    before = array.ndim - 1 - len(shape)
    if len(shape) == 1 or before < 0 or array.shape[before:-1] != shape:
        return array
    return array.reshape(*array.shape[:before], program.n_inputs, array.shape[-1])


def check_dense(program: Program, shape: tuple[int, ...], where: str) -> None:
    """Refuse an array (units, steps) of another size than the network takes.

    Raises
    ------
    KipukaError
        If it is one; the message starts its place with `where`.
    """
    if len(shape) != 2 or shape[0] != program.n_inputs or shape[1] == 0:
        raise KipukaError(
            "the input does not fit the network",
            where=where,
            limit=f"{program.n_inputs} units x steps, at least 1 step",
            value=f"shape {shape}",
            remedy="put time last and the network's input units before it",
        )


def as_taken(program: Program, array: np.ndarray, where: str) -> np.ndarray:
    """Return spikes as bools, or activations as int32 for a network with an encoder.

    What has the type already stays as it is, whatever the bytes of its bools.

    Raises
    ------
    KipukaError
        If a number of another type is neither 0 nor 1, or no activation; `where` is as above.
    """
    if array.dtype == (np.int32 if program.encoder else np.bool_):
        return array
    return (as_activations if program.encoder else as_spikes)(array, where)


def _refuse_encoder(program: Program, where: str) -> None:
    if program.encoder:
        raise KipukaError(
            "the network takes no spikes",
            where=where,
            limit="int32 activations (units, steps), because the network has an encoder",
            value="a list of events",
            remedy="give program.encoder.activation(values) in every step",
        )


def _activations(part: np.ndarray, order: np.ndarray | None) -> Window:
    # A picture that stands still is broadcast along time: one row is all there is to copy.
    still = part.strides[1] == 0 or part.shape[1] == 1
    rows = _turned(part[:, :1] if still else part, order)
    offsets = np.zeros(part.shape[1] + 1, np.int64)
    return Window(
        part.shape[1], address(offsets, np.int64), 0, address(rows, np.int32),
        0 if still else len(part), (offsets, rows),
    )  # fmt: skip


def _turned(part: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    """Rows of steps in the place of columns, with the units in another order if there is one."""
    n_units, n_steps = part.shape
    part = np.ascontiguousarray(part)
    rows = np.empty((n_steps, n_units), np.int32)
    at_once = max(1, TURNED_AT_ONCE // n_steps)
    for first in range(0, n_units, at_once):
        some = slice(first, first + at_once)
        rows[:, some] = (part[some] if order is None else part.take(order[some], axis=0)).T
    return rows


def _scanned(part: np.ndarray) -> Window:
    n_steps = part.shape[1]
    flat = np.ascontiguousarray(part).reshape(-1).view(np.uint8)
    offsets = np.zeros(n_steps + 1, np.int64)
    at_offsets = address(offsets, np.int64)
    call("count_dense", address(flat, np.uint8), flat.size, n_steps, at_offsets)
    np.cumsum(offsets, out=offsets)
    units = np.empty(int(offsets[-1]), np.int32)
    at_units = address(units, np.int32)
    following = offsets[:-1].copy()
    call(
        "list_dense", address(flat, np.uint8), flat.size, n_steps, address(following, np.int64),
        at_units,
    )  # fmt: skip
    return Window(n_steps, at_offsets, at_units, 0, 0, (offsets, units))


def _listed(program: Program, events: Events, where: str) -> Window:
    n_units, n_steps = program.n_inputs, steps_of(events, where)
    times, units = _checked(events, where)
    # One room for all arrays: to find out where an array lies takes as long as to list some
    # hundred events.
    words = 2 * n_steps + 1 + n_units
    room = np.empty(words + -(-units.size * UNIT_BYTES // OFFSET_BYTES), np.int64)
    offsets = address(room, np.int64)
    following = offsets + (n_steps + 1) * OFFSET_BYTES
    seen = following + n_steps * OFFSET_BYTES
    ordered = offsets + words * OFFSET_BYTES
    wrong = call(
        "list_events", address(times, np.int64), address(units, np.int64), times.size, n_units,
        n_steps, offsets, following, ordered, seen, brief=room.size < LITTLE_ROOM,
    )  # fmt: skip
    if wrong >= 0:
        raise _refused(program, events, wrong, where)
    return Window(n_steps, offsets, ordered, 0, 0, (room,))


def _checked(events: Events, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Times and units of events as int64 arrays without gaps.

    Raises
    ------
    KipukaError
        If they are no lists of whole numbers of equal length.
    """
    times, units = (as_numbers(x, f"{where}, events") for x in (events.times, events.units))
    if not times.size and not units.size:
        times, units = times.ravel().astype(np.int64), units.ravel().astype(np.int64)
    if times.ndim != 1 or times.shape != units.shape:
        raise KipukaError(
            "the events are no lists of equal length",
            where=where,
            limit="as many times as units",
            value=f"shapes {times.shape} and {units.shape}",
            remedy="give one time and one unit per spike",
        )
    for values, what in ((times, "time"), (units, "unit")):
        if values.dtype.kind not in "iu":
            raise KipukaError(
                "the events are not whole numbers",
                where=f"{where}, {what}s of events",
                limit="an integer dtype",
                value=f"dtype {values.dtype}",
                remedy="convert times to steps, and units to their numbers",
            )
    return np.ascontiguousarray(times, np.int64), np.ascontiguousarray(units, np.int64)


def _refused(program: Program, events: Events, index: int, where: str) -> KipukaError:
    """Error for an event that cannot be."""
    for values, end, what in (
        (events.times, events.n_steps, "time"),
        (events.units, program.n_inputs, "unit"),
    ):
        if not 0 <= values[index] < end:
            return KipukaError(
                "an event lies outside the network or the run",
                where=f"{where}, {what} of event {index}",
                limit=f"0 to {end - 1}",
                value=int(values[index]),
                remedy="drop such events, or run as many steps and units as they need",
            )
    return KipukaError(
        "a unit spikes twice in a step",
        where=f"{where}, time of event {index}",
        limit="one spike per unit and step",
        value=f"unit {int(events.units[index])} in step {int(events.times[index])}",
        remedy="merge the events that fall into the same step",
    )
