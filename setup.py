"""Compiles the fast simulator's kernels as Kipuka is installed, for the processor at hand.

All else that setuptools must know stands in pyproject.toml. A wheel is the same with or without
these kernels: names say which processor each is for, and where none fits, or none was made, Numba
compiles them on first use. So nothing that goes wrong here ends an installation. See
docs/simulator.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
SWITCH = "KIPUKA_COMPILE_AHEAD"
"""Environment variable that is 0 where a wheel is built for others."""

KINDS = ("100", "010", "000", "")
"""What is compiled for, the longest first: networks of convolutions of CUBA neurons, of gated
neurons, of CUBA neurons alone (see `kipuka.deploy.fast.kernels.layout.Network.parts`), and all."""

LONGEST_S = 900

PROGRAM = """
import sys
from pathlib import Path
root, folder, parts = sys.argv[1:]
sys.path.insert(0, str(Path(root, "src")))
import kipuka
kipuka.__path__.append(root)
from kipuka.deploy.fast.machine_code import compile_ahead
compile_ahead(Path(folder), tuple(part == "1" for part in parts))
"""
"""Compile for one kind of network, from sources that are not installed yet."""


class BuildKernels(Command):
    """Put machine code beside the kernels' sources, each kind's made by a process of its own."""

    description = "compile the simulator's kernels for this processor"
    user_options = []  # noqa: RUF012

    def initialize_options(self) -> None:
        """Begin without a folder, as setuptools wants it."""
        self.build_lib = None
        self.editable_mode = False

    def finalize_options(self) -> None:
        """Take the folder that the package is built in."""
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    @property
    def folder(self) -> Path:
        """Where the kernels go: `kipuka.deploy.fast.machine_code.AHEAD`."""
        return Path(self.build_lib, "kipuka", "deploy", "fast", "kernels", "ahead")

    def run(self) -> None:
        """Compile, or say in a line why not."""
        for path in self.folder.glob("*.kernel"):
            path.unlink()  # Of an earlier build in the same folder.
        if os.environ.get(SWITCH, "1") == "0":
            return
        with ThreadPoolExecutor(_cores()) as pool:
            failed = {reason for reason in pool.map(self._compile, KINDS) if reason}
        for reason in sorted(failed):
            sys.stderr.write(f"kernels will be compiled on first use: {reason}\n")

    def _compile(self, parts: str) -> str:
        """Compile for one kind of network; return what went wrong."""
        words = [str(ROOT), str(self.folder), parts]
        # With settings of their own the kernels would be others.
        kept = {k: value for k, value in os.environ.items() if not k.startswith("NUMBA_")}
        try:
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, *words],
                env=kept, capture_output=True, text=True, timeout=LONGEST_S,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        if done.returncode == 0:
            return ""
        return done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"

    def get_outputs(self) -> list[str]:
        """Files that were made."""
        return [str(path) for path in self.folder.glob("*.kernel")]

    def get_output_mapping(self) -> dict[str, str]:
        """Files that are linked to the sources' folder: none."""
        return {}

    def get_source_files(self) -> list[str]:
        """Files that a source distribution needs besides the packages: none."""
        return []


def _cores() -> int:
    """Processor cores that this process may use.

    As `kipuka.threads.available_cores` has it; where a package is built, Kipuka can be
    imported only by a process that is told where its sources are (`PROGRAM`).
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Build(build):
    """Build the package, then the kernels."""

    sub_commands = [*build.sub_commands, ("build_kernels", None)]  # noqa: RUF012


setup(cmdclass={"build": Build, "build_kernels": BuildKernels})
