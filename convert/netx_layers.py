"""One layer of a `.net` file: NetX's keys for stock layers, keys of the same style for the rest.

==============  ==========================================================================
layer type      keys
==============  ==========================================================================
``input``       ``shape``
``flatten``     ``shape``
``dense``       ``weight``, ``delay``, ``bias``, ``neuron/*``
``dense_rec``   the same with ``weight_rec`` and ``delay_rec`` (the latter not known to NetX)
``spiking_gru`` ``weight/i``, ``weight/r``, ``weight/z`` and likewise ``weight_rec``, ``delay``,
                ``delay_rec`` and ``bias`` (not known to NetX)
==============  ==========================================================================
"""

from __future__ import annotations

import h5py
import numpy as np

from kipuka.convert.neurons import CubaParameters, SpikingGruParameters
from kipuka.convert.program import MODEL_NAMES, Layer, Projection, Source, Target
from kipuka.convert.records import Record
from kipuka.convert.synapses import DenseSynapses
from kipuka.errors import KipukaError

SPIKING_GRU = MODEL_NAMES[SpikingGruParameters]
CUBA_NAMES = (MODEL_NAMES[CubaParameters], "LOIHI")
LAYER_TYPES = ("input", "flatten", "dense", "dense_rec", "spiking_gru")
WEIGHT_KEYS: dict[Source, str] = {"previous": "weight", "self": "weight_rec"}
DELAY_KEYS: dict[Source, str] = {"previous": "delay", "self": "delay_rec"}
TRAINING_KEYS = ("theta", "tauRho", "scaleRho", "wgtExp")
"""Neuron keys that lava-dl writes for training only; NetX ignores them as well."""


def write_input(group: h5py.Group, shape: tuple[int, ...]) -> None:
    """Write NetX's input layer without neurons."""
    _write_type(group, "input")
    group["shape"] = np.array(shape)


def write_layer(group: h5py.Group, layer: Layer) -> None:
    """Write one layer of a Program."""
    recurrent = bool(layer.from_source("self"))
    stock = isinstance(layer.neuron, CubaParameters)
    _write_type(group, ("dense_rec" if recurrent else "dense") if stock else "spiking_gru")
    group["shape"] = np.array(layer.shape)
    group["inFeatures"] = layer.from_source("previous")[0].synapses.n_sources
    group["outFeatures"] = layer.n_neurons
    for projection in layer.projections:
        suffix = "" if stock else f"/{projection.target}"
        weight = group.create_dataset(
            WEIGHT_KEYS[projection.source] + suffix, data=projection.synapses.weights
        )
        if projection.weight_exponent:
            weight.attrs["weight_exponent"] = projection.weight_exponent
        if np.any(projection.delays):
            group[DELAY_KEYS[projection.source] + suffix] = _unambiguous(projection)
    _write_neuron(group, layer)


def _write_neuron(group: h5py.Group, layer: Layer) -> None:
    neuron = layer.neuron
    group["neuron/type"] = layer.model
    group["neuron/vThMant"] = _scalar_if_equal(neuron.threshold)
    if isinstance(neuron, CubaParameters):
        group["neuron/iDecay"] = _scalar_if_equal(neuron.current_decay)
        group["neuron/vDecay"] = _scalar_if_equal(neuron.voltage_decay)
        group["neuron/refDelay"] = 1
        group["neuron/gradedSpike"] = False
        if np.any(neuron.bias):
            group["bias"] = neuron.bias
    else:
        for target in layer.targets:
            group[f"bias/{target}"] = getattr(neuron, f"bias_{target}")


def read_input_shape(record: Record) -> tuple[int, ...]:
    """Shape of the network's input from layer 0.

    Raises
    ------
    KipukaError
        If layer 0 is no input layer without neurons.
    """
    kind = record.text("type")
    if kind != "input" or record.has("neuron"):
        raise _unknown_type(record, f"{kind} with neurons" if kind == "input" else kind, "input")
    shape = tuple(int(n) for n in record.numbers("shape").ravel())
    record.refuse_unread()
    return shape


def read_layer(record: Record, n_sources: int) -> Layer | None:
    """Read one layer; None for a layer that only renames neurons (flatten).

    Parameters
    ----------
    record : Record
    n_sources : int
        Neurons of the layer before.

    Raises
    ------
    KipukaError
        If type, key, shape or value are not what Kipuka runs exactly.
    """
    kind = record.text("type")
    n_neurons = int(np.prod(record.numbers("shape")))
    if kind == "flatten":
        record.refuse_unread()
        return None
    if kind not in ("dense", "dense_rec", "spiking_gru"):
        raise _unknown_type(record, kind, ", ".join(LAYER_TYPES[1:]))
    targets: tuple[Target, ...] = ("i", "r", "z") if kind == "spiking_gru" else ("a",)
    sources: tuple[Source, ...] = ("previous",) if kind == "dense" else ("previous", "self")
    projections = tuple(
        _read_projection(record, source, target, n_neurons)
        for source in sources
        for target in targets
    )
    read = _read_spiking_gru if kind == "spiking_gru" else _read_cuba
    layer = Layer(read(record, n_neurons), (n_neurons,), projections)
    _check_features(record, n_neurons, n_sources)
    record.refuse_unread()
    return layer


def _slot(record: Record, key: str, target: Target) -> tuple[Record, str]:
    """Where a key of one activation stands: `key` itself, or below it for models with several."""
    return (record, key) if target == "a" else (record.group(key), target)


