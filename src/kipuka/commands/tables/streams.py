"""Standard output and error: what cannot be encoded is replaced, what cannot be written is said."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from kipuka.errors import KipukaError

REPLACED = "kipuka-replaced"
"""Name under which Python knows `_replaced`."""

SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")

PLAIN = {
    "µ": "u",
    "×": "x",
    "·": "*",
    "±": "+/-",
    "–": "-",
    "─": "-",
    "—": "-",
    "…": "...",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "\u00a0": " ",
    "\u202f": " ",
}
"""What stands for a character where the terminal has none; for others, a question mark."""


class PipeClosedError(Exception):
    """Whoever read the standard output has gone."""


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Spell a run of characters in ASCII, exponents with a caret."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    run = error.object[error.start : error.end]
    before = error.object[max(error.start - 1, 0) : error.start]
    spelled = ""
    for character in run:
        digit = character.translate(SUPERSCRIPTS)
        if digit != character:
            first = before.translate(SUPERSCRIPTS) == before
            spelled += f"^{digit}" if first else digit
        else:
            spelled += PLAIN.get(character, "?")
        before = character
    return spelled, error.end


codecs.register_error(REPLACED, _replaced)


class _Closed(io.TextIOBase):
    """Stand-in for a standard output that was closed: it takes nothing, and so keeps nothing."""

    def write(self, text: str) -> int:
        """Say that the output is closed."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


class _Output:
    """Standard output whose failures are told from those of other files.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # Nothing gets past this object's own `write`.
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text.

        Raises
        ------
        KipukaError
            If the output is full or closed.
        PipeClosedError
            If nobody reads it any more.
        """
        with _said():
            return self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream; raises as `write`."""
        with _said():
            self._stream.flush()


class _Messages(_Output):
    """Standard error: a message that nobody can see is no reason to stop."""

    def write(self, text: str) -> int:
        """Write text if that is possible."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream if that is possible."""
        with contextlib.suppress(OSError):
            self._stream.flush()


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise PipeClosedError from error
    except OSError as error:
        raise KipukaError(
            "the results cannot be shown",
            where="standard output",
            limit="a terminal, file or pipe with room that is open for writing",
            value=error.strerror,
            remedy="make room or send the output elsewhere; files that were asked for are written",
        ) from None


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Put `_Output` and `_Messages` in the place of the standard streams within the block."""
    before = sys.stdout, sys.stderr
    sys.stdout = cast(TextIO, _Output(_usable(sys.stdout, 1, os.O_RDONLY)))
    sys.stderr = cast(TextIO, _Messages(_usable(sys.stderr, 2, os.O_WRONLY)))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _usable(stream: TextIO | None, number: int, mode: int) -> TextIO:
    """Stream that replaces what it cannot encode, or a stand-in for one that was closed before.

    The stand-in for the standard output can be written to only in vain, and both keep the number of
    the stream, which the next file that is opened would get otherwise.
    """
    if stream is None:
        handle = os.open(os.devnull, mode)
        if handle != number:
            os.dup2(handle, number)
            os.close(handle)
        if mode == os.O_RDONLY:
            return cast(TextIO, _Closed())
        return os.fdopen(number, "w", closefd=False)
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=REPLACED)
    return stream


def let_go() -> None:
    """Flush the standard output for the last time, and let nothing be said if that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            # What is left in the stream goes nowhere when Python flushes it at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
