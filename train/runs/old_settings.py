"""Settings as version 0.1.0 wrote them, in one row, and what has become of each.

Its run folders, configuration files and networks' metadata keep loading. A setting that moved into
a group is taken from its old place; one that is gone was off unless someone turned it on, so a file
that has it off means what it meant before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kipuka.errors import KipukaError
from kipuka.yaml_text import short

MOVED = {
    "delay_learning_rate": "delays.learning_rate",
    "delay_rule": "delays.rule",
    "delay_init_steps": "delays.init_steps",
    "delay_width_steps": "delays.width_steps",
    "input_drop": "augmentation.input_drop",
    "time_stretch": "augmentation.time_stretch",
    "time_shift_steps": "augmentation.time_shift_steps",
    "channel_shift": "augmentation.channel_shift",
    "rate_penalty": "penalties.rate",
    "rate_low": "penalties.rate_low",
    "rate_high": "penalties.rate_high",
    "overshoot_penalty": "penalties.overshoot",
}
"""Where a setting stands now."""

PRUNED = {"delay_start": 0.0, "delay_stop": 1.0, "delay_alternation_epochs": 0, "blend": 0.0}
"""Settings that are gone, with the value that turned them off. ``docs/results.md`` has what they
brought: a head start of the weights and blended samples nothing, and the others were never worth a
run."""


def current_form(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return settings as groups, from names of 0.1.0, dotted names and groups alike.

    Parameters
    ----------
    values : mapping of str to anything
        ``{"delay_rule": "annealed"}``, ``{"delays.rule": "annealed"}`` and
        ``{"delays": {"rule": "annealed"}}`` mean the same. Unknown names are left for whoever
        checks the values.
    where : str
        File or command line, for messages.

    Raises
    ------
    KipukaError
        If a setting is given twice, or one that is gone is turned on.
    """
    form: dict[str, Any] = {}
    for key, value in _flat(values):
        if key in PRUNED:
            _refuse_what_is_gone(key, value, where)
            continue
        group, dot, name = MOVED.get(key, key).rpartition(".")
        place = form.setdefault(group, {}) if dot else form
        if not isinstance(place, dict) or name in place:
            raise KipukaError(
                "a setting is given twice",
                where=f"{where}, key {key}",
                limit="each setting once, by one of its names",
                value=short(value),
                remedy=f"give {MOVED.get(key, key)} alone",
            )
        place[name] = value
    return form


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings one by one, those of a group by their dotted names."""
    for key, value in values.items():
        if isinstance(value, dict):
            for name, inner in value.items():
                yield f"{key}.{name}", inner
        else:
            yield str(key), value


def _refuse_what_is_gone(key: str, value: object, where: str) -> None:
    if value == PRUNED[key]:
        return
    raise KipukaError(
        f"the setting {key} is gone",
        where=f"{where}, key {key}",
        limit=f"{PRUNED[key]}, which turned it off, or nothing",
        value=short(value),
        remedy="leave it out, or go on with this run under version 0.1.0",
    )
