"""One run of the fast simulator: a packed Program, its threads and the counts that they bring."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import reduce

import numpy as np

from kipuka.convert.program import Layer, Program
from kipuka.deploy.counters import Counters, LayerCounters
from kipuka.deploy.fast.addresses import address, tables_of, with_array
from kipuka.deploy.fast.input_events import Piece, Sample, pieces_of, steps_of, windows
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import LANES
from kipuka.deploy.fast.machine_code import call
from kipuka.deploy.fast.packed_program import Packed
from kipuka.deploy.fast.program_layout import pack
from kipuka.deploy.fast.recording import Columns
from kipuka.deploy.fast.synapse_layout import Places
from kipuka.deploy.fast.workers import COUNTS, Worker, let_wait, worker_for
from kipuka.deploy.reference import Simulation, state_names
from kipuka.threads import share_out

STEPS_AT_ONCE = 1 << 14
"""Steps after which a run looks up: to show its progress, or to end early."""

UPDATES_AT_ONCE = 1 << 22
"""Updates of neurons and looks at input units for which short samples run in one go.

Between two goes a thread waits for its turn with Python, as long as a few short samples take.
"""

Progress = Callable[[int, int], None]

_PACKED: weakref.WeakKeyDictionary[Program, Packed] = weakref.WeakKeyDictionary()
"""Programs that were run before; they cannot change."""

_SEEN: dict[int, tuple[weakref.ref[Program], Packed]] = {}
"""The same by identity: to compare two programs, or to hash one, takes longer than a short run."""


def _laid_out(program: Program) -> Packed:
    """Lay out a program, or an equal one, once."""
    key = id(program)
    seen = _SEEN.get(key)
    if seen is not None and seen[0]() is program:
        return seen[1]
    # An equal program that was run before may go away at any moment: one look must do.
    packed = _PACKED.get(program)
    if packed is None:
        packed = _PACKED[program] = pack(program)
    _SEEN[key] = weakref.ref(program, lambda _: _SEEN.pop(key, None)), packed
    return packed


class StepsDone:
    """Steps that are done of all that there are, or of any number if `total` is 0."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total
        self._lock = threading.Lock()

    def note(self, n_steps: int) -> None:
        """Show that some more steps are done."""
        if self._progress:
            with self._lock:
                self._done += n_steps
                self._progress(self._done, self._total or self._done)


