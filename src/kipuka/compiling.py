"""How kernels are compiled, and kept on disk for other processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numba import njit


def kept_on_disk(sources: Iterable[Path]) -> Callable[[Any], Any]:
    """Decorator that compiles a function on its first call and keeps the result on disk.

    Numba keys its cache by the function's name and its own file alone; with a fingerprint of all
    sources in the name, a change in what is compiled into the function is noticed too.

    Parameters
    ----------
    sources : iterable of Path
        Files that the function is compiled from, its own included.
    """
    # How it is compiled stands here.
    mark = fingerprint([*sources, Path(__file__)])

    def compiled(function: Any) -> Any:
        function.__qualname__ += f"_{mark}"
        return njit(cache=True, nogil=True, error_model="numpy")(function)

    return compiled


def inlined(function: Any) -> Any:
    """Compile a function into those that call it, and for them alone."""
    return njit(
        nogil=True,
        error_model="numpy",
        forceinline=True,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
    )(function)


def fingerprint(sources: Iterable[Path]) -> str:
    """Hash of the content of some files."""
    content = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sorted(sources))
    return hashlib.sha256(content).hexdigest()[:16]
