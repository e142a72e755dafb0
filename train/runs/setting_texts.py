"""What a setting may be, and what it is for, in words: for the list of settings and for `help`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo

from kipuka.names import DATASET_NAMES, NETWORK_NAMES

NAMED = {"network": NETWORK_NAMES, "data": (*DATASET_NAMES, "own data")}
"""Settings that are names."""

LIMITS = {"ge": "from", "gt": "more than", "le": "up to", "lt": "less than"}
"""Words for pydantic's limits."""


def setting_lines(name: str, field: FieldInfo) -> tuple[str, str]:
    """Return a setting with default and range, in the form that ``--set`` takes, and its meaning.

    Parameters
    ----------
    name : str
        Dotted.
    field : FieldInfo
    """
    choices = NAMED.get(name)
    span = " or ".join(choices) if choices else range_text(field)
    return f"{name}={_yaml(field.default)}  ({span})", " ".join((field.description or "").split())


def settings_section(fields: Mapping[str, FieldInfo]) -> str:
    """Return all settings as a section of a docstring."""
    lines = [line for name, field in fields.items() for line in setting_lines(name, field)]
    heads = [f"    {'    ' * (k % 2)}{line}" for k, line in enumerate(lines)]
    return "\n".join(["    Settings", "    --------", *heads, ""])


def range_text(field: FieldInfo) -> str:
    """Return what a setting may be.

    Examples
    --------
    >>> from kipuka.train.runs.config import setting_fields
    >>> range_text(setting_fields()["learning_rate"])
    'more than 0, up to 1,000'
    """
    kind = field.annotation
    if kind is bool:
        return "true or false"
    choices = [str(value) for value in get_args(kind) if isinstance(value, str)]
    if choices:
        return " or ".join(choices)
    limits = [
        f"{word} {getattr(limit, key):,}".removesuffix(".0")
        for limit in field.metadata
        for key, word in LIMITS.items()
        if hasattr(limit, key)
    ]
    # An optional setting is the data set's or the network's own unless it is given.
    optional = [", or null"] if type(None) in get_args(kind) else []
    return "".join([", ".join(limits) or "text", *optional])


def _yaml(value: Any) -> str:
    """Write a default as YAML has it; text needs no quotes there."""
    return value if isinstance(value, str) else json.dumps(value)
