"""``kipuka inspect``: a network file's layers, reach of the states, what stock NetX would do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.options import STEPS_MAX, ClampDelays, Json, Net, write_numbers

if TYPE_CHECKING:
    from kipuka.convert.analysis.summary import LayerSummary
    from kipuka.convert.formats.net.file import GoldenVector
    from kipuka.convert.program import Program

SATURATION = (
    "a state that saturates is held at its limit, on the chip as in every backend: no error. How "
    "often it happens, `kipuka profile --report` counts; training with proven_ranges=true rules it "
    "out in spiking GRUs"
)
"""What a verdict that a state may saturate means."""


def inspect(
    net: Net,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=STEPS_MAX,
            help="Steps of the samples for which the range of states is analysed.",
        ),
    ] = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Show a network's layers, reach of states, and what NetX does.

    Says what stock NetX would do differently with the file.
    """
    from kipuka.commands.inputs.samples import open_network
    from kipuka.convert.analysis.summary import inspect as summarise
    from kipuka.convert.formats.net.file import load_golden
    from kipuka.convert.program import delay_range
    from kipuka.deploy.lowered.size import lowered_size

    program, golden = open_network(net, clamp_delays=clamp_delays), load_golden(net)
    layers = summarise(program)
    ranges = _ranges(program, golden, steps)
    lowered = lowered_size(program, ranges["steps"])
    facts = {
        "ranges": ranges,
        "lowered": dataclasses.asdict(lowered),
        "input_shape": program.input_shape,
        "input_delays": delay_range(program.output_delays(-1)),
        "readout": program.readout.kind,
        "classes": program.n_classes,
        "encoder": program.encoder,
        "reset": program.reset,
        "layers": [dataclasses.asdict(layer) for layer in layers],
        "metadata": dict(program.metadata),
    }
    write_numbers(json_file, facts)
    _print(net, program, len(golden), layers, [*_range_texts(ranges), lowered.text])
    return 0


def _ranges(
    program: Program, golden: tuple[GoldenVector, ...], steps: int | None
) -> dict[str, Any]:
    """Reach of each state in samples of so many steps, or of as many as golden vectors have."""
    from kipuka.convert.analysis.state_ranges import analyse_ranges

    n_steps = steps if steps or not golden else golden[0].input.shape[-1]
    if n_steps is None:
        return {"steps": None, "states": []}
    states = analyse_ranges(program, n_steps).states
    texts = [f"layer {state.layer}, {state.variable} {state.verdict}" for state in states]
    return {"steps": n_steps, "states": texts}


def _print(
    net: Path,
    program: Program,
    n_golden: int,
    layers: tuple[LayerSummary, ...],
    texts: Sequence[str],
) -> None:
    from kipuka.commands.console import print_line, print_table
    from kipuka.convert.program import delay_range
    from kipuka.display import counted

    columns = {
        "layer": "layer",
        "kind": "kind",
        "model": "neurons",
        "shape": "shape",
        "nonzero_synapses": "synapses",
        "weight_bits": "bits",
        "delays_recurrent": "recurrent\ndelay",
        "delays_output": "output\ndelay",
    }
    readout = program.readout
    per_class = f", {readout.population} neurons per class" if readout.population > 1 else ""
    delays = delay_range(program.output_delays(-1))
    delayed = f" with delays {_range(delays)}" if delays and any(delays) else ""
    print_table(
        f"{net.name}: input {_times(program.input_shape)}{delayed}, readout {readout.kind} of "
        f"{program.n_classes}{per_class}, {counted(n_golden, 'golden vector')}",
        list(columns.values()),
        [
            [
                _times(layer.shape) if key == "shape" else _range(getattr(layer, key))
                for key in columns
            ]
            for layer in layers
        ],
    )
    for text in numbering_texts(program):
        print_line(text)
    for layer in layers:
        for difference in layer.netx:
            print_line(f"layer {layer.layer}: stock NetX {difference}")
    for text in texts:
        print_line(text)
    if any("may saturate" in text for text in texts):
        print_line(SATURATION)


def numbering_texts(program: Program) -> list[str]:
    """Say how the file numbers its layers, if `save_net` would number them in another way."""
    from kipuka.convert.program import layer_numbers

    usual = layer_numbers(program)
    if program.numbers == usual:
        return []
    ours, theirs = (", ".join(map(str, numbers)) for numbers in (program.numbers, usual))
    return [
        f"layers are numbered as in the file: {ours}; Kipuka's own file of this network, in which "
        f"the input counts, has {theirs} for them"
    ]


def _range_texts(ranges: dict[str, Any]) -> list[str]:
    return [f"in samples of {ranges['steps']} steps, {text}" for text in ranges["states"]]


def _range(value: object) -> object:
    if isinstance(value, tuple) and any(value):
        return f"{value[0]} to {value[1]}"
    return "none" if value is None or isinstance(value, tuple) else value


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape)
