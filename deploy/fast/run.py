"""One run of the fast simulator: a packed Program, its threads and the counts that they bring."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kipuka.convert.program import Layer, Program
from kipuka.deploy.counters import Counters, LayerCounters
from kipuka.deploy.fast.addresses import address, table_of, tables_of, with_array
from kipuka.deploy.fast.input_events import InputReader, Piece, Sample, Window, pieces_of, steps_of
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import LANES
from kipuka.deploy.fast.machine_code import call
from kipuka.deploy.fast.packed_program import Packed
from kipuka.deploy.fast.program_layout import pack
from kipuka.deploy.fast.recording import Columns, Record
from kipuka.deploy.fast.synapse_layout import Places
from kipuka.deploy.reference import Simulation, state_names

STEPS_AT_ONCE = 1 << 14
"""Steps after which a run looks up: to show its progress, or to end early."""

COUNTS = ("emitted", "saturations", "wraps", "messages", "pending", "arrived")
"""Arrays of a workspace that add up over samples."""

Progress = Callable[[int, int], None]

_PACKED: weakref.WeakKeyDictionary[Program, Packed] = weakref.WeakKeyDictionary()
"""Programs that were run before; they cannot change."""

_SEEN: dict[int, tuple[weakref.ref[Program], Packed]] = {}
"""The same by identity: to compare two programs, or to hash one, takes longer than a short run."""


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


class Worker:
    """What one thread runs samples in, one after the other.

    Attributes
    ----------
    work : Workspace
    address : int
        Where the addresses of its arrays stand.
    reader : InputReader
    """

    def __init__(self, program: Program, packed: Packed) -> None:
        self.work = packed.workspace()
        self._table = table_of(self.work)
        self.address = address(self._table, np.int64)
        self.reader = InputReader(program, packed.input_order)


class Run:
    """A Program, what to record of it, and how far the run is.

    Parameters
    ----------
    program : Program
    record : Record
    progress : callable (done, total) or None
    total : int
        Steps of all samples, or 0 if not known.
    """

    def __init__(
        self, program: Program, record: Record, progress: Progress | None, total: int = 0
    ) -> None:
        self.program, self.packed = program, _laid_out(program)
        self.columns = Columns(program, record)
        layers = self.columns.in_table(self.packed.network.layers)
        self.network = self.packed.network._replace(layers=layers)
        table = with_array(self.packed.table, at.Network, "layers", layers)
        self._table, self._address = table, address(table, np.int64)
        self._progress, self._done, self._total = progress, 0, total
        self._lock, self._stopped = threading.Lock(), threading.Event()

    def stop(self) -> None:
        """Let all threads end at the next opportunity."""
        self._stopped.set()

    def worker(self) -> Worker:
        """Return what a further thread runs in."""
        return Worker(self.program, self.packed)

    def on_threads(self, work_off: Callable[[Worker], None], n_threads: int) -> list[at.Workspace]:
        """Call a function on each of several threads; return the workspaces that it ran in."""
        workers = [self.worker() for _ in range(n_threads)]
        workspaces = [worker.work for worker in workers]
        if n_threads == 1:
            work_off(workers[0])
            return workspaces
        with ThreadPoolExecutor(n_threads) as pool:
            try:
                for future in [pool.submit(work_off, worker) for worker in workers]:
                    future.result()
            finally:
                # After an error, or Ctrl-C, the other threads need not go on.
                self.stop()
        return workspaces

    def whole(self, worker: Worker, piece: Piece, recording: int, where: str) -> None:
        """Run a sample that is given in one piece, and add to the worker's counts.

        `recording` is the address of a table of what it is recorded in.
        """
        if self._piece(worker, piece, recording, 0, 0, where):
            self._finish(worker)

    def streamed(self, worker: Worker, sample: Sample, where: str) -> Simulation:
        """Run one sample of unknown length, with counts of its own."""
        work = worker.work
        for name in (*COUNTS, "peaks"):
            getattr(work, name)[:] = 0
        parts: list[at.Recording] = []
        n_steps = recording = 0
        for piece in pieces_of(sample, where):
            if not parts or self.columns.grow:
                parts.append(self.columns.recordings(1, steps_of(piece, where)))
                table = tables_of(parts[-1])
                recording = address(table, np.int64)
            n_steps += self._piece(worker, piece, recording, n_steps, 0, where)
        if n_steps:
            self._finish(worker)
        if not parts:
            # A recording may be over before it began.
            parts.append(self.columns.recordings(1, 0))
        # The next sample's counts go into the same arrays.
        kept = work._replace(**{name: getattr(work, name).copy() for name in COUNTS})
        return self.result([kept], self.columns.joined(parts), n_steps)

    def _piece(
        self,
        worker: Worker,
        piece: Piece,
        recording: int,
        first_step: int,
        first_row: int,
        where: str,
    ) -> int:
        """Run some steps, record them from a row on, and return how many they were."""
        done = 0
        for window in worker.reader.windows(piece, where):
            self._window(worker, window, recording, first_step + done, first_row + done)
            done += window.n_steps
        return done

    def _window(
        self, worker: Worker, window: Window, recording: int, first_step: int, row: int
    ) -> None:
        if first_step == 0:
            work = worker.work
            for empty in (work.filled, work.spread, work.settled):
                empty[:] = 0
        for start in range(0, window.n_steps, STEPS_AT_ONCE):
            if self._stopped.is_set():
                return
            n_steps = min(STEPS_AT_ONCE, window.n_steps - start)
            call(
                "advance", self._address, worker.address, recording, *window.from_step(start),
                first_step + start, n_steps, row + start, parts=self.network.parts,
            )  # fmt: skip
            if self._progress:
                with self._lock:
                    self._done += n_steps
                    self._progress(self._done, self._total or self._done)

    def _finish(self, worker: Worker) -> None:
        """Count what the last step of a sample left."""
        call("finish", self._address, worker.address, parts=self.network.parts)

    def result(
        self, workspaces: list[at.Workspace], recorded: at.Recording, n_steps: int
    ) -> Simulation:
        """Join what was recorded and counted."""
        return Simulation(
            self.columns.trace(recorded), self._counters(workspaces, recorded, n_steps)
        )

    def _counters(
        self, workspaces: list[at.Workspace], recorded: at.Recording, n_steps: int
    ) -> Counters:
        total = _total(workspaces)
        peaks = total.peaks.reshape(-1, at.STATES, LANES).max(axis=2)
        there = self.network.dense != 0 if self.network.convolved else np.zeros(0, bool)
        counts = (total.emitted, total.pending, total.messages)
        call(
            "count_arrivals", self._address, *(address(x, np.int64) for x in counts),
            address(there, np.bool_), address(total.arrived, np.int64),
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
    return first._replace(
        **{name: np.sum([getattr(work, name) for work in workspaces], axis=0) for name in COUNTS},
        peaks=np.max([work.peaks for work in workspaces], axis=0),
    )


def _multiplications(layer: Layer, operations: np.ndarray, messages: np.ndarray) -> int:
    """Count the synaptic operations of a layer that multiply by a payload."""
    if layer.neuron_model.receives == "graded":
        return int(operations.sum())
    return 0 if layer.of_current is None else int(messages @ layer.of_current.synapses.fan_out())


def _by_neuron(arrivals: np.ndarray, place: Places) -> np.ndarray:
    """Add up the arrivals at the activations of each neuron."""
    blocks = arrivals.reshape(place.blocks, place.gates, LANES)
    return (blocks.sum(axis=1) if place.gates > 1 else blocks).ravel()[place.place]
