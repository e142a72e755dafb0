"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kipuka.errors import KipukaError
from kipuka.strangers import as_path, kind_of

_HOST = re.sub(r"\W", "_", socket.gethostname())[:64]
"""Name of this machine: on a shared disk only its own processes can be asked after."""


_OPEN: set[Path] = set()
"""Temporary files that this process is writing now."""

LONGEST_NAME = 128
"""Bytes of a name that temporary names may repeat; systems take 255 with all that is added."""

READER_S, LOOK_S = 10.0, 0.02
"""Seconds that a pipe waits for its reader, and between two looks."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system answers where a file has no room to grow."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that takes its place when the block succeeds.

    Whatever happens, also the end of the process or of the machine, `path` is afterwards the old
    file or the new one, complete. Temporary files that a killed process left are removed when the
    same file is written next; their names say whose they were.

    A link stays one: what it leads to is replaced. A device or a pipe, and what standard output
    goes to, is written to; it is no file that could be replaced.

    Parameters
    ----------
    path : path-like
        File to write or replace. Within a folder that anyone may have filled,
        `kipuka.strangers.inside` gives the path.

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
    path = as_path(path)
    target = _target(path)
    with _poured(path) if target is None else _replaced(target) as temporary:
        yield temporary


def _target(path: Path) -> Path | None:
    """Return the file to replace, behind a link if `path` is one; None if it is to be written to.

    Raises
    ------
    KipukaError
        If it is a folder or a socket, or the system does not take the name.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        return Path(os.path.realpath(path)) if path.is_symlink() else path
    # ValueError: a path with a null character.
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from None
    kind = kind_of(state.st_mode)
    if kind in ("a folder", "a socket"):
        raise KipukaError(
            "the file cannot be written",
            where=str(path),
            limit="a new name, or a file that may be replaced",
            value=kind,
            remedy="choose another path",
        )
    if kind or _stream(state) is not None:
        return None
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _stream(state: os.stat_result) -> int | None:
    """Handle of standard output or error, if one of them is what `state` describes."""
    for handle in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(handle), state):
                return handle
    return None


@contextmanager
def _poured(path: Path) -> Iterator[Path]:
    """Yield a temporary name whose content is written to a device or pipe at the end."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / f"output{path.suffix}"
        temporary.touch()
        yield temporary
        try:
            stream = _stream(path.stat())
            if stream is not None:
                sys.stdout.flush()
                sys.stderr.flush()
            with (
                temporary.open("rb") as content,
                os.fdopen(_poured_into(path) if stream is None else os.dup(stream), "wb") as device,
            ):
                shutil.copyfileobj(content, device)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise KipukaError(
                "the file cannot be written",
                where=str(path),
                limit="a device or pipe that takes all of it",
                value=error.strerror,
                remedy="choose another path",
            ) from None


def _poured_into(path: Path) -> int:
    """Handle of a device or pipe; whoever is to read a pipe has `READER_S` to come.

    Raises
    ------
    OSError
        If nobody does, or it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_NOCTTY
    last = time.monotonic() + READER_S
    while True:
        try:
            handle = os.open(path, flags | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or not path.is_fifo():
                raise
            if time.monotonic() > last:
                raise OSError(errno.ENXIO, "nobody reads the pipe") from error
            time.sleep(LOOK_S)
        else:
            os.set_blocking(handle, True)
            return handle


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside a regular file, or a new one, that takes its place."""
    _remove_orphans(path)
    stem, suffix = _parts(path)
    owner = f".{stem}.{_HOST}-{os.getpid()}-"
    try:
        handle, name = tempfile.mkstemp(prefix=owner, suffix=suffix, dir=path.parent or Path())
    except OSError as error:
        raise _unwritten(path, error) from None
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
        raise _unwritten(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)
        _OPEN.discard(temporary)


def _parts(path: Path) -> tuple[str, str]:
    """Stem and suffix of a file's temporary names, which are longer than its own."""
    if len(os.fsencode(path.name)) <= LONGEST_NAME:
        return path.stem, path.suffix
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]
    return digest, path.suffix if len(os.fsencode(path.suffix)) <= LONGEST_NAME // 2 else ""


def _sync(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_orphans(path: Path) -> None:
    """Remove temporary files of `path` whose process on this machine is no more."""
    stem, suffix = _parts(path)
    pattern = re.compile(rf"\.{re.escape(stem)}\.{re.escape(_HOST)}-(\d+)-\w+{re.escape(suffix)}")
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


def _unwritten(path: Path, error: OSError | ValueError) -> KipukaError:
    text = getattr(error, "strerror", None) or " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in _FULL:
        return KipukaError(
            "the disk is full",
            where=str(path),
            limit="room for the whole file",
            value=text,
            remedy="make room and run it again; a file that was there before is kept unchanged",
        )
    return KipukaError(
        "the file cannot be written",
        where=str(path),
        limit="a folder that exists and may be written to",
        value=text,
        remedy="create the folder or choose another path",
    )


def refuse_overlap(reads: Iterable[Path | None], writes: Mapping[str, Path | None]) -> None:
    """Refuse an output that is an input of the same command, or another output of it.

    Parameters
    ----------
    reads : iterable of Path or None
        Files that are read, if they are there.
    writes : mapping of str to Path or None
        Files that are written, by what they are called in a message.

    Raises
    ------
    KipukaError
        Naming the two.
    """
    taken = {_identity(path): f"the input {path}" for path in reads if path is not None}
    for name, path in writes.items():
        identity = None if path is None else _identity(path)
        if identity is None:
            continue
        if identity in taken:
            raise KipukaError(
                "an output would take the place of another file of this command",
                where=f"{name}, {path}",
                limit="a file that the command neither reads nor writes otherwise",
                value=taken[identity],
                remedy="choose another name for the output",
            )
        taken[identity] = f"the output {name}"


def _identity(path: Path) -> object:
    """Value that two names of one file share; None for what can be written to twice."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return os.path.realpath(path) if "\0" not in str(path) else None
    return (state.st_dev, state.st_ino) if stat.S_ISREG(state.st_mode) else None


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