class Run:
    """A Program, what to record of it, and how far the run is.

    Parameters
    ----------
    columns : Columns
        Of what is recorded of which Program.
    progress : callable (done, total) or None
    total : int
        Steps of all samples, or 0 if not known.
    """

    def __init__(self, columns: Columns, progress: Progress | None, total: int = 0) -> None:
        self.columns, self.program = columns, columns.program
        self.packed = _laid_out(self.program)
        layers = self.columns.in_table(self.packed.network.layers)
        self.network = self.packed.network._replace(layers=layers)
        table = with_array(self.packed.table, at.Network, "layers", layers)
        self._table, self._address = table, address(table, np.int64)
        self._done, self._stopped = StepsDone(progress, total), threading.Event()
        units = self.packed.network.order.size
        self._steps_in_a_go = min(STEPS_AT_ONCE, UPDATES_AT_ONCE // units)

    def stop(self) -> None:
        """Let all threads end at the next opportunity."""
        self._stopped.set()

    def worker(self) -> Worker:
        """Return what a further thread runs in."""
        return worker_for(self.packed)

    def let_wait(self, workers: list[Worker]) -> None:
        """Have no more use for workers whose samples were run to their end."""
        let_wait(self.packed, workers)

    def on_threads(
        self, shares: Sequence[range], work: Callable[[Worker, range], None], n_threads: int
    ) -> list[Worker]:
        """Call a function with each share, on several threads; return the workers it ran in."""
        workers: list[Worker] = []

        def work_off(shares: Iterator[range]) -> None:
            worker = None
            try:
                for share in shares:
                    if worker is None:
                        worker = self.worker()
                        workers.append(worker)
                    work(worker, share)
            except BaseException:
                # After an error, or Ctrl-C, the other threads need not go on.
                self.stop()
                raise

        share_out(n_threads, shares, work_off)
        return workers

    def enter(self, worker: Worker, piece: Piece, recording: int, where: str) -> None:
        """Enter a sample that is given in one piece; what is entered runs no later than in `go`.

        `recording` is the address of a table of what it is recorded in.
        """
        if self._piece(worker, piece, recording, 0, 0, where):
            worker.end_sample(recording)

    def go(self, worker: Worker) -> None:
        """Run what was entered, and add to the worker's counts."""
        if not self._stopped.is_set():
            worker.advance(self._address, self.network.parts)
            self._done.note(worker.n_steps)
        worker.clear()

    def streamed(self, worker: Worker, sample: Sample, where: str) -> Simulation:
        """Run one sample of unknown length, with counts of its own."""
        parts: list[at.Recording] = []
        n_steps = recording = 0
        for piece in pieces_of(sample, where):
            if not parts or self.columns.grow:
                parts.append(self.columns.recordings(1, steps_of(piece, where)))
                table = tables_of(parts[-1])
                recording = address(table, np.int64)
            n_steps += self._piece(worker, piece, recording, n_steps, 0, where)
            self.go(worker)
        if n_steps:
            worker.end_sample(recording)
            self.go(worker)
        if not parts:
            # A recording may be over before it began.
            parts.append(self.columns.recordings(1, 0))
        result = self.result([worker.work], self.columns.joined(parts), n_steps)
        worker.reset(self.packed)
        return result

    def _piece(
        self,
        worker: Worker,
        piece: Piece,
        recording: int,
        first_step: int,
        first_row: int,
        where: str,
    ) -> int:
        """Enter some steps, to be recorded from a row on, and return how many they are."""
        done = 0
        for window in windows(self.program, piece, where, self.packed.input_order):
            for start in range(0, window.n_steps, STEPS_AT_ONCE):
                n_steps = min(STEPS_AT_ONCE, window.n_steps - start)
                before = done + start
                worker.enter(
                    window, start, n_steps, recording, first_step + before, first_row + before
                )
                if worker.n_steps >= self._steps_in_a_go:
                    self.go(worker)
            done += window.n_steps
        return done

    def result(
        self, workspaces: list[at.Workspace], recorded: at.Recording, n_steps: int
    ) -> Simulation:
        """Join what was recorded and counted."""
        return Simulation(
            self.columns.trace(recorded), self.counters(workspaces, recorded, n_steps)
        )

    def counters(
        self, workspaces: list[at.Workspace], recorded: at.Recording, n_steps: int
    ) -> Counters:
        """Join what was counted."""
        total = _total(workspaces)
        peaks = total.peaks.reshape(-1, at.STATES, LANES).max(axis=2)
        there = self.packed.kernels_there
        call(
            "count_arrivals", self._address, address(total.emitted, np.int64),
            address(total.pending, np.int64), address(total.messages, np.int64),
            address(there, np.bool_), address(total.few, np.int32), address(total.seen, np.int8),
            address(total.tables, np.int16), address(total.arrived, np.int64), total.few.size,
            parts=self.network.parts,
        )  # fmt: skip
        n_samples = recorded.step_spikes.shape[0]
        layers = []
        first_activation = 0
        first_units = self.network.layers["first_unit"].tolist()
        all_peaks = peaks.tolist()
        for position, (layer, place) in enumerate(
            zip(self.program.layers, self.packed.places, strict=True)
        ):
            first_unit = first_units[position + 1]
            units = slice(first_unit, first_unit + layer.n_neurons)
            arrivals = total.arrived[first_activation : first_activation + place.width]
            first_activation += place.width
            layers.append(
                LayerCounters(
                    layer=self.program.numbers[position],
                    spikes=recorded.step_spikes[:, position + 1],
                    spikes_per_neuron=total.emitted[units],
                    synaptic_operations=recorded.step_operations[:, position + 1],
                    multiplications=_multiplications(
                        layer, recorded.step_operations[:, position + 1], total.messages[units]
                    ),
                    arrivals_per_neuron=_by_neuron(arrivals, place),
                    updates=layer.n_neurons * n_steps * n_samples,
                    saturations=total.saturations[units],
                    wraps=total.wraps[units],
                    peaks=dict(zip(state_names(layer), all_peaks[position + 1], strict=False)),
                )
            )
        return Counters(tuple(layers), recorded.step_spikes[:, 0], n_steps)


def _total(workspaces: list[at.Workspace]) -> at.Workspace:
    """Counts of all threads."""
    first = workspaces[0]
    if len(workspaces) == 1:
        return first
    # Two arrays at a time: to lay all of them side by side takes ten times as long.
    sums = {name: reduce(np.add, [getattr(work, name) for work in workspaces]) for name in COUNTS}
    peaks = reduce(np.maximum, [work.peaks for work in workspaces])
    return first._replace(**sums, peaks=peaks)


def _multiplications(layer: Layer, operations: np.ndarray, messages: np.ndarray) -> int:
    """Count the synaptic operations of a layer that multiply by a payload."""
    if layer.neuron_model.receives == "graded":
        return int(operations.sum())
    return 0 if layer.of_current is None else int(messages @ layer.of_current.synapses.fan_out())


def _by_neuron(arrivals: np.ndarray, place: Places) -> np.ndarray:
    """Add up the arrivals at the activations of each neuron."""
    blocks = arrivals.reshape(place.blocks, place.gates, LANES)
    by_place = (blocks.sum(axis=1) if place.gates > 1 else blocks).ravel()
    # No place is outside, and not to look for one is faster.
    return by_place.take(place.place, mode="clip")
