"""Linear operators between neurons: what nodes without a state do one after the other, composed.

An operator takes what a set of units sends to the input of the neurons that follow, with a bias and
with delays of the senders. Convolutions stay convolutions where they can; what cannot is multiplied
out into a matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.nir.graph import Node
from kipuka.convert.synapses import ConvSynapses
from kipuka.errors import KipukaError

MATRIX_MAX = 1 << 25
"""Elements of a matrix that an operator may be multiplied out into."""

KERNEL_AXES = 4


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution in floats; the rest is as in `ConvSynapses`, whose weights are not used."""

    weights: np.ndarray
    geometry: ConvSynapses

    def matrix(self) -> np.ndarray:
        """Return the same operator as a matrix (targets, sources)."""
        geometry = self.geometry
        _check_matrix(geometry.n_targets, geometry.n_sources)
        found = np.zeros((geometry.n_targets, geometry.n_sources))
        # With distinct weights from 1 on, the entries say which weight joins which pair.
        count = self.weights.size
        numbered = np.arange(1, count + 1, dtype=np.int64).reshape(self.weights.shape)
        entries = replace(geometry, weights=numbered).entries()
        found[entries.targets, entries.sources] = self.weights.ravel()[entries.weights - 1]
        return found


@dataclass(frozen=True, eq=False)
class Operator:
    """What lies between a sender and the neurons that follow.

    Attributes
    ----------
    linear : None, float array (targets, sources) or Kernel
        None leaves everything as it is.
    bias : float array (targets,)
    delays_s : float array (sources,)
    shape : tuple of int
        Of the targets.
    """

    linear: np.ndarray | Kernel | None
    bias: np.ndarray
    delays_s: np.ndarray
    shape: tuple[int, ...]

    @classmethod
    def identity(cls, shape: tuple[int, ...]) -> Operator:
        """Return the operator that changes nothing."""
        n = int(np.prod(shape))
        return cls(None, np.zeros(n), np.zeros(n), shape)

    def matrix(self) -> np.ndarray:
        """Return the operator without bias and delays as a matrix (targets, sources)."""
        if isinstance(self.linear, Kernel):
            return self.linear.matrix()
        if self.linear is None:
            _check_matrix(self.bias.size, self.bias.size)
            return np.eye(self.bias.size)
        return self.linear


def applied(node: Node, before: Operator) -> Operator:
    """Compose a node with what came before it.

    Raises
    ------
    KipukaError
        If the node is not known, or does not fit what it receives.
    """
    if node.kind not in OPERATORS:
        raise KipukaError(
            "a node of the NIR graph is not supported",
            where=f"node {node.name}",
            limit=f"neurons IF, LIF, CubaLIF, LI, CubaLI, Threshold; {', '.join(OPERATORS)}",
            value=node.kind,
            remedy="express the node in those of the limit",
        )
    return OPERATORS[node.kind](node, before)


def _same(node: Node, before: Operator) -> Operator:
    del node
    return before


def _affine(node: Node, before: Operator) -> Operator:
    weight = node.array("weight")
    if weight.ndim != 2 or weight.shape[1] != before.bias.size or not weight.size:
        limit = f"(targets, {before.bias.size}), as many as arrive, and at least one target"
        raise node.refused("weight", limit, f"shape {weight.shape}")
    linear = weight if before.linear is None else weight @ before.matrix()
    bias = weight @ before.bias + _bias(node, weight.shape[0])
    return Operator(linear, bias, before.delays_s, (weight.shape[0],))


def _bias(node: Node, n: int) -> np.ndarray:
    if "bias" not in node.values:
        return np.zeros(n)
    bias = node.array("bias").ravel()
    if bias.size not in (1, n):
        raise node.refused("bias", f"1 or {n} values", f"{bias.size} values")
    return np.broadcast_to(bias, (n,)).copy()


