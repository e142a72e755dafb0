"""The fast simulator: a Program event by event in compiled kernels, bit for bit the reference."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from kipuka.convert.operands import as_numbers, whole_number
from kipuka.convert.program import Program, expect_program
from kipuka.deploy.fast.addresses import address, tables_of
from kipuka.deploy.fast.input_events import (
    Events,
    Piece,
    Sample,
    as_taken,
    check_dense,
    in_rows,
    steps_of,
)
from kipuka.deploy.fast.recording import COUNTERS, EVERYTHING, Columns, Record
from kipuka.deploy.fast.run import Progress, Run
from kipuka.deploy.fast.side_by_side import SideBySide, worth_it
from kipuka.deploy.fast.workers import Worker
from kipuka.deploy.reference import Simulation
from kipuka.errors import KipukaError
from kipuka.lazy import listing
from kipuka.threads import Helpers, Task, available_cores, end

__all__ = ["COUNTERS", "EVERYTHING", "Events", "Record", "simulate", "simulate_each"]

__dir__ = listing(__all__)


MAX_THREADS = 1 << 12
"""Threads that anyone may ask for."""

SHARES = 4
"""Times that a thread takes samples: with fewer, one of them would wait for another at the end."""

SAMPLES_AHEAD = 2
"""Samples of a stream that each thread runs before their results are asked for."""


def simulate(
    program: Program,
    inputs: np.ndarray | Sequence[Piece],
    *,
    record: Record = EVERYTHING,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Run a Program on samples, each from zero state, and join the results.

    Parameters
    ----------
    program : Program
    inputs : bool array (samples, units, steps) or sequence of samples
        Input spikes, as 0 and 1 of another type too; for a Program with an encoder, activations
        as int32, or other integers of 32 bits. In a sequence, each sample is an array (units,
        steps) or a list of `Events`, all with the same steps. Units of images may have their
        places: channels x height x width.
    record : Record
        What to keep beside the counters.
    threads : int, optional
        Samples that run at the same time; by default as many as there are processor cores. Where
        there are fewer samples, layers of a long one may run at the same time.
    progress : callable (done, total), optional
        Called as steps are done, from any thread but only one at a time.

    Returns
    -------
    Simulation
        The trace holds what was recorded; arrays of what was not have no steps.

    Raises
    ------
    KipukaError
        If the input does not fit the network; the message names sample, index and value.
    """
    expect_program(program)
    inputs = _samples_of(inputs)
    if isinstance(inputs, np.ndarray):
        inputs = in_rows(program, inputs)
    n_threads = _threads(threads)
    n_steps = _common_steps(program, inputs)
    if isinstance(inputs, np.ndarray):
        inputs = as_taken(program, inputs, "input")
    columns = Columns(program, record)
    stages = worth_it(program, len(inputs), n_steps, n_threads)
    if stages:
        return SideBySide(columns, stages, inputs, n_steps, progress).simulation(n_threads)
    run = Run(columns, progress, total=len(inputs) * n_steps)
    recorded = run.columns.recordings(len(inputs), n_steps)
    tables = tables_of(recorded)
    first = address(tables, np.int64)
    at_once = -(-len(inputs) // (SHARES * n_threads))
    shares = [range(len(inputs))[k : k + at_once] for k in range(0, len(inputs), at_once)]

    def work(worker: Worker, share: range) -> None:
        for number in share:
            recording = first + number * tables.strides[0]
            run.enter(worker, inputs[number], recording, f"input, sample {number}")
        run.go(worker)

    workers = run.on_threads(shares, work, n_threads)
    result = run.result([worker.work for worker in workers], recorded, n_steps)
    run.let_wait(workers)
    return result


def simulate_each(
    program: Program,
    samples: Iterable[Sample],
    *,
    record: Record = EVERYTHING,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Simulation]:
    """Run a Program on a stream of samples and yield each one's result, in order.

    Only a few samples are in memory at a time, and a sample may itself be a stream: an iterable
    of arrays (units, steps) or `Events` that follow each other in time. With the record
    `COUNTERS` such a sample may have any number of steps in the same memory.

    Parameters
    ----------
    program, record, threads, progress
        As in `simulate`.
    samples : iterable of samples

    Yields
    ------
    Simulation
        Of one sample.

    Raises
    ------
    KipukaError
        If a sample does not fit the network; the message names sample, index and value.
    """
    expect_program(program)
    if isinstance(samples, memoryview):
        samples = as_numbers(samples, "input")
    if not isinstance(samples, Iterable) or getattr(samples, "ndim", 1) == 0:
        raise KipukaError(
            "there is no stream of samples",
            where="input",
            limit="an iterable of samples",
            value=type(samples).__name__,
            remedy="give a list or a generator with one sample after the other",
        )
    run = Run(Columns(program, record), progress)
    numbered = ((sample, f"input, sample {number}") for number, sample in enumerate(samples))
    n_threads = _threads(threads)
    if n_threads == 1:
        worker = run.worker()
        for sample, where in numbered:
            yield run.streamed(worker, sample, where)
        run.let_wait([worker])
        return
    workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for _ in range(n_threads):
        workers.put(run.worker())

    def run_one(sample: Sample, where: str) -> Simulation:
        worker = workers.get()
        try:
            return run.streamed(worker, sample, where)
        except BaseException:
            # Counts of a sample that failed are none of the next one's.
            worker = run.worker()
            raise
        finally:
            workers.put(worker)

    helpers = Helpers()
    ahead: deque[Task[Simulation]] = deque()
    try:
        try:
            for sample, where in numbered:
                ahead.append(Task(partial(run_one, sample, where)))
                helpers.at_least(min(len(ahead), n_threads))
                helpers.give(ahead[-1])
                if len(ahead) > SAMPLES_AHEAD * n_threads:
                    yield _next_result(ahead)
            for _ in range(len(ahead)):
                yield _next_result(ahead)
        finally:
            # Whoever stops asking early waits for no more than the steps being computed.
            run.stop()
            helpers.dismiss()
            end(ahead)
    finally:
        end(ahead)
    run.let_wait([workers.get() for _ in range(n_threads)])


def _next_result(ahead: deque[Task[Simulation]]) -> Simulation:
    """Wait for the first result; until it is there it is among those that the end waits for."""
    result = ahead[0].result()
    ahead.popleft()
    return result


def _threads(threads: int | None) -> int:
    if threads is None:
        return available_cores()
    return whole_number(threads, 1, MAX_THREADS, "argument threads")


def _samples_of(inputs: Any) -> np.ndarray | Sequence[Piece]:
    """Return an array, or a sequence of samples as it is.

    Raises
    ------
    KipukaError
        If it is neither.
    """
    sequence = hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__")
    mapping = isinstance(inputs, Mapping | str | bytes)
    if hasattr(inputs, "__array__") or isinstance(inputs, memoryview) or not sequence or mapping:
        return as_numbers(inputs, "input")
    samples: Sequence[Piece] = inputs
    return samples


def _as_images(program: Program) -> str:
    """The other form of an input whose units have places."""
    shape = program.input_shape
    return f", or samples x {' x '.join(map(str, shape))} x steps" if len(shape) > 1 else ""


def _common_steps(program: Program, inputs: np.ndarray | Sequence[Piece]) -> int:
    """Steps of every sample.

    Raises
    ------
    KipukaError
        If there is no sample, the array has another number of axes, or the steps differ.
    """
    if isinstance(inputs, np.ndarray) and inputs.ndim != 3:
        raise KipukaError(
            "the input does not fit the network",
            where="input",
            limit=f"samples x {program.n_inputs} units x steps{_as_images(program)}",
            value=f"shape {inputs.shape}",
            remedy="put the samples first and time last",
        )
    if len(inputs) == 0:
        raise KipukaError(
            "there is no sample to run",
            where="input",
            limit="at least 1 sample",
            value="none",
            remedy="check how the input was made",
        )
    if isinstance(inputs, np.ndarray):
        # Before there are threads, whose frames would bury the message.
        check_dense(program, inputs.shape[1:], "input, sample 0")
        return int(inputs.shape[2])
    steps = [steps_of(piece, f"input, sample {k}") for k, piece in enumerate(inputs)]
    different = [k for k, n in enumerate(steps) if n != steps[0]]
    if different:
        raise KipukaError(
            "the samples differ in length",
            where=f"input, sample {different[0]}",
            limit=f"{steps[0]} steps, like sample 0",
            value=f"{steps[different[0]]} steps",
            remedy="run them with simulate_each, or make them equally long",
        )
    return steps[0]
