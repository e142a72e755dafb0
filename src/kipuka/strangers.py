"""Opening what a stranger may have made: regular files only, and as large as what they store.

A name may stand for a pipe that never ends, a device, or a link to any place; and the size of a
file says nothing where it has holes. All readers, and the locks, come through here.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kipuka.errors import KipukaError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What a name may stand for besides a file, in the words of messages."""


def as_path(value: object, where: str = "argument path") -> Path:
    """Return an argument that names a file or folder as a Path.

    Parameters
    ----------
    value : str or path-like
    where : str
        Name of the argument, for the message.

    Raises
    ------
    KipukaError
        If it is neither, or the empty name, which would be the current folder.
    """
    named = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(named, str) or not named:
        raise KipukaError(
            "the path cannot be used",
            where=where,
            limit="the name of a file or folder, as text or as a pathlib.Path",
            value=repr(value),
            remedy="give a name; a point stands for the current folder",
        )
    return Path(named)


def kind_of(mode: int) -> str | None:
    """Say what a name stands for if that is no regular file; None if it is one."""
    return None if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "something else")


def open_regular(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file and return its handle; nothing is waited for.

    Parameters
    ----------
    path : path-like
    flags : int
        As for `os.open`, such as ``O_NOFOLLOW``.

    Raises
    ------
    OSError, ValueError
        If it is something else, is not there, or cannot be opened.
    """
    # Opening a pipe or a device may wait, or do something; so it is looked at before and after.
    if not flags & os.O_CREAT:
        _refuse_other_kinds(Path(path).stat(follow_symlinks=not flags & os.O_NOFOLLOW).st_mode)
    handle = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    try:
        _refuse_other_kinds(os.fstat(handle).st_mode)
    except OSError:
        os.close(handle)
        raise
    return handle


def _refuse_other_kinds(mode: int) -> None:
    kind = kind_of(mode)
    if kind:
        raise OSError(errno.EINVAL, kind)


@contextmanager
def opened(path: str | Path, what: str) -> Iterator[BinaryIO]:
    """Open a file for reading.

    Parameters
    ----------
    path : path-like
    what : str
        What the file is called in a message.

    Raises
    ------
    KipukaError
        If there is none, it is a folder, a pipe, a device or a socket, or it cannot be opened.
    """
    try:
        handle = open_regular(path)
    # ValueError: a path with a null character.
    except (OSError, ValueError) as error:
        raise KipukaError(
            f"the {what} cannot be read",
            where=str(path),
            limit="an existing file",
            value=_described(error),
            remedy="check the path for a typing error",
        ) from None
    with os.fdopen(handle, "rb") as file:
        yield file


def _described(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "nothing at that path"
    return getattr(error, "strerror", None) or str(error)


def exists(path: str | Path) -> bool:
    """Tell whether there is something of that name; a name that no system takes stands for none."""
    try:
        Path(path).stat()
    except (OSError, ValueError):
        return False
    return True


def data_ranges(file: BinaryIO) -> list[tuple[int, int]]:
    """Begin and end of what a file stores; between them are holes, which read as zeros.

    Where a disk knows no holes that is the whole file.
    """
    handle = file.fileno()
    size, before = os.fstat(handle).st_size, os.lseek(handle, 0, os.SEEK_CUR)
    found, end = [], 0
    try:
        while True:
            if end >= size:
                break
            begin = os.lseek(handle, end, os.SEEK_DATA)
            end = os.lseek(handle, begin, os.SEEK_HOLE)
            found.append((begin, end))
    except OSError as error:
        # ENXIO: a hole up to the end.
        if error.errno != errno.ENXIO:
            return [(0, size)]
    finally:
        os.lseek(handle, before, os.SEEK_SET)
    return found


def content_bytes(file: BinaryIO) -> int:
    """Bytes that a file stores, without its holes."""
    return sum(end - begin for begin, end in data_ranges(file))


def inside(folder: str | Path, name: str, *, is_folder: bool = False) -> Path:
    """Path of a file, or folder, of Kipuka's own within a folder that anyone may have filled.

    Raises
    ------
    KipukaError
        If something else stands there, above all a link: it may lead to any other place.
    """
    path = Path(folder) / name
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return path  # Nothing yet; whoever opens it says what is wrong with the path.
    if stat.S_ISDIR(mode) if is_folder else stat.S_ISREG(mode):
        return path
    value = kind_of(mode) or "a file"
    if stat.S_ISLNK(mode):
        value = f"a link to {path.readlink()}"
    raise KipukaError(
        "the folder has something else in the place of its own files",
        where=str(path),
        limit=f"a {'folder' if is_folder else 'file'} in the folder itself, or nothing",
        value=value,
        remedy="look where the folder comes from; put what the link leads to, if anything, in its "
        "place, or remove it",
    )
