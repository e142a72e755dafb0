"""Writing the layers of a Program as those of a `.net` file.

The keys are those of `kipuka.convert.formats.net.keys`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import h5py
import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.net.fields import scaled
from kipuka.convert.formats.net.gates import CURRENT_KEY
from kipuka.convert.formats.net.keys import (
    INPUT_BITS,
    NETX_CONSTANTS,
    OUTGOING_KEY,
    SDNN,
    SDNN_MODELS,
)
from kipuka.convert.formats.net.sigma_delta import sdnn_words
from kipuka.convert.program import (
    PREVIOUS,
    RECURRENT,
    Layer,
    Program,
    Projection,
    Target,
    layer_numbers,
    needs_flatten,
)
from kipuka.convert.synapses import ConvSynapses, SparseSynapses, Synapses
from kipuka.errors import KipukaError

MATRIX_WEIGHTS = 1 << 24
"""Most pairs of a source and a target that sparse synapses are written out for."""


def write_layers(group: h5py.Group, program: Program) -> None:
    """Write input, layers and what stands between them below `group`, numbered from 0."""
    numbers = layer_numbers(program)
    if program.encoder is None:
        _new_layer(group, 0, "input")["shape"] = np.array(program.input_shape)
    for position, number in enumerate(numbers):
        layer = program.layers[position]
        flatten = needs_flatten(program, position)
        units = sum(p.synapses.n_sources for p in layer.from_source(PREVIOUS)[:1])
        if len(layer.sources) > 1:
            joined = _new_layer(group, number - flatten - 1, "concat")
            joined["shape"] = np.array(_joined_shape(program, position))
            senders = [position - back for back in layer.sources[1:]]
            joined["layers"] = np.array([0 if p < 0 else numbers[p] for p in senders])
            units = sum(int(np.prod(program.shape_of(position - back))) for back in layer.sources)
        if flatten:
            _new_layer(group, number - 1, "flatten")["shape"] = np.array([units, 1, 1])
        if program.encoder and position == 0:
            _write_input_neurons(group, program, layer)
        else:
            _write_layer(group.create_group(str(number)), program, position)
    if program.readout.population > 1:
        average = _new_layer(group, numbers[-1] + 1, "average")
        average["shape"] = np.array([program.n_classes, 1, 1])


def write_block(target: h5py.Group, program: Program) -> None:
    """Write the one layer of a Program as a block of a network would write itself.

    A block knows nothing of the next one. The delays of its output, which otherwise stand with the
    spikes that the next layer receives, are written beside it as ``delay_out``.

    Parameters
    ----------
    target : h5py.Group
        Empty.
    program : Program
        Of a single layer with several activations, without an encoder.
    """
    _write_layer(target, program, 0)
    if np.any(program.readout.delays):
        delays = _per_channel_if_equal(program.readout.delays, program.layers[0].shape)
        target[OUTGOING_KEY] = delays


def _new_layer(group: h5py.Group, number: int, name: str) -> h5py.Group:
    return _typed(group.create_group(str(number)), name)


def _typed(layer: h5py.Group, name: str) -> h5py.Group:
    layer.create_dataset("type", (1,), "S16", [name.encode("ascii")])
    return layer


def _joined_shape(program: Program, position: int) -> tuple[int, ...]:
    shapes = [program.shape_of(position - back) for back in program.layers[position].sources]
    if program.layers[position].convolutional:
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])
    return (sum(int(np.prod(shape)) for shape in shapes),)


def _write_input_neurons(group: h5py.Group, program: Program, layer: Layer) -> None:
    target = _new_layer(group, 0, "input")
    target["shape"] = np.array(layer.shape)
    if program.encoder:
        target["weight"], target["bias"] = program.encoder.weight, program.encoder.bias
        if program.encoder.eight_bit:
            target["inputBits"] = INPUT_BITS
    _write_neuron(target, layer)


def _write_layer(target: h5py.Group, program: Program, position: int) -> None:
    layer = program.layers[position]
    _typed(target, _layer_type(layer))
    target["shape"] = np.array(layer.shape)
    arriving = [p for back in layer.sources for p in layer.from_source(back)]
    own = layer.from_source(RECURRENT)
    if len(layer.targets) > 1:
        _write_gates(target, program, position, arriving)
    else:
        _write_weights(target, "weight", arriving)
        _write_weights(target, "weight_rec", own)
        _write_delays(target, "delay_in" if layer.convolutional else "delay", arriving)
        _write_delays(target, "delay_rec", own)
    _write_geometry(target, [layer.from_source(back)[0] for back in layer.sources])
    _write_geometry(target, own[:1], "_rec")
    if not layer.convolutional:
        inputs = [layer.from_source(back)[0].synapses.n_sources for back in layer.sources]
        target["inFeatures"], target["outFeatures"] = sum(inputs), layer.n_neurons
    _write_neuron(target, layer)


def _write_gates(
    target: h5py.Group, program: Program, position: int, arriving: list[Projection]
) -> None:
    """Write weights and delays of neurons that receive several activations."""
    layer = program.layers[position]
    own = layer.from_source(RECURRENT)
    senders = [program.shape_of(position - back) for back in layer.sources]
    if not layer.convolutional:
        senders = [(int(np.prod(shape)),) for shape in senders]
    for key, feeding, shapes in (("", arriving, senders), ("_rec", own, [layer.shape])):
        gates = {name: _from_every_source(feeding, name) for name in layer.targets}
        found = [joined for joined in gates.values() if joined]
        for name, joined in gates.items():
            _write_weights(target, f"weight{key}/{name}", joined)
        delays = [_side_by_side(joined) for joined in found]
        if all(np.array_equal(d, delays[0]) for d in delays):
            # One value per neuron, as it is trained: no reason to store three.
            _write_gate_delays(target, f"delay{key}", delays[:1], shapes)
        else:
            for joined, values in zip(found, delays, strict=True):
                _write_gate_delays(target, f"delay{key}/{joined[0].target}", [values], shapes)
    if layer.of_current:
        _write_weights(target, CURRENT_KEY, [layer.of_current])
        _write_geometry(target, [layer.of_current], "_current")


def _from_every_source(feeding: Sequence[Projection], target: Target) -> list[Projection]:
    """Projections to one activation, with weights of 0 from sources that feed only others.

    The weights of all sources stand side by side, so none of them can be left out alone.
    """
    given = {p.source: p for p in feeding if p.target == target}
    if not given:
        return []
    exponent = next(iter(given.values())).weight_exponent
    found = []
    for source in dict.fromkeys(p.source for p in feeding):
        other = next(p for p in feeding if p.source == source)
        silent = replace(other.synapses, weights=np.zeros_like(other.synapses.weights))
        nothing = replace(other, synapses=silent, target=target, weight_exponent=exponent)
        found.append(given.get(source, nothing))
    return found


def _write_gate_delays(
    target: h5py.Group, key: str, delays: list[np.ndarray], shapes: list[tuple[int, ...]]
) -> None:
    """Write the delays of one activation, or of all, per channel where that says as much."""
    for values in delays:
        if np.any(values):
            per_channel = len(shapes) == 1 and values.ndim == 1
            target[key] = _per_channel_if_equal(values, shapes[0]) if per_channel else values


def _layer_type(layer: Layer) -> str:
    if len(layer.targets) > 1:
        return layer.model.lower()
    if layer.convolutional:
        return "conv"
    return "dense_rec" if layer.from_source(RECURRENT) else "dense"


def _write_weights(target: h5py.Group, key: str, joined: Sequence[Projection]) -> None:
    """Write the weights of all sources of one activation side by side.

    Halves that are odd stand as they are: every reader, NetX too, doubles them.
    """
    if not joined:
        return
    weights = np.concatenate([_weights(p.synapses) for p in joined], axis=1)
    exponent = joined[0].weight_exponent
    halves, left = scaled(weights // fixed.WEIGHT_STEP, exponent + 1)
    if exponent < 0 and left == exponent:
        target[key] = halves // fixed.WEIGHT_STEP
        return
    data = target.create_dataset(key, data=weights)
    if exponent:
        data.attrs["weight_exponent"] = exponent


def _weights(synapses: Synapses) -> np.ndarray:
    """Weights as the file has them, which has no sparse ones."""
    if not isinstance(synapses, SparseSynapses):
        return synapses.weights
    n_weights = synapses.n_targets * synapses.n_sources
    if n_weights > MATRIX_WEIGHTS:
        raise KipukaError(
            "sparse synapses cannot be written as a matrix of that size",
            where="file, key weight",
            limit=f"{MATRIX_WEIGHTS} pairs of a source and a target",
            value=f"{synapses.n_targets} targets x {synapses.n_sources} sources",
            remedy="write smaller layers, or build the network anew where it is needed",
        )
    return synapses.matrix()


def _write_delays(target: h5py.Group, key: str, joined: Sequence[Projection]) -> None:
    """Write delays per source, or as a matrix where some are per synapse or NetX might mistake."""
    if not any(np.any(p.delays) for p in joined):
        return
    n_targets = joined[0].synapses.n_targets
    n_sources = sum(p.synapses.n_sources for p in joined)
    mistaken = key == "delay" and n_sources in (1, n_targets)
    target[key] = _side_by_side(joined, as_matrix=mistaken)


def _side_by_side(joined: Sequence[Projection], as_matrix: bool = False) -> np.ndarray:
    """Delays of all sources of one activation: per source, or per synapse if any of them are."""
    if as_matrix or any(p.delays.ndim > 1 for p in joined):
        shapes = [(p.synapses.n_targets, p.synapses.n_sources) for p in joined]
        parts = [np.broadcast_to(p.delays, s) for p, s in zip(joined, shapes, strict=True)]
        return np.concatenate(parts, axis=1)
    return np.concatenate([p.delays for p in joined])


def _write_geometry(target: h5py.Group, feeding: Sequence[Projection], suffix: str = "") -> None:
    """Write what convolutions, one for each sender, have in common."""
    found = [p.synapses for p in feeding if isinstance(p.synapses, ConvSynapses)]
    if not found:
        return
    first = found[0]
    target["inChannels" + suffix] = sum(s.input_shape[0] for s in found)
    target["outChannels" + suffix] = first.output_shape[0]
    target["kernelSize" + suffix] = np.array(first.kernel)
    for key in ("stride", "padding", "dilation", "groups"):
        target[key + suffix] = np.array(getattr(first, key))


def _write_neuron(target: h5py.Group, layer: Layer) -> None:
    target["neuron/type"] = SDNN if layer.model in SDNN_MODELS else layer.model
    words = sdnn_words(layer) if layer.model in SDNN_MODELS else {}
    for key, value in {**NETX_CONSTANTS.get(layer.model, {}), **words}.items():
        target[f"neuron/{key}"] = value
    for parameter in layer.neuron_model.parameters:
        if parameter.label in words:
            continue
        values = getattr(layer.neuron, parameter.name)
        if parameter.default is not None and np.all(values == parameter.default):
            continue
        # NetX calls the bias of input neurons by another name.
        key = "neuron_bias" if parameter.key == "bias" and not layer.sources else parameter.key
        per_layer = key.startswith("neuron/")
        target[key] = (
            _scalar_if_equal(values) if per_layer else _per_channel_if_equal(values, layer.shape)
        )


def _scalar_if_equal(values: np.ndarray) -> np.ndarray:
    """Scalar where NetX expects one and all neurons agree."""
    return values[0] if np.all(values == values[0]) else values


def _per_channel_if_equal(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One value per channel where NetX expects that and each channel's neurons agree."""
    channels = values.reshape(shape[0], -1)
    same = len(shape) > 1 and bool(np.all(channels == channels[:, :1]))
    return channels[:, 0] if same else values
