"""What a network's file says of its training, in the JSON of its metadata."""

from __future__ import annotations

import json
from typing import Any

from kipuka.convert.program import Program
from kipuka.errors import KipukaError


def known_facts(program: Program, key: str) -> dict[str, Any] | None:
    """Return what stands under a key of a network's metadata; None if that is no JSON object."""
    try:
        known = json.loads(program.metadata.get(key, "{}"))
    except (ValueError, RecursionError):
        return None
    return known if isinstance(known, dict) else None


def network_facts(program: Program, key: str) -> dict[str, Any]:
    """Return what a network's file says of its training under a key of its metadata.

    Raises
    ------
    KipukaError
        If it is no JSON object.
    """
    known = known_facts(program, key)
    if known is None:
        limit = "settings of a training run, as a JSON object"
        raise unusable_facts(key, limit, program.metadata[key])
    return known


def class_names(program: Program) -> tuple[str, ...]:
    """Return the names of a network's classes; their numbers if it was trained without names."""
    names = network_facts(program, "data").get("classes")
    if isinstance(names, list) and len(names) == program.n_classes:
        return tuple(map(str, names))
    return tuple(map(str, range(program.n_classes)))


def unusable_facts(key: str, limit: str, value: object) -> KipukaError:
    """Error that says what stands under a key of a network's metadata."""
    return KipukaError(
        "the metadata cannot be used",
        where=f"the network's metadata, key {key}",
        limit=limit,
        value=str(value)[:80],
        remedy="convert the run again, or give the samples as a file",
    )
