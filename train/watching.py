"""A training run as it goes on: a bar and the last numbers for people, lines in a file."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from html import escape
from typing import TYPE_CHECKING, Any

from rich import progress
from rich.console import Console, RenderableType
from rich.text import Text

from kipuka.errors import KipukaError, printable
from kipuka.screen import STDERR, duration, in_notebook, say

if TYPE_CHECKING:
    from kipuka.train.runs.config import TrainConfig
    from kipuka.train.runs.metrics import EpochMetrics

BEFORE_THE_FIRST = "compiling kernels, which takes longest the first time"

BEST_BY = {"accuracy": "best", "loss": "best by loss", "last": "kept"}
"""Word for the epoch that is kept, by the setting `selection`."""


Progress = Callable[["EpochMetrics"], None] | bool | None
"""Whom a run tells of its epochs: people (true), nobody (None or false), or a function."""


def followed(config: TrainConfig, progress: Progress) -> AbstractContextManager[Any]:
    """Return the context within which what it gives is to be called after each epoch, if anything.

    Raises
    ------
    KipukaError
        If there is nothing of the kind to tell.
    """
    if progress is True:
        return watched_training(config)
    if progress is None or progress is False or callable(progress):
        return nullcontext(progress or None)
    raise KipukaError(
        "the progress of a training cannot be shown that way",
        where="argument progress",
        limit="True, None, or a function of the metrics of an epoch",
        value=type(progress).__name__,
        remedy="leave it out to see each epoch, or give progress=None to see nothing",
    )


@contextmanager
def watched_training(config: TrainConfig) -> Iterator[Callable[[EpochMetrics], None]]:
    """Show a training run to people; yields what is to be called after each epoch.

    Standard error shows it: a bar with the last numbers on a terminal, and lines elsewhere. In a
    notebook the bar stands below the cell, and stays there.
    """
    title = f"training {config.network} on {config.data}"
    watch = _Watch(config.epochs, BEST_BY[config.selection])
    if in_notebook():
        cell = _Cell(title, config.epochs)
        yield lambda metrics: cell.show(metrics.epoch, watch.numbers(metrics))
    elif STDERR.draws:
        with _Bar(title, config.epochs) as bar:
            yield lambda metrics: bar.show(metrics.epoch, watch.numbers(metrics))
    else:
        _log(f"{title}: {BEFORE_THE_FIRST}")
        yield lambda metrics: _log(watch.line(metrics))


def _log(line: str) -> None:
    """Write a line that a run does not stop for if nobody can read it."""
    with contextlib.suppress(OSError, ValueError):
        say(line)


class _Watch:
    """What is to be said of an epoch, from those that were seen before it.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    best_by : str
        Word for the epoch that would be kept now.
    """

    def __init__(self, epochs: int, best_by: str) -> None:
        self._epochs = epochs
        self._best_by = best_by
        self._start_s = time.perf_counter()
        self._seen = 0
        self._best = "of an earlier start"

    def line(self, metrics: EpochMetrics) -> str:
        """One line for a log."""
        return f"epoch {metrics.epoch} of {self._epochs}: {self.numbers(metrics)}"

    def numbers(self, metrics: EpochMetrics) -> str:
        """Loss, validation accuracy, best so far, spike rate, time left or taken."""
        self._seen += 1
        found = f"{100 * metrics.validation_accuracy:.2f} %"
        if metrics.best:
            self._best = f"{found} in epoch {metrics.epoch}"
        gone_s = time.perf_counter() - self._start_s
        left_s = gone_s / self._seen * (self._epochs - metrics.epoch)
        ends = metrics.epoch == self._epochs
        lasts = f"done in {duration(gone_s)}" if ends else f"{duration(left_s)} left"
        return (
            f"loss {metrics.loss:.4f}, validation {found}, {self._best_by} {self._best}, "
            f"{metrics.spike_rate:.3f} spikes per neuron and step, {lasts}"
        )


class _Cell:
    """Bar of the epochs with the last epoch's numbers, below a cell of a notebook.

    Parameters
    ----------
    title : str
    epochs : int
    """

    def __init__(self, title: str, epochs: int) -> None:
        self._title, self._epochs = printable(title), epochs
        self._epoch, self._numbers = 0, BEFORE_THE_FIRST
        # A notebook has it; nothing else needs it.
        display = importlib.import_module("IPython.display").display
        self._handle = display(self, display_id=True)

    def show(self, epoch: int, numbers: str) -> None:
        """Redraw after an epoch."""
        self._epoch, self._numbers = epoch, numbers
        self._handle.update(self)

    def __repr__(self) -> str:
        return f"{self._title}: epoch {self._epoch} of {self._epochs}, {self._numbers}"

    def _repr_html_(self) -> str:
        bar = f'<progress value="{self._epoch}" max="{self._epochs}"></progress>'
        return f"<div>{bar} {escape(repr(self))}</div>"


class _Bar(progress.Progress):
    """Bar of the epochs below its title, and below it the last epoch's numbers.

    Parameters
    ----------
    title : str
    epochs : int
    """

    def __init__(self, title: str, epochs: int) -> None:
        self._title = Text(printable(title), no_wrap=True, overflow="ellipsis")
        self._numbers = Text(BEFORE_THE_FIRST)
        super().__init__(
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.RenderableColumn(Text("epochs")),
            progress.TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self.add_task("", total=epochs)

    def show(self, epoch: int, numbers: str) -> None:
        """Redraw after an epoch."""
        self._numbers = Text(numbers)
        self.update(self._task, completed=epoch)
        self.refresh()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Lines that are drawn."""
        yield self._title
        yield from super().get_renderables()
        yield self._numbers
