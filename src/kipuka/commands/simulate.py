"""``kipuka simulate``: a network file on an input file, spikes written to another."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.options import STEPS_MAX, ClampDelays, InputFile, Json, Net, write_numbers
from kipuka.commands.paths import WRITES, path_option
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    import numpy as np

    from kipuka.convert.program import Program
    from kipuka.convert.trace import Trace


def simulate(
    net: Net,
    input_file: InputFile,
    output: Annotated[
        Path,
        path_option("--output", WRITES, metavar="Y.npy", help="Spikes of the last layer, delayed."),
    ],
    layer: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Write the spikes that this layer emits instead; kipuka inspect shows its number.",
        ),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="fast, reference, torch, lava, lowered or netx.")
    ] = "fast",
    reset_interval: Annotated[
        int | None,
        typer.Option(
            min=1, max=STEPS_MAX, help="Reset every neuron every so many steps, as NetX can."
        ),
    ] = None,
    reset_offset: Annotated[
        int | None,
        typer.Option(
            min=-STEPS_MAX, max=STEPS_MAX, help="Step of the first layer's first reset, not 0."
        ),
    ] = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Run a network bit-accurately; write its output spikes.

    Writes the spikes that the readout receives, or those that a layer emits.
    """
    from kipuka.commands.backends import backend_name
    from kipuka.commands.inputs.samples import open_network

    backend = backend_name(backend)
    reset = _reset(reset_interval, reset_offset)
    program = open_network(net, clamp_delays=clamp_delays, reset=reset)
    simulate_file(program, input_file, output, backend, layer, json_file)
    return 0


def _reset(interval: int | None, offset: int | None) -> tuple[int, int] | None:
    """Interval and offset of resets, if there are any."""
    if interval is not None:
        return interval, offset or 0
    if offset is None:
        return None
    raise KipukaError(
        "an offset of resets says nothing without their interval",
        where="option --reset-offset",
        limit="--reset-interval given too",
        value=offset,
        remedy="give the interval as well, or leave the offset out",
    )


def simulate_file(
    program: Program,
    input_file: Path,
    output: Path,
    backend: str = "fast",
    layer: int | None = None,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Run a network on an input file and write the readout's input, or a layer's spikes."""
    from kipuka.commands.backends import BACKENDS, backend_name
    from kipuka.commands.console import print_line, print_table
    from kipuka.commands.inputs.samples import given_inputs
    from kipuka.commands.inspect import numbering_texts
    from kipuka.convert.trace import decide, readout_input
    from kipuka.deploy.inputs import save_spikes
    from kipuka.display import counted

    given = given_inputs(input_file, program)
    position = None if layer is None else _position(program, layer)
    if backend == "fast":
        trace, spikes = _fast(program, given.values, position)
    else:
        trace = BACKENDS[backend_name(backend)](program, given.values)
        spikes = [int((layer.spikes != 0).sum()) for layer in trace.layers]
    last = trace.layers[-1]
    if position is None:
        written = readout_input(program.readout, last.spikes)
    else:
        written = trace.layers[position].spikes if position >= 0 else given.values
    samples, _, steps = given.values.shape
    values = {
        "samples": samples,
        "steps": steps,
        "layers": list(program.numbers),
        "spikes": spikes,
        "classes": [int(c) for c in decide(program, last)],
    }
    save_spikes(output, written, given.batched)
    write_numbers(json_file, values)
    rows = [list(row) for row in zip(program.numbers, spikes, strict=True)]
    title = f"{counted(samples, 'sample')} x {counted(steps, 'step')} on {backend}"
    print_table(title, ["layer", "spikes"], rows)
    which = "the readout receives" if layer is None else f"layer {layer} emits"
    print_line(f"{output}: what {which}, {written.shape[1]} neurons")
    for text in [] if layer is None else numbering_texts(program):
        print_line(text)
    return values


def _fast(program: Program, inputs: np.ndarray, position: int | None) -> tuple[Trace, list[int]]:
    """Trace of what is asked for alone, and the number of spikes of every layer."""
    from kipuka.commands.console import progress_bar
    from kipuka.deploy.fast.recording import record_for_readout
    from kipuka.deploy.fast.simulator import simulate as run

    record = record_for_readout(program)
    if position is not None and position >= 0:
        record = dataclasses.replace(record, spikes=(position, -1))
    with progress_bar("simulating", unit="steps") as advance:
        simulation = run(program, inputs, record=record, progress=advance)
    spikes = [int(layer.spikes_per_neuron.sum()) for layer in simulation.counters.layers]
    return simulation.trace, spikes


def _position(program: Program, layer: int) -> int:
    """Index of the layer of that number in the file; -1 for an input without neurons."""
    numbered = {number: position for position, number in enumerate(program.numbers)}
    if program.encoder is None:
        numbered.setdefault(0, -1)
    if layer not in numbered:
        raise KipukaError(
            "the file has no layer of that number with spikes",
            where="option layer",
            limit=", ".join(str(number) for number in sorted(numbered)),
            value=layer,
            remedy="see kipuka inspect for the layers; flatten, concat and average have no neurons",
        )
    return numbered[layer]
