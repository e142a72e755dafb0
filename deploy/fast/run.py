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
from kipuka.deploy.fast.addresses import address, table_of, with_array
from kipuka.deploy.fast.input_events import Piece, Sample, Window, pieces_of, steps_of, windows
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
        self._works: dict[int, tuple[at.Workspace, np.ndarray, int]] = {}
        self._progress, self._done, self._total = progress, 0, total
        self._lock, self._stopped = threading.Lock(), threading.Event()

    def stop(self) -> None:
        """Let all threads end at the next opportunity."""
        self._stopped.set()

    def on_threads(
        self, work_off: Callable[[at.Workspace], None], n_threads: int
    ) -> list[at.Workspace]:
        """Call a function on each of several threads, with a workspace of its own."""
        workspaces = [self.packed.workspace() for _ in range(n_threads)]
        if n_threads == 1:
            work_off(workspaces[0])
            return workspaces
        with ThreadPoolExecutor(n_threads) as pool:
            try:
                for future in [pool.submit(work_off, workspace) for workspace in workspaces]:
                    future.result()
            finally:
                # After an error, or Ctrl-C, the other threads need not go on.
                self.stop()
        return workspaces

    def whole(self, work: at.Workspace, piece: Piece, into: at.Recording, where: str) -> None:
        """Run a sample that is given in one piece, and add to the workspace's counts."""
        if self._piece(work, piece, into, 0, 0, where):
            self._finish(work)

    def streamed(self, work: at.Workspace, sample: Sample, where: str) -> Simulation:
        """Run one sample of unknown length, with counts of its own."""
        for name in (*COUNTS, "peaks"):
            getattr(work, name)[:] = 0
        parts: list[at.Recording] = []
        n_steps = 0
        for piece in pieces_of(sample, where):
            if not parts or self.columns.grow:
                parts.append(self.columns.recordings(1, steps_of(piece, where)))
            own = at.Recording(*(array[0] for array in parts[-1]))
            n_steps += self._piece(work, piece, own, n_steps, 0, where)
        if n_steps:
            self._finish(work)
        if not parts:
            # A recording may be over before it began.
            parts.append(self.columns.recordings(1, 0))
        # The next sample's counts go into the same arrays.
        kept = work._replace(**{name: getattr(work, name).copy() for name in COUNTS})
        return self.result([kept], self.columns.joined(parts), n_steps)

    def _piece(
        self,
        work: at.Workspace,
        piece: Piece,
        into: at.Recording,
        first_step: int,
        first_row: int,
        where: str,
    ) -> int:
        """Run some steps, record them from a row on, and return how many they were."""
        done = 0
        for window in windows(self.program, piece, where, self.packed.input_order):
            self._window(work, window, into, first_step + done, first_row + done)
            done += window.n_steps
        return done

    def _window(
        self, work: at.Workspace, window: Window, into: at.Recording, first_step: int, row: int
    ) -> None:
        moving = window.activations.shape[0] > 1
        recorded = table_of(into)
        network, room = self._tables(work)
        recording = address(recorded, np.int64)
        if first_step == 0:
            for empty in (work.filled, work.spread, work.settled):
                empty[:] = 0
        for start in range(0, window.n_steps, STEPS_AT_ONCE):
            if self._stopped.is_set():
                return
            n_steps = min(STEPS_AT_ONCE, window.n_steps - start)
            activations = window.activations[start:] if moving else window.activations
            offsets = window.offsets[start:]
            call(
                "advance", network, room, recording, address(offsets, np.int64),
                address(window.units, np.int32), address(activations, np.int32),
                activations.shape[1] if moving else 0, first_step + start, n_steps, row + start,
                parts=self.network.parts,
            )  # fmt: skip
            if self._progress:
                with self._lock:
                    self._done += n_steps
                    self._progress(self._done, self._total or self._done)

    def _finish(self, work: at.Workspace) -> None:
        """Count what the last step of a sample left."""
        call("finish", *self._tables(work), parts=self.network.parts)

    def _tables(self, work: at.Workspace) -> tuple[int, int]:
        """Where the addresses of the network and of a workspace stand."""
        # The workspace is kept as well, so that its number is no other's as long as the run lasts.
        known = self._works.get(id(work))
        if known is None:
            table = table_of(work)
            known = self._works[id(work)] = work, table, address(table, np.int64)
        return self._address, known[2]

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
