"""What a network was asked, as far as its file tells: classes, the time of a step, the parts."""

from __future__ import annotations

import math
from typing import Any

from kipuka.convert.program import Program
from kipuka.convert.training_facts import known_facts
from kipuka.deploy.report.tables import plural
from kipuka.hardware_profiles.numbers import count, si

CLASSES_NAMED = 20
"""Classes that a sentence names."""


def class_names(program: Program) -> tuple[str, ...]:
    """Return the names of the classes; empty if the file has none, or not one for each.

    Parameters
    ----------
    program : Program
        What it says of its data may come from a stranger, and is not taken on trust.
    """
    names = _metadata(program, "data").get("classes")
    if not isinstance(names, list) or len(names) != program.n_classes:
        return ()
    return tuple(names) if all(isinstance(name, str) for name in names) else ()


def step_s(program: Program) -> float | None:
    """Return the time that a step stands for in s, if the network was trained on recorded times.

    Parameters
    ----------
    program : Program
    """
    for key in ("recordings", "training"):
        found = _metadata(program, key).get("bin_ms")
        if isinstance(found, int | float) and math.isfinite(found) and found > 0:
            return float(found) / 1000.0
    return None


def asked(program: Program, n_steps: int, step_s: float | None) -> str:
    """Return the question that each sample puts to the network.

    Parameters
    ----------
    program : Program
    n_steps : int
        Steps of a sample.
    step_s : float or None
        Time that a step stands for.
    """
    names = class_names(program)
    named = f" ({', '.join(names[:CLASSES_NAMED])}{', …' * (len(names) > CLASSES_NAMED)})"
    inputs = " × ".join(count(n) for n in program.input_shape)
    steps = plural(n_steps, "step")
    if step_s is not None:
        steps += f" of {si(step_s, 's')}, {si(n_steps * step_s, 's')} in all"
    classes = plural(program.n_classes, "class", "classes")
    return f"which of {classes}{named if names else ''} is a sample of {inputs} inputs and {steps}?"


def trained_on(program: Program) -> tuple[str, str]:
    """Return the names of network and data of a training run; empty if the file has none.

    Parameters
    ----------
    program : Program
    """
    found = _metadata(program, "training")
    names = found.get("network"), found.get("data")
    one, other = (name if isinstance(name, str) else "" for name in names)
    return one, other


def held_out(program: Program) -> str:
    """Return in words how test and validation samples were chosen; empty if the file does not say.

    Parameters
    ----------
    program : Program
    """
    found = _metadata(program, "recordings").get("held_out")
    return found if isinstance(found, str) else ""


def _metadata(program: Program, key: str) -> dict[str, Any]:
    """What stands under a key; empty if it cannot be used, for which no report is withheld."""
    return known_facts(program, key) or {}
