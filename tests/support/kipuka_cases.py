"""Small networks for tests, drawn from a generator or written by hand."""

from __future__ import annotations

import dataclasses

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.neurons.spiking_gru import SpikingGruParameters
from kipuka.convert.neurons.spiking_mgu import SpikingMguParameters
from kipuka.convert.program import PREVIOUS, RECURRENT, Layer, Program, Projection, Readout
from kipuka.convert.synapses import ConvSynapses, DenseSynapses


def dense(weights, source=PREVIOUS, target="a", delays=0, exponent=0, message="spikes"):
    weights = np.array(weights, dtype=np.int16)
    delays = np.asarray(delays, np.int16)
    delays = np.array(delays if delays.ndim > 1 else np.broadcast_to(delays, weights.shape[1:]))
    return Projection(DenseSynapses(weights), source, target, delays, exponent, message)


def conv(
    weights,
    input_shape,
    output_shape=None,
    source=PREVIOUS,
    target="a",
    delays=0,
    exponent=0,
    message="spikes",
    **geometry,
):
    weights = np.array(weights, dtype=np.int16)
    synapses = ConvSynapses(weights, input_shape, input_shape, **geometry)
    synapses = dataclasses.replace(synapses, output_shape=output_shape or synapses.formula_shape())
    delays = np.array(np.broadcast_to(np.asarray(delays, np.int16), (synapses.n_sources,)))
    return Projection(synapses, source, target, delays, exponent, message)


def cuba(n, *projections, shape=None, current_decay=4096, voltage_decay=0, threshold=64, bias=0):
    values = (current_decay, voltage_decay, threshold, bias)
    parameters = CubaParameters(*(np.array(np.broadcast_to(np.int64(x), (n,))) for x in values))
    return Layer(parameters, shape or (n,), projections)


def conv_cuba(projection, *others, **parameters):
    shape = projection.synapses.output_shape
    return cuba(int(np.prod(shape)), projection, *others, shape=shape, **parameters)


def gru(n, *projections, shape=None, threshold=64, bias_i=0, bias_r=0, bias_z=0):
    values = (threshold, bias_i, bias_r, bias_z)
    parameters = SpikingGruParameters(
        *(np.array(np.broadcast_to(np.int64(x), (n,))) for x in values)
    )
    return Layer(parameters, shape or (n,), projections)


def mgu(n, *projections, shape=None, threshold=64, bias_i=0, bias_f=0):
    values = (threshold, bias_i, bias_f)
    parameters = SpikingMguParameters(
        *(np.array(np.broadcast_to(np.int64(x), (n,))) for x in values)
    )
    return Layer(parameters, shape or (n,), projections)


def program(inputs, *layers, kind="spike_count", readout_delays=0, population=1, **settings):
    shape = inputs if isinstance(inputs, tuple) else (inputs,)
    n = layers[-1].n_neurons
    delays = np.array(np.broadcast_to(np.int16(readout_delays), (n,)))
    readout = Readout(kind, delays, population)
    return Program(shape, layers, readout, {"origin": "test"}, **settings)