def _scale(node: Node, before: Operator) -> Operator:
    factors = node.per_unit("scale", before.shape)
    bias = before.bias * factors
    if isinstance(before.linear, Kernel) and np.all(factors == factors[0]):
        scaled = replace(before.linear, weights=before.linear.weights * factors[0])
        return replace(before, linear=scaled, bias=bias)
    return replace(before, linear=before.matrix() * factors[:, None], bias=bias)


def _flatten(node: Node, before: Operator) -> Operator:
    del node
    return replace(before, shape=(int(np.prod(before.shape)),))


def _delay(node: Node, before: Operator) -> Operator:
    """Delays of senders; behind an operator only one that all of its inputs share."""
    delays = node.per_unit("delay", before.shape)
    if np.all(delays == delays[0]):
        return replace(before, delays_s=before.delays_s + float(delays[0]))
    if before.linear is not None:
        limit = f"one delay, or {before.delays_s.size} right behind the neurons that send"
        raise node.refused("delay", limit, f"{delays.size} delays")
    return replace(before, delays_s=before.delays_s + delays)


def _conv1d(node: Node, before: Operator) -> Operator:
    weight = node.array("weight")
    if weight.ndim != KERNEL_AXES - 1:
        raise node.refused("weight", "(outputs, inputs / groups, width)", f"shape {weight.shape}")
    pairs = {key: (one, _single(node, key)) for key, one in ONE_DIMENSION.items()}
    found = _convolved(node, before, weight[:, :, None, :], pairs)
    return replace(found, shape=(found.shape[0], 1, found.shape[2]))


ONE_DIMENSION = {"stride": 1, "padding": 0, "dilation": 1}
"""What a one-dimensional convolution has along the axis that it lacks."""


def _single(node: Node, key: str) -> int:
    values = node.whole(key)
    if len(values) != 1 or values[0] < 0:
        raise node.refused(key, "one number from 0 on", values)
    return values[0]


def _conv2d(node: Node, before: Operator) -> Operator:
    weight = node.array("weight")
    if weight.ndim != KERNEL_AXES:
        limit = "(outputs, inputs / groups, height, width)"
        raise node.refused("weight", limit, f"shape {weight.shape}")
    pairs = {key: _pair(node, key) for key in ONE_DIMENSION}
    return _convolved(node, before, weight, pairs)


def _pair(node: Node, key: str) -> tuple[int, int]:
    values = node.whole(key)
    if len(values) not in (1, 2) or min(values) < 0:
        raise node.refused(key, "1 or 2 numbers from 0 on", values)
    return values[0], values[-1]


def _pool(node: Node, before: Operator) -> Operator:
    kernel, stride, padding = (_pair(node, k) for k in ("kernel_size", "stride", "padding"))
    sizes = [n + 2 * p for n, p in zip(before.shape[1:], padding, strict=False)]
    inside = all(k <= n for k, n in zip(kernel, sizes, strict=False))
    if len(before.shape) != 3 or min(kernel) < 1 or not inside:
        raise node.refused("kernel_size", f"a window inside {before.shape}", kernel)
    if before.shape[0] * kernel[0] * kernel[1] > MATRIX_MAX:
        raise node.refused("kernel_size", f"{MATRIX_MAX} elements of all channels", kernel)
    share = 1.0 / (kernel[0] * kernel[1]) if node.kind == "AvgPool2d" else 1.0
    weights = np.full((before.shape[0], 1, *kernel), share)
    pairs = {"stride": stride, "padding": padding, "dilation": (1, 1)}
    return _convolved(node, before, weights, pairs, groups=before.shape[0])


