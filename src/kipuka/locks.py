"""A folder that one process at a time may write to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kipuka.errors import KipukaError
from kipuka.strangers import inside, open_regular

LOCK_FILE = ".lock"
OWNER_BYTES = 32
"""Bytes of the file that are shown: it holds the number of a process."""

_NO_LOCKS = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What disks over a network answer that lock no folders."""


class Lock:
    """A held lock.

    Parameters
    ----------
    folder : Path
    file : int
        Handle of the lock file.
    whole : int or None
        Handle of the folder itself, where the disk locks folders.
    """

    def __init__(self, folder: Path, file: int, whole: int | None) -> None:
        self._folder, self._file, self._whole = folder, file, whole

    def check(self) -> None:
        """Check that the lock still keeps others out; call it before the folder is written to.

        Raises
        ------
        KipukaError
            If the folder, or on a disk that locks only files the lock file, was removed or
            replaced: another process may then work there.
        """
        path = self._folder if self._whole is not None else self._folder / LOCK_FILE
        handle = self._file if self._whole is None else self._whole
        if not _is_still(path, handle):
            raise KipukaError(
                "the folder is no longer locked",
                where=str(path),
                limit="the folder and its lock stay until the process is done",
                value="removed or replaced",
                remedy="see which other process works there; go on with --resume when it is done",
            )

    def release(self) -> None:
        """Give the folder back."""
        if _is_still(self._folder / LOCK_FILE, self._file):
            (self._folder / LOCK_FILE).unlink(missing_ok=True)
        _close(self._file, self._whole)


@contextmanager
def locked(folder: str | Path) -> Iterator[Lock]:
    """Create a folder if it is not there, and keep other processes out of it.

    The lock is on the folder itself and on a file in it, which is all that a disk over a network
    may lock. The kernel gives it back when the process ends, in whatever way. The file names the
    process; that it is there does not mean that the folder is locked.

    Raises
    ------
    KipukaError
        If another process, or another call in this one, holds the lock, the folder cannot be
        created or locked, or something else stands in the place of the lock file.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _taken(folder)
    except BlockingIOError:
        raise KipukaError(
            "another process works in the folder",
            where=str(folder),
            limit="one process at a time",
            value=f"process {_owner(folder / LOCK_FILE)}",
            remedy="wait until that process is done, end it, or choose another folder",
        ) from None
    # ValueError: a path with a null character.
    except (OSError, ValueError) as error:
        raise KipukaError(
            "the folder cannot be used",
            where=str(folder),
            limit="a folder on a disk with room that may be written to and takes locks",
            value=getattr(error, "strerror", None) or str(error),
            remedy="choose another folder, on a local disk",
        ) from None
    try:
        yield lock
    finally:
        lock.release()


def _taken(folder: Path) -> Lock:
    whole = _locked_folder(folder)
    try:
        return Lock(folder, _locked_file(folder), whole)
    except BaseException:
        _close(whole)
        raise


def _locked_folder(folder: Path) -> int | None:
    """Lock the folder itself and return its handle; None where the disk locks no folders."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return handle


def _locked_file(folder: Path) -> int:
    """Lock a file and return its handle; it may be removed by its last owner at any moment."""
    while True:
        path = inside(folder, LOCK_FILE)
        handle = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        try:
            if os.fstat(handle).st_nlink > 1:
                raise OSError(errno.EMLINK, f"{LOCK_FILE} is a file of another name as well")
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, handle):
                os.ftruncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    """Whether a path leads to what is open."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _close(*handles: int | None) -> None:
    for handle in handles:
        if handle is not None:
            os.close(handle)


def _owner(path: Path) -> str:
    with contextlib.suppress(OSError):
        handle = open_regular(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            return os.read(handle, OWNER_BYTES).decode(errors="replace").strip() or "unknown"
        finally:
            os.close(handle)
    return "unknown"
