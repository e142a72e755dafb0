"""Blocks of code in documents: found, read with the note beside them, and run as they are printed.

A block that cannot run as it stands says so in a comment on the line before, which readers of the
page do not see:

- ``<!-- run with: WORDS -->``: each command runs with these words behind its own;
- ``<!-- goes on: WORDS -->``: it sees the names of the blocks before, as cells of a notebook do;
- ``<!-- refused: WORDS -->``: each command ends with exit status 2 and a message with these words;
- ``<!-- not run: REASON -->``, where the reason is one of `REASONS`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kipuka_options import run

REASONS = {
    "installs packages": r"pip install|uv sync",
    "is the whole test suite": r"(^|\n)uv run pytest\n",
    "takes hours": r"KIPUKA_KILLS=50|--seconds 3600",
    "needs recordings that are not here": r"--data-dir DIR",
}
"""Why a block is not run, and what such a block has in it."""

FENCED = re.compile(r"(?:^<!-- ([^\n]*?) -->\n+)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOTE = re.compile(r"(run with|goes on|refused|not run): (.+)")
NEEDS_LAVA = re.compile(
    r"kipuka (train|demo|compare|deploy)|kipuka\.train|torch|lava|--data digits|examples/"
)
SHELL = set("|><$&;=")
"""Signs in a command's first word or around it that only a shell understands."""


@dataclass(frozen=True)
class Block:
    """A block of code of a page.

    Attributes
    ----------
    place : str
        Page and line.
    language : str
        ``sh``, ``python``, or ``text`` for what is neither.
    text : str
    note, words : str
        What stands beside the block, empty if nothing does: its kind, and what follows.
    """

    place: str
    language: str
    text: str
    note: str = ""
    words: str = ""

    @property
    def needs_lava(self) -> bool:
        """Whether it trains, or runs in Lava."""
        return bool(NEEDS_LAVA.search(self.text))

    @property
    def is_doctest(self) -> bool:
        """Whether it prints its own results, which `doctest` compares."""
        return self.text.startswith(">>>")

    @property
    def commands(self) -> list[str]:
        """Lines of a shell, whole, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def blocks_of(page: Path) -> list[Block]:
    """Find the fenced blocks of a page, in their order."""
    text, found = page.read_text(), []
    for match in FENCED.finditer(text):
        comment, language, inside = match.groups()
        line = text.count("\n", 0, match.start(2)) + 1
        note = NOTE.fullmatch(comment or "")
        kind, words = note.groups() if note else ("", "")
        found.append(Block(f"{page.name}:{line}", language, inside, kind, words))
    return found


def run_blocks(blocks: Iterable[Block]) -> str:
    """Run the blocks of a page one after the other and return what they print."""
    names, printed = {}, ""
    for block in blocks:
        names = names if block.note == "goes on" else {}
        printed += run_block(block, names)
    return printed


def run_block(block: Block, names: dict | None = None) -> str:
    """Run a block in the current folder and return what it prints.

    Names that a script defines are left in `names`, and those that are there it sees.

    Raises
    ------
    AssertionError
        If a command does not end as it should.
    """
    if block.language == "python":
        return _script(block, {} if names is None else names)
    return "".join(_command(block, line) for line in block.commands)


def _script(block, names):
    names["__name__"] = "__main__"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(block.text, block.place, "exec"), names)
    return printed.getvalue()


def _command(block, line):
    line = line.removeprefix("uv run ")
    if block.note == "run with":
        line = f"{line} {block.words}"
    words = shlex.split(line, comments=True)
    # Commands of Kipuka's own save the seconds that a process of their own takes to start.
    if words[0] == "kipuka" and not SHELL & set(line.partition(" --")[0]):
        status, out, err = run(words[1:], "utf-8")
    else:
        places = [str(Path(sys.executable).parent), os.environ["PATH"]]
        path = {"PATH": os.pathsep.join(places)}
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, env=os.environ | path
        )
        status, out, err = done.returncode, done.stdout, done.stderr
    told = f"{block.place}: {line}\n{out}{err}"
    if block.note == "refused":
        assert status == 2, told
        assert block.words in err, told
    else:
        assert status == 0, told
    return out
