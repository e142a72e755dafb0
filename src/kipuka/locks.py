"""A folder that one process at a time may write to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kipuka.errors import KipukaError

LOCK_FILE = ".lock"


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Create a folder if it is not there, and keep other processes out of it.

    The kernel gives the lock back when the process ends, in whatever way. The file that it is on
    names the process; that it is there does not mean that the folder is locked.

    Raises
    ------
    KipukaError
        If another process, or another call in this one, holds the lock, or the folder cannot be
        created or locked.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _taken(folder / LOCK_FILE)
    except BlockingIOError as error:
        raise KipukaError(
            "another process works in the folder",
            where=str(folder),
            limit="one process at a time",
            value=f"process {_owner(folder / LOCK_FILE)}",
            remedy="wait until that process is done, end it, or choose another folder",
        ) from error
    except OSError as error:
        raise KipukaError(
            "the folder cannot be used",
            where=str(folder),
            limit="a folder on a disk with room that may be written to and takes locks",
            value=error.strerror,
            remedy="choose another folder, on a local disk",
        ) from error
    try:
        yield
    finally:
        (folder / LOCK_FILE).unlink(missing_ok=True)
        os.close(handle)


def _taken(path: Path) -> int:
    """Lock a file and return its handle; it may be removed by its last owner at any moment."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                os.ftruncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _owner(path: Path) -> str:
    try:
        return path.read_text().strip() or "unknown"
    except OSError:
        return "unknown"
