"""The training block of each layer of a Program, or a refusal that names what has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.pool import pooled_shape
from kipuka.convert.neurons import (
    CUBA,
    DELTA,
    SIGMA,
    SIGMA_DELTA,
    SPIKING_GRU,
    SPIKING_MGU,
    handler,
)
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.program import PREVIOUS, RECURRENT, Encoder, Layer, Program, Projection
from kipuka.convert.synapses import ConvSynapses
from kipuka.train.from_program.sigma_delta import input_block, layer_block, output_block
from kipuka.train.from_program.spiking_gru import gru_block
from kipuka.train.from_program.values import (
    axonal_delay,
    dense_weights,
    no_block,
    one_value,
    per_channel,
    set_weights,
)
from kipuka.train.gru.block import GruBlock
from kipuka.train.slayer import Delay, MeanOnlyBatchNorm, cuba

EXACT_THRESHOLD = 64 * fixed.WEIGHT_SCALE
"""From here on SLAYER's CUBA neuron fires at the threshold instead of above it.

It adds 0.01 state units to turn ``>=`` into ``>``, which float32 rounds away at 64 nominal units.
"""


def block_of(program: Program, position: int) -> torch.nn.Module:
    """Block that computes one layer, with the delays of its output.

    Raises
    ------
    KipukaError
        If SLAYER has none that is exact.
    """
    layer, where = program.layers[position], place(program, position)
    block = handler(BLOCKS, layer.model, "torch", where)(program, position)
    delays = _outgoing_delays(program, position)
    if np.any(delays):
        # Kipuka's blocks delay whole channels, SLAYER's modules their own way.
        kipukas = isinstance(block, GruBlock) or len(layer.shape) == 1
        make = axonal_delay if kipukas else _slayer_delay
        block.delay = make(per_channel(delays, layer.shape, where, "delays"))
    return block


def place(program: Program, position: int) -> str:
    """Name of a layer in messages."""
    return f"layer {program.numbers[position]}, backend torch"


def arriving_delays(layer: Layer, where: str) -> np.ndarray:
    """Delays of the spikes from the layer before, one per source."""
    delays = [p.delays for p in layer.from_source(PREVIOUS)]
    if any(d.ndim > 1 for d in delays):
        raise no_block(where, "a delay per synapse", "delays per source neuron")
    if any(not np.array_equal(d, delays[0]) for d in delays):
        raise no_block(where, "different delays per gate", "one delay per source neuron")
    return delays[0]


def _outgoing_delays(program: Program, position: int) -> np.ndarray:
    if position + 1 == len(program.layers):
        return program.readout.delays
    return arriving_delays(program.layers[position + 1], place(program, position + 1))


def _gru_block(program: Program, position: int) -> torch.nn.Module:
    layer = program.layers[position]
    return gru_block(layer, layer.neuron, place(program, position))


def _cuba_block(program: Program, position: int) -> torch.nn.Module:
    layer, where = program.layers[position], place(program, position)
    neuron = layer.neuron
    settings = _neuron_settings(neuron, where)
    own = layer.from_source(RECURRENT)
    if program.encoder and position == 0 and not own:
        block = _input_block(settings, program.encoder, layer.shape, where)
    elif layer.convolutional and not own:
        block = _convolution_block(settings, layer.projections[0], where)
    elif own:
        block = _recurrent_block(settings, layer, neuron, where)
    else:
        last = position + 1 == len(program.layers)
        affine = last and program.readout.kind == "membrane"
        weights = dense_weights(layer.projections[0], where)
        block = (cuba.Affine if affine else cuba.Dense)(settings, weights.shape[1], layer.n_neurons)
        set_weights(block.synapse, weights)
    _set_decays(block.neuron, neuron, layer.shape)
    if np.any(neuron.bias):
        _set_bias(block.neuron, neuron.bias, layer.shape, where)
    return block.eval()


def _neuron_settings(neuron: CubaParameters, where: str) -> dict[str, float]:
    threshold = one_value(neuron.threshold, where, "vThMant")
    if EXACT_THRESHOLD <= threshold <= fixed.THRESHOLD_MAX:
        limit = f"below {EXACT_THRESHOLD}, or above {fixed.THRESHOLD_MAX} without spikes"
        raise no_block(where, f"vThMant {threshold}", limit)
    return {
        "threshold": threshold / fixed.WEIGHT_SCALE,
        "current_decay": 0.0,
        "voltage_decay": 0.0,
    }


def _input_block(
    settings: dict[str, float], encoder: Encoder, shape: tuple[int, ...], where: str
) -> Any:
    for key, value in (("weight", encoder.weight), ("bias", encoder.bias)):
        if not fixed.WEIGHT_MIN <= value <= fixed.WEIGHT_MAX or value % fixed.WEIGHT_STEP:
            limit = f"even, {fixed.WEIGHT_MIN} to {fixed.WEIGHT_MAX}"
            raise no_block(where, f"the encoder's {key} {value}", limit)
    block = cuba.Input(
        settings, encoder.weight / fixed.WEIGHT_SCALE, encoder.bias / fixed.WEIGHT_SCALE
    )
    block.input_shape = block.neuron.shape = torch.Size(shape)
    # Of activations it cannot tell by itself what they are counted in.
    block.encoder = encoder
    return block


def _recurrent_block(
    settings: dict[str, float], layer: Layer, neuron: CubaParameters, where: str
) -> Any:
    if np.any(neuron.bias) and np.any(neuron.current_decay != fixed.UNITY):
        limit = f"no bias, or iDecay {fixed.UNITY}: SLAYER's recurrence adds it to the current"
        raise no_block(where, "a bias in a recurrent layer", limit)
    (arriving,), (own,) = layer.from_source(PREVIOUS), layer.from_source(RECURRENT)
    if np.any(own.delays):
        raise no_block(where, "delays inside a recurrence", "SpikingGRU, or no recurrent delays")
    weights, recurrent = dense_weights(arriving, where), dense_weights(own, where)
    block = cuba.Recurrent(settings, weights.shape[1], layer.n_neurons)
    set_weights(block.input_synapse, weights)
    set_weights(block.recurrent_synapse, recurrent)
    return block


def _convolution_block(settings: dict[str, float], projection: Projection, where: str) -> Any:
    synapses = projection.synapses
    if not isinstance(synapses, ConvSynapses) or projection.weight_exponent:
        raise no_block(where, "a weight exponent", "weight exponent 0")
    kernels = synapses.weights
    geometry = (synapses.kernel, synapses.stride, synapses.padding, synapses.dilation)
    channels, output = synapses.input_shape[0], synapses.output_shape
    if output == synapses.formula_shape():
        block = cuba.Conv(settings, channels, output[0], *geometry, groups=synapses.groups)
    elif synapses.groups == channels == output[0] and output == pooled_shape(synapses):
        if np.any(kernels != kernels[:1]):
            raise no_block(where, "a pooling kernel that differs between channels", "one kernel")
        kernels = kernels[:1]
        block = cuba.Pool(settings, *geometry)
    else:
        limit = f"{synapses.formula_shape()}, or what SLAYER's pooling gives"
        raise no_block(where, f"the output shape {output} of a convolution", limit)
    set_weights(block.synapse, kernels)
    return block


def _set_decays(neuron: Any, parameters: CubaParameters, shape: tuple[int, ...]) -> None:
    # Set as integers: SLAYER stores decays times 4096, and on the CPU takes one per neuron.
    for key in ("current_decay", "voltage_decay"):
        values = torch.tensor(getattr(parameters, key), dtype=torch.float32)
        uniform = bool(torch.all(values == values[0]))
        getattr(neuron, key).data = values[:1] if uniform else values.reshape(shape)


def _set_bias(neuron: Any, bias: np.ndarray, shape: tuple[int, ...], where: str) -> None:
    """Give the neuron a normalization that subtracts the negative bias from the current."""
    norm = MeanOnlyBatchNorm(shape[0], pre_hook_fx=_whole_weight_units)
    norm.running_mean = torch.from_numpy(
        -per_channel(bias, shape, where, "biases") / fixed.WEIGHT_SCALE
    ).float()
    norm.update = False
    neuron.norm = norm


def _whole_weight_units(mean: torch.Tensor, descale: bool = False) -> torch.Tensor:
    """Hook for biases, which may be odd and have more bits than SLAYER's hook leaves."""
    units = torch.round(mean * fixed.WEIGHT_SCALE)
    return units if descale else units / fixed.WEIGHT_SCALE


