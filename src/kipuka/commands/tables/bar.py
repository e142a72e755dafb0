"""The bar that a terminal shows while work goes on; loading this loads rich."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress
from rich.console import Console
from rich.text import Text

from kipuka.errors import printable

BAR_WIDTH = 20
"""Characters of the bar itself, with which all of it fits on 80 columns."""


class _Rate(progress.ProgressColumn):
    """Speed in the unit of the work."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: progress.Task) -> Text:
        """Text of the column."""
        return Text(
            f"{self._unit}, {task.speed:.3g}/s" if task.speed else f"{self._unit}, starting"
        )


@contextmanager
def bar(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Bar with rate and time left on standard error; yields a function (done, total)."""
    columns = (
        progress.RenderableColumn(Text(printable(title), no_wrap=True, overflow="ellipsis")),
        progress.BarColumn(BAR_WIDTH),
        progress.MofNCompleteColumn(),
        _Rate(unit),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task("", total=None)

        def advance(done: int, total: int) -> None:
            drawn.update(task, completed=done, total=total)

        yield advance
