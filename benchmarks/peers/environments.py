"""Throw-away environments, one for each list of packages that an entry names."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SECONDS_TO_INSTALL = 900


@dataclass(frozen=True)
class Engine:
    """An engine that Kipuka is compared with.

    Attributes
    ----------
    file : str
        Script in this folder that runs it.
    packages : tuple of str
        What to install, with versions.
    variant : str
        Handed to the script.
    python : str
        Version of the environment's Python; this one's if empty.
    outer : bool
        Whether the environment sees the packages of this one, torch above all, and `packages` are
        installed without what they depend on.
    batches : bool
        Whether it can run several samples at once.
    """

    file: str
    packages: tuple[str, ...] = ()
    variant: str = ""
    python: str = ""
    outer: bool = False
    batches: bool = False


class NotInstalledError(Exception):
    """Why an environment could not be made."""


class Environments:
    """Makes environments below a folder when they are first asked for, if they are not there yet.

    What names no packages runs in this environment.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._made: dict[tuple[str, ...], Path | NotInstalledError] = {}

    def make(self, engines: Iterable[Engine]) -> None:
        """Make all that these need and that can be made, so that none waits for it later."""
        for engine in engines:
            with contextlib.suppress(NotInstalledError):
                self.python(engine)

    def python(self, engine: Engine) -> Path:
        """Give the Python of the engine's environment."""
        if not engine.packages:
            return Path(sys.executable)
        if engine.packages not in self._made:
            try:
                self._made[engine.packages] = self._make(engine)
            except NotInstalledError as error:
                self._made[engine.packages] = error
        made = self._made[engine.packages]
        if isinstance(made, NotInstalledError):
            raise made
        return made

    def _make(self, engine: Engine) -> Path:
        words = " ".join((engine.python or sys.version, *engine.packages))
        place = self.folder / f"environment-{hashlib.sha256(words.encode()).hexdigest()[:12]}"
        python, complete = place / "bin" / "python", place / "complete"
        if complete.exists():
            return python
        shutil.rmtree(place, ignore_errors=True)
        uv = shutil.which("uv")
        base = sys.executable
        if engine.python and not engine.outer:
            # uv finds versions that are not on the path.
            base = engine.python if uv else f"python{engine.python}"
        make = [uv, "venv", "--quiet", "--python", base] if uv else [base, "-m", "venv"]
        install = [uv, "pip", "install", "--quiet", "--python", python] if uv else []
        install = install or [python, "-m", "pip", "install", "--quiet"]
        _checked([*make, place])
        if engine.outer:
            site = next(place.glob("lib/python*/site-packages"))
            outer = [path for path in sys.path if path.endswith("-packages")]
            (site / "outer.pth").write_text("\n".join(outer))
            install.append("--no-deps")
        _checked([*install, *engine.packages])
        complete.touch()
        return python


def _checked(words: list) -> None:
    try:
        done = subprocess.run(
            [str(word) for word in words],
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_INSTALL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(str(error)) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotInstalledError(lines[-1].strip() if lines else "no message")
