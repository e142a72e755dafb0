"""What threads run samples in: a workspace each, kept for the next run of its Program."""

from __future__ import annotations

import threading
import weakref

import numpy as np

from kipuka.deploy.fast.addresses import address, put, table_of
from kipuka.deploy.fast.input_events import Window
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.machine_code import call
from kipuka.deploy.fast.packed_program import COUNTED, Packed

IDLE_BYTES = 1 << 26
"""Memory that workers may take, all together, which wait for a next run.

The system gives new memory page by page, which takes as long as a few steps.
"""

COUNTS = (*COUNTED, "messages", "pending", "arrived")
"""Arrays of a workspace that add up over samples."""

NOWHERE = 0, 0
"""Where the spikes of a last layer go that nobody wants."""

_IDLE: weakref.WeakKeyDictionary[Packed, list[Worker]] = weakref.WeakKeyDictionary()
"""Workers that wait for the next run of a Program, those that have waited longest first."""

_LOCK = threading.Lock()


class Worker:
    """What one thread runs samples in, and the stretches that it runs next.

    Attributes
    ----------
    work : Workspace
    n_bytes : int
    n_steps : int
        Steps of the stretches that have been entered.
    """

    def __init__(self, packed: Packed) -> None:
        self.work = packed.workspace()
        self.n_bytes = sum(array.nbytes for array in self.work)
        self._table = table_of(self.work)
        self._address = address(self._table, np.int64)
        self.clear()

    def clear(self) -> None:
        """Forget the stretches."""
        self._entries: list[int] = []
        self._windows: list[Window] = []
        self.n_steps = 0

    def reset(self, packed: Packed) -> None:
        """Count from 0 on, where the last sample was run to its end; results keep their counts."""
        counts = dict(zip(COUNTED, packed.counts(), strict=True))
        self.work = self.work._replace(**counts)
        for name, array in counts.items():
            put(self._table, at.Workspace, name, array)
        for name in (*COUNTS[len(COUNTED) :], "peaks"):
            getattr(self.work, name).fill(0)

    def enter(
        self,
        window: Window,
        start: int,
        n_steps: int,
        recording: int,
        step: int,
        row: int,
        sent: tuple[int, int] = NOWHERE,
    ) -> None:
        """Enter steps of a window from `start` on: step `step` of their sample, row `row` of it.

        Where the spikes of the last layer are wanted, `sent` has the addresses of a list of units
        and of where in it each step begins.
        """
        self._windows.append(window)
        self._entries += (recording, *window.from_step(start), step, n_steps, row, 0, *sent)
        self.n_steps += n_steps

    def end_sample(self, recording: int) -> None:
        """Enter that the sample ends here: a stretch without steps."""
        self._entries += (recording, 0, 0, 0, 0, 1, 0, 0, 1, *NOWHERE)

    def advance(self, network: int, parts: tuple[bool, ...]) -> None:
        """Run the stretches."""
        table = np.array(self._entries, np.int64)
        n_stretches = table.size // at.STRETCH_ENTRIES
        call(
            "advance", network, self._address, address(table, np.int64), n_stretches, parts=parts
        )  # fmt: skip


def worker_for(packed: Packed) -> Worker:
    """Return a worker that counts from 0 on: one that waited, or a new one."""
    with _LOCK:
        idle = _IDLE.get(packed)
        worker = idle.pop() if idle else None
    if worker is None:
        return Worker(packed)
    # Here rather than when it began to wait: several threads do this at the same time.
    worker.reset(packed)
    return worker


def let_wait(packed: Packed, workers: list[Worker]) -> None:
    """Keep workers whose samples were run to their end for the next run, as far as there is room.

    Those that have waited longest make room for them.
    """
    workers = workers[: IDLE_BYTES // workers[0].n_bytes]
    with _LOCK:
        _IDLE[packed] = [*_IDLE.pop(packed, []), *workers]
        n_bytes = sum(worker.n_bytes for idle in _IDLE.values() for worker in idle)
        for idle in list(_IDLE.values()):
            for _ in range(len(idle)):
                if n_bytes > IDLE_BYTES:
                    n_bytes -= idle.pop(0).n_bytes
