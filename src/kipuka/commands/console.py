"""What a person sees: tables and lines on stdout, progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

STDOUT = Console(highlight=False)
STDERR = Console(stderr=True, highlight=False)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; cells that are numbers stand to the right."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        justify: JustifyMethod = "right" if numeric else "left"
        # Rich would cut long names off with dots.
        table.add_column(column, justify=justify, no_wrap=numeric, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    STDOUT.print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@contextmanager
def progress_bar(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Bar on stderr with rate and time left; yields a function (done, total)."""
    from rich import progress

    columns = (
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn(f"{unit}, {{task.fields[rate]}}"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=STDERR, transient=True) as bar:
        task = bar.add_task(title, total=None, rate="starting")

        def advance(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.3g}/s" if speed else "starting"
            bar.update(task, completed=done, total=total, rate=rate)

        yield advance
