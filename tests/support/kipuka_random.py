"""Random networks with everything that a Program can hold, for differential tests."""

from __future__ import annotations

import dataclasses

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import RECURRENT, Encoder, Reset
from kipuka_cases import conv, conv_cuba, cuba, dense, even, gru, mgu, program


def random_network(rng):
    """Up to four layers, small enough that Lava runs one in two seconds."""
    shape, layers, settings = _first_shape(rng), [], {}
    if rng.random() < 0.15:
        settings["encoder"] = Encoder(int(rng.integers(1, 64)), int(rng.integers(-20, 20)))
        layers.append(cuba(int(np.prod(shape)), shape=shape, **_cuba_parameters(rng, shape)))
    if rng.random() < 0.2:
        settings["reset"] = Reset(int(rng.integers(2, 20)), int(rng.integers(0, 9)))
    for _ in range(int(rng.integers(1, 4))):
        before = layers[-1].shape if layers else shape
        if len(before) == 3 and rng.random() < 0.7:
            make = _conv_gru if rng.random() < 0.3 else _convolution
            layers.append(make(rng, before))
        elif rng.random() < 0.35:
            layers.append(_gru(rng, int(np.prod(before))))
        else:
            layers.append(_dense(rng, int(np.prod(before)), _skipped(rng, shape, layers, settings)))
    n = layers[-1].n_neurons
    settings["readout_delays"] = rng.integers(0, fixed.DELAY_MAX + 1, n)
    return program(shape, *layers, **settings)


def _first_shape(rng):
    if rng.random() < 0.5:
        return (int(rng.integers(1, 7)),)
    return tuple(int(n) for n in rng.integers((1, 3, 3), (4, 7, 7)))


def _skipped(rng, shape, layers, settings):
    """Neurons two layers back, if there is such a layer and the dice want it."""
    back_to_input = len(layers) == 1 and "encoder" not in settings
    if rng.random() < 0.6 or not (len(layers) > 1 or back_to_input):
        return 0
    return int(np.prod(layers[-2].shape if len(layers) > 1 else shape))


def _delays(rng, n_targets, n_sources):
    """No delay, one per source, or one per synapse."""
    longest = int(rng.choice([3, fixed.DELAY_MAX]))
    kind = rng.integers(3)
    shape = (n_targets, n_sources) if kind == 2 else (n_sources,)
    return rng.integers(0, longest + 1, shape) if kind else np.zeros(n_sources)


def _weights(rng, *shape):
    weights = even(rng, shape, int(rng.choice([20, 60, 254])))
    return weights * (rng.random(shape) < rng.choice([0.4, 1.0]))


