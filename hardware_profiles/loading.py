"""Reading profiles: bundled or the user's own, with errors that name file, key and line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kipuka.errors import KipukaError, nearest
from kipuka.hardware_profiles.architecture import ARCHITECTURE
from kipuka.hardware_profiles.schema import HardwareProfile, SystemProfile
from kipuka.strangers import as_path
from kipuka.yaml_text import parse_yaml, place, read_limited, short

_SUFFIX = ".yaml"
_LISTED = 10
_WHAT = "hardware profile"


def profile_names() -> tuple[str, ...]:
    """Return the names of the bundled profiles, sorted.

    Examples
    --------
    >>> profile_names()
    ('hala_point', 'kapoho_point', 'loihi1', 'loihi2', 'oheo_gulch')
    """
    files = resources.files(__package__).iterdir()
    return tuple(
        sorted(file.name[: -len(_SUFFIX)] for file in files if file.name.endswith(_SUFFIX))
    )


def load_profile(name_or_path: str | Path) -> HardwareProfile:
    """Load a hardware profile and check it.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a bundled profile, such as ``'loihi2'``, or path of a YAML file. Text without a
        folder and without the ending ``.yaml`` or ``.yml`` is taken for a name.

    Returns
    -------
    HardwareProfile
        Immutable; each quantity gives its numbers in base units by ``in_si()``. For the file of
        a system: the profile of its chip, with the system's name and static power.

    Raises
    ------
    KipukaError
        The name is unknown, the file cannot be read, or it breaks a rule of the schema.
    """
    if isinstance(name_or_path, str) and name_or_path in profile_names():
        return _bundled(name_or_path)
    path = as_path(name_or_path, "argument name_or_path")
    if isinstance(name_or_path, str) and not _looks_like_path(path):
        raise KipukaError(
            "There is no hardware profile of this name",
            where="the name of the hardware profile",
            limit=f"one of {', '.join(profile_names())}, or the path of a .yaml file",
            value=repr(name_or_path),
            remedy=nearest(name_or_path, profile_names())
            + "take one of these names; write a file of this folder as ./name.yaml",
        )
    remedy = f"check the path, or take a bundled profile: {', '.join(profile_names())}"
    return _parse(read_limited(path, _WHAT, remedy), str(path))


@cache
def _bundled(name: str) -> HardwareProfile:
    """Load a bundled profile, once in a process: reading takes a quarter of a second."""
    file_name = name + _SUFFIX
    return _parse(resources.files(__package__).joinpath(file_name).read_bytes(), file_name)


def _looks_like_path(path: Path) -> bool:
    """Tell a path from a name by its folder or its ending."""
    return len(path.parts) > 1 or path.suffix in (".yaml", ".yml")


def _parse(content: bytes, file_name: str) -> HardwareProfile:
    """Turn YAML into a profile, or into one error that says where it is wrong."""
    root, data = parse_yaml(content, file_name, _WHAT)
    if not isinstance(root, yaml.MappingNode):
        raise KipukaError(
            "The hardware profile is not a mapping",
            where=f"{file_name}, line 1",
            limit="keys and values at the top of the file",
            value="an empty file" if data is None else short(data),
            remedy="start from a bundled profile",
        )
    is_system = isinstance(data, dict) and "chip_profile" in data
    try:
        if not is_system:
            return _of_chip(data)
        system = SystemProfile.model_validate(data)
    except ValidationError as error:
        raise _schema_error(error, root, file_name) from None
    return _of_system(system, f"{file_name}, key chip_profile, line {_line_of(root, _CHIP)}")


def _of_chip(data: Any) -> HardwareProfile:
    """Profile of a chip; a file from before there were groups of architecture gets bundled ones."""
    groups = [group for group in ARCHITECTURE if group not in data]
    if len(groups) < len(ARCHITECTURE):
        return HardwareProfile.model_validate(data)
    second = "loihi 2" in str(data.get("chip")).lower() or "loihi2" in str(data.get("name"))
    bundled = load_profile("loihi2" if second else "loihi1")
    filled = {group: getattr(bundled, group) for group in groups}
    mine = HardwareProfile.model_validate({**data, **filled, "references": _joined(data, bundled)})
    return mine.model_copy(update={"taken_over": (bundled.name, *groups)})


def _joined(data: Any, bundled: HardwareProfile) -> Any:
    """References of a file, and those of a bundled profile that it lacks."""
    own = data.get("references")
    if not isinstance(own, list):
        return own
    keys = {one.get("key") for one in own if isinstance(one, dict)}
    return [*own, *(one for one in bundled.references if one.key not in keys)]


_CHIP = ("chip_profile",)


def _of_system(system: SystemProfile, where: str) -> HardwareProfile:
    """Profile of a system's chip with what the system says of it."""
    chips = [name for name in profile_names() if name != system.name]
    chip = load_profile(system.chip_profile) if system.chip_profile in chips else None
    if chip is None or chip.system is not None:
        raise KipukaError(
            "A system refers to a chip that has no profile",
            where=where,
            limit="the name of a bundled profile of a chip",
            value=repr(system.chip_profile),
            remedy="name the chip, as in chip_profile: loihi2",
        )
    changes = {
        "name": system.name,
        "system": system,
        "static_power": system.static_power or chip.static_power,
    }
    joined = chip.model_copy(update=changes)
    # What the system replaces takes its citations with it.
    sources = " ".join(source for _, each in joined.quantities() for source in each.sources())
    references = {one.key: one for one in (*chip.references, *system.references)}
    cited = tuple(one for key, one in references.items() if f"[{key}]" in sources)
    return joined.model_copy(update={"references": cited})


