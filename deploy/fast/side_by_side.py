"""Fewer samples than threads: the stages of a network run side by side, and the shares of each.

Each sample is cut into stretches of steps, which go from stage to stage: while one stage runs a
stretch, the stage before it runs the next one, and each share of a stage runs it on a thread of its
own. A share takes its stretches in order, so that every bit is what it is on one thread.
"""

from __future__ import annotations

import itertools
import math
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from kipuka.convert.program import Program
from kipuka.deploy.counters import Counters, LayerCounters
from kipuka.deploy.fast.addresses import address, tables_of
from kipuka.deploy.fast.input_events import Piece, Window, windows
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.recording import Columns
from kipuka.deploy.fast.run import STEPS_AT_ONCE, Progress, Run, StepsDone
from kipuka.deploy.fast.stages import (
    Share,
    Stage,
    set_up_time,
    stages_of,
    step_time,
    step_time_of,
)
from kipuka.deploy.fast.workers import NOWHERE
from kipuka.deploy.reference import Simulation
from kipuka.threads import share_out

SHORTEST_STRETCH = 5e5
"""Nanoseconds that a stretch takes in the slowest share: enough for what Python does around it."""

MOST_STRETCHES = 16
"""Stretches of all samples, where they are longer than that: a stage begins when one has come."""

SHORTEST_RUN = 3e7
"""Nanoseconds of a run that is worth it."""

FEWEST_TIMES_FASTER = 1.55
"""What it must bring, as far as can be foretold: the work is more, and the foretelling rough."""

MOST_SPIKES = 1 << 24
"""Spikes that a share has room to list: as many as if all of its neurons did in every step."""

AHEAD = 2
"""Stretches that a stage may be ahead of the one behind it."""

_PROGRAMS: weakref.WeakKeyDictionary[Program, dict[Share, Program]] = weakref.WeakKeyDictionary()
"""What shares run that were run before; to lay one out takes as long as many steps."""


class Stretch(NamedTuple):
    """Some steps of a sample: its number, the first of the steps, and the input in them.

    `ends` says that the sample ends with them.
    """

    sample: int
    first_step: int
    window: Window
    ends: bool


class Spikes(NamedTuple):
    """What a share or a stage sends in a stretch.

    Attributes
    ----------
    offsets : int64 array (steps + 1,)
    units : int32 array (spikes,)
        Those that spike in step t of the stretch are ``units[offsets[t] : offsets[t + 1]]``.
    """

    offsets: np.ndarray
    units: np.ndarray


def worth_it(
    program: Program, n_samples: int, n_steps: int, n_threads: int
) -> tuple[Stage, ...] | None:
    """Cut a Program into stages if samples are sooner done in them, one after the other."""
    if n_samples >= n_threads:
        return None
    alone = step_time(program)
    if alone * n_steps < max(SHORTEST_RUN, set_up_time(program)):
        return None
    stages = stages_of(program, n_threads)
    faster = alone / step_time_of(stages, n_threads)
    return stages if faster > FEWEST_TIMES_FASTER * n_samples else None


