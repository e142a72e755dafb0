"""Small sigma-delta networks for tests."""

from __future__ import annotations

import numpy as np

from kipuka.convert.neurons.sigma_delta import (
    RELU,
    DeltaParameters,
    SigmaDeltaParameters,
    SigmaParameters,
)
from kipuka.convert.program import Encoder, Layer, Program, Readout


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
