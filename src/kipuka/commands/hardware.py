"""The sub-commands of ``kipuka hardware``: list the profiles, show one, check a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kipuka.commands.options import Json, write_numbers
from kipuka.commands.paths import READS, PathCommand, file_or_name, path_argument

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

app = typer.Typer(no_args_is_help=True, help="Hardware profiles: list, show, check a file.")


@app.command("list", cls=PathCommand)
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


@app.command("show", cls=PathCommand)
def show_profile(
    profile: Annotated[
        str, typer.Argument(metavar="NAME", callback=file_or_name("NAME"), help="Name, or file.")
    ],
    json_file: Json = None,
) -> int:
    """Show every number of a profile with its bounds and source."""
    from kipuka.hardware_profiles import load_profile

    loaded = load_profile(profile)
    values = {**loaded.model_dump(mode="json"), "system": None}
    if loaded.system is not None:
        values["system"] = loaded.system.model_dump(mode="json")
    write_numbers(json_file, values)
    _print_quantities(loaded)
    return 0


@app.command("check", cls=PathCommand)
def check_profile(
    file: Annotated[Path, path_argument("FILE", READS, help="Profile as YAML.")],
) -> int:
    """Check a profile of your own.

    Exit status 2 with file, key and line if a rule is broken.
    """
    from kipuka.commands.console import print_line
    from kipuka.hardware_profiles import load_profile

    loaded = load_profile(file)
    quantities = [quantity for _, quantity in loaded.quantities()]
    unknown = sum(quantity.value is None for quantity in quantities)
    print_line(
        f"{file}: sound; {len(quantities)} quantities, {unknown} of them not published",
        wrap=False,
    )
    return 0


def _print_quantities(profile: HardwareProfile) -> None:
    from kipuka.commands.console import print_line, print_table
    from kipuka.hardware_profiles.numbers import NOT_PUBLISHED

    def text(value: float) -> str:
        return f"{value:,.12g}"

    def between(low: float | None, high: float | None) -> str:
        if low is None or high is None:
            return " ".join(
                f"{word} {text(end)}"
                for word, end in (("from", low), ("to", high))
                if end is not None
            )
        return f"{text(low)} to {text(high)}"

    rows = [
        [
            key,
            NOT_PUBLISHED if one.value is None else f"{text(one.value)} {one.unit}",
            between(one.low, one.high),
            (one.confidence or "") + (", secondary" if one.secondary else ""),
            one.source,
        ]
        for key, one in profile.quantities()
    ]
    rows += [
        [f"abilities.{name}", "yes" if one.able else "no", "", one.confidence, one.source]
        for name, one in profile.abilities.each()
    ]
    title = profile.chip if profile.system is None else profile.system.system
    print_table(title, ["quantity", "value", "low to high", "confidence", "source"], rows)
    print_line(" ".join(profile.description.split()))
    for reference in profile.references:
        print_line(f"[{reference.key}] {reference.citation}")
