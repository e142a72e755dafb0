"""``kipuka classify``: recordings read as the network's training read its own, classes by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kipuka.commands.options import Json, Net, write_numbers
from kipuka.commands.paths import file_or_name


def _each(ctx: typer.Context, values: Any) -> list[str]:
    """Look at every path as an option with one path does; typer knows no list in a callback."""
    check = file_or_name("RECORDING")
    return [value for value in values if check(ctx, value) is not None]


def classify(
    net: Net,
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING...",
            callback=_each,
            help="Files of recordings, or folders, as kipuka train takes them.",
        ),
    ],
    json_file: Json = None,
) -> int:
    """Say which class each recording is of.

    Recordings are read as those that the network was trained on: names of arrays, steps, channels.
    """
    from kipuka.commands.inputs.samples import open_network

    program = open_network(net)
    found = [one for path in recordings for one in _classified(program, path)]
    write_numbers(json_file, {"recordings": found})
    _print(net, found)
    return 0


def _classified(program: Any, path: str) -> list[dict[str, Any]]:
    """Class of each recording of a file or folder, and the one that it is labelled with."""
    from kipuka.convert.operands import presented
    from kipuka.convert.trace import decide
    from kipuka.deploy.fast.recording import record_for_readout
    from kipuka.deploy.fast.simulator import simulate
    from kipuka.train.runs.data_settings import read_as_trained

    read = read_as_trained(program, path)
    inputs = presented(program, read.spikes)
    trace = simulate(program, inputs, record=record_for_readout(program)).trace
    decided = decide(program, trace.layers[-1])
    labels = [read.classes[k] if read.labelled else None for k in read.labels]
    return [
        {
            "file": path,
            "sample": number,
            "class": int(k),
            "name": read.classes[k],
            "label": label,
            "steps": read.spikes.shape[2],
            "read": f"{read.spikes.shape[1]} units x {read.spikes.shape[2]} steps"
            + ("" if read.grid is None else read.grid.text),
        }
        for number, (k, label) in enumerate(zip(decided, labels, strict=True))
    ]


def _print(net: Path, found: list[dict[str, Any]]) -> None:
    from kipuka.commands.console import print_table

    labelled = any(one["label"] is not None for one in found)
    several = {one["file"] for one in found if one["sample"]}
    rows = []
    for one in found:
        place = f"{one['file']}, sample {one['sample']}" if one["file"] in several else one["file"]
        rows.append([place, one["name"], *([one["label"] or ""] if labelled else [])])
    grids = "; ".join(dict.fromkeys(one["read"] for one in found))
    columns = ["recording", "class", *(["labelled"] if labelled else [])]
    print_table(f"{net}: {grids}", columns, rows)