def _convolved(
    node: Node,
    before: Operator,
    weights: np.ndarray,
    pairs: dict[str, tuple[int, int]],
    groups: int | None = None,
) -> Operator:
    if groups is None:
        groups = node.whole("groups")[0] if "groups" in node.values else 1
    shape = before.shape
    fits = len(shape) == 3 and groups >= 1 and weights.shape[1] * groups == shape[0]
    if not fits or weights.shape[0] % groups or min(pairs["stride"]) < 1:
        limit = f"kernels over {shape} as channels, height, width"
        raise node.refused("weight", limit, f"shape {weights.shape}, {groups} groups")
    drawn = np.zeros((0, *weights.shape[1:]), np.int16)
    sizes = (shape[0], shape[1], shape[2])
    geometry = ConvSynapses(drawn, sizes, sizes, groups=groups, **pairs)
    marked = replace(geometry, weights=np.broadcast_to(np.int16(1), weights.shape))
    output = marked.formula_shape()
    if min(output) < 1 or float(np.prod(output, dtype=float)) > fixed.NEURONS_MAX:
        limit = f"a kernel inside {shape}, and up to {fixed.NEURONS_MAX} units behind it"
        raise node.refused("weight", limit, f"kernel {weights.shape[2:]}, output {output}")
    kernel = Kernel(weights, replace(marked, output_shape=output))
    bias = np.repeat(_bias(node, output[0]), output[1] * output[2])
    merged = _after_pool(before.linear, kernel)
    if before.linear is None:
        return Operator(kernel, bias, before.delays_s, output)
    if merged is not None:
        return Operator(merged, bias + _through(kernel, before.bias), before.delays_s, output)
    matrix = kernel.matrix()
    return Operator(matrix @ before.matrix(), bias + matrix @ before.bias, before.delays_s, output)


def _through(kernel: Kernel, bias: np.ndarray) -> np.ndarray:
    return kernel.matrix() @ bias if np.any(bias) else np.zeros(kernel.geometry.n_targets)


def _after_pool(first: np.ndarray | Kernel | None, second: Kernel) -> Kernel | None:
    """One convolution for pooling without overlap and a convolution behind it, if there is one."""
    if not isinstance(first, Kernel):
        return None
    pool, conv = first.geometry, second.geometry
    per_channel = pool.groups == pool.input_shape[0] == first.weights.shape[0]
    whole = all(n % k == 0 for n, k in zip(pool.input_shape[1:], pool.kernel, strict=True))
    plain = pool.stride == pool.kernel and pool.padding == (0, 0) and conv.dilation == (1, 1)
    flat = np.all(first.weights == first.weights.ravel()[0])
    if not (per_channel and whole and plain and flat):
        return None
    height, width = pool.kernel
    weights = np.repeat(np.repeat(second.weights, height, axis=2), width, axis=3)
    geometry = ConvSynapses(
        np.broadcast_to(np.int16(1), weights.shape),
        pool.input_shape,
        conv.output_shape,
        stride=(conv.stride[0] * height, conv.stride[1] * width),
        padding=(conv.padding[0] * height, conv.padding[1] * width),
        groups=conv.groups,
    )
    return Kernel(weights * float(first.weights.ravel()[0]), geometry)


def _check_matrix(n_targets: int, n_sources: int) -> None:
    if n_targets * n_sources > MATRIX_MAX:
        raise KipukaError(
            "nodes between neurons cannot be multiplied out",
            where=f"a path from {n_sources} to {n_targets} units",
            limit=f"{MATRIX_MAX} pairs of units",
            value=n_targets * n_sources,
            remedy="put neurons between the nodes, or join them into one convolution before",
        )


OPERATORS = {
    "Affine": _affine,
    "AvgPool2d": _pool,
    "Conv1d": _conv1d,
    "Conv2d": _conv2d,
    "Delay": _delay,
    "Flatten": _flatten,
    "Input": _same,
    "Linear": _affine,
    "Output": _same,
    "Scale": _scale,
    "SumPool2d": _pool,
}
"""Nodes without a state."""

WINDOWS = ("AvgPool2d", "Conv1d", "Conv2d", "SumPool2d")
"""Nodes that look at images, of one channel and one row as well."""
