"""How kernels are compiled, and kept on disk for other processes; only compiling loads Numba."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kipuka.errors import KipukaError

SOURCES = (Path(__file__), Path(__file__).with_name("vectors.py"))
"""Files that any kernel may be compiled from, and how."""

DISABLED_BY = "NUMBA_DISABLE_JIT"
"""Environment variable that has Numba run Python instead of compiling it."""


def kept_on_disk(sources: Iterable[Path]) -> Callable[[Any], Any]:
    """Decorator that compiles a function on its first call and keeps the result on disk.

    Numba keys its cache by the function's name and its own file alone; with a fingerprint of all
    sources in the name, a change in what is compiled into the function is noticed too.

    Parameters
    ----------
    sources : iterable of Path
        Files that the function is compiled from besides `SOURCES`, its own included.
    """
    mark = fingerprint([*sources, *SOURCES])

    def compiled(function: Any) -> Any:
        if is_disabled():
            return refuse
        from numba import njit

        function.__qualname__ += f"_{mark}"
        try:
            return njit(cache=True, nogil=True, error_model="numpy")(function)
        except RuntimeError:  # No folder to keep it in: each process compiles for itself.
            return njit(nogil=True, error_model="numpy")(function)

    return compiled


def is_disabled() -> bool:
    """Whether Numba is told to compile nothing."""
    with contextlib.suppress(ValueError):
        return int(os.environ.get(DISABLED_BY, "0")) != 0
    return False


def refuse(*_: Any) -> Any:
    """Stand in for a kernel that may not be compiled; kernels are no Python that could run.

    Raises
    ------
    KipukaError
        Always.
    """
    raise KipukaError(
        "the kernels may not be compiled",
        where=f"environment variable {DISABLED_BY}",
        limit="not set, or 0",
        value=os.environ.get(DISABLED_BY),
        remedy="remove it, or take the backend reference, which needs no kernels",
    )


INLINED = {
    "nogil": True,
    "error_model": "numpy",
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""Options of functions that are compiled into those that call them, and for them alone."""


def inlined(function: Any) -> Any:
    """Compile a function into those that call it, and for them alone."""
    from numba import njit

    return njit(**INLINED)(function)


def entered(function: Any) -> Any:
    """Compile a function as part of the one that calls it, which does nothing else."""
    from numba import njit

    return njit(inline="always", **INLINED)(function)


def called(function: Any) -> Any:
    """Compile a function once for all compiled functions that call it: for long work."""
    from numba import njit

    return njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )


def fingerprint(sources: Iterable[Path]) -> str:
    """Hash of the content of some files, wherever they lie."""
    content = b"".join(sorted(hashlib.sha256(path.read_bytes()).digest() for path in sources))
    return hashlib.sha256(content).hexdigest()[:16]
