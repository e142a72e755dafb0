"""Single keys of a layer in a `.net` file, checked: weights, delays, neurons, geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.guarded.records import Record
from kipuka.convert.formats.net.keys import (
    ALIASES,
    OUTGOING_KEY,
    SDNN,
    TRAINING_KEYS,
    gated_layers,
    neuron_models,
)
from kipuka.convert.neurons import CUBA, NeuronModel
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.neurons.model import Parameter
from kipuka.convert.operands import axes_are_crossed
from kipuka.convert.program import Target
from kipuka.convert.synapses import ConvSynapses, Pair
from kipuka.errors import KipukaError

EXACT = {"refDelay": (1, 0), "gradedSpike": (0,), "weight_exp": (0,)}
"""Neuron keys with the values that have an exact counterpart: no refractory time is one step."""

NUMBERS_PER_UNIT = 8
"""What a unit of a layer costs besides its synapses: parameters and delays."""

NUMBERS_PER_TAP, NUMBERS_PER_PASS, SYNAPSES_PER_NUMBER = 4, 256, 64
"""What a convolution costs: where each kernel element sees each output, passes over the image, one
for each element and group, and additions.
"""

KERNEL_AXES = 4
"""Axes of convolution weights: output channels, input channels / groups, height, width."""


@dataclass(frozen=True, eq=False)
class Sender:
    """One source of spikes for the layers that follow.

    Attributes
    ----------
    position : int
        Index of the layer among those with neurons; -1 for the input.
    shape : tuple of int
    delays : int64 array (units,)
        Axonal delays that the sender's own entry in the file gives.
    """

    position: int
    shape: tuple[int, ...]
    delays: np.ndarray


def shape_of(record: Record) -> tuple[int, ...]:
    """Key ``shape``, positive and of a size that a file can hold."""
    shape = tuple(int(n) for n in record.numbers("shape").ravel())
    if not shape or min(shape) < 1 or np.prod(shape, dtype=float) > fixed.NEURONS_MAX:
        raise _misfit(record, "shape", f"1 or 3 numbers, product up to {fixed.NEURONS_MAX}", shape)
    record.spend(NUMBERS_PER_UNIT * math.prod(shape), "shape")
    return shape


def single(record: Record, key: str) -> int:
    """Return a key of one value."""
    values = record.numbers(key)
    if values.size != 1:
        raise _misfit(record, key, "1 value", f"{values.size} values")
    return int(values.item())


def units_of(record: Record, key: str) -> int:
    """Return a key that counts units, positive and of a size that a file can hold."""
    units = single(record, key)
    if not 1 <= units <= fixed.NEURONS_MAX:
        raise _misfit(record, key, f"1 to {fixed.NEURONS_MAX}", units)
    record.spend(NUMBERS_PER_UNIT * units, key)
    return units


def expect(record: Record, key: str, expected: tuple[int, ...]) -> None:
    """Refuse a redundant key that contradicts the rest of the file; it may be left out."""
    if not record.has(key):
        return
    found = tuple(int(n) for n in record.numbers(key).ravel())
    if found != expected and found != expected[:1] * len(found):
        raise _misfit(record, key, f"{expected}, as the rest of the file has it", found)


def expect_size(record: Record, units: int) -> None:
    """Refuse a ``shape`` that does not hold the units that arrive."""
    found = record.numbers("shape").ravel()
    if math.prod(found.tolist()) != units:
        raise _misfit(record, "shape", f"{units} units in all", found[:4].tolist())


def pair(record: Record, key: str) -> Pair:
    """Return a key of one value for both directions, or of one for height and one for width."""
    values = record.numbers(key).ravel()
    if values.size not in (1, 2):
        raise _misfit(record, key, "1 or 2 values", f"{values.size} values")
    return int(values[0]), int(values[-1])


def matrix(record: Record, key: str, n_targets: int, n_sources: int) -> np.ndarray:
    """Weights (targets, sources) that stand under `key`."""
    weights = record.int16(key)
    if weights.ndim == 1 and weights.size == n_targets * n_sources:
        weights = weights.reshape(n_targets, n_sources)
    if weights.shape != (n_targets, n_sources):
        limit = f"({n_targets}, {n_sources}) as (neurons, inputs), as the neighbouring layers have"
        raise _misfit(record, key, limit, weights.shape)
    return weights


def kernels(kind: str, record: Record, n_channels: int) -> tuple[np.ndarray, int]:
    """Kernels (output channels, input channels / groups, height, width) and number of groups."""
    weights = record.int16("weight")
    if weights.ndim == KERNEL_AXES + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if kind == "conv":
        return weights, single(record, "groups") if record.has("groups") else 1
    if weights.ndim != KERNEL_AXES or weights.shape[:2] != (1, 1):
        raise _misfit(record, "weight", "(1, 1, height, width), one kernel", weights.shape)
    record.spend(weights.size * n_channels, "weight")
    # Every channel is pooled by the same kernel, in a group of its own.
    return np.repeat(weights, n_channels, axis=0), n_channels


def convolutions(
    record: Record,
    weights: np.ndarray,
    groups: int,
    senders: Sequence[Sender],
    shape: tuple[int, ...],
    suffix: str = "",
    holder: Record | None = None,
    key: str = "weight",
) -> list[ConvSynapses]:
    """Convolutions from each sender, whose kernels lie side by side; the keys end in `suffix`.

    The kernels stand under `key` of `holder`, or of the layer itself.

    Raises
    ------
    KipukaError
        If there is no geometry, or it contradicts the kernels or the shapes.
    """
    if len(shape) != 3 or any(len(s.shape) != 3 for s in senders) or not senders:
        raise KipukaError(
            "a convolution needs channels x height x width",
            where=f"{record.where}, key shape",
            limit="3 numbers here and in the layers before",
            value=f"{shape} after {[s.shape for s in senders]}",
            remedy="remove the flatten layer before it, or export the network again",
        )
    channels = [sender.shape[0] for sender in senders]
    per_group = sum(channels) // max(groups, 1)
    if weights.ndim != KERNEL_AXES or weights.shape[1] != per_group:
        limit = f"(output channels, {per_group}, height, width) after {sum(channels)} channels"
        raise _misfit(holder or record, key, limit, weights.shape)
    geometry = {name: pair(record, name + suffix) for name in ("stride", "padding", "dilation")}
    for name, expected in (
        ("kernelSize", weights.shape[2:]),
        ("inChannels", (sum(channels),)),
        ("outChannels", (shape[0],)),
    ):
        expect(record, name + suffix, expected)
    if groups != 1 and len(senders) > 1:
        raise KipukaError(
            "a grouped convolution cannot follow a concat layer",
            where=f"{record.where}, key groups",
            limit="1",
            value=groups,
            remedy="use one group, or convolve before joining",
        )
    _spend_on(record, weights, groups, shape)
    rows = np.cumsum([0, *channels]) if groups == 1 else [0, weights.shape[1]]
    return [
        ConvSynapses(
            weights[:, low:high].copy(),
            (sender.shape[0], sender.shape[1], sender.shape[2]),
            (shape[0], shape[1], shape[2]),
            groups=groups,
            **geometry,
        )
        for sender, low, high in zip(senders, rows, rows[1:], strict=False)
    ]


def _spend_on(record: Record, weights: np.ndarray, groups: int, shape: tuple[int, ...]) -> None:
    """Account for a convolution's work, which grows with the image as well as with the kernels."""
    n_elements = math.prod(weights.shape[2:])
    taps, synapses = n_elements * math.prod(shape[1:]), weights[0].size * math.prod(shape)
    record.spend(
        NUMBERS_PER_TAP * taps
        + NUMBERS_PER_PASS * max(groups, 0) * n_elements
        + synapses // SYNAPSES_PER_NUMBER,
        "kernelSize",
    )