def _slayer_delay(steps: np.ndarray) -> Any:
    module: Any = Delay(max_delay=fixed.DELAY_MAX)
    module.delay.data = torch.from_numpy(steps.astype(np.float32))
    module.init = True  # SLAYER would draw them again otherwise.
    return module


def _delta_block(program: Program, position: int) -> torch.nn.Module:
    where = place(program, position)
    if program.encoder is None:
        raise no_block(where, "an encoder without a real-valued input", "an encoder of the Program")
    block: torch.nn.Module = input_block(program.layers[position], program.encoder, where)
    return block


def _sigma_delta_block(program: Program, position: int) -> torch.nn.Module:
    block: torch.nn.Module = layer_block(program.layers[position], place(program, position))
    return block


def _sigma_block(program: Program, position: int) -> torch.nn.Module:
    block: torch.nn.Module = output_block(program.layers[position], place(program, position))
    return block


BLOCKS: dict[str, Callable[[Program, int], Any]] = {
    CUBA: _cuba_block,
    DELTA: _delta_block,
    SIGMA: _sigma_block,
    SIGMA_DELTA: _sigma_delta_block,
    SPIKING_GRU: _gru_block,
    SPIKING_MGU: _gru_block,
}
"""Models that have a training block, with what makes one from the layer at a position."""
