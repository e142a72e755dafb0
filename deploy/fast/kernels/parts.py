"""Parts of the simulation loop that are compiled for those networks alone that need them.

Compiling is most of a first simulation's time. A network's array says by its type what it has, so
that Numba, which compiles anew for each type, leaves the rest out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from kipuka.compiling import INLINED

ABSENT, PRESENT = np.zeros(1, np.bool_), np.zeros(1, np.int8)
"""Arrays of a network that has nothing of a kind, and of one that has; nobody reads them."""


def compiled_where(field: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a decorator of what is inlined where a network has something, and 0 elsewhere.

    Parameters
    ----------
    field : str
        Of `layout.Network`, which is the first argument: `PRESENT` or `ABSENT`.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*_: Any) -> Any:
            raise NotImplementedError("only compiled functions call it")

        def choose(network: Any, *_: Any) -> Callable[..., Any]:
            kind = network[network.fields.index(field)]
            return _nothing if kind.dtype == types.boolean else function

        overload(call, jit_options=INLINED, strict=False)(choose)
        return call

    return decorate


def _nothing(*_: Any) -> int:
    return 0
