"""From a Program to stock processes with a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.neurons import CUBA, SPIKING_GRU, handler
from kipuka.convert.program import OWN, Program
from kipuka.deploy.lowered.cells.cell import Cell, Senders
from kipuka.deploy.lowered.cells.cuba import cuba_cell
from kipuka.deploy.lowered.cells.spiking_gru import GruCell, Saturating
from kipuka.deploy.lowered.common_values import check_common_values
from kipuka.deploy.lowered.graph import CONSTANT, INPUT, Draft, Node, StockGraph
from kipuka.deploy.lowered.schedule import PERIOD_MIN, schedule
from kipuka.deploy.lowered.wiring import DIGIT_BITS, channels_used
from kipuka.errors import KipukaError


def lower(program: Program, n_steps: int | None = None) -> StockGraph:
    """Lower a Program to processes that Lava has on Loihi 2.

    Parameters
    ----------
    program : Program
    n_steps : int or None
        Algorithmic steps of a sample, if that is known: where a state provably stays within its
        range for so long, the neurons that would saturate it are left out.

    Returns
    -------
    StockGraph

    Raises
    ------
    KipukaError
        If a layer has no exact lowering; the message names it.
    """
    _check(program)
    least = max(_lowering(program, k).least_period for k in range(len(program.layers)))
    cells = [
        _lowering(program, k).build(program, k, n_steps, least > 1)
        for k in range(len(program.layers))
    ]
    wires = tuple(wire for cell in cells for wire in cell.wires)
    payloads = np.int64(1) << DIGIT_BITS * np.arange(channels_used(wires))
    limit = fixed.CUBA_STATE_LIMIT - 1
    low, high = (-limit, limit) if program.encoder else (0, 1)
    sources = [Node(INPUT, "source", program.n_inputs, -1, {}, low, high)]
    if payloads.size:
        sources.append(Node(CONSTANT, "source", payloads.size, -1, {}, 0, int(payloads[-1])))
    nodes = (*sources, *(node for cell in cells for node in cell.nodes))
    draft = Draft(nodes, wires, tuple(cell.readings for cell in cells), payloads)
    return schedule(draft, least)


class Lowering(NamedTuple):
    """How the neurons of a model become stock processes.

    Attributes
    ----------
    least_period : int
        Hardware steps in an algorithmic step that the cell needs at least.
    build : callable (program, position, n_steps, idles) -> Cell
        `idles` tells whether an algorithmic step has several hardware steps.
    """

    least_period: int
    build: Callable[[Program, int, int | None, bool], Cell]


def _lowering(program: Program, position: int) -> Lowering:
    where = f"layer {program.numbers[position]}"
    return handler(LOWERINGS, program.layers[position].model, "lowered", where)


def _cuba(program: Program, position: int, n_steps: int | None, idles: bool) -> Cell:
    del n_steps
    name = f"layer {program.numbers[position]}"
    senders = _senders(program, position)
    return cuba_cell(program.layers[position], position, name, senders, idles=idles)


def _spiking_gru(program: Program, position: int, n_steps: int | None, idles: bool) -> Cell:
    del idles
    name, senders = f"layer {program.numbers[position]}", _senders(program, position)
    may = _saturating(program, position, n_steps)
    return GruCell(program.layers[position], position, name, senders, may).build()


LOWERINGS = {CUBA: Lowering(1, _cuba), SPIKING_GRU: Lowering(PERIOD_MIN, _spiking_gru)}
"""Models that can be lowered."""


def _saturating(program: Program, position: int, n_steps: int | None) -> Saturating:
    if n_steps is None:
        return Saturating()
    ranges = analyse_ranges(program, n_steps)
    number = program.numbers[position]
    return Saturating(not ranges.of(number, "i").safe, not ranges.of(number, "v").safe)


def _senders(program: Program, position: int) -> Senders:
    """Nodes of the layers that a layer can receive from; the input counts in its own step."""
    senders = {}
    for back in (OWN, *program.layers[position].sources):
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
    check_common_values(program, "lowered")
