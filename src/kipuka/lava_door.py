"""The door to Lava and lava-dl: mends what keeps them from running on the Pythons that people have.

Both declare Python 3.10 and numpy below 2, and nothing newer. Three modules of lava-nc 0.10.0 stand
in the way:

- ``lava.magma.compiler.var_model`` has dataclass fields whose default is an instance of another
  dataclass, `ByteEncoder`, and since Python 3.11 a default must be hashable (CPython's gh-88840);
- ``lava.magma.core.process.ports.ports`` names an argument of ``numpy.reshape``, ``newshape``, that
  later releases of numpy do not have any more; a process behind a reshaped port then ends in its
  first step;
- ``lava.magma.compiler.channels.pypychannel`` has a receiving port that loses a wake-up, on every
  Python: its thread looks whether the queue is empty before it puts a message there, and wakes the
  waiting process only if it was. When the process takes the last message between the two and goes
  to wait, all processes of the graph wait for each other for ever. Its sending port does the same
  with the receipts of its messages.

Importing `kipuka` opens the door, so that it stands open in every process that reaches anything of
Kipuka's, those that unpickle it included. No file of Lava's is changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from kipuka.errors import KipukaError

INSTALL = (
    "in a clone: uv sync; elsewhere: pip install 'kipuka[training]' && "
    "pip install --no-deps --ignore-requires-python lava-dl==0.6.0 lava-nc==0.10.0"
)
"""Commands that install what training and Lava need, on every Python that Kipuka supports."""


@contextlib.contextmanager
def hashable(module: ModuleType, class_name: str) -> Iterator[None]:
    """Give one dataclass of a module a hash while the module runs.

    The hash is that of the fields, as ``unsafe_hash`` has it; Lava hashes no such object.
    """
    plain = dataclasses.dataclass

    def dataclass(cls: Any = None, /, **settings: Any) -> Any:
        if cls is not None and (cls.__module__, cls.__name__) == (module.__name__, class_name):
            return plain(unsafe_hash=True, **settings)(cls)
        return plain(cls, **settings)

    dataclasses.dataclass = dataclass
    try:
        yield
    finally:
        dataclasses.dataclass = plain


@contextlib.contextmanager
def reshaping_by_position(module: ModuleType) -> Iterator[None]:
    """Let the ports of a module that has run name no argument of ``numpy.reshape``."""
    yield
    port = module.ReshapePort

    def reshape(shape: tuple[int, ...], data: Any) -> Any:
        return module.np.reshape(data, shape)

    port.get_transform_func_fwd = lambda self: functools.partial(reshape, self.shape)
    port.get_transform_func_bwd = lambda self: functools.partial(reshape, self.old_shape)


@contextlib.contextmanager
def waking_for_each_message(module: ModuleType) -> Iterator[None]:
    """Let the ports of a module that has run wake a waiting process for each message or receipt."""
    yield

    def following(note: Callable[[Any], None]) -> Callable[[Any, Any], None]:
        """Let a port's thread note each signal of the other end, and then wake who waits."""

        def follow(self: Any, signals: Any) -> None:
            with contextlib.suppress(EOFError):
                while True:
                    if not signals.acquire() or self._done:
                        return
                    note(self)
                    # Looked up once: the process takes it away as soon as it has seen one.
                    if observer := self.observer:
                        observer()

        return follow

    module.CspRecvPort._req_callback = following(lambda port: port._queue.put_nowait(0))
    module.CspSendPort._ack_callback = following(lambda port: port._semaphore.release())


Mend = Callable[[ModuleType], contextlib.AbstractContextManager[None]]

MENDS: dict[str, Mend] = {
    "lava.magma.compiler.var_model": functools.partial(hashable, class_name="ByteEncoder"),
    "lava.magma.core.process.ports.ports": reshaping_by_position,
    "lava.magma.compiler.channels.pypychannel": waking_for_each_message,
}
"""What stands around the run of a module, by the module's name."""


class Door:
    """Finder on ``sys.meta_path`` for the modules of `MENDS`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find such a module where Python does, and have it mended when it runs."""
        if name not in MENDS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """Runs a module by its own loader, inside its mend."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the module's own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module while what it needs holds."""
        with MENDS[module.__name__](module):
            self._loader.exec_module(module)


def open_door() -> None:
    """Let `Door` look first, once."""
    if Door not in sys.meta_path:
        sys.meta_path.insert(0, Door)


TRAINING = ("torch", "lava", "safetensors", "sklearn")
"""Modules without which the folder train cannot be used."""


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
