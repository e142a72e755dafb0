"""NIR graphs as inputs of commands: the options that read them, floats and integers of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from kipuka.commands.options import STEPS_MAX, refuse_nan
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.convert.float_network import FloatNetwork
    from kipuka.convert.quantization import Quantized
    from kipuka.deploy.fidelity import Fidelity

Dt = Annotated[
    float | None,
    typer.Option(
        min=1e-9,
        max=1e3,
        callback=refuse_nan,
        help="Of a .nir file: seconds per step, which it does not hold.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option("--from", help="Of a .nir file: norse, sinabs, snntorch, or plain."),
]
Bias = Annotated[
    str | None,
    typer.Option(help="Of a .nir file: refuse, or steady, biases before a synaptic filter."),
]
Reset = Annotated[
    str | None, typer.Option(help="Of a .nir file: zero, or subtract, which is refused.")
]
Decays = Annotated[
    str | None, typer.Option(help="Of a .nir file: round decays to the nearest, or down.")
]
WeightMax = Annotated[
    int | None,
    typer.Option(
        min=1, max=STEPS_MAX, help="Of a .nir file: integer of each layer's largest weight."
    ),
]
Percentile = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=100,
        callback=refuse_nan,
        help="Of a .nir file: percentile of the weights that it stands for.",
    ),
]

ROUNDING = ("weight_max", "percentile", "decays")
"""Options that say how a graph is rounded; the others say how it is read."""


class ReadGraph(NamedTuple):
    """A NIR file in floats, and what rounding made of it."""

    floats: FloatNetwork
    quantized: Quantized


def is_nir(path: Path) -> bool:
    """Whether a file is a NIR graph by its name."""
    return path.suffix.lower() == ".nir"


def read_graph(path: Path, options: Mapping[str, Any]) -> ReadGraph:
    """Read a NIR file with the options that were given."""
    from kipuka.convert.formats.nir.file import floats_of
    from kipuka.convert.quantization import quantize

    floats = floats_of(path, **{k: v for k, v in options.items() if k not in ROUNDING})
    rounding = {k: v for k, v in options.items() if k in ROUNDING}
    return ReadGraph(floats, quantize(floats, **rounding))


def calibrated_graph(
    path: Path, options: Mapping[str, Any], samples: Path
) -> tuple[ReadGraph, Fidelity]:
    """Read a NIR file and choose the percentile of its weights by what it does on samples."""
    from kipuka.deploy.fidelity import calibrated
    from kipuka.deploy.inputs import load_inputs

    if "percentile" in options:
        raise KipukaError(
            "a calibration chooses the percentile",
            where="options calibrate and percentile",
            limit="one of them",
            value=f"{samples} and {options['percentile']:g}",
            remedy="leave one of them out",
        )
    graph = read_graph(path, options)
    spikes = load_inputs(samples, graph.quantized.program).values
    rounding = {k: v for k, v in options.items() if k in ROUNDING}
    _, quantized, fidelity = calibrated(graph.floats, spikes, **rounding)
    return ReadGraph(graph.floats, quantized), fidelity


def refuse_options(path: Path, options: Mapping[str, Any], limit: str) -> None:
    """Refuse options that go with another kind of file, which `limit` names."""
    for name, value in options.items():
        raise KipukaError(
            "the option does not go with the format of the file",
            where=f"{path}, option {name}",
            limit=limit,
            value=value,
            remedy="leave the option out",
        )
