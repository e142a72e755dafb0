"""From a Program to Lava's own processes with a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kipuka.convert import fixed
from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.encoder import need_whole_activations
from kipuka.convert.neurons import CUBA, SPIKING_GRU, SPIKING_MGU, handler
from kipuka.convert.program import RECURRENT, Layer, Program, expect_program
from kipuka.deploy.lowered.cells.cell import Cell, Senders
from kipuka.deploy.lowered.cells.cuba import Beat, check_beat, cuba_cell
from kipuka.deploy.lowered.cells.spiking_gru import GruCell, Saturating
from kipuka.deploy.lowered.common_values import check_common_values
from kipuka.deploy.lowered.graph import CLOSING, CONSTANT, INPUT, Draft, LoweredGraph, Node
from kipuka.deploy.lowered.schedule import schedule
from kipuka.deploy.lowered.wiring import payloads_of
from kipuka.errors import KipukaError


def lower(program: Program, n_steps: int | None = None) -> LoweredGraph:
    """Lower a Program to processes that Lava has on Loihi 2.

    Parameters
    ----------
    program : Program
    n_steps : int or None
        Algorithmic steps of a sample, if that is known: where a state provably stays within its
        range for so long, the neurons that would saturate it are left out.

    Returns
    -------
    LoweredGraph

    Raises
    ------
    KipukaError
        If a layer has no exact lowering; the message names it.
    """
    expect_program(program)
    _check(program)
    need_whole_activations(program.encoder, "lowered", f"layer {program.numbers[0]}")
    if not needs_microcode(program):
        return _scheduled(program, _cells(program, n_steps, Beat(False, False)))
    graph = _scheduled(program, _cells(program, n_steps, Beat(False, True)))
    beat = Beat(idle_steps=graph.period > 1, constants=True)
    for position, number in enumerate(program.numbers):
        _lowering(program, position).check(program.layers[position], f"layer {number}", beat)
    return _scheduled(program, _cells(program, n_steps, beat))


def needs_microcode(program: Program) -> bool:
    """Say whether the fused form has a process that Lava lacks on Loihi 2."""
    models = (layer.model for layer in program.layers)
    return any(LOWERINGS[model].gated for model in models if model in LOWERINGS)


class Lowering(NamedTuple):
    """How the neurons of a model become processes of Lava's own.

    Attributes
    ----------
    gated : bool
        Whether the cell takes several hardware steps on its way, and sends nothing after a sample's
        last step.
    check : callable (layer, name, beat)
        Raises if the cell is not exact at that beat.
    build : callable (program, position, n_steps, beat) -> Cell
    """

    gated: bool
    check: Callable[[Layer, str, Beat], None]
    build: Callable[[Program, int, int | None, Beat], Cell]


def _lowering(program: Program, position: int) -> Lowering:
    where = f"layer {program.numbers[position]}"
    return handler(LOWERINGS, program.layers[position].model, "lowered", where)


def _cells(program: Program, n_steps: int | None, beat: Beat) -> list[Cell]:
    positions = range(len(program.layers))
    return [_lowering(program, k).build(program, k, n_steps, beat) for k in positions]


def _cuba(program: Program, position: int, n_steps: int | None, beat: Beat) -> Cell:
    del n_steps
    name = f"layer {program.numbers[position]}"
    return cuba_cell(program.layers[position], position, name, _senders(program, position), beat)


def _spiking_gru(program: Program, position: int, n_steps: int | None, beat: Beat) -> Cell:
    del beat
    name, senders = f"layer {program.numbers[position]}", _senders(program, position)
    may = _saturating(program, position, n_steps)
    return GruCell(program.layers[position], position, name, senders, may).build()


def _any_beat(layer: Layer, name: str, beat: Beat) -> None:
    """Say nothing: the cell is exact at every beat."""


LOWERINGS = {
    CUBA: Lowering(False, check_beat, _cuba),
    SPIKING_GRU: Lowering(True, _any_beat, _spiking_gru),
    SPIKING_MGU: Lowering(True, _any_beat, _spiking_gru),
}
"""Models that can be lowered."""


def _scheduled(program: Program, cells: list[Cell]) -> LoweredGraph:
    wires = tuple(wire for cell in cells for wire in cell.wires)
    payloads = {name: payloads_of(name, wires) for name in (CONSTANT, CLOSING)}
    limit = fixed.CUBA_STATE_LIMIT - 1
    low, high = (-limit, limit) if program.encoder else (0, 1)
    sources = [Node(INPUT, "source", program.n_inputs, -1, {}, low, high)]
    for name, sent in payloads.items():
        if sent.size:
            sources.append(Node(name, "source", sent.size, -1, {}, 0, int(sent[-1])))
    nodes = (*sources, *(node for cell in cells for node in cell.nodes))
    readings = tuple(cell.readings for cell in cells)
    draft = Draft(nodes, wires, readings, payloads, closing_steps(program))
    return schedule(draft, max(cell.least_period for cell in cells))


def closing_steps(program: Program) -> int:
    """Algorithmic steps after a sample's last one in which spikes still reach a gated layer.

    Gated layers send none after the last step. CUBA neurons send theirs with what arrives; with a
    bias, a recurrence or a current that lasts they can go on for longer.
    """
    last_spikes, closing = [-1] * len(program.layers), 0
    for position, layer in enumerate(program.layers):
        arrivals = [-1]
        for projection in layer.projections:
            sender = position - projection.source
            way = int(projection.delays.max(initial=0)) + (sender >= 0)
            arrivals.append(way + (last_spikes[sender] if sender >= 0 else -1))
        if _lowering(program, position).gated:
            closing = max(closing, max(arrivals) + 1)
        else:
            last_spikes[position] = max(arrivals)
    return closing


def _saturating(program: Program, position: int, n_steps: int | None) -> Saturating:
    if n_steps is None:
        return Saturating()
    ranges = analyse_ranges(program, n_steps)
    number = program.numbers[position]
    return Saturating(not ranges.of(number, "i").safe, not ranges.of(number, "v").safe)


def _senders(program: Program, position: int) -> Senders:
    """Nodes of the layers that a layer can receive from; the input counts in its own step."""
    senders = {}
    for back in (RECURRENT, *program.layers[position].sources):
        sender = position - back
        spikes = INPUT if sender < 0 else f"layer {program.numbers[sender]} spikes"
        senders[back] = (spikes, 0 if sender < 0 else 1)
    return senders


def _check(program: Program) -> None:
    if program.reset:
        raise KipukaError(
            "the lowering has no resets within a sample",
            where="the network's reset interval",
            limit="no reset; every sample starts from zero",
            value=f"every {program.reset.interval} steps",
            remedy="remove the reset and send the samples one by one, or use the fused form",
        )
    for position in range(len(program.layers)):
        _lowering(program, position)
    check_common_values(program, "lowered")
