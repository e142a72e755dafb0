"""Small sigma-delta networks for tests."""

from __future__ import annotations

import dataclasses

import numpy as np

from kipuka.convert.neurons.sigma_delta import (
    RELU,
    UNIT,
    DeltaParameters,
    SigmaDeltaParameters,
    SigmaParameters,
)
from kipuka.convert.program import RECURRENT, Encoder, Layer, Program, Readout, Reset
from kipuka.convert.synapses import DenseSynapses, SparseSynapses
from kipuka_cases import conv, dense, even


def _per_neuron(value, n):
    return np.array(np.broadcast_to(np.int64(value), (n,)))


def delta(shape, threshold=0):
    """Return an encoder layer."""
    return Layer(DeltaParameters(_per_neuron(threshold, int(np.prod(shape)))), shape, ())


def sigma_delta(n, *projections, shape=None, threshold=0, bias=0, activation=RELU):
    values = (threshold, bias, activation)
    parameters = SigmaDeltaParameters(*(_per_neuron(value, n) for value in values))
    return Layer(parameters, shape or (n,), projections)


def conv_sigma_delta(projection, *others, **parameters):
    shape = projection.synapses.output_shape
    return sigma_delta(int(np.prod(shape)), projection, *others, shape=shape, **parameters)


def sigma(n, *projections):
    """Return a decoder layer."""
    return Layer(SigmaParameters(), (n,), projections)


def graded_program(*layers, weight=1, **settings):
    """Return a network of an encoder layer and what follows it."""
    delays = np.zeros(layers[-1].n_neurons, dtype=np.int16)
    return Program(
        layers[0].shape,
        layers,
        Readout("value", delays),
        {"origin": "test"},
        encoder=Encoder(weight, 0),
        **settings,
    )


def random_values(rng, network, n_samples, n_steps, largest=64):
    """Walks of the input, which change little from step to step and stand still at times."""
    shape = (n_samples, network.n_inputs, n_steps)
    moves = rng.integers(-largest // 4, largest // 4 + 1, shape) * (rng.random(shape) < 0.4)
    return np.clip(np.cumsum(moves, axis=-1), -largest, largest).astype(np.int32)


def random_sigma_delta(rng, *, common=False):
    """Up to five layers of every kind; with `common`, what Lava's processes have once is equal."""
    flat = rng.random() < 0.4
    shape = (
        (int(rng.integers(1, 6)),) if flat else tuple(rng.integers((1, 3, 3), (4, 7, 7)).tolist())
    )
    layers = [delta(shape, _threshold(rng, int(np.prod(shape)), common))]
    for _ in range(int(rng.integers(1, 4))):
        before = layers[-1].shape
        if len(before) == 3 and rng.random() < 0.7:
            layers.append(_convolution(rng, before, common))
        else:
            layers.append(_dense(rng, layers, common))
    if rng.random() < 0.6:
        n_sources, n = layers[-1].n_neurons, int(rng.integers(1, 5))
        weights = _weights(rng, n, n_sources)
        layers.append(sigma(n, dense(weights, delays=_delays(rng, n, n_sources))))
    settings = {"reset": Reset(int(rng.integers(5, 30)), 2)} if rng.random() < 0.2 else {}
    return graded_program(*layers, **settings)


def _threshold(rng, n, common):
    if rng.random() < 0.3:
        return 0
    highest = int(rng.choice([3, 40]))
    return int(rng.integers(1, highest)) if common else rng.integers(0, highest, n)


def _neurons(rng, n, common):
    activation = int(rng.choice([UNIT, RELU]))
    return {
        "threshold": _threshold(rng, n, common),
        "bias": rng.integers(-40, 41, n) * (rng.random() < 0.6),
        "activation": activation,
    }


def _weights(rng, *shape):
    return even(rng, shape, int(rng.choice([8, 40, 254]))) * (rng.random(shape) < 0.7)


def _delays(rng, n_targets, n_sources):
    """No delay, one per source, or one per synapse."""
    kind = rng.integers(3)
    shape = (n_targets, n_sources) if kind == 2 else (n_sources,)
    return rng.integers(0, int(rng.choice([4, 63])), shape) if kind else np.zeros(n_sources)


def _dense(rng, layers, common):
    n, before = int(rng.integers(1, 40 if rng.random() < 0.2 else 7)), layers[-1].n_neurons
    exponent = int(rng.choice([0, 0, 0, 1]))
    parts = [dense(_weights(rng, n, before), delays=_delays(rng, n, before), exponent=exponent)]
    if len(layers) > 1 and rng.random() < 0.3:
        back = layers[-2].n_neurons
        parts.append(dense(_weights(rng, n, back), 2, "a", _delays(rng, n, back), exponent))
    if rng.random() < 0.25:
        parts.append(dense(_weights(rng, n, n), RECURRENT, delays=_delays(rng, n, n)))
    if len(parts) == 1 and parts[0].delays.ndim == 1 and rng.random() < 0.2:
        parts = [_listed(parts[0])]
    return sigma_delta(n, *parts, **_neurons(rng, n, common))


def _listed(projection):
    """The same synapses as sparse rows."""
    synapses = projection.synapses
    assert isinstance(synapses, DenseSynapses)
    sources, targets = np.nonzero(synapses.weights.T)
    offsets = np.concatenate([[0], np.cumsum(synapses.fan_out())])
    rows = SparseSynapses(
        synapses.weights[targets, sources],
        targets.astype(np.int32),
        offsets.astype(np.int64),
        synapses.n_targets,
    )
    return dataclasses.replace(projection, synapses=rows)


def _convolution(rng, shape, common):
    channels, height, width = shape
    pooled = rng.random() < 0.25
    groups = channels if pooled or rng.random() < 0.3 else 1
    kernel = [int(rng.integers(1, 1 + min(3, n))) for n in (height, width)]
    outputs = groups * (1 if pooled else int(rng.integers(1, 3)))
    weights = _weights(rng, outputs, channels // groups, *kernel)
    if pooled:
        weights = np.full_like(weights, 2 * int(rng.integers(1, 40)))
    projection = conv(
        weights,
        shape,
        delays=np.repeat(_delays(rng, 1, channels).ravel()[:channels], height * width),
        stride=tuple(int(n) for n in rng.integers(1, 3, 2)),
        padding=tuple(int(n) for n in rng.integers(0, 2, 2)),
        groups=groups,
    )
    n = int(np.prod(projection.synapses.output_shape))
    return conv_sigma_delta(projection, **_neurons(rng, n, common))