def _schema_error(error: ValidationError, root: yaml.Node, file_name: str) -> KipukaError:
    """Report the violation that stands first in the file, and how many there are."""
    details = error.errors(include_url=False)
    first = min(details, key=lambda detail: _line_of(root, _location(detail)))
    location = _location(first)
    what, limit, value, remedy = _describe(first)
    lines = sorted(_line_of(root, _location(detail)) for detail in details)
    others = ", ".join(str(line) for line in lines[1 : 1 + _LISTED])
    count = "" if len(details) == 1 else f" (the first of {len(details)} problems in this file"
    count += f"; the next on lines {others})" if others else ""
    return KipukaError(
        what + count,
        where=place(file_name, location, _line_of(root, location)),
        limit=limit,
        value=value,
        remedy=remedy,
    )


def _location(detail: ErrorDetails) -> tuple[int | str, ...]:
    """Keys and positions that lead to a violation."""
    below = str(detail.get("ctx", {}).get("key") or "")
    parts = [int(part) if part.isdigit() else part for part in below.split(".") if part]
    return (*detail["loc"], *parts)


def _line_of(root: yaml.Node, location: Sequence[int | str]) -> int:
    """Return the line of a key, or of the closest group around it that the file has."""
    node, line = root, root.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            entries = {key.value: (key, value) for key, value in node.value}
            if part not in entries:
                break
            key_node, node = entries[part]
            line = key_node.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _describe(detail: ErrorDetails) -> tuple[str, str, str, str]:
    """Return what is wrong, the limit, what was found and the remedy for one violation."""
    kind, context = detail["type"], detail.get("ctx", {})
    found = short(detail["input"])
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "profile_rule":
        return detail["msg"], context["limit"], context["found"], context["remedy"]
    if kind == "missing":
        required = f"{key} is required here"
        return "A key is missing", required, "no such key", f"add the key {key}"
    if kind == "extra_forbidden":
        remedy = f"correct the spelling of {key}, or remove it; the bundled profiles show all keys"
        return "A key is unknown", "the keys of the profile schema", repr(key), remedy
    if kind == "greater_than_equal":
        return "A number is negative", f"at least {context['ge']:g}", found, "correct the sign"
    if kind in ("float_type", "finite_number"):
        remedy = "write a number without quotes, and powers of ten as 3.8e+14"
        return "A value is not a number", "a finite number", found, remedy
    if kind == "literal_error":
        expected = str(context["expected"])
        return "A word is not one of those allowed", expected, found, "take one of these words"
    return "A value does not fit its key", detail["msg"], found, "compare a bundled profile"
