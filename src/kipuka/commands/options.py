"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

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


def write_numbers(path: Path | None, values: Mapping[str, Any]) -> None:
    """Write what ``--json`` asks for."""
    if path is not None:
        from kipuka.files import write_json

        write_json(path, values)
