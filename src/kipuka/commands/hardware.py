"""The sub-commands of ``kipuka hardware``: list the profiles, show one, check a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kipuka.commands.options import Json, keep_apart, write_numbers

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

app = typer.Typer(no_args_is_help=True, help="Hardware profiles: list, show, check a file.")


@app.command("list")
def list_profiles(json_file: Json = None) -> int:
    """List the bundled hardware profiles."""
    from kipuka.commands.console import print_table
    from kipuka.hardware_profiles import load_profile, profile_names

    rows = []
    for name in profile_names():
        profile = load_profile(name)
        of = profile.system
        chips = 1 if of is None else int(of.chips.value or 0)
        rows.append([name, profile.chip if of is None else of.system, profile.chip, chips])
    columns = ["name", "chip or system", "chip", "chips"]
    write_numbers(json_file, {"profiles": [dict(zip(columns, r, strict=True)) for r in rows]})
    print_table("hardware profiles", columns, rows)
    return 0


@app.command("show")
def show_profile(
    profile: Annotated[str, typer.Argument(metavar="NAME", help="Name, or file.")],
    json_file: Json = None,
) -> int:
    """Show every number of a profile with unit, bounds, confidence and source."""
    from kipuka.hardware_profiles import load_profile

    keep_apart(profile, json=json_file)
    loaded = load_profile(profile)
    values = {**loaded.model_dump(mode="json"), "system": None}
    if loaded.system is not None:
        values["system"] = loaded.system.model_dump(mode="json")
    write_numbers(json_file, values)
    _print_quantities(loaded)
    return 0


@app.command("check")
def check_profile(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Profile as YAML.")],
) -> int:
    """Check a profile of your own; exit status 2 with file, key and line if a rule is broken."""
    from kipuka.commands.console import STDOUT
    from kipuka.hardware_profiles import load_profile

    loaded = load_profile(file)
    quantities = [quantity for _, quantity in loaded.quantities()]
    unknown = sum(quantity.value is None for quantity in quantities)
    STDOUT.print(
        f"{file}: sound; {len(quantities)} quantities, {unknown} of them not published",
        soft_wrap=True,
    )
    return 0


def _print_quantities(profile: HardwareProfile) -> None:
    from kipuka.commands.console import STDOUT, print_table
    from kipuka.deploy.report.numbers import NOT_PUBLISHED

    def text(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    rows = [
        [
            key,
            NOT_PUBLISHED if one.value is None else f"{one.value:g} {one.unit}",
            f"{text(one.low)} to {text(one.high)}" if (one.low, one.high) != (None, None) else "",
            (one.confidence or "") + (", secondary" if one.secondary else ""),
            one.source,
        ]
        for key, one in profile.quantities()
    ]
    title = profile.chip if profile.system is None else profile.system.system
    print_table(title, ["quantity", "value", "low to high", "confidence", "source"], rows)
    STDOUT.print(profile.description)
    for reference in profile.references:
        STDOUT.print(f"[{reference.key}] {reference.citation}", markup=False)
