"""Nodes and edges of a `.nir` file, read as guardedly as any HDF5 file from a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kipuka.convert.formats.guarded.hdf5 import Expected, GuardedFile, opened
from kipuka.convert.operands import axes_are_crossed
from kipuka.errors import KipukaError

EXPECTED = Expected(
    "the file is not a NIR graph",
    limit="an HDF5 file with a group named node, as the nir package writes it",
    remedy="export the network again with its library's NIR exporter",
)

DEPTH_MAX = 16
"""Graphs within graphs that are followed."""


@dataclass(frozen=True, eq=False)
class Node:
    """One node.

    Attributes
    ----------
    name : str
        With the names of the graphs that it stands in, joined by dots.
    kind : str
        ``type`` in the file, such as ``LIF``.
    values : mapping of str to array
    """

    name: str
    kind: str
    values: Mapping[str, np.ndarray]

    def array(self, key: str) -> np.ndarray:
        """Return a value as float64.

        Raises
        ------
        KipukaError
            If there is none, or it is not finite.
        """
        if key not in self.values:
            raise self.refused(key, "numbers", "nothing of that name")
        if self.values[key].dtype.kind not in "iufb":
            text = ", ".join(_decoded(one) for one in self.values[key].ravel()[:4])
            raise self.refused(key, "numbers", f"the text {text}")
        found: np.ndarray = np.asarray(self.values[key], dtype=np.float64)
        if not np.all(np.isfinite(found)):
            raise self.refused(key, "finite numbers", "NaN or infinity")
        return found

    def per_unit(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return a value for each unit of a shape, from one for all or one for each.

        Raises
        ------
        KipukaError
            If there are others, or their axes are in another order than those of the units.
        """
        found, n = self.array(key), int(np.prod(shape))
        if found.size == 1:
            return np.full(n, found.ravel()[0])
        if found.size != n or axes_are_crossed(found.shape, shape):
            units = " x ".join(str(k) for k in shape)
            raise self.refused(key, f"1 value, or one for each of {units} units", found.shape)
        return found.ravel()

    def whole(self, key: str) -> tuple[int, ...]:
        """Return a value as a tuple of whole numbers."""
        found = self.array(key).ravel()
        wrong = found != np.round(found)
        if not found.size or np.any(wrong) or np.any(np.abs(found) > np.iinfo(np.int32).max):
            raise self.refused(key, "whole numbers in 32 bits", found[:4].tolist())
        return tuple(int(n) for n in found)

    def refused(self, key: str, limit: str, value: object) -> KipukaError:
        """Error for a value that cannot be used."""
        return KipukaError(
            f"the node {self.kind} cannot be used",
            where=f"node {self.name}, key {key}",
            limit=limit,
            value=value,
            remedy="export the network again, or change the node before",
        )


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name, in the order of the file, and what leads to each."""

    nodes: Mapping[str, Node]
    senders: Mapping[str, tuple[str, ...]]


def read_graph(path: str | Path) -> Graph:
    """Read a file's graph, with graphs within it unfolded.

    Raises
    ------
    KipukaError
        If the file is missing, damaged, or no NIR graph.
    """
    with opened(path, "network", EXPECTED) as file:
        top = file.member(file.root, "node", str(path))
        if not isinstance(top, h5py.Group):
            raise EXPECTED.refused(str(path), f"groups {file.names(file.root, str(path))}")
        nodes: dict[str, Node] = {}
        edges: list[tuple[str, str]] = []
        _unfold(file, top, "", str(path), nodes, edges)
    senders: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in dict.fromkeys(edges):
        if source not in nodes or target not in nodes:
            raise EXPECTED.refused(f"{path}, edges", f"an edge from {source} to {target}")
        senders[target].append(source)
    return Graph(nodes, {name: tuple(found) for name, found in senders.items()})


def _unfold(
    file: GuardedFile,
    group: h5py.Group,
    prefix: str,
    where: str,
    nodes: dict[str, Node],
    edges: list[tuple[str, str]],
) -> None:
    """Add a graph's nodes and edges; an inner graph's ends are joined to what is around it."""
    if prefix.count(".") > DEPTH_MAX:
        raise EXPECTED.refused(where, "graphs nested too deeply")
    inner: dict[str, tuple[list[str], list[str]]] = {}
    members = file.member(group, "nodes", where)
    if not isinstance(members, h5py.Group):
        raise EXPECTED.refused(where, "a graph without nodes")
    for name in file.names(members, where):
        held = file.member(members, name, where)
        full, place = f"{prefix}{name}", f"{where}, node {prefix}{name}"
        if not isinstance(held, h5py.Group):
            raise EXPECTED.refused(place, "a node that is no group")
        kind = _text(file, held, "type", place)
        if kind == "NIRGraph":
            _unfold(file, held, f"{full}.", where, nodes, edges)
            ends = [n for n in nodes.values() if n.name.rpartition(".")[0] == full]
            inner[full] = (
                [n.name for n in ends if n.kind == "Input"],
                [n.name for n in ends if n.kind == "Output"],
            )
        else:
            nodes[full] = Node(full, kind, _values(file, held, place))
    pairs = file.member(group, "edges", where)
    if not isinstance(pairs, h5py.Dataset):
        raise EXPECTED.refused(where, "a graph without edges")
    for source, target in _edges(file.array(pairs, f"{where}, edges"), where):
        first, second = f"{prefix}{source}", f"{prefix}{target}"
        begins = inner[first][1] if first in inner else [first]
        ends_at = inner[second][0] if second in inner else [second]
        edges += [(a, b) for a in begins for b in ends_at]


def _edges(pairs: np.ndarray, where: str) -> list[tuple[str, str]]:
    if pairs.size == 0:
        return []
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "OSU":
        raise EXPECTED.refused(f"{where}, edges", f"shape {pairs.shape}, dtype {pairs.dtype}")
    return [(_decoded(a), _decoded(b)) for a, b in pairs.tolist()]


def _values(file: GuardedFile, node: h5py.Group, where: str) -> dict[str, np.ndarray]:
    found = {}
    for key in file.names(node, where):
        member = file.member(node, key, where)
        if isinstance(member, h5py.Dataset) and key != "type":
            found[key] = file.array(member, f"{where}, key {key}")
        elif isinstance(member, h5py.Group) and key == "metadata":
            found.update(
                {f"metadata/{k}": v for k, v in _values(file, member, f"{where}, metadata").items()}
            )
    return found


def _text(file: GuardedFile, group: h5py.Group, key: str, where: str) -> str:
    member = file.member(group, key, where)
    if not isinstance(member, h5py.Dataset):
        raise EXPECTED.refused(where, f"no {key}")
    value: Any = file.array(member, f"{where}, key {key}")
    if value.size != 1:
        raise EXPECTED.refused(where, f"{value.size} values of {key}")
    return _decoded(value.ravel()[0])


def _decoded(text: Any) -> str:
    return text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else str(text)
