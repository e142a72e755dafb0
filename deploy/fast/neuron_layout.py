"""How the neurons of each model lie in the kernels' blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons import CUBA, SPIKING_GRU, handler
from kipuka.convert.program import Layer
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels import neurons


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
        return neurons.OWN_ROWS if len(self.values) > 1 else neurons.SHARED_ROWS


def neuron_layout(layer: Layer, where: str) -> NeuronLayout:
    """Lay out the neurons of a layer.

    Raises
    ------
    KipukaError
        If the fast simulator does not run their model.
    """
    return handler(LAYOUTS, layer.model, "fast", where)(layer.neuron)


def _cuba(neuron: Any) -> NeuronLayout:
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


def _spiking_gru(neuron: Any) -> NeuronLayout:
    threshold = neuron.threshold << fixed.STATE_SHIFT
    values = (neuron.bias_i, neuron.bias_r, neuron.bias_z, threshold)
    return NeuronLayout(at.SPIKING_GRU, 0, values, {})


LAYOUTS: dict[str, Callable[[Any], NeuronLayout]] = {CUBA: _cuba, SPIKING_GRU: _spiking_gru}
"""Models that the fast simulator runs."""
