"""The rows of a run as the tables of ``docs/peers.md``."""

from __future__ import annotations

from typing import Any

COLUMNS = ("engine", "samples a call", "ms a sample", "Kipuka's", "times Kipuka", "spikes by layer")


def render(contents: dict[str, Any]) -> str:
    """Show what ``--json`` wrote in Markdown, the rows in which Kipuka is behind first."""
    rows = contents["rows"]
    cases = dict.fromkeys(row["case"] for row in rows)
    parts = [_behind(rows), *(_network(case, rows) for case in cases)]
    reasons = "; ".join(f"{engine}: {reason}" for engine, reason in contents["not_run"].items())
    return "\n\n".join([*parts, f"No entry: {reasons}."]) + "\n"


def _behind(rows: list[dict[str, Any]]) -> str:
    behind = [row for row in rows if row["times_kipuka"] and row["times_kipuka"] < 1]
    ran = sum(bool(row["times_kipuka"]) for row in rows)
    if not behind:
        return f"**Kipuka is ahead in each of {ran} rows.**"
    lines = [
        f"- {row['case']}: {row['engine']} takes {row['times_kipuka']:.2f} times Kipuka's time"
        f" with {_samples(row)} a call"
        for row in sorted(behind, key=lambda row: row["times_kipuka"])
    ]
    return "\n".join([f"**Kipuka is behind in {len(behind)} of {ran} rows:**", "", *lines])


def _samples(row: dict[str, Any]) -> str:
    return "a sample" if row["samples"] == 1 else f"{row['samples']} samples"


def _network(case: str, rows: list[dict[str, Any]]) -> str:
    """One network: a line for each engine and number of samples, and who did not run."""
    own = [row for row in rows if row["case"] == case]
    ran = sorted((r for r in own if r["times_kipuka"]), key=lambda r: r["times_kipuka"])
    lines = [f"**{case}**", ""]
    counts = {_samples(row): _counts(row["kipuka_spikes"]) for row in ran}
    counted = "; ".join(f"{found} ({samples})" for samples, found in sorted(counts.items()))
    lines += [f"Kipuka's spikes by layer: {counted}.", ""] if ran else []
    table = [COLUMNS, ("---",) * len(COLUMNS), *map(_cells, ran)]
    lines += [f"| {' | '.join(cells)} |" for cells in table] if ran else []
    reasons = [f"{r['engine']} ({r['leaves_out']})" for r in own if not r["times_kipuka"]]
    if reasons:
        lines += ["", f"Not run: {'; '.join(reasons)}."]
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    counts = "as Kipuka's" if row["spikes"] == row["kipuka_spikes"] else _counts(row["spikes"])
    return (
        row["engine"],
        str(row["samples"]),
        _milliseconds(row["processor_s"], row["wall_s"]),
        _milliseconds(row["kipuka_processor_s"], row["kipuka_wall_s"]),
        f"{row['times_kipuka']:.3g} ({row['wall_times_kipuka']:.3g})",
        counts or "none",
    )


def _milliseconds(processor_s: float, wall_s: float) -> str:
    return f"{_three_digits(1e3 * processor_s)} ({_three_digits(1e3 * wall_s)})"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _counts(spikes: list[int]) -> str:
    return ", ".join(f"{count:,}" for count in spikes)
