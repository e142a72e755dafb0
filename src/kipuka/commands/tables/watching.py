"""A training run as it goes on: a bar and the last numbers on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import progress
from rich.console import RenderableType
from rich.text import Text

from kipuka.commands.console import STDERR, duration
from kipuka.errors import printable

if TYPE_CHECKING:
    from kipuka.train.runs.config import TrainConfig
    from kipuka.train.runs.metrics import EpochMetrics

BEFORE_THE_FIRST = "reading data and compiling kernels, which takes longest the first time"

BEST_BY = {"accuracy": "best", "loss": "best by loss", "last": "kept"}
"""Word for the epoch that is kept, by the setting `selection`."""


@contextmanager
def watched_training(config: TrainConfig) -> Iterator[Callable[[EpochMetrics], None]]:
    """Show a training run on stderr; yields what is to be called after each epoch."""
    title = f"training {config.network} on {config.data}"
    watch = _Watch(config.epochs, BEST_BY[config.selection])
    if not STDERR.is_terminal:
        STDERR.print(Text(printable(f"{title}: {BEFORE_THE_FIRST}")), soft_wrap=True)

        def line(metrics: EpochMetrics) -> None:
            STDERR.print(Text(watch.line(metrics)), soft_wrap=True)

        yield line
        return
    with _Bar(title, config.epochs) as bar:

        def redraw(metrics: EpochMetrics) -> None:
            bar.show(metrics.epoch, watch.numbers(metrics))

        yield redraw


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
        """Loss, validation accuracy, best so far, spike rate, time left."""
        self._seen += 1
        found = f"{100 * metrics.validation_accuracy:.2f} %"
        if metrics.best:
            self._best = f"{found} in epoch {metrics.epoch}"
        per_epoch_s = (time.perf_counter() - self._start_s) / self._seen
        left_s = per_epoch_s * (self._epochs - metrics.epoch)
        return (
            f"loss {metrics.loss:.4f}, validation {found}, {self._best_by} {self._best}, "
            f"{metrics.spike_rate:.3f} spikes per neuron and step, {duration(left_s)} left"
        )


class _Bar(progress.Progress):
    """Bar of the epochs with the last epoch's numbers below it.

    Parameters
    ----------
    title : str
    epochs : int
    """

    def __init__(self, title: str, epochs: int) -> None:
        self._numbers = Text(BEFORE_THE_FIRST)
        super().__init__(
            progress.RenderableColumn(Text(printable(title))),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.RenderableColumn(Text("epochs")),
            progress.TimeElapsedColumn(),
            console=STDERR,
            transient=True,
        )
        self._task = self.add_task("", total=epochs)

    def show(self, epoch: int, numbers: str) -> None:
        """Redraw after an epoch."""
        self._numbers = Text(numbers)
        self.update(self._task, completed=epoch)
        self.refresh()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Lines that are drawn."""
        yield from super().get_renderables()
        yield self._numbers
