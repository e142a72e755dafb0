"""A Program as a table: what is in it, without running it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from kipuka.convert.formats.net.differences import netx_differences
from kipuka.convert.program import RECURRENT, Layer, Program, delay_range, expect_program
from kipuka.convert.synapses import ConvSynapses, weight_bits
from kipuka.display import Shown, Table


@dataclass(frozen=True)
class LayerSummary(Shown):
    """What one layer holds.

    Attributes
    ----------
    layer : int
        Number in the file.
    kind : str
        ``dense`` or ``conv``, with ``_rec`` behind it for a layer with its own spikes as input and
        ``_current`` for one with its own current, or ``input``.
    model : str
        Neuron model.
    shape : tuple of int
    neurons, synapses, nonzero_synapses, delayed_synapses, current_synapses : int
        ``synapses`` counts connections, not stored kernel weights; ``delayed_synapses`` are those
        that reach their target with a delay above 0, ``current_synapses`` those of weight other
        than 0 that carry graded messages.
    weights : int
        Weights that the file stores; fewer than synapses for convolutions.
    weight_bits : int
        Bits, with the sign, that hold the layer's weights when NetX has scaled them.
    weight_range : tuple of int
        Smallest and largest weight, in weight units.
    delays_output, delays_recurrent : tuple of int or None
        Shortest and longest axonal delay in steps of what the layer sends on, and of what it sends
        itself. The delays of the network's input are `Program.output_delays` of -1.
    netx : tuple of str
        What stock NetX would do differently with this layer.
    """

    layer: int
    kind: str
    model: str
    shape: tuple[int, ...]
    neurons: int
    synapses: int
    nonzero_synapses: int
    delayed_synapses: int
    current_synapses: int
    weights: int
    weight_bits: int
    weight_range: tuple[int, int]
    delays_output: tuple[int, int] | None
    delays_recurrent: tuple[int, int] | None
    netx: tuple[str, ...]

    def _line(self) -> str:
        delays = "".join(
            f", {name} delays {found[0]} to {found[1]} steps"
            for name, found in (
                ("output", self.delays_output),
                ("recurrent", self.delays_recurrent),
            )
            if found and any(found)
        )
        shape = " x ".join(map(str, self.shape))
        return (
            f"layer {self.layer}: {self.kind} {self.model}, {shape} neurons, "
            f"{self.nonzero_synapses:,} of {self.synapses:,} synapses not 0, "
            f"weights of {self.weight_bits} bits{delays}"
        )

    def _table(self) -> Table:
        return Table(["", ""], [(one.name, getattr(self, one.name)) for one in fields(self)])


def inspect(program: Program) -> tuple[LayerSummary, ...]:
    """Summarise each layer of a Program.

    Parameters
    ----------
    program : Program

    Returns
    -------
    tuple of LayerSummary
    """
    expect_program(program)
    differences = netx_differences(program)
    return tuple(
        _summary(number, layer, program.output_delays(position), differences[number])
        for position, (number, layer) in enumerate(
            zip(program.numbers, program.layers, strict=True)
        )
    )


def _summary(
    number: int, layer: Layer, output_delays: np.ndarray, netx: tuple[str, ...]
) -> LayerSummary:
    arrays = [p.synapses.weights for p in layer.projections]
    fan_outs = [p.synapses.fan_out() for p in layer.projections]
    delayed = 0
    for projection, fan_out in zip(layer.projections, fan_outs, strict=True):
        if projection.delays.ndim == 1:
            delayed += int(fan_out[projection.delays > 0].sum())
        else:
            delayed += int(np.count_nonzero(projection.delays[projection.synapses.weights != 0]))
    return LayerSummary(
        layer=number,
        kind=_kind(layer),
        model=layer.model,
        shape=layer.shape,
        neurons=layer.n_neurons,
        synapses=sum(_connections(p.synapses) for p in layer.projections),
        nonzero_synapses=sum(int(fan_out.sum()) for fan_out in fan_outs),
        delayed_synapses=delayed,
        current_synapses=int(layer.of_current.synapses.fan_out().sum()) if layer.of_current else 0,
        weights=sum(a.size for a in arrays),
        weight_bits=max((weight_bits(a) for a in arrays), default=0),
        weight_range=(
            min((int(a.min()) for a in arrays), default=0),
            max((int(a.max()) for a in arrays), default=0),
        ),
        delays_output=delay_range(output_delays),
        delays_recurrent=delay_range(layer.delays_from(RECURRENT)),
        netx=netx,
    )


def _kind(layer: Layer) -> str:
    if not layer.projections:
        return "input"
    recurrent = "_rec" if layer.from_source(RECURRENT) else ""
    current = "_current" if layer.of_current else ""
    return ("conv" if layer.convolutional else "dense") + recurrent + current


def _connections(synapses: object) -> int:
    """Pairs of neurons that the synapses join, whatever the weight."""
    if isinstance(synapses, ConvSynapses):
        kernel = int(np.prod(synapses.weights.shape[1:]))
        return synapses.n_targets * kernel
    return int(synapses.weights.size)  # type: ignore[attr-defined]