def even(rng, shape, scale=60):
    return (rng.integers(-scale // 2, scale // 2 + 1, shape) * 2).astype(np.int16)


def random_delays(rng, n, longest=fixed.DELAY_MAX):
    delays = rng.integers(0, longest + 1, n).astype(np.int16)
    delays[0], delays[-1] = 0, longest
    return delays


def random_gru(
    rng, n_sources, n, delays_in=None, delays_own=None, scale=60, current=False, **parameters
):
    """With `current`, the own current takes the place of the update gate's input spikes."""
    projections = [
        dense(even(rng, (n, k), scale), source, target, 0 if d is None else d)
        for source, k, d in ((PREVIOUS, n_sources, delays_in), (RECURRENT, n, delays_own))
        for target in ("ir" if current and source == PREVIOUS else "irz")
    ]
    if current:
        projections.append(dense(even(rng, (n, n), scale), RECURRENT, "z", message="current"))
    bias = {f"bias_{t}": even(rng, n, 40).astype(np.int64) for t in "irz"}
    return gru(n, *projections, **{**bias, **parameters})


def random_mgu(rng, n_sources, n, delays_in=None, delays_own=None, scale=60, **parameters):
    projections = [
        dense(even(rng, (n, k), scale), source, target, 0 if d is None else d)
        for source, k, d in ((PREVIOUS, n_sources, delays_in), (RECURRENT, n, delays_own))
        for target in "if"
    ]
    bias = {f"bias_{t}": even(rng, n, 40).astype(np.int64) for t in "if"}
    return mgu(n, *projections, **{**bias, **parameters})


def light_gru(layer):
    """The layer without what arrives at its reset gate, which is then constant."""
    kept = tuple(p for p in layer.projections if p.target != "r")
    return dataclasses.replace(layer, projections=kept)


def calm_mgu(rng, n_sources, n, delays_own, **parameters):
    """Random minimal gated units whose states provably never saturate; see `calm_gru`."""

    def weights(target, sources):
        drawn = even(rng, (n, sources), 60 if target == "i" else int(rng.choice([20, 250])))
        return -np.abs(drawn) if target == "f" else drawn

    projections = [
        dense(weights(target, k), source, target, delays)
        for source, k, delays in (
            (PREVIOUS, n_sources, rng.integers(0, 4, n_sources)),
            (RECURRENT, n, delays_own),
        )
        for target in "if"
    ]
    bias = {f"bias_{t}": even(rng, n, 40).astype(np.int64) for t in "if"}
    bias["bias_f"] = -np.abs(bias["bias_f"])
    return mgu(n, *projections, **{**bias, **parameters})


def calm_gru(rng, n_sources, n, delays_own, constant_reset=False, **parameters):
    """A random GRU of few neurons whose states provably never saturate.

    Spikes only ever close its reset gate, which is at most half open without them.
    """

    def weights(target, sources):
        if target == "r":
            return np.zeros((n, sources)) if constant_reset else -np.abs(even(rng, (n, sources)))
        return even(rng, (n, sources), 60 if target == "i" else int(rng.choice([20, 250])))

    projections = [
        dense(weights(target, k), source, target, delays)
        for source, k, delays in (
            (PREVIOUS, n_sources, rng.integers(0, 4, n_sources)),
            (RECURRENT, n, delays_own),
        )
        for target in "irz"
    ]
    bias = {f"bias_{t}": even(rng, n, 40).astype(np.int64) for t in "irz"}
    bias["bias_r"] = -np.abs(bias["bias_r"])
    return gru(n, *projections, **{**bias, **parameters})


def random_conv_gru(
    rng,
    shape,
    channels,
    kernel=(3, 3),
    delays_in=0,
    delays_own=0,
    scale=60,
    current=False,
    kernel_own=(3, 3),
    dilation_own=(1, 1),
    **settings,
):
    """A convolutional GRU; delays are per channel, and what is no geometry is a parameter."""
    keys = ("stride", "padding", "dilation", "groups")
    geometry = {key: settings.pop(key) for key in keys if key in settings}
    weights = (channels, shape[0] // geometry.get("groups", 1), *kernel)
    per_pixel = int(np.prod(shape[1:]))
    arriving = [
        conv(
            even(rng, weights, scale),
            shape,
            target=target,
            delays=np.repeat(delays_in, per_pixel) if np.ndim(delays_in) else delays_in,
            **geometry,
        )
        for target in ("ir" if current else "irz")
    ]
    output = arriving[0].synapses.output_shape
    padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation_own, kernel_own, strict=True))
    same = {"source": RECURRENT, "padding": padding, "dilation": dilation_own}
    delays = np.repeat(delays_own, output[1] * output[2]) if np.ndim(delays_own) else delays_own
    own = [
        conv(
            even(rng, (channels, channels, *kernel_own), scale),
            output,
            target=t,
            delays=delays,
            **same,
        )
        for t in "irz"
    ]
    if current:
        weights = even(rng, (channels, channels, *kernel_own), scale)
        own.append(conv(weights, output, target="z", message="current", **same))
    bias = {
        f"bias_{t}": np.repeat(even(rng, channels, 40).astype(np.int64), output[1] * output[2])
        for t in "irz"
    }
    n = int(np.prod(output))
    return gru(n, *arriving, *own, shape=output, **{**bias, **settings})


def conv_mgu(layer):
    """Minimal gated units with the convolutions of a GRU layer, their gate with those of its z."""
    kept = [dataclasses.replace(p, target="f") for p in layer.projections if p.target == "z"]
    neuron = SpikingMguParameters(layer.neuron.threshold, layer.neuron.bias_i, layer.neuron.bias_z)
    projections = [p for p in layer.projections if p.target == "i"]
    return Layer(neuron, layer.shape, (*projections, *kept))


def random_cuba(rng, n_sources, n, delays=None, recurrent=False, scale=60, **parameters):
    projections = [dense(even(rng, (n, n_sources), scale), delays=0 if delays is None else delays)]
    if recurrent:
        projections.append(dense(even(rng, (n, n), scale), RECURRENT))
    return cuba(n, *projections, **parameters)


def random_spikes(rng, n_samples, n_units, n_steps, rate=0.2):
    return rng.random((n_samples, n_units, n_steps)) < rate


def random_inputs(rng, network, n_samples, n_steps, rate=0.2):
    """What the network takes: spikes, or activations if it has an encoder."""
    if network.encoder:
        return rng.integers(-40, 90, (n_samples, network.n_inputs, n_steps)).astype(np.int32)
    return random_spikes(rng, n_samples, network.n_inputs, n_steps, rate)


def pulses(n_units, n_steps, *when):
    """One sample with spikes at (unit, step)."""
    spikes = np.zeros((1, n_units, n_steps), dtype=bool)
    for unit, step in when:
        spikes[0, unit, step] = True
    return spikes
