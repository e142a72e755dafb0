"""A Program as a table: what is in it, without running it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.convert.program import Layer, Program


@dataclass(frozen=True)
class LayerSummary:
    """What one layer holds.

    Attributes
    ----------
    layer : int
        Number in the file (the input is layer 0, as in NetX).
    model : str
    neurons, synapses, nonzero_synapses, delayed_synapses : int
        ``delayed_synapses`` are those that reach their target with a delay above 0.
    delays_in, delays_recurrent : tuple of int
        Shortest and longest delay in steps of the spikes that arrive, and of the layer's own.
    weight_range : tuple of int
        Smallest and largest weight, in weight units.
    """

    layer: int
    model: str
    neurons: int
    synapses: int
    nonzero_synapses: int
    delayed_synapses: int
    delays_in: tuple[int, int]
    delays_recurrent: tuple[int, int] | None
    weight_range: tuple[int, int]


def inspect(program: Program) -> tuple[LayerSummary, ...]:
    """Summarise each layer of a Program.

    Returns
    -------
    tuple of LayerSummary
    """
    return tuple(_summary(number, layer) for number, layer in enumerate(program.layers, start=1))


def _summary(number: int, layer: Layer) -> LayerSummary:
    weights = [p.synapses.weights for p in layer.projections]
    delayed = sum(
        np.count_nonzero(np.broadcast_to(p.delays, p.synapses.weights.shape))
        for p in layer.projections
    )
    return LayerSummary(
        layer=number,
        model=layer.model,
        neurons=layer.n_neurons,
        synapses=sum(w.size for w in weights),
        nonzero_synapses=sum(int(np.count_nonzero(w)) for w in weights),
        delayed_synapses=int(delayed),
        delays_in=_range(layer.delays_from("previous")) or (0, 0),
        delays_recurrent=_range(layer.delays_from("self")),
        weight_range=(int(min(w.min() for w in weights)), int(max(w.max() for w in weights))),
    )


def _range(delays: np.ndarray) -> tuple[int, int] | None:
    return (int(delays.min()), int(delays.max())) if delays.size else None
