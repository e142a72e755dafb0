"""Throw-away environments, one per engine, with the packages that its entry names."""

from __future__ import annotations

import shutil
import subprocess
import sys
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
    """Makes environments below a folder when they are first asked for.

    What needs nothing but torch runs in an environment that is there: `torch`, or this one.
    """

    def __init__(self, folder: Path, torch: Path | None = None):
        self.folder = folder
        self.torch = torch or Path(sys.executable)
        self._made: dict[tuple[str, ...], Path | NotInstalledError] = {}

    def python(self, engine: Engine) -> Path:
        """Give the Python of the engine's environment."""
        if not engine.packages:
            return self.torch
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
        place = self.folder / f"environment-{len(self._made)}"
        python = place / "bin" / "python"
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
