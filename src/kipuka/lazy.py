"""Public names of a package: loaded on first use, and nothing else in `dir` and completion."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def loaded_on_use(
    package: str, modules: Mapping[str, str], names: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's ``__getattr__`` and ``__dir__``, as its modules take long to import.

    Parameters
    ----------
    package : str
        Its full name.
    modules : mapping of str to str
        For each name, the module below the package that has it.
    names : sequence of str
        Its ``__all__``.
    """

    def get(name: str) -> Any:
        if name in modules:
            return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, listing(names)


def listing(names: Sequence[str]) -> Callable[[], list[str]]:
    """Make a module's ``__dir__`` from its ``__all__``.

    Without one, `dir` and a notebook's completion show what the module imports for itself, and lack
    what is loaded on first use.
    """
    return lambda: [*names]
