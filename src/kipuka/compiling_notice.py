"""One line for people when kernels are compiled, which takes long and looks like a hang."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import Any

from numba.core import event

from kipuka.screen import in_notebook

NOTICE = "kipuka: compiling kernels for up to a minute; they are kept for the next time"


class _Announcer(event.Listener):  # type: ignore[misc]
    """Writes the line before the first of Kipuka's kernels that no file on disk holds."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        """Say it once, to a person: what is redirected stays as it is."""
        module = str(event.data["dispatcher"].py_func.__module__)
        if self.said or not module.startswith("kipuka.") or not _is_watched():
            return
        self.said = True
        # Whoever waits can wait without the line, if it cannot be written.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{NOTICE}\n")
            sys.stderr.flush()

    def on_end(self, event: Any) -> None:
        """Say nothing more."""


def _is_watched() -> bool:
    """Whether a person sees standard error: on a terminal, or below the cell of a notebook."""
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


ANNOUNCER = _Announcer()


@functools.cache
def announce_compiling() -> None:
    """Have people told when kernels are compiled, from now on in this process."""
    event.register("numba:compile", ANNOUNCER)
