"""The outcome of a comparison of backends, as a line, a table and plain values."""

from __future__ import annotations

import dataclasses
from typing import Any

from kipuka.commands.console import print_line, print_table
from kipuka.deploy.verification import Verification
from kipuka.display import counted


def verification_numbers(verification: Verification) -> dict[str, Any]:
    """Return a comparison as plain values."""
    return {
        **dataclasses.asdict(verification),
        "spike_mismatches": verification.spike_mismatches,
        "state_mismatches": verification.state_mismatches,
    }


def print_verification(verification: Verification) -> None:
    """Print the outcome in a line, and a row per disagreement."""
    names = ", ".join(verification.backends)
    print_line(
        f"{counted(verification.values_compared, 'value')} in "
        f"{counted(verification.samples, 'sample')} x {counted(verification.steps, 'step')} "
        f"compared between {names}{verification.parts_text}: "
        f"{verification.spike_mismatches} spike mismatches, "
        f"{verification.state_mismatches} state mismatches"
    )
    if verification.mismatches:
        rows = [list(vars(mismatch).values()) for mismatch in verification.mismatches]
        columns = ["backend", "against", "layer", "variable", "count", "first"]
        print_table("mismatches", columns, rows)
