"""Options that several commands share, and what they are checked for.

This module and the commands' own load nothing that takes long: what a command works with is
imported in the functions that do the work, so that help and mistyped options need not wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kipuka.commands.paths import READS, TAKES, WRITES, file_or_name, path_argument, path_option

MISMATCH = 1
"""Exit status of a command that compared and found a difference."""

STEPS_MAX = 1 << 20
"""Steps of a sample, as many as training and recordings may have."""

COUNT_MAX = 1 << 20
"""Samples, cores or trainings that can be asked for."""

INPUT_HELP = "Spikes [batch,] units, time as 0 and 1, or a .npz of events (docs/own_data.md)."

Net = Annotated[Path, path_argument("NET", READS, help="Network file (.net).")]
Json = Annotated[
    Path | None,
    path_option("--json", WRITES, metavar="FILE", help="Write the same numbers as JSON."),
]
Inputs = Annotated[Path | None, path_option("--input", READS, metavar="X.npy", help=INPUT_HELP)]
InputFile = Annotated[Path, path_option("--input", READS, metavar="X.npy", help=INPUT_HELP)]
ClampDelays = Annotated[
    bool,
    typer.Option("--clamp-delays", help="Cut delays over 62 steps, as NetX does, not refuse them."),
]
DataDir = Annotated[
    Path | None,
    path_option("--data-dir", TAKES, metavar="DIR", help="Folder with the data set's files."),
]
Hardware = Annotated[
    str,
    typer.Option(callback=file_or_name("--hardware"), help="Name or file of a hardware profile."),
]
DATA_HELP = (
    "A data set by name (digits, ntidigits, shd, ssc), or your own (docs/own_data.md): a folder "
    "for each class with a .npz per recording, a .npz of events with labels, a .h5 in SHD's form, "
    "a folder of them, or module:Class of a tonic data set."
)
Data = Annotated[
    str | None,
    typer.Option(metavar="NAME|PATH", callback=file_or_name("--data"), help=DATA_HELP),
]
Config = Annotated[
    Path | None,
    path_option(
        "--config", READS, metavar="FILE", help="Settings as YAML; options given here come first."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting of the training; repeatable."),
]


def refuse_nan(value: float | None) -> float | None:
    """Refuse what is no number, which no range leaves out; a callback of options of numbers."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter(f"{value} is not a number")
    return value


def named(text: str) -> list[str]:
    """Names from a list separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def given(**options: object) -> dict[str, object]:
    """Options that were given."""
    return {key: value for key, value in options.items() if value is not None}


def write_numbers(path: Path | None, values: Mapping[str, Any]) -> None:
    """Write what ``--json`` asks for."""
    if path is not None:
        from kipuka.files import write_json

        write_json(path, values)
