"""Parts of the simulation loop that are compiled for those networks alone that need them.

Compiling is most of a first simulation's time. A network's type says what it has, so that Numba,
which compiles anew for each type, leaves the rest out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.extending import overload

from kipuka.compiling import INLINED


def compiled_where(field: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a decorator of what is inlined where a network has something, and 0 elsewhere.

    Parameters
    ----------
    field : str
        Of `layout.Network`, which is the first argument: a bool.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*_: Any) -> Any:
            raise NotImplementedError("only compiled functions call it")

        def choose(network: Any, *_: Any) -> Callable[..., Any]:
            kind = network[network.fields.index(field)]
            return function if kind.literal_value else _nothing

        overload(call, jit_options=INLINED, strict=False)(choose)
        return call

    return decorate


def _nothing(*_: Any) -> int:
    return 0
