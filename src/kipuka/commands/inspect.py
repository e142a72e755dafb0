"""What `kipuka inspect` shows: layers, reach of the states, what stock NetX would do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from kipuka.commands.console import STDOUT, print_table
from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.analysis.summary import inspect
from kipuka.convert.formats.net.file import load_golden, load_net


def inspect_file(net: Path, steps: int | None, *, clamp_delays: bool = False) -> dict[str, Any]:
    """Print a network file's layers and return them; `steps` of a sample bound its states."""
    program, golden = load_net(net, clamp_delays=clamp_delays), load_golden(net)
    layers = [dataclasses.asdict(layer) for layer in inspect(program)]
    columns = {
        "layer": "layer",
        "kind": "kind",
        "model": "neurons",
        "shape": "shape",
        "nonzero_synapses": "synapses",
        "weight_bits": "bits",
        "delays_in": "delay",
        "delays_recurrent": "delay_rec",
    }
    readout = program.readout
    per_class = f", {readout.population} neurons per class" if readout.population > 1 else ""
    print_table(
        f"{net.name}: input {_times(program.input_shape)}, readout {readout.kind} of "
        f"{program.n_classes}{per_class}, {len(golden)} golden vectors",
        list(columns.values()),
        [
            [_times(layer[key]) if key == "shape" else _range(layer[key]) for key in columns]
            for layer in layers
        ],
    )
    for layer in layers:
        for difference in layer["netx"]:
            STDOUT.print(f"layer {layer['layer']}: stock NetX {difference}")
    ranges = []
    n_steps = steps or (golden[0].input.shape[-1] if golden else None)
    if n_steps is not None:
        for state in analyse_ranges(program, n_steps).states:
            text = f"layer {state.layer}, {state.variable} {state.verdict}"
            ranges.append(text)
            STDOUT.print(f"in samples of {n_steps} steps, {text}")
    facts = {
        "ranges": {"steps": n_steps, "states": ranges},
        "input_shape": program.input_shape,
        "readout": readout.kind,
        "classes": program.n_classes,
        "encoder": program.encoder,
        "reset": program.reset,
    }
    return {**facts, "layers": layers, "metadata": dict(program.metadata)}


def _range(value: object) -> object:
    if isinstance(value, tuple) and any(value):
        return f"{value[0]} to {value[1]}"
    return "none" if value is None or isinstance(value, tuple) else value


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape)
