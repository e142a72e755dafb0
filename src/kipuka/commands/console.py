"""What a person sees: tables and lines on stdout, progress on stderr.

Everything that is shown is text: names from files and options are neither markup nor formats, and
`kipuka.errors.printable` has spelled out what a terminal would obey.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box, progress
from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kipuka.errors import printable

STDOUT = Console(highlight=False, markup=False, emoji=False)
STDERR = Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_line(text: str, *, wrap: bool = True, indent: int = 0) -> None:
    """Print one paragraph, folded at the width of the terminal and moved to the right."""
    shown = Text(printable(text))
    STDOUT.print(Padding(shown, (0, 0, 0, indent)) if indent else shown, soft_wrap=not wrap)


def print_stage(text: str) -> None:
    """Say on stderr what is being done now."""
    STDERR.print(Text(printable(f"{text} ...")), soft_wrap=True)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; cells that are numbers stand to the right, heads may have several lines."""
    table = Table(
        title=Text(printable(title), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        justify: JustifyMethod = "right" if numeric else "left"
        head = "\n".join(printable(line) for line in column.split("\n"))
        # Rich would cut long names off with dots.
        table.add_column(Text(head), justify=justify, no_wrap=numeric, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_cell(value))) for value in row))
    STDOUT.print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


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
def progress_bar(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Bar with rate and time left, if stderr is a terminal; yields a function (done, total)."""
    if not STDERR.is_terminal:
        yield lambda done, total: None
        return
    columns = (
        progress.RenderableColumn(Text(printable(title))),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        _Rate(unit),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=STDERR, transient=True) as bar:
        task = bar.add_task("", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
