"""Accuracy with what it takes to read it, as rows and a line."""

from __future__ import annotations

from kipuka.convert.intervals import wilson_interval

COLUMNS = ["backend", "accuracy", "correct", "95 % interval"]


def accuracy_row(name: str, accuracy: float, samples: int) -> list[str]:
    """Row of a backend; `accuracy` is its fraction of so many samples."""
    correct = round(accuracy * samples)
    low, high = wilson_interval(correct, samples)
    between = f"{100 * low:.1f} to {100 * high:.1f} %"
    return [name, f"{accuracy:.2%}", f"{correct:,} of {samples:,}", between]


def beside_text(chance: float, counting: float | None) -> str:
    """Line with what is achieved without a network, or without the times of its inputs."""
    text = f"for comparison: always the most frequent class {chance:.2%}"
    if counting is None:
        return text
    return f"{text}; logistic regression on spike counts, without their times {counting:.2%}"
