"""Units of a profile, and what a violation of the schema carries."""

import re
from decimal import Decimal

from pydantic_core import PydanticCustomError

UNITS: dict[str, tuple[str, str]] = {
    "J": ("J", "1"),
    "mJ": ("J", "1e-3"),
    "uJ": ("J", "1e-6"),
    "nJ": ("J", "1e-9"),
    "pJ": ("J", "1e-12"),
    "s": ("s", "1"),
    "ms": ("s", "1e-3"),
    "us": ("s", "1e-6"),
    "ns": ("s", "1e-9"),
    "W": ("W", "1"),
    "mW": ("W", "1e-3"),
    "uW": ("W", "1e-6"),
    "bytes": ("bytes", "1"),
    "KiB": ("bytes", "1024"),
    "bits": ("bits", "1"),
    "axons": ("axons", "1"),
    "chips": ("chips", "1"),
    "cores": ("cores", "1"),
    "groups": ("groups", "1"),
    "neurons": ("neurons", "1"),
    "routers": ("routers", "1"),
    "slots": ("slots", "1"),
    "steps": ("steps", "1"),
    "synapses": ("synapses", "1"),
    "synops": ("synops", "1"),
    "updates": ("updates", "1"),
    "words": ("words", "1"),
    "synops/s": ("synops/s", "1"),
    "updates/s": ("updates/s", "1"),
    "spikes/s": ("spikes/s", "1"),
    "ratio": ("ratio", "1"),
}
"""Every unit a profile may use: its base unit and the exact factor to it, as decimal text."""

CITATION = re.compile(r"\[([^\[\]]+)\]")
"""A citation key within a source."""


def refusal(
    what: str, *, limit: str, found: object, remedy: str, key: str = ""
) -> PydanticCustomError:
    """Build a violation that carries the parts of a `KipukaError` beside its message.

    `key` is the dotted key that is wrong, below the group that finds it out.
    """
    context = {"limit": limit, "found": str(found), "remedy": remedy, "key": key}
    return PydanticCustomError("profile_rule", "{what}", {"what": what, **context})


def known_unit(unit: str) -> str:
    """Return `unit` if it stands in `UNITS`."""
    if unit not in UNITS:
        raise refusal(
            "The unit is not one that profiles use",
            limit=f"one of {', '.join(UNITS)}",
            found=repr(unit),
            remedy="convert the number to one of these units",
        )
    return unit


def cited(source: str) -> str:
    """Return `source` if it has a citation key and a place within that source."""
    if not CITATION.search(source) or not CITATION.sub("", source).strip(" ,;."):
        raise refusal(
            "The source does not say where the number stands",
            limit="a key in square brackets and a table, page or file, as in '[Davies18] Table 2'",
            found=repr(source),
            remedy="cite one of the references of the profile, with the place in it",
        )
    return source


def to_si(number: float | None, unit: str) -> float | None:
    """Convert through decimal digits, so that 23.6 pJ is the float nearest to 23.6e-12."""
    if number is None:
        return None
    return float(Decimal(repr(number)) * Decimal(UNITS[unit][1]))
