"""Kernels as machine code: kept on disk by who compiled them, loaded without Numba by all others.

Some are compiled when Kipuka is installed (`setup.py`), others where no file has them yet. A
file's name says what it was compiled from and for: the sources, the processor and Numba's
settings. Which Python, Numba and NumPy compiled it is not in the name: the code calls none of
them. It is machine code that will run, so that only a file of this user, of the system's or of
who owns the sources is taken, which nobody else may write to, and whose content is what it was.
See docs/trust.md.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from llvmlite import binding

from kipuka.compiling import SOURCES as COMMON_SOURCES
from kipuka.compiling import fingerprint, is_disabled, refuse
from kipuka.convert import fixed
from kipuka.errors import KipukaError
from kipuka.strangers import open_regular

KERNELS = Path(__file__).parent / "kernels"
SOURCES = (
    *KERNELS.glob("*.py"),
    Path(fixed.__file__),
    *(Path(fixed.__file__).parent / "neurons").glob("compiled*.py"),
    *COMMON_SOURCES,
)
"""Files that kernels are compiled from."""

AHEAD = KERNELS / "ahead"
"""Where an installation puts what it has compiled."""

BY_PARTS = ("advance", "count_arrivals")
FOR_ALL = ("count_dense", "list_dense", "list_events")
"""Kernels that are compiled for a network's parts, and those that are not."""

OTHERS_WRITE = 0o022
"""Bits of a file's mode that let others write to it."""

_LOADED: dict[tuple[str, tuple[bool, ...]], tuple[Callable[..., int], ...]] = {}
"""Each kernel as a function that lets other threads run, and as one that does not."""

_OWNERS: list[Any] = []
"""Objects that own the memory of the code."""

_LOCK = threading.Lock()


def call(name: str, *arguments: int, parts: tuple[bool, ...] = (), brief: bool = False) -> int:
    """Call a kernel with whole numbers, addresses among them; other threads run meanwhile.

    Parameters
    ----------
    name : str
        Of a kernel in `kernels.entries.ENTRIES`.
    arguments : int
    parts : tuple of bool
        Of the network that it is for: `layout.Network.parts`.
    brief : bool
        Whether it takes less time than to let other threads run.

    Raises
    ------
    KipukaError
        If the kernel would have to be compiled and must not be.
    """
    functions = _LOADED.get((name, parts))
    if functions is None:
        with _LOCK:
            functions = _LOADED.get((name, parts)) or _loaded(name, parts, len(arguments))
            _LOADED[name, parts] = functions
    return functions[brief](*arguments)


def _loaded(name: str, parts: tuple[bool, ...], n_arguments: int) -> tuple[Callable[..., int], ...]:
    if is_disabled():
        refuse()
    kept = _read(_file_name(name, parts))
    place = _compiled(name, parts)[0].address if kept is None else _linked(*kept)
    numbers = [ctypes.c_int64] * (1 + n_arguments)
    # Functions of Python's own interface keep its lock.
    return ctypes.CFUNCTYPE(*numbers)(place), ctypes.PYFUNCTYPE(*numbers)(place)


def compile_ahead(folder: Path, parts: tuple[bool, ...]) -> None:
    """Put the kernels for networks with some parts into a folder, or those for all networks.

    Parameters
    ----------
    folder : Path
        Later the installed `AHEAD`.
    parts : tuple of bool
        Of the networks: `layout.Network.parts`; empty for what all networks need.
    """
    for name in BY_PARTS if parts else FOR_ALL:
        file = _file_name(name, parts)
        code = _read(file) or _compiled(name, parts)[1]
        if code is not None:
            _write(folder / file, *code)


def _compiled(name: str, parts: tuple[bool, ...]) -> tuple[Any, tuple[str, bytes] | None]:
    """Compile a kernel and keep its code, if it can be: Numba's callback; symbol and code."""
    # Numba is imported for those alone who need it.
    from kipuka.deploy.fast.kernels import entries

    function = entries.compiled(name, parts)
    _OWNERS.append(function)
    code = entries.machine_code(function)
    if code is not None:
        _keep(_file_name(name, parts), *code)
    return function, code


def _file_name(name: str, parts: tuple[bool, ...]) -> str:
    return f"{name}-{''.join(str(int(part)) for part in parts)}-{_made_for()}.kernel"


def _linked(symbol: str, code: bytes) -> int:
    """Bring an object file's content into memory and return the address of its function."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _OWNERS.append(engine)
    return int(engine.get_function_address(symbol))


@functools.cache
def _made_for() -> str:
    """Fingerprint of all that machine code depends on."""
    settings = sorted(
        f"{name}={value}"
        for name, value in os.environ.items()
        if name.startswith("NUMBA_") and name != "NUMBA_CACHE_DIR"
    )
    facts = (
        fingerprint(SOURCES),
        binding.get_process_triple(),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
        *settings,
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def _folders() -> Iterator[Path]:
    """Where kernels may be kept, as Numba's are: beside the sources if that can be written to."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(chosen)
        return
    yield KERNELS / "__pycache__"
    with contextlib.suppress(RuntimeError):  # A user without a home.
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kipuka"


def _read(name: str) -> tuple[str, bytes] | None:
    """Symbol and code in a kept file, if there is one that may be trusted and is whole."""
    for folder in (AHEAD, *_folders()):
        with contextlib.suppress(OSError, ValueError):
            handle = open_regular(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(handle, "rb") as file:
                sources = Path(__file__).stat()
                if not _is_trusted(os.fstat(handle), sources, installed=folder == AHEAD):
                    continue
                digest, symbol, code = file.read().split(b"\n", 2)
            if digest.decode() == _digest(symbol, code):
                return symbol.decode(), code
    return None


def _is_trusted(state: os.stat_result, sources: os.stat_result, installed: bool) -> bool:
    """Whether nobody may have written a file who may not write to the sources as well."""
    writers = state.st_mode & OTHERS_WRITE
    if installed and state.st_gid == sources.st_gid:
        # An installation leaves to a group what the user's umask leaves to it, sources too.
        writers &= ~sources.st_mode
    return state.st_uid in (0, os.geteuid(), sources.st_uid) and not writers


def _digest(symbol: bytes, code: bytes) -> str:
    return hashlib.sha256(symbol + b"\n" + code).hexdigest()


def _keep(name: str, symbol: str, code: bytes) -> None:
    """Write a file in the first folder that takes it, if any does."""
    for folder in _folders():
        with contextlib.suppress(OSError, KipukaError):
            _write(folder / name, symbol, code)
            return


def _write(path: Path, symbol: str, code: bytes) -> None:
    from kipuka.files import replacing

    content = b"\n".join([_digest(symbol.encode(), code).encode(), symbol.encode(), code])
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.chmod(0o644)
        temporary.write_bytes(content)
