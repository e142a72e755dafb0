"""Neuron models: one file each with parameters, state, equation and a `NeuronModel`.

To add one, write its file and enter it in `MODELS`; docs/architecture.md says what else may follow.
"""

from __future__ import annotations

from typing import Any

from kipuka.convert.neurons import cuba, sigma_delta, spiking_gru, spiking_mgu
from kipuka.convert.neurons.model import NeuronModel, Overflow, handler
from kipuka.lazy import listing

__all__ = [
    "CUBA",
    "DELTA",
    "MODELS",
    "SIGMA",
    "SIGMA_DELTA",
    "SPIKING_GRU",
    "SPIKING_MGU",
    "NeuronModel",
    "Overflow",
    "handler",
    "model_of",
]

__dir__ = listing(__all__)

CUBA, SPIKING_GRU, SPIKING_MGU = (
    model.name for model in (cuba.MODEL, spiking_gru.MODEL, spiking_mgu.MODEL)
)
DELTA, SIGMA_DELTA, SIGMA = (model.name for model in sigma_delta.MODELS)

MODELS: dict[str, NeuronModel] = {
    model.name: model
    for model in (cuba.MODEL, spiking_gru.MODEL, spiking_mgu.MODEL, *sigma_delta.MODELS)
}
"""Every neuron model by name."""


def model_of(parameters: Any) -> NeuronModel:
    """Return the model that parameters belong to.

    Raises
    ------
    TypeError
        If no model has parameters of that type.
    """
    for model in MODELS.values():
        if type(parameters) is model.parameter_type:
            return model
    raise TypeError(f"{type(parameters).__name__} are the parameters of no model in MODELS")