def exponent(record: Record, key: str) -> int:
    """Weight exponent that stands as an attribute of the weights; 0 if there is none."""
    return record.whole_attribute("weight_exponent", 0, key=key)


def scaled(weights: np.ndarray, exponent: int) -> tuple[np.ndarray, int]:
    """Weights as even numbers and the exponent that goes with them.

    Odd 8-bit weights, which other exporters write, are doubled and their sums halved, which is
    exact; NetX does the same.
    """
    signed = np.iinfo(np.int8)
    if np.any(weights % 2) and signed.min <= weights.min() and weights.max() <= signed.max:
        return 2 * weights, exponent - 1
    return weights, exponent


def exponent_of_neuron(record: Record) -> int:
    """Weight exponent ``neuron/wgtExp``, which shifts all weights of the layer; NetX ignores it."""
    neuron = record.group("neuron") if record.has("neuron") else None
    return single(neuron, "wgtExp") if neuron and neuron.has("wgtExp") else 0


def delays(record: Record, key: str, target: Target) -> np.ndarray | None:
    """Delays of one activation as they stand in the file; None if there are none."""
    # All activations of a GRU may share the delays of their sources.
    shared = target == "a" or record.axes(key) > 0
    holder, key = (record, key) if shared else (_group_if_any(record, key), target)
    if holder is None or not holder.has(key):
        return None
    values = holder.numbers(key)
    return values.reshape(()) if values.size == 1 and values.ndim < 2 else values


def belongs_to_output(values: np.ndarray, n_neurons: int) -> bool:
    """Tell whether ``delay`` is the axonal delay of the layer's own output (`OUTGOING_KEY`)."""
    return values.shape in ((), (n_neurons,))


