"""Options that several commands share, and what they are checked for.

This module and the commands' own load nothing that takes long: what a command works with is
imported in the functions that do the work, so that help and mistyped options need not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

MISMATCH = 1
"""Exit status of a command that compared and found a difference."""

INPUT_HELP = "Spikes [batch,] units, time as 0 and 1, or a .npz of events (see the README)."

Net = Annotated[Path, typer.Argument(metavar="NET", help="Network file (.net).")]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the same numbers as JSON.")
]
Inputs = Annotated[
    Path | None,
    typer.Option("--input", metavar="X.npy", help=INPUT_HELP),
]
ClampDelays = Annotated[
    bool,
    typer.Option("--clamp-delays", help="Cut delays over 62 steps, as NetX does, not refuse them."),
]
InputFile = Annotated[Path, typer.Option("--input", metavar="X.npy", help=INPUT_HELP)]
DataDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder with the data set's files.")
]
Hardware = Annotated[str, typer.Option(help="Name or file of a hardware profile.")]
DATA_HELP = (
    "A data set by name (digits, ntidigits, shd, ssc), or your own: a .npz of events with labels, "
    "a .h5 in SHD's form, a folder of them, or module:Class of a tonic data set."
)

Data = Annotated[str | None, typer.Option(metavar="NAME|PATH", help=DATA_HELP)]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting of the training; repeatable."),
]


def named(text: str) -> list[str]:
    """Names from a list separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def given(**options: object) -> dict[str, object]:
    """Options that were given."""
    return {key: value for key, value in options.items() if value is not None}


def keep_apart(*reads: Path | str | None, **writes: Path | None) -> None:
    """Refuse an output that is an input, or another output.

    Parameters
    ----------
    *reads : Path, str or None
        Files that the command reads; text without a dot or a slash is another kind of name.
    **writes : Path or None
        By the names of their options.
    """
    from kipuka.files import refuse_overlap

    files = [
        Path(r) for r in reads if r is not None and (isinstance(r, Path) or set(r) & set("./"))
    ]
    refuse_overlap(files, {f"option {name}": path for name, path in writes.items()})


def data_files(folder: Path | None) -> list[Path]:
    """Files of data sets in a folder, or in tonic's folders within it."""
    from kipuka.strangers import exists

    if folder is None or not exists(folder):
        return []
    return [path for pattern in ("*.h*5", "*/*.h*5") for path in folder.glob(pattern)]


def write_numbers(path: Path | None, values: Mapping[str, Any]) -> None:
    """Write what ``--json`` asks for."""
    if path is not None:
        from kipuka.files import write_json

        write_json(path, values)
