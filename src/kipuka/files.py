"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import re
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kipuka.errors import KipukaError

_HOST = re.sub(r"\W", "_", socket.gethostname())
"""Name of this machine: on a shared disk only its own processes can be asked after."""


_OPEN: set[Path] = set()
"""Temporary files that this process is writing now."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system answers where a file has no room to grow."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that takes its place when the block succeeds.

    Whatever happens, also the end of the process or of the machine, `path` is afterwards the old
    file or the new one, complete. Temporary files that a killed process left are removed when the
    same file is written next; their names say whose they were.

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
        If the folder does not exist or cannot be written, or the disk is full; the file that was
        there is then untouched.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise KipukaError(
            "the file cannot be written",
            where=str(path),
            limit="a new name, or a file that may be replaced",
            value="a folder" if path.is_dir() else "a device or pipe",
            remedy="choose another path",
        )
    owner = f".{path.stem}.{_HOST}-{os.getpid()}-"
    _remove_orphans(path)
    try:
        handle, name = tempfile.mkstemp(prefix=owner, suffix=path.suffix, dir=path.parent or Path())
    except OSError as error:
        raise _unwritten(path, error) from error
    os.close(handle)
    temporary = Path(name)
    _OPEN.add(temporary)
    try:
        # mkstemp makes the file private to its owner; results are meant to be shared as usual.
        temporary.chmod(0o666 & ~_umask())
        yield temporary
        _sync(temporary, os.O_RDWR)
        temporary.replace(path)
        # The new name is on the disk only when the folder is.
        _sync(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
        _OPEN.discard(temporary)


def _sync(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_orphans(path: Path) -> None:
    """Remove temporary files of `path` whose process on this machine is no more."""
    pattern = re.compile(
        rf"\.{re.escape(path.stem)}\.{re.escape(_HOST)}-(\d+)-\w+{re.escape(path.suffix)}"
    )
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return  # Creating the new temporary file will say what is wrong.
    for name in names:
        found, orphan = pattern.fullmatch(name), path.parent / name
        if found and orphan not in _OPEN and not _is_another(int(found[1])):
            with contextlib.suppress(OSError):
                orphan.unlink()


def _is_another(process: int) -> bool:
    """Whether a process of that number is there that is not this one.

    In a container every start may have the same number, so that this process's own number on a
    file that it does not know of is that of a dead one.
    """
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _unwritten(path: Path, error: OSError) -> KipukaError:
    text = " ".join(str(error).split())
    # NumPy gives no number of the error, only its text.
    if error.errno in _FULL or "requested and" in text:
        return KipukaError(
            "the disk is full",
            where=str(path),
            limit="room for the whole file",
            value=error.strerror or text,
            remedy="make room and run it again; a file that was there before is kept unchanged",
        )
    return KipukaError(
        "the file cannot be written",
        where=str(path),
        limit="a folder that exists and may be written to",
        value=error.strerror or text,
        remedy="create the folder or choose another path",
    )


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
