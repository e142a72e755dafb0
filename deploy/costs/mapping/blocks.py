"""Blocks of a layer: a grid over channels, rows and columns, one block for each neuro core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Grid = tuple[int, int, int]
"""Parts along channels, rows and columns."""


class Block(NamedTuple):
    """Half-open ranges (first, end) of one block along channels, rows and columns."""

    channels: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Partition:
    """A layer cut along its three axes.

    Attributes
    ----------
    shape : tuple of int
        Channels, rows, columns; a dense layer has one row and column.
    edges : tuple of int64 array
        Along each axis: 0, where parts end, and last the extent.
    """

    shape: Grid
    edges: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def n_cores(self) -> int:
        """Blocks, each on a core of its own."""
        return int(np.prod([edges.size - 1 for edges in self.edges]))

    def sizes(self) -> np.ndarray:
        """Neurons of each block: int64 array (cores,)."""
        along = [np.diff(edges) for edges in self.edges]
        return np.multiply.outer(np.multiply.outer(along[0], along[1]), along[2]).ravel()

    def positions(self) -> np.ndarray:
        """Positions of the image in each block, whatever its channels: int64 array (cores,)."""
        along = np.multiply.outer(np.diff(self.edges[1]), np.diff(self.edges[2])).ravel()
        return np.tile(along, self.edges[0].size - 1)

    def blocks(self) -> list[Block]:
        """Blocks, the last axis fastest."""
        along = [list(zip(e[:-1].tolist(), e[1:].tolist(), strict=True)) for e in self.edges]
        return [Block(c, y, x) for c in along[0] for y in along[1] for x in along[2]]

    def assignment(self) -> np.ndarray:
        """Block of each neuron: int64 array (neurons,)."""
        parts = [np.repeat(np.arange(e.size - 1), np.diff(e)) for e in self.edges]
        counts = [e.size - 1 for e in self.edges]
        blocks = (parts[0][:, None, None] * counts[1] + parts[1][None, :, None]) * counts[2]
        return (blocks + parts[2][None, None, :]).ravel()


def as_grid(shape: tuple[int, ...]) -> Grid:
    """Shape of a layer as channels, rows and columns."""
    channels, *rest = shape
    rows = rest[0] if rest else 1
    columns = int(np.prod(rest[1:])) if len(rest) > 1 else 1
    return int(channels), int(rows), columns


def partition(shape: Grid, grid: Grid, load: np.ndarray | None) -> Partition:
    """Cut a layer into a grid whose parts carry about the same load along each axis.

    Parameters
    ----------
    shape, grid : tuple of int
        Extents and numbers of parts along channels, rows and columns.
    load : array (neurons,) or None
        Work of each neuron; None cuts into parts of equal size.
    """
    edges = []
    for axis, (extent, parts) in enumerate(zip(shape, grid, strict=True)):
        marginal = np.ones(extent)
        if load is not None:
            others = tuple(k for k in range(3) if k != axis)
            marginal = load.reshape(shape).sum(axis=others, dtype=np.float64)
        edges.append(_balanced_edges(marginal, parts))
    return Partition(shape, (edges[0], edges[1], edges[2]))


def of_size(shape: Grid, sizes: Grid) -> Partition:
    """Cut a layer into blocks of a size along each axis; the last ones hold what is left."""
    edges = [
        np.append(np.arange(0, extent, size), extent).astype(np.int64)
        for extent, size in zip(shape, sizes, strict=True)
    ]
    return Partition(shape, (edges[0], edges[1], edges[2]))


def _balanced_edges(load: np.ndarray, parts: int) -> np.ndarray:
    """Edges of contiguous parts, none empty, with sums of load that are close to equal."""
    # Silent neurons still have to be updated: a small share keeps parts from growing without end.
    load = load + max(float(load.mean()), 1.0) * 0.05
    total = np.cumsum(load)
    targets = total[-1] * np.arange(1, parts) / parts
    cuts = np.searchsorted(total, targets - 1e-9 * total[-1]) + 1
    extent = load.size
    cuts = np.maximum(cuts, np.arange(1, parts))
    cuts = np.maximum.accumulate(cuts - np.arange(parts - 1)) + np.arange(parts - 1)
    cuts = np.minimum(cuts, extent - parts + np.arange(1, parts))
    return np.concatenate([[0], cuts, [extent]]).astype(np.int64)