class SideBySide:
    """A run of samples, one after the other, in stages.

    Parameters
    ----------
    columns : Columns
        Of what is recorded.
    stages : tuple of Stage
    samples : sequence of pieces
        All of `n_steps` steps.
    progress : callable (done, total) or None
    """

    def __init__(
        self,
        columns: Columns,
        stages: tuple[Stage, ...],
        samples: np.ndarray | Sequence[Piece],
        n_steps: int,
        progress: Progress | None,
    ) -> None:
        self.columns, self.n_steps = columns, n_steps
        self.recorded = columns.recordings(len(samples), n_steps)
        self._done = StepsDone(progress, len(samples) * n_steps)
        programs = _PROGRAMS.setdefault(columns.program, {})
        for share in itertools.chain(*stages):
            if share not in programs:
                programs[share] = share.of(columns.program)
        self._stages = [
            _RunningStage(
                [_RunningShare(share, programs[share], columns, self.recorded) for share in stage]
            )
            for stage in stages
        ]
        slowest = max(share.time for share in itertools.chain(*stages))
        enough = len(samples) * n_steps // MOST_STRETCHES if len(stages) > 1 else n_steps
        senders = [share.end_neuron - share.first_neuron for share in itertools.chain(*stages[:-1])]
        most = min(STEPS_AT_ONCE, MOST_SPIKES // max(senders, default=1))
        at_once = int(max(1, min(max(enough, SHORTEST_STRETCH // slowest), most)))
        self._coming = self._stretches(samples, at_once)
        self._n_read, self._reading, self._all_read = 0, False, False
        self._stopped = False
        self._changed = threading.Condition()

    def simulation(self, n_threads: int) -> Simulation:
        """Run all samples, and join what was recorded and counted."""
        share_out(n_threads, range(n_threads), lambda _: self._work_off())
        counters = [
            [share.counters(self.n_steps) for share in stage.shares] for stage in self._stages
        ]
        layers = [layer for shares in counters for layer in _of_all_neurons(shares)]
        for stage in self._stages:
            for share in stage.shares:
                share.run.let_wait([share.worker])
        return Simulation(
            self.columns.trace(self.recorded),
            Counters(tuple(layers), counters[0][0].input_spikes, self.n_steps),
        )

    def _stretches(self, samples: np.ndarray | Sequence[Piece], at_once: int) -> Iterator[Stretch]:
        program, order = self.columns.program, self._stages[0].shares[0].run.packed.input_order
        for number, piece in enumerate(samples):
            done = 0
            for window in windows(program, piece, f"input, sample {number}", order):
                for start in range(0, window.n_steps, at_once):
                    n_steps = min(at_once, window.n_steps - start)
                    steps = Window(n_steps, *window.from_step(start), window.arrays)
                    yield Stretch(number, done, steps, done + n_steps == self.n_steps)
                    done += n_steps

    def _work_off(self) -> None:
        """Do what can be done next, until nothing is left; as many threads may as like to."""
        try:
            while True:
                task = self._next_task()
                if task is None:
                    return
                task()
        except BaseException:
            # After an error, or Ctrl-C, the other threads need not go on.
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            raise

    def _next_task(self) -> Callable[[], None] | None:
        """Wait for what can be done; return None when all is done, or one of the threads failed."""
        with self._changed:
            while True:
                task = None if self._stopped else self._possible_task()
                if task is not None or self._stopped or self._all_done():
                    return task
                self._changed.wait()

    def _all_done(self) -> bool:
        return self._all_read and self._stages[-1].n_done == self._n_read

    def _possible_task(self) -> Callable[[], None] | None:
        """Choose a share that can go on, of the last stage that has one, or else the input."""
        for number, stage in reversed(list(enumerate(self._stages))):
            share = stage.free_share(self._room(number + 1))
            if share is not None:
                share.busy = True
                return partial(self._advance, number, share, stage.coming[share.n_done])
        if not (self._reading or self._all_read) and self._n_read < self._room(0):
            self._reading = True
            return self._read
        return None

    def _room(self, number: int) -> float:
        """Stretches that a stage may have been given by now; what is behind the last takes all."""
        return self._stages[number].n_done + AHEAD if number < len(self._stages) else math.inf

    def _read(self) -> None:
        stretch = next(self._coming, None)
        with self._changed:
            self._reading = False
            if stretch is None:
                self._all_read = True
            else:
                self._stages[0].coming[self._n_read] = stretch
                self._n_read += 1
            self._changed.notify_all()

    def _advance(self, number: int, share: _RunningShare, stretch: Stretch) -> None:
        stage, is_last = self._stages[number], number == len(self._stages) - 1
        share.advance(stretch, not is_last)
        with self._changed:
            share.busy = False
            share.n_done += 1
            which, is_done = stage.n_done - 1, stage.n_done == share.n_done
            if is_done:
                del stage.coming[which]
                sent = [] if is_last else [share.sent.popleft() for share in stage.shares]
            self._changed.notify_all()
        if is_done and is_last:
            self._done.note(stretch.window.n_steps)
        elif is_done:
            spikes = _sent_by_all(sent, [share.first_neuron for share in stage.shares])
            following = _one_step_later(stretch, spikes, self.n_steps)
            with self._changed:
                self._stages[number + 1].coming[which] = following
                self._changed.notify_all()


class _RunningShare:
    """A share while it runs."""

    def __init__(
        self, share: Share, program: Program, columns: Columns, recorded: at.Recording
    ) -> None:
        self.first_neuron, self._n_neurons = share.first_neuron, program.n_outputs
        self.run = Run(columns.of_part(program, share.first_layer, share.first_neuron), None)
        self.worker = self.run.worker()
        # Counts by step are those of its own layers; all else it writes where the whole run does.
        n_samples, _, n_columns = recorded.step_spikes.shape
        counts = np.zeros((2, n_samples, 1 + len(program.layers), n_columns), np.int64)
        self._recorded = recorded._replace(step_spikes=counts[0], step_operations=counts[1])
        self._tables = tables_of(self._recorded)
        self._first_table = address(self._tables, np.int64)
        self.n_done, self.busy = 0, False
        self.sent: deque[Spikes] = deque()

    def advance(self, stretch: Stretch, lists: bool) -> None:
        """Run a stretch, and list what is sent if anybody wants to know."""
        n_steps = stretch.window.n_steps
        table = self._first_table + stretch.sample * self._tables.strides[0]
        places = NOWHERE
        if lists:
            units = np.empty(n_steps * self._n_neurons, np.int32)
            offsets = np.zeros(n_steps + 1, np.int64)
            places = address(units, np.int32), address(offsets, np.int64)
        first = stretch.first_step
        self.worker.enter(stretch.window, 0, n_steps, table, first, first, places)
        if stretch.ends:
            self.worker.end_sample(table)
        self.run.go(self.worker)
        if lists:
            self.sent.append(Spikes(offsets, units[: offsets[-1]]))

    def counters(self, n_steps: int) -> Counters:
        """Give what was counted."""
        return self.run.counters([self.worker.work], self._recorded, n_steps)


class _RunningStage:
    """A stage while it runs: its shares, and the stretches that not all of them have run."""

    def __init__(self, shares: list[_RunningShare]) -> None:
        self.shares = shares
        self.coming: dict[int, Stretch] = {}

    @property
    def n_done(self) -> int:
        """Stretches that all shares have run."""
        return min(share.n_done for share in self.shares)

    def free_share(self, room: float) -> _RunningShare | None:
        """Return a share that has a stretch to run, where there is room for what it sends."""
        for share in self.shares:
            if not share.busy and share.n_done in self.coming and share.n_done < room:
                return share
        return None


def _sent_by_all(sent: list[Spikes], first_neurons: list[int]) -> Spikes:
    """Join what the shares of a stage send, step by step."""
    if len(sent) == 1:
        return sent[0]
    offsets = np.sum([spikes.offsets for spikes in sent], axis=0)
    units = np.empty(offsets[-1], np.int32)
    free = offsets[:-1].copy()
    for spikes, first in zip(sent, first_neurons, strict=True):
        counts = np.diff(spikes.offsets)
        moved = np.repeat(free - spikes.offsets[:-1], counts)
        units[moved + np.arange(moved.size)] = spikes.units + first
        free += counts
    return Spikes(offsets, units)


def _one_step_later(stretch: Stretch, spikes: Spikes, n_steps: int) -> Stretch:
    """Give the input of the stage behind: what is sent in a step arrives in the next one.

    Nothing arrives in the first of a sample's `n_steps` steps, and what the last one sends arrives
    no more.
    """
    offsets, first = spikes.offsets, stretch.first_step + 1
    if stretch.first_step == 0:
        offsets, first = np.concatenate([[0], offsets]), 0
    left = max(n_steps - first, 0)
    at_once = min(offsets.size - 1, left)
    window = Window(
        at_once, address(offsets, np.int64), address(spikes.units, np.int32), 0, 0,
        (offsets, spikes.units),
    )  # fmt: skip
    return Stretch(stretch.sample, first, window, 0 < at_once == left)


def _of_all_neurons(shares: list[Counters]) -> tuple[LayerCounters, ...]:
    """Join the counters of the shares of a stage."""
    if len(shares) == 1:
        return shares[0].layers
    layers = [counters.layers[0] for counters in shares]

    def total(name: str) -> np.ndarray:
        return np.sum([getattr(layer, name) for layer in layers], axis=0)

    def every(name: str) -> np.ndarray:
        return np.concatenate([getattr(layer, name) for layer in layers])

    return (
        LayerCounters(
            layer=layers[0].layer,
            spikes=total("spikes"),
            spikes_per_neuron=every("spikes_per_neuron"),
            synaptic_operations=total("synaptic_operations"),
            multiplications=sum(layer.multiplications for layer in layers),
            arrivals_per_neuron=every("arrivals_per_neuron"),
            updates=sum(layer.updates for layer in layers),
            saturations=every("saturations"),
            wraps=every("wraps"),
            peaks={name: max(layer.peaks[name] for layer in layers) for name in layers[0].peaks},
        ),
    )
