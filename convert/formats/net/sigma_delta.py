"""Sigma-delta neurons in a `.net` file: NetX's type ``SDNN``, three models by their place."""

from __future__ import annotations

from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.guarded.records import Record
from kipuka.convert.formats.net import fields
from kipuka.convert.formats.net.keys import SDNN, TRAINING_KEYS
from kipuka.convert.neurons import SIGMA, SIGMA_DELTA
from kipuka.convert.neurons.sigma_delta import (
    RELU,
    UNIT,
    DeltaParameters,
    SigmaDeltaParameters,
    SigmaParameters,
)
from kipuka.convert.program import Layer
from kipuka.errors import KipukaError

ACTIVATIONS = {"relu": RELU, "unit": UNIT}
"""Words of ``neuron/activation``, which SLAYER writes and NetX passes over."""

DECODER = "sigma_output"
"""Key that makes a decoder of the neurons, whatever its value; NetX asks whether it is there."""


def input_neurons(record: Record, shape: tuple[int, ...]) -> Any:
    """Return the parameters of the neurons of an input layer: an encoder, or CUBA neurons."""
    if not _is_sdnn(record):
        return fields.cuba_parameters(record, shape, "neuron_bias")
    neuron = _opened(record)
    neuron.ignore("activation")
    return DeltaParameters(_per_unit(neuron, "vThMant", shape))


def neurons(record: Record, shape: tuple[int, ...]) -> Any:
    """Return the parameters of neurons behind synapses, of the model that the file names.

    Raises
    ------
    KipukaError
        If there is no such model, or its activation function is not known.
    """
    if not _is_sdnn(record):
        return fields.neurons(record, shape)
    neuron = _opened(record)
    if neuron.has(DECODER):
        # SLAYER writes the whole neuron, of which the decoder has no use.
        neuron.ignore(DECODER, "activation", "vThMant")
        return SigmaParameters()
    bias = record.numbers("bias") if record.has("bias") else np.zeros(1, dtype=np.int64)
    return SigmaDeltaParameters(
        threshold=_per_unit(neuron, "vThMant", shape),
        bias=fields.per_unit(record, "bias", bias, shape),
        activation=np.full(int(np.prod(shape)), _activation(neuron), dtype=np.int64),
    )


def sdnn_words(layer: Layer) -> dict[str, Any]:
    """Return the keys of a layer's neurons that hold no numbers.

    Raises
    ------
    KipukaError
        If the neurons of the layer differ in their activation function.
    """
    if layer.model == SIGMA:
        return {DECODER: True}
    if layer.model != SIGMA_DELTA:
        return {}
    values = np.unique(layer.neuron.activation)
    if values.size > 1:
        raise KipukaError(
            "a file has one activation function per layer",
            where=f"a {SIGMA_DELTA} layer of shape {layer.shape}, key activation",
            limit="the same function for all neurons",
            value="unit and relu",
            remedy="split the layer by its activation function",
        )
    return {"activation": next(word for word, one in ACTIVATIONS.items() if one == values[0])}


def sends_payloads(layers: Record) -> bool:
    """Tell whether the last layer of a file that has neurons sends graded spikes."""
    found = (layers.group(name) for name in sorted(layers.keys(), key=int, reverse=True))
    last = next((layer for layer in found if layer.has("neuron")), None)
    return last is not None and _is_sdnn(last)


def _is_sdnn(record: Record) -> bool:
    return record.has("neuron") and record.group("neuron").text("type") == SDNN


def _opened(record: Record) -> Record:
    neuron = record.group("neuron")
    neuron.ignore(*TRAINING_KEYS)
    fields.expect(neuron, "messageBits", (fixed.GRADED_BITS,))
    return neuron


def _per_unit(neuron: Record, key: str, shape: tuple[int, ...]) -> np.ndarray:
    return fields.per_unit(neuron, key, neuron.numbers(key), shape)


def _activation(neuron: Record) -> int:
    if not neuron.has("activation"):
        return RELU
    word = neuron.text("activation")
    if word not in ACTIVATIONS:
        raise KipukaError(
            "the activation function is not known",
            where=f"{neuron.where}, key activation",
            limit=", ".join(ACTIVATIONS),
            value=word,
            remedy="train with torch.nn.functional.relu",
        )
    return ACTIVATIONS[word]
