"""Paths in options: what each is for, and that no output takes the place of an input."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand

from kipuka.errors import KipukaError
from kipuka.strangers import exists

READS, WRITES, FILLS, TAKES = "reads", "writes", "fills", "takes"
"""What a command does with a path: read a file, write one, fill a folder, or read from one."""

RUN_FILES = ("config.yaml", "checkpoint.safetensors", "metrics.jsonl", "state.safetensors")
"""Names of a training run's own files."""

MADE_FILES = ("model.net", "report.html", "compare.md")
"""Names of what commands put beside them."""

DATA_FILES = ("*.h*5", "*/*.h*5", "*.npz")
"""Data sets in a folder, and in tonic's folders within it, and recordings."""

_META = "kipuka.paths"


class Given(NamedTuple):
    """A path that was given.

    Attributes
    ----------
    option : str
        Such as ``--output``, or the argument's name.
    role : str
        One of `READS`, `WRITES`, `FILLS` and `TAKES`.
    path : Path
    """

    option: str
    role: str
    path: Path


def path_option(flag: str, role: str, **settings: Any) -> Any:
    """Option for a path; `settings` go to `typer.Option`."""
    return typer.Option(flag, parser=_parser(flag), callback=_recorder(flag, role), **settings)


def path_argument(name: str, role: str, **settings: Any) -> Any:
    """Argument for a path; `settings` go to `typer.Argument`."""
    parser, recorder = _parser(name), _recorder(name, role)
    return typer.Argument(metavar=name, parser=parser, callback=recorder, **settings)


def file_or_name(flag: str) -> Callable[[typer.Context, str | None], str | None]:
    """Callback of an option that takes a name or a file, which the command then reads."""

    def check(ctx: typer.Context, value: str | None) -> str | None:
        if value is not None:
            _check_name(value, flag)
            if exists(value):
                role = READS if Path(value).is_file() else TAKES
                _record(ctx, Given(flag, role, Path(value)))
        return value

    return check


class PathCommand(TyperCommand):
    """A command whose paths are looked at together before it does anything."""

    def invoke(self, ctx: Any) -> Any:
        """Check the paths, then run the command."""
        check_paths(ctx.meta.get(_META, []))
        return super().invoke(ctx)


def check_paths(given: list[Given]) -> None:
    """Check that every output can be written, and is no input and no other output.

    Raises
    ------
    KipukaError
        At the first that cannot.
    """
    from kipuka.files import refuse_overlap

    writes = [one for one in given if one.role == WRITES]
    folders = [one.path for one in given if one.role in (FILLS, TAKES)]
    reads = [file for one in given for file in _reads(one)]
    refuse_overlap(reads, {f"option {one.option.lstrip('-')}": one.path for one in writes})
    for one in writes:
        _check_writable(one.path, folders)
    for one in given:
        if one.role == FILLS and exists(one.path) and not one.path.is_dir():
            raise KipukaError(
                "the folder cannot be used",
                where=f"option {one.option}, {one.path}",
                limit="a folder, or a new name",
                value="a file",
                remedy="choose another name",
            )


def _reads(given: Given) -> list[Path]:
    """Files that no output may take the place of: inputs, and a folder's own files."""
    if given.role == WRITES:
        return []
    names = {TAKES: RUN_FILES, FILLS: (*RUN_FILES, *MADE_FILES)}.get(given.role, ())
    found = [given.path, *(given.path / name for name in names)]
    if given.role == TAKES and exists(given.path):
        found += [path for pattern in DATA_FILES for path in given.path.glob(pattern)]
    return found


def _check_writable(path: Path, made: list[Path]) -> None:
    """Check that the folder of a file exists, or is one that the command makes."""
    folder = path.parent
    made_names = [os.path.realpath(other) for other in made]
    if (exists(folder) and folder.is_dir()) or os.path.realpath(folder) in made_names:
        return
    raise KipukaError(
        "the file cannot be written",
        where=str(path),
        limit="a folder that exists and may be written to",
        value="no such folder",
        remedy="create the folder or choose another path",
    )


def _parser(flag: str) -> Callable[[str | Path], Path]:
    def parse(value: str | Path) -> Path:
        if isinstance(value, str):
            _check_name(value, flag)
        return Path(value)

    return parse


def _check_name(value: str, flag: str) -> None:
    """Check that a name can be one of a file at all, whether or not there is one."""
    try:
        if not value:
            raise ValueError("nothing")
        Path(value).lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    # ValueError: a null character, or half of a letter.
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENAMETOOLONG, errno.EINVAL):
            return
        raise KipukaError(
            "the path cannot be used",
            where=f"option {flag}" if flag.startswith("-") else f"argument {flag}",
            limit="the name of a file or folder",
            value=getattr(error, "strerror", None) or str(error),
            remedy="give another name; a point stands for the current folder",
        ) from None


def _recorder(flag: str, role: str) -> Callable[[typer.Context, Path | None], Path | None]:
    def record(ctx: typer.Context, value: Path | None) -> Path | None:
        if value is not None:
            _record(ctx, Given(flag, role, value))
        return value

    return record


def _record(ctx: typer.Context, given: Given) -> None:
    ctx.meta.setdefault(_META, []).append(given)