def _exponent(rng, n_weights):
    """Exponent with which no sum of a layer leaves one period of the 24-bit current.

    Beyond that Lava is wrong: see `current_beyond_one_period` in the catalogue.
    """
    largest = -fixed.WEIGHT_MIN * n_weights * 3 << fixed.STATE_SHIFT
    room = (2 * fixed.CUBA_STATE_LIMIT // largest).bit_length() - 1
    return min(int(rng.choice([0, 0, 0, 2, 7])), room)


def _cuba_parameters(rng, shape):
    channels = int(np.prod(shape[1:]))
    biases = rng.integers(-15, 16, shape[0]) * (rng.random() < 0.5)
    return {
        "current_decay": int(rng.choice([0, 1, 4095, 4096, rng.integers(4097)])),
        "voltage_decay": int(rng.choice([0, 1, 4095, 4096, rng.integers(4097)])),
        "threshold": int(
            rng.choice([1, 64, 200, 5000, fixed.THRESHOLD_MAX], p=[0.1, 0.4, 0.3, 0.1, 0.1])
        ),
        "bias": np.repeat(biases, channels),
    }


def _dense(rng, n_sources, n_skipped):
    n = int(rng.integers(1, 7))
    exponent = _exponent(rng, max(n_sources, n_skipped, n))
    weights = _weights(rng, n, n_sources)
    parts = [dense(weights, delays=_delays(rng, n, n_sources), exponent=exponent)]
    if n_skipped:
        weights = _weights(rng, n, n_skipped)
        parts.append(dense(weights, 2, delays=_delays(rng, n, n_skipped), exponent=exponent))
    if rng.random() < 0.4:
        parts.append(dense(_weights(rng, n, n), RECURRENT, delays=_delays(rng, n, n)))
    return cuba(n, *parts, **_cuba_parameters(rng, (n,)))


def _gru(rng, n_sources):
    n = int(rng.integers(1, 6))
    current = rng.random() < 0.4
    parts = [
        dense(_weights(rng, n, k), source, target, _delays(rng, n, k))
        for source, k in ((1, n_sources), (RECURRENT, n))
        for target in _fed(rng, source, current)
    ]
    if current:
        parts.append(dense(_weights(rng, n, n), RECURRENT, "z", message="current"))
    bias = {f"bias_{t}": even(rng, n, 100).astype(np.int64) for t in "irz"}
    threshold = int(rng.integers(1, 200))
    if n % 2 and not current:
        biases = {"bias_i": bias["bias_i"], "bias_f": bias["bias_r"]}
        return mgu(n, *_with_one_gate(parts), threshold=threshold, **biases)
    return gru(n, *parts, threshold=threshold, **bias)


def _with_one_gate(parts):
    """Of the projections to gates the first one from each source."""
    found = {}
    for part in parts:
        target = "i" if part.target == "i" else "f"
        found.setdefault((part.source, target), dataclasses.replace(part, target=target))
    return found.values()


def _fed(rng, source, current):
    """Activations that a source feeds: all of them, or a few."""
    if source == 1 and current:
        return "ir" if rng.random() < 0.8 else "irz"
    return "irz" if rng.random() < 0.8 else rng.permutation(list("irz"))[: rng.integers(1, 3)]


def _conv_gru(rng, shape):
    channels, height, width = shape
    outputs, current = int(rng.integers(1, 4)), rng.random() < 0.4
    kernel = [int(rng.integers(1, 1 + min(3, n))) for n in (height, width)]
    groups = channels if rng.random() < 0.3 and outputs % channels == 0 else 1
    geometry = {
        "stride": tuple(int(n) for n in rng.integers(1, 3, 2)),
        "padding": tuple(int(n) for n in rng.integers(0, 2, 2)),
        "groups": groups,
    }
    fed = _fed(rng, 1, current)
    delays = rng.integers(0, 9, channels) * (rng.random() < 0.5)
    parts = [
        conv(
            _weights(rng, outputs, channels // groups, *kernel),
            shape,
            target=target,
            delays=np.repeat(delays, height * width),
            **geometry,
        )
        for target in fed
    ]
    output = parts[0].synapses.output_shape
    own = (3, int(rng.choice([1, 3])))
    same = {"source": RECURRENT, "padding": tuple(k // 2 for k in own)}
    pixels = output[1] * output[2]
    shared = np.repeat(rng.integers(0, fixed.DELAY_MAX + 1, outputs), pixels)
    for target in "irz":
        delays = shared if rng.random() < 0.8 else rng.integers(0, 9, outputs * pixels)
        weights = _weights(rng, outputs, outputs, *own)
        parts.append(conv(weights, output, target=target, delays=delays, **same))
    if current:
        weights = _weights(rng, outputs, outputs, *own)
        parts.append(conv(weights, output, target="z", message="current", **same))
    bias = {f"bias_{t}": even(rng, outputs * pixels, 100).astype(np.int64) for t in "irz"}
    threshold = int(rng.integers(1, 200))
    return gru(outputs * pixels, *parts, shape=output, threshold=threshold, **bias)


def _convolution(rng, shape):
    channels, height, width = shape
    groups = channels if rng.random() < 0.3 else 1
    kernel = [int(rng.integers(1, 1 + min(3, n))) for n in (height, width)]
    outputs = groups * int(rng.integers(1, 3))
    projection = conv(
        _weights(rng, outputs, channels // groups, *kernel),
        shape,
        delays=np.repeat(_delays(rng, 1, channels).ravel()[:channels], height * width),
        exponent=_exponent(rng, channels * 9),
        stride=tuple(int(n) for n in rng.integers(1, 3, 2)),
        padding=tuple(int(n) for n in rng.integers(0, 2, 2)),
        groups=groups,
    )
    return conv_cuba(projection, **_cuba_parameters(rng, projection.synapses.output_shape))
