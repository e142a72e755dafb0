"""What one would type next, shown at the end of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kipuka.names import DATASET_NAMES, REPORT_FILE

if TYPE_CHECKING:
    from kipuka.convert.program import Program


def report_words(net: Path, program: Program, data: str | None, data_dir: Path | None) -> list[str]:
    """Words of the command that writes a network's report beside it.

    Parameters
    ----------
    net : Path
    program : Program
        What its file says of its training is shown, and nothing is opened for it.
    data : str or None
        What the network has just run on; None for the data that it was trained on, if these were
        own recordings or need no folder.
    data_dir : Path or None
    """
    words = ["kipuka", "profile", str(net)]
    shown = data or _trained_on(program)
    if shown:
        words += ["--data", shown]
        words += ["--data-dir", str(data_dir)] if data_dir is not None else []
    return [*words, "--report", str(net.with_name(REPORT_FILE))]


def _trained_on(program: Program) -> str:
    """Data of the training as they can be given again; empty if they cannot."""
    from kipuka.deploy.report.question import trained_on

    _, data = trained_on(program)
    own = "recordings" in program.metadata and data not in DATASET_NAMES
    return data if data == "digits" or own else ""
