"""The door to Lava and lava-dl: makes them importable on Pythons that they were not written for.

Both declare Python 3.10 and nothing newer. One module of lava-nc 0.10.0 stands in the way from
3.11 on: ``lava.magma.compiler.var_model`` has dataclass fields whose default is an instance of
another dataclass, `ByteEncoder`, and since 3.11 a default must be hashable (CPython's gh-88840).
Importing `kipuka` opens the door, so that it stands open in every process that reaches anything of
Kipuka's, those that unpickle it included. No file of Lava's is changed.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from kipuka.errors import KipukaError

NEEDS_HASHABLE = {"lava.magma.compiler.var_model": "ByteEncoder"}
"""Modules with a dataclass that stands as a default, and its name."""

HASHABLE_DEFAULTS_SINCE = (3, 11)
"""Version of Python that asks of a dataclass field's default that it can be hashed."""

INSTALL = (
    "in a clone: uv sync; elsewhere: pip install 'kipuka[training]' && "
    "pip install --no-deps --ignore-requires-python lava-dl==0.6.0 lava-nc==0.10.0"
)
"""Commands that install what training and Lava need, on every Python that Kipuka supports."""


class HashableDefaults:
    """Finder on ``sys.meta_path`` for the modules of `NEEDS_HASHABLE`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find such a module where Python does, and have its dataclass made hashable."""
        if name not in NEEDS_HASHABLE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """Runs a module by its own loader, with one of its dataclasses given a hash.

    The hash is that of the fields, as ``unsafe_hash`` has it; Lava hashes no such object.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the module's own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module while ``dataclasses.dataclass`` knows the one class."""
        plain = dataclasses.dataclass
        wanted = (module.__name__, NEEDS_HASHABLE[module.__name__])

        def dataclass(cls: Any = None, /, **settings: Any) -> Any:
            if cls is not None and (cls.__module__, cls.__name__) == wanted:
                return plain(unsafe_hash=True, **settings)(cls)
            return plain(cls, **settings)

        dataclasses.dataclass = dataclass
        try:
            self._loader.exec_module(module)
        finally:
            dataclasses.dataclass = plain


def open_door() -> None:
    """Let `HashableDefaults` look first, once, on a Python that needs it."""
    if sys.version_info >= HASHABLE_DEFAULTS_SINCE and HashableDefaults not in sys.meta_path:
        sys.meta_path.insert(0, HashableDefaults)


def missing(*modules: str) -> list[str]:
    """Names of those top-level modules that are not installed."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def check_installed(what: str, where: str, *modules: str) -> None:
    """Refuse to go on without some modules of the extra.

    Parameters
    ----------
    what, where : str
        What needs them, and the commands that this concerns.
    *modules : str
        Their names at the top level.

    Raises
    ------
    KipukaError
        If one is not installed, with the commands that install it.
    """
    if absent := missing(*modules):
        raise KipukaError(
            f"{what}, which is not installed",
            where=where,
            limit="the packages of the extra kipuka[lava]",
            value=f"Python {sys.version.split()[0]} without {', '.join(absent)}",
            remedy=f"install with: {INSTALL}",
        )
