"""How the neurons of each model lie in the kernels' blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons import (
    CUBA,
    DELTA,
    SIGMA,
    SIGMA_DELTA,
    SPIKING_GRU,
    SPIKING_MGU,
    handler,
)
from kipuka.convert.neurons.sigma_delta import UNIT
from kipuka.convert.program import Layer
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import OWN_ROWS, SHARED_ROWS


class NeuronLayout(NamedTuple):
    """Neurons of a layer as the kernels read them.

    Attributes
    ----------
    kernel : int
        Which update of `kipuka.deploy.fast.kernels.layout` runs them.
    activation_shift : int
        Left shift by which the update takes an activation in weight units.
    values : tuple of int64 array (neurons,)
        Rows of parameters in each block, in order.
    shared : mapping of str to int
        Parameters that stand in the layer's row of the table, because all neurons have them.
    """

    kernel: int
    activation_shift: int
    values: tuple[np.ndarray, ...]
    shared: Mapping[str, int]

    @property
    def n_rows(self) -> int:
        """Rows of a block."""
        return OWN_ROWS if len(self.values) > 1 else SHARED_ROWS


def neuron_layout(layer: Layer, where: str) -> NeuronLayout:
    """Lay out the neurons of a layer.

    Raises
    ------
    KipukaError
        If the fast simulator does not run their model.
    """
    return handler(LAYOUTS, layer.model, "fast", where)(layer)


def _cuba(layer: Layer) -> NeuronLayout:
    neuron = layer.neuron
    current = fixed.UNITY - neuron.current_decay
    voltage = fixed.UNITY - neuron.voltage_decay
    threshold = neuron.threshold << fixed.STATE_SHIFT
    bias = neuron.bias << fixed.STATE_SHIFT
    if all(np.all(array == array[0]) for array in (current, voltage, threshold)):
        shared = {
            "current_factor": int(current[0]),
            "voltage_factor": int(voltage[0]),
            "threshold": int(threshold[0]),
        }
        return NeuronLayout(at.CUBA_SHARED, fixed.STATE_SHIFT, (bias,), shared)
    return NeuronLayout(at.CUBA_OWN, fixed.STATE_SHIFT, (bias, current, voltage, threshold), {})


def _spiking_gru(layer: Layer) -> NeuronLayout:
    neuron = layer.neuron
    threshold = neuron.threshold << fixed.STATE_SHIFT
    values = (neuron.bias_i, neuron.bias_r, neuron.bias_z, threshold)
    return NeuronLayout(at.SPIKING_GRU, 0, values, {})


def _spiking_mgu(layer: Layer) -> NeuronLayout:
    neuron = layer.neuron
    threshold = neuron.threshold << fixed.STATE_SHIFT
    values = (neuron.bias_i, neuron.bias_f, -neuron.bias_f, threshold)
    return NeuronLayout(at.SPIKING_MGU, 0, values, {})


def _graded(kernel: int, threshold: Any, bias: Any, lowest: Any) -> NeuronLayout:
    """Lay out neurons of the sigma-delta family, whose blocks end in a row of payloads."""
    states = tuple(values << fixed.GRADED_SHIFT for values in (bias, threshold))
    return NeuronLayout(kernel, 0, (*states, lowest), {})


def _delta(layer: Layer) -> NeuronLayout:
    nothing = np.zeros(layer.n_neurons, np.int64)
    return _graded(at.DELTA, layer.neuron.threshold, nothing, nothing)


def _sigma_delta(layer: Layer) -> NeuronLayout:
    neuron = layer.neuron
    lowest = np.where(neuron.activation == UNIT, -fixed.INT32_MAX, 0)
    return _graded(at.SIGMA_DELTA, neuron.threshold, neuron.bias, lowest)


def _sigma(layer: Layer) -> NeuronLayout:
    nothing = np.zeros(layer.n_neurons, np.int64)
    return _graded(at.SIGMA, nothing, nothing, nothing)


LAYOUTS: dict[str, Callable[[Layer], NeuronLayout]] = {
    CUBA: _cuba,
    DELTA: _delta,
    SIGMA: _sigma,
    SIGMA_DELTA: _sigma_delta,
    SPIKING_GRU: _spiking_gru,
    SPIKING_MGU: _spiking_mgu,
}
"""Models that the fast simulator runs."""
