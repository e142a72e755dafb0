"""NIR graphs of each kind that the reader takes, made with the nir package."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def chain(shape, *nodes):
    """Nodes one after the other, between an input and an output."""
    import nir

    named = {"input": nir.Input(np.array(shape))}
    named |= {f"n{k}": node for k, node in enumerate(nodes)}
    named["output"] = nir.Output(np.array([1]))
    return nir.NIRGraph(nodes=named, edges=list(pairwise(named)), type_check=False)


def _ones(n, *values):
    return [np.full(n, value) for value in values]


def graphs(rng):
    """Yield a graph with each node that is read: pictures, loops, delays, membranes."""
    import nir

    def lif(n):
        return nir.LIF(*_ones(n, 0.01, 1.0, 0.0, 0.3, 0.0))

    def linear(targets, sources):
        return nir.Linear(rng.normal(size=(targets, sources)))

    yield chain(
        [5], linear(4, 5), lif(4), nir.Delay(rng.integers(0, 9, 4) * 1e-3), linear(2, 4), lif(2)
    )
    yield chain(
        [1, 5],
        nir.Affine(rng.normal(size=(4, 5)), rng.normal(size=4)),
        nir.CubaLIF(*_ones(4, 0.004, 0.02, 1.0, 0.0, 0.2, 0.0, 2.0)),
        nir.Scale(np.full(4, 0.5)),
        linear(3, 4),
        nir.LI(*_ones(3, 0.02, 1.0, 0.0)),
    )
    conv2d = nir.Conv2d((6, 4), rng.normal(size=(3, 2, 3, 3)), 1, (1, 1), 1, 1, np.zeros(3))
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    flatten = nir.Flatten({"input": np.array([3, 3, 2])}, 0, -1)
    integrators = nir.IF(*_ones((3, 6, 4), 1000.0, 0.7, 0.0))
    yield chain(
        [2, 6, 4], conv2d, integrators, pool, flatten, linear(4, 18), nir.Threshold(np.full(4, 0.5))
    )
    conv1d = nir.Conv1d(7, rng.normal(size=(2, 3, 3)), 1, 1, 1, 1, np.zeros(2))
    average = nir.AvgPool2d(np.array([1, 7]), np.array([1, 7]), np.array([0, 0]))
    yield chain(
        [3, 7], conv1d, lif((2, 1, 7)), average, nir.CubaLI(*_ones(2, 0.004, 0.02, 1.0, 0.0))
    )
    block = nir.NIRGraph(
        nodes={
            "input": nir.Input(np.array([4])),
            "lif": lif(4),
            "late": nir.Delay(np.full(4, 3e-3)),
            "w_rec": linear(4, 4),
            "output": nir.Output(np.array([4])),
        },
        edges=[
            ("input", "lif"),
            ("lif", "late"),
            ("late", "w_rec"),
            ("w_rec", "lif"),
            ("lif", "output"),
        ],
        type_check=False,
    )
    nodes = {"input": nir.Input(np.array([3])), "w": linear(4, 3), "block": block}
    nodes |= {"w2": linear(2, 4), "mid": lif(2), "w3": linear(2, 2), "skip": linear(2, 4)}
    nodes |= {"last": lif(2), "output": nir.Output(np.array([2]))}
    edges = [("input", "w"), ("w", "block"), ("block", "w2"), ("w2", "mid"), ("mid", "w3")]
    edges += [("w3", "last"), ("block", "skip"), ("skip", "last"), ("last", "output")]
    yield nir.NIRGraph(nodes=nodes, edges=edges, type_check=False)
