"""Layers computed one after the other over all steps, for the engines that step through time.

What a layer is sent from below is known in all steps before it runs, so that its weighted sums are
one product; only neurons, and what a layer sends to itself, go step by step. Channels of a place
lie side by side. This is the shortest way that was found for these engines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from arrays import INPUT, Layer, Network, Projection
from channels_last import channels_last
from child import Run, UnsupportedError


def prepared_inputs(network: Network, samples: int) -> torch.Tensor:
    """Lay the samples out as (samples, steps, units), those of the input moved by its delays."""
    projections = network.layers[0].projections
    lags = projections[0].lags if projections else None
    count = min(samples, len(network.samples))
    return torch.from_numpy(np.stack([network.dense_input(k, lags) for k in range(count)]))


def weights_of(projection: Projection) -> torch.Tensor:
    """Weights as torch multiplies with them."""
    if projection.kind == "dense":
        return torch.from_numpy(projection.weights)
    if projection.kind == "conv":
        return torch.from_numpy(projection.weights).to(memory_format=torch.channels_last)
    sources, targets, weights = projection.synapses()
    size = (int(targets.max()) + 1, len(projection.lags))
    indices = torch.from_numpy(np.stack([targets.astype(np.int64), sources]))
    return torch.sparse_coo_tensor(indices, torch.from_numpy(weights), size).to_sparse_csr()


def arrived(x: torch.Tensor, projection: Projection) -> torch.Tensor:
    """Move what each unit sends (samples, steps, units) by its lag."""
    if projection.source == INPUT:
        return x
    lags = torch.from_numpy(projection.lags.astype(np.int64))
    if bool(torch.all(lags == lags[0])):
        lag = min(int(lags[0]), x.shape[1])
        return torch.cat([torch.zeros_like(x[:, :lag]), x[:, : x.shape[1] - lag]], 1)
    steps = torch.arange(x.shape[1])[:, None] - lags
    moved = torch.gather(x, 1, steps.clamp(min=0).expand(len(x), -1, -1))
    return moved * (steps >= 0)


def sums(x: torch.Tensor, projection: Projection, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sums (samples, steps, targets) of what arrives (samples, steps, sources).

    Of a convolution, both with channels last.
    """
    if projection.kind == "sparse":
        return (weights @ x.flatten(0, 1).T).T.unflatten(0, x.shape[:2])
    if projection.kind == "dense":
        return F.linear(x, weights)
    g = projection.geometry
    channels, *places = g["input_shape"]
    found = F.conv2d(
        x.reshape(-1, *places, channels).movedim(3, 1),
        weights,
        stride=g["stride"],
        padding=g["padding"],
        dilation=g["dilation"],
        groups=g["groups"],
    )
    if list(found.shape[1:]) != list(g["output_shape"]):
        raise UnsupportedError("an output larger than the convolution's formula")
    return found.movedim(1, 3).reshape(*x.shape[:2], -1)


class Sent:
    """What a layer sends to itself: its spikes of the last steps, by the lag of each neuron."""

    def __init__(self, projection: Projection, weights: torch.Tensor, samples: int):
        self.weights = weights.T.contiguous()
        self.lags = torch.from_numpy(projection.lags.astype(np.int64))
        self.same = int(self.lags[0]) if bool(torch.all(self.lags == self.lags[0])) else None
        self.units = torch.arange(len(self.lags))
        self.depth = int(self.lags.max()) + 1
        self.history = torch.zeros(self.depth, samples, len(self.lags), dtype=weights.dtype)

    def sums(self, step: int) -> torch.Tensor:
        """Weighted sums (samples, targets) of what arrives in a step."""
        if self.same is not None:
            now = self.history[(step - self.same) % self.depth]
        else:
            now = self.history[(step - self.lags) % self.depth, :, self.units].T
        return now @ self.weights

    def remember(self, step: int, spikes: torch.Tensor) -> None:
        """Keep the spikes (samples, neurons) of a step."""
        self.history[step % self.depth] = spikes


Neurons = Callable[[Layer, torch.Tensor, "Sent | None"], torch.Tensor]
"""Spikes (samples, steps, neurons) of a layer from the weighted sums that it is fed, and from what
it sends to itself."""

Step = Callable[[torch.Tensor], torch.Tensor]
"""Spikes (samples, neurons) of a step from its weighted sums."""


def stepped(start: Callable[[Layer, torch.Tensor], Step]) -> Neurons:
    """Step through time with an engine's neurons.

    `start` gives their step at rest, from the layer and zeros (samples, neurons).
    """

    def neurons(layer: Layer, a: torch.Tensor, back: Sent | None) -> torch.Tensor:
        zeros, spikes = torch.zeros_like(a[:, 0]), torch.zeros_like(a)
        step = start(layer, zeros)
        for t in range(a.shape[1]):
            if t in layer.resets:
                step = start(layer, zeros)
            spikes[:, t] = step(a[:, t] if back is None else a[:, t] + back.sums(t))
            if back is not None:
                back.remember(t, spikes[:, t])
        return spikes

    return neurons


def loop(network: Network, samples: int, neurons: Neurons) -> Run:
    """All steps of a layer, then the next layer; the first may be fed by the input's values."""
    network = channels_last(network)
    x0 = prepared_inputs(network, samples)
    weights = [[weights_of(p) for p in layer.projections] for layer in network.layers]

    def run(chosen: Sequence[int]) -> tuple[list[int], None]:
        del chosen
        x, counts = x0, []
        for layer, own in zip(network.layers, weights, strict=True):
            a, back = x, None
            if layer.projections:
                first = layer.projections[0]
                a = sums(arrived(x, first), first, own[0])
            if layer.recurrent:
                back = Sent(layer.projections[1], own[1], len(x))
            x = neurons(layer, a, back)
            counts.append(int(x.sum()))
        return counts, None

    return run
