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
from kipuka.deploy.fast.kernels.constants import (
    BLOCKS_AT_HAND,
    CUBA_MEMORY,
    CUBA_ROWS,
    LANES,
    MEMORY,
    OWN_ROWS,
    SHARED_ROWS,
)

LONGEST_PERIOD = 256
"""Blocks after which biases are looked for again."""


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
    biases : int64 array (neurons,) or None
        Biases that stand outside the blocks: see `repeating`.
    n_rows, memory : int
        Rows of a block, and those of them that come before the parameters.
    """

    kernel: int
    activation_shift: int
    values: tuple[np.ndarray, ...]
    shared: Mapping[str, int]
    biases: np.ndarray | None = None
    n_rows: int = OWN_ROWS
    memory: int = MEMORY


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
    current = float_bits(fixed.UNITY - neuron.current_decay)
    voltage = float_bits(fixed.UNITY - neuron.voltage_decay)
    threshold = neuron.threshold << fixed.STATE_SHIFT
    bias = neuron.bias << fixed.STATE_SHIFT
    if all(np.all(array == array[0]) for array in (current, voltage, threshold)):
        shared = {
            "current_factor": int(current[0]),
            "voltage_factor": int(voltage[0]),
            "threshold": int(threshold[0]),
        }
        return NeuronLayout(
            at.CUBA_SHARED, fixed.STATE_SHIFT, (), shared, bias, SHARED_ROWS, CUBA_MEMORY
        )
    own = bias, current, voltage, threshold
    return NeuronLayout(
        at.CUBA_OWN, fixed.STATE_SHIFT, own, {}, n_rows=CUBA_ROWS, memory=CUBA_MEMORY
    )


def float_bits(factors: np.ndarray) -> np.ndarray:
    """Parts of `fixed.UNITY` as float32, their bits as int64: CUBA neurons multiply in floats."""
    return (factors / fixed.UNITY).astype(np.float32).view(np.int32).astype(np.int64)


def repeating(blocks: np.ndarray) -> tuple[int, np.ndarray]:
    """Find how many blocks of biases the others of a layer repeat, and what must be kept of all.

    Biases are all alike in many layers, and alike in a channel of a convolution's. The few blocks
    that are kept stay in the nearest cache; those of all neurons would be read from memory.

    Parameters
    ----------
    blocks : int32 array (blocks, lanes)

    Returns
    -------
    period : int
    kept : int32 array (kept blocks, lanes)
        A period and as many blocks more as are updated together, so that none of these parts ends
        a period; then the layer's last part by itself, whose last lanes may be no neurons.
    """
    last = (len(blocks) - 1) // BLOCKS_AT_HAND * BLOCKS_AT_HAND
    others = blocks[:last]
    for period in range(1, LONGEST_PERIOD):
        if np.array_equal(others[period:], others[:-period]):
            break
    else:
        period = max(1, last)
    kept = np.resize(blocks[:period], (period + BLOCKS_AT_HAND, LANES))
    return period, np.vstack([kept, blocks[last:]])


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