def _read_projection(record: Record, source: Source, target: Target, n_neurons: int) -> Projection:
    holder, key = _slot(record, WEIGHT_KEYS[source], target)
    weights = holder.int16(key)
    if weights.ndim == 1 and weights.size % n_neurons == 0:
        weights = weights.reshape(n_neurons, -1)
    delays = np.zeros(weights.shape[-1], dtype=np.int16)
    if record.has(DELAY_KEYS[source]):
        delay_holder, delay_key = _slot(record, DELAY_KEYS[source], target)
        if delay_holder.has(delay_key):
            delays = _as_projection_delays(delay_holder.int16(delay_key), weights.shape)
    exponent = int(holder.attribute("weight_exponent", 0, key=key))
    return Projection(DenseSynapses(weights), source, target, delays, exponent)


def _as_projection_delays(delays: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Delays as NetX reads them: a scalar, one per target (first choice) or source, or a matrix."""
    n_targets, n_sources = shape[0], shape[-1]
    if delays.size == 1:
        return np.full(n_sources, delays.item(), dtype=np.int16)
    if delays.ndim == 1 and delays.size == n_targets:
        return np.repeat(delays[:, None], n_sources, axis=1)
    if delays.shape == tuple(shape) and np.all(delays == delays[:1]):
        return delays[0].copy()
    return delays


def _unambiguous(projection: Projection) -> np.ndarray:
    """Delays so that NetX's rule reads them back right: source delays of a square as a matrix."""
    synapses, delays = projection.synapses, projection.delays
    if delays.ndim == 1 and synapses.n_targets == synapses.n_sources:
        return np.repeat(delays[None, :], synapses.n_targets, axis=0)
    return delays


def _read_cuba(record: Record, n_neurons: int) -> CubaParameters:
    neuron = record.group("neuron")
    model = neuron.text("type")
    if model not in CUBA_NAMES:
        raise KipukaError(
            "the neuron type is not supported",
            where=f"{neuron.where}, key type",
            limit=", ".join(CUBA_NAMES),
            value=model,
            remedy="use CUBA neurons; sigma-delta and resonate-and-fire are not supported",
        )
    neuron.ignore(*TRAINING_KEYS)
    for key, required in (("refDelay", 1), ("gradedSpike", 0)):
        found = neuron.numbers(key).item() if neuron.has(key) else required
        if found != required:
            raise KipukaError(
                f"{key} has no exact counterpart in the CUBA neuron",
                where=f"{neuron.where}, key {key}",
                limit=f"{required}",
                value=found,
                remedy=f"train with {key} = {required}",
            )
    bias = record.numbers("bias") if record.has("bias") else np.zeros(1, dtype=np.int64)
    return CubaParameters(
        _per_neuron(neuron, "iDecay", neuron.numbers("iDecay"), n_neurons),
        _per_neuron(neuron, "vDecay", neuron.numbers("vDecay"), n_neurons),
        _per_neuron(neuron, "vThMant", neuron.numbers("vThMant"), n_neurons),
        _per_neuron(record, "bias", bias, n_neurons),
    )


def _read_spiking_gru(record: Record, n_neurons: int) -> SpikingGruParameters:
    neuron = record.group("neuron")
    if neuron.text("type") != SPIKING_GRU:
        raise KipukaError(
            "the neuron type does not fit the layer type spiking_gru",
            where=f"{neuron.where}, key type",
            limit=SPIKING_GRU,
            value=neuron.text("type"),
            remedy="export the network again",
        )
    bias = record.group("bias")
    return SpikingGruParameters(
        _per_neuron(neuron, "vThMant", neuron.numbers("vThMant"), n_neurons),
        *(_per_neuron(bias, key, bias.numbers(key), n_neurons) for key in ("i", "r", "z")),
    )


def _per_neuron(record: Record, key: str, values: np.ndarray, n_neurons: int) -> np.ndarray:
    if values.size not in (1, n_neurons):
        raise KipukaError(
            f"{key} does not fit the layer",
            where=f"{record.where}, key {key}",
            limit=f"1 value or {n_neurons}",
            value=f"{values.size} values",
            remedy="export the network again",
        )
    return np.array(np.broadcast_to(values.ravel(), (n_neurons,)))


def _scalar_if_equal(values: np.ndarray) -> np.ndarray:
    """Scalar where NetX expects one and all neurons agree."""
    return values[0] if np.all(values == values[0]) else values


def _check_features(record: Record, n_neurons: int, n_sources: int) -> None:
    for key, expected in (("inFeatures", n_sources), ("outFeatures", n_neurons)):
        if record.has(key) and record.numbers(key).item() != expected:
            raise KipukaError(
                f"{key} does not fit the network",
                where=f"{record.where}, key {key}",
                limit=f"{expected}, as the neighbouring layers have it",
                value=record.numbers(key).item(),
                remedy="check the order of the layers and export the network again",
            )


def _write_type(group: h5py.Group, name: str) -> None:
    group.create_dataset("type", (1,), "S16", [name.encode("ascii")])


def _unknown_type(record: Record, found: str, known: str) -> KipukaError:
    return KipukaError(
        "the layer type is not supported here",
        where=f"{record.where}, key type",
        limit=known,
        value=found,
        remedy="remove the layer or express it in the supported types",
    )