def per_unit(record: Record, key: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One value per unit of `shape`, from one for all, one per channel or one per unit."""
    n_units = int(np.prod(shape))
    if values.size == 1:
        return np.full(n_units, values.item())
    if values.shape == (shape[0],):
        return np.repeat(values, n_units // shape[0])
    if values.size != n_units or axes_are_crossed(values.shape, shape):
        limit = f"1 value, or {n_units}, or {shape[0]}; in the order of {shape}"
        raise _misfit(record, key, limit, f"{values.size} values, shape {values.shape}")
    return values.ravel()


def outgoing_delays(record: Record, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Axonal delays of a layer's own output, int64 (neurons,); zeros if none are given."""
    if kind in gated_layers():
        values = delays(record, OUTGOING_KEY, "a")
        zeros = np.zeros(int(np.prod(shape)), dtype=np.int64)
        return zeros if values is None else per_unit(record, OUTGOING_KEY, values, shape)
    values = delays(record, "delay", "a")
    convolution = kind in ("conv", "pool")
    if values is None or not (convolution or belongs_to_output(values, shape[0])):
        return np.zeros(int(np.prod(shape)), dtype=np.int64)
    return per_unit(record, "delay", values, shape)


def own_delays(record: Record, target: Target, shape: tuple[int, ...]) -> np.ndarray:
    """Delays inside a recurrence, (neurons,) or (neurons, neurons); zeros if none are given."""
    values, n_neurons = delays(record, "delay_rec", target), int(np.prod(shape))
    if values is None:
        return np.zeros(n_neurons, dtype=np.int64)
    if values.shape == (n_neurons, n_neurons):
        return values
    if values.shape not in ((), (1,), (shape[0],), (n_neurons,)):
        limit = f"1 value, {n_neurons} (neurons) or {(n_neurons, n_neurons)} (synapses)"
        raise _misfit(record, "delay_rec", limit, f"shape {values.shape}")
    return per_unit(record, "delay_rec", values, shape)


def neurons(record: Record, shape: tuple[int, ...]) -> Any:
    """Return the parameters of neurons with one activation, of the model that the file names."""
    if record.has("neuron"):
        neuron, known = record.group("neuron"), neuron_models()
        name = neuron.text("type")
        if name in known and known[name].name != CUBA:
            return parameters(record, known[name], shape)
    return cuba_parameters(record, shape, "bias")


def cuba_parameters(record: Record, shape: tuple[int, ...], bias_key: str) -> CubaParameters:
    """Return the CUBA neurons of a layer; without the key ``neuron``, those that NetX assumes."""
    n_neurons = int(np.prod(shape))
    bias = record.numbers(bias_key) if record.has(bias_key) else np.zeros(1, dtype=np.int64)
    biases = per_unit(record, bias_key, bias, shape)
    if not record.has("neuron"):
        # Lava adds one to du, so that NetX's iDecay 0 keeps the current for ever.
        values = (0, fixed.UNITY, fixed.NEVER_SPIKES)
        u, v, threshold = (np.full(n_neurons, value, dtype=np.int64) for value in values)
        return CubaParameters(u, v, threshold, biases)
    neuron = record.group("neuron")
    model = neuron.text("type")
    if model != CUBA and ALIASES.get(model) != CUBA:
        raise KipukaError(
            "the neuron type is not supported",
            where=f"{neuron.where}, key type",
            limit=", ".join((*neuron_models(), SDNN)),
            value=model,
            remedy="use CUBA or sigma-delta (SDNN) neurons; resonate-and-fire (RF) and adaptive "
            "(ALIF, ADRF) neurons have states that Kipuka does not run",
        )
    neuron.ignore(*TRAINING_KEYS)
    for key, exact in EXACT.items():
        found = single(neuron, key) if neuron.has(key) else exact[0]
        if found not in exact:
            raise KipukaError(
                f"{key} has no exact counterpart in the CUBA neuron",
                where=f"{neuron.where}, key {key}",
                limit=" or ".join(str(value) for value in exact),
                value=found,
                remedy=f"train with {key} = {exact[0]}",
            )
    u, v, threshold = (
        per_unit(neuron, key, neuron.numbers(key), shape) for key in ("iDecay", "vDecay", "vThMant")
    )
    return CubaParameters(u, v, threshold, biases)


def parameters(record: Record, model: NeuronModel, shape: tuple[int, ...]) -> Any:
    """Return the parameters of a layer's neurons under the keys that their model states."""
    neuron = record.group("neuron")
    if neuron.text("type") != model.name:
        raise KipukaError(
            "the neuron type does not fit the layer type",
            where=f"{neuron.where}, key type",
            limit=model.name,
            value=neuron.text("type"),
            remedy="export the network again",
        )
    return model.parameter_type(*(_parameter(record, one, shape) for one in model.parameters))


def _parameter(record: Record, parameter: Parameter, shape: tuple[int, ...]) -> np.ndarray:
    """Read one value per neuron, from a key that may stand in a group of its own."""
    group, _, key = parameter.key.rpartition("/")
    holder = _group_if_any(record, group) if group else record
    if parameter.default is not None and (holder is None or not holder.has(key)):
        return np.full(int(np.prod(shape)), parameter.default, dtype=np.int64)
    # A group that is missing is refused here, by name.
    holder = holder or record.group(group)
    return per_unit(holder, key, holder.numbers(key), shape)


def _group_if_any(record: Record, key: str) -> Record | None:
    return record.group(key) if record.has(key) else None


def _misfit(record: Record, key: str, limit: str, value: object) -> KipukaError:
    return KipukaError(
        f"{key} does not fit the layer",
        where=f"{record.where}, key {key}",
        limit=limit,
        value=value,
        remedy="check the order of the layers and export the network again",
    )
