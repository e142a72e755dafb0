"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kipuka.errors import KipukaError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that takes its place when the block succeeds.

    Parameters
    ----------
    path : path-like
        File to write or replace.

    Yields
    ------
    Path
        Name to write to, with the same suffix.

    Raises
    ------
    KipukaError
        If the folder does not exist or cannot be written.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent or Path()
        )
    except OSError as error:
        raise KipukaError(
            "the file cannot be written",
            where=str(path),
            limit="a folder that exists and may be written to",
            value=error.strerror,
            remedy="create the folder or choose another path",
        ) from error
    os.close(handle)
    temporary = Path(name)
    # mkstemp makes the file private to its owner; results are meant to be shared as usual.
    temporary.chmod(0o666 & ~_umask())
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, values: Mapping[str, Any]) -> None:
    """Write values as JSON; dataclasses become mappings and arrays lists.

    Raises
    ------
    KipukaError
        If the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value)


def existing_file(path: str | Path, what: str) -> Path:
    """Return `path` if it is a file.

    Raises
    ------
    KipukaError
        If it is missing or a folder.
    """
    path = Path(path)
    if not path.is_file():
        raise KipukaError(
            f"the {what} cannot be read",
            where=str(path),
            limit="an existing file",
            value="a folder" if path.is_dir() else "nothing at that path",
            remedy="check the path for a typing error",
        )
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
