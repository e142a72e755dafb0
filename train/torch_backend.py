"""The training network as a backend: blocks from a Program, and their trace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.neurons import CubaParameters, SpikingGruParameters
from kipuka.convert.program import Layer, Program
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.errors import KipukaError
from kipuka.train.delays import AxonalDelay
from kipuka.train.slayer import cuba
from kipuka.train.spiking_gru import SpikingGRU

EXACT_THRESHOLD = 64 * fixed.WEIGHT_SCALE
"""From here on SLAYER's CUBA neuron fires at the threshold instead of above it.

It adds 0.01 state units to turn ``>=`` into ``>``, which float32 rounds away at 64 nominal units.
"""


def trace_blocks(blocks: Iterable[torch.nn.Module], inputs: np.ndarray) -> Trace:
    """Run SLAYER and Kipuka blocks and record every spike and state of their forward pass.

    Parameters
    ----------
    blocks : iterable of modules
        ``cuba.Dense`` and ``SpikingGRU``, in order.
    inputs : bool array (samples, units, steps)

    Returns
    -------
    Trace
    """
    x = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32))
    layers = []
    with torch.no_grad():
        for block in blocks:
            gru = isinstance(block, SpikingGRU)
            layers.append(_trace_gru(block, x) if gru else _trace_cuba(block, x))
            x = block(x)
    return Trace(tuple(layers))


def _trace_gru(block: Any, x: torch.Tensor) -> LayerTrace:
    spikes, states = block.dynamics(x)
    named = {name: getattr(states, name).permute(1, 2, 0) for name in ("i", "v")}
    return LayerTrace(_bool(spikes), {name: _int32(x) for name, x in named.items()})


def _trace_cuba(block: Any, x: torch.Tensor) -> LayerTrace:
    u, v = block.neuron.dynamics(block.synapse(x))
    spikes = block.neuron.spike(v)
    # SLAYER reports the membrane before its reset.
    states = {"u": u, "v": v * (1 - spikes)}
    return LayerTrace(
        _bool(spikes), {name: _int32(x * fixed.STATE_SCALE) for name, x in states.items()}
    )


def blocks_from_program(program: Program) -> torch.nn.ModuleList:
    """Build SLAYER and Kipuka blocks that compute what the Program says.

    Raises
    ------
    KipukaError
        If a layer has no counterpart among the training blocks.
    """
    blocks: list[torch.nn.Module] = []
    following = [p.from_source("previous")[0].delays for p in program.layers[1:]]
    outgoing = [*following, program.readout.delays]
    first_delays = program.layers[0].from_source("previous")[0].delays
    if np.any(first_delays):
        raise _no_block(1, "delays on the network's input", "no input delays")
    for number, (layer, delays) in enumerate(zip(program.layers, outgoing, strict=True), start=1):
        if delays.ndim > 1:
            raise _no_block(number + 1, "a delay per synapse", "delays per source neuron")
        if isinstance(layer.neuron, SpikingGruParameters):
            block: Any = _gru_block(layer, layer.neuron, number)
        else:
            block = _cuba_block(layer, layer.neuron, number)
        if np.any(delays):
            block.delay = _fixed_delay(delays)
        blocks.append(block)
    return torch.nn.ModuleList(blocks)


def _gru_block(layer: Layer, neuron: SpikingGruParameters, number: int) -> SpikingGRU:
    threshold = _one_value(neuron.threshold, number, "thresholds")
    block = SpikingGRU(
        {"threshold": threshold / fixed.WEIGHT_SCALE},
        layer.from_source("previous")[0].synapses.n_sources,
        layer.n_neurons,
    )
    own = layer.from_source("self")
    delays = [p.delays for p in own]
    for projections in (layer.from_source("previous"), own):
        if len(projections) != 3 or any(p.weight_exponent for p in projections):
            raise _no_block(number, "missing or scaled projections", "3 plain")
    if any(d.ndim > 1 or not np.array_equal(d, delays[0]) for d in delays):
        raise _no_block(number, "different recurrent delays per gate", "one delay per neuron")
    _set_weights(block.input_synapse, [p.synapses.weights for p in layer.from_source("previous")])
    _set_weights(block.recurrent_synapse, [p.synapses.weights for p in own])
    bias = np.concatenate([getattr(neuron, f"bias_{t}") for t in layer.targets])
    block.bias.data = torch.from_numpy(bias / fixed.WEIGHT_SCALE).float()
    if np.any(delays[0]):
        block.delay_rec = _fixed_delay(delays[0])
    return block


def _cuba_block(layer: Layer, neuron: CubaParameters, number: int) -> torch.nn.Module:
    if layer.from_source("self") or np.any(neuron.bias):
        raise _no_block(number, "a CUBA layer with recurrence or bias", "cuba.Dense")
    threshold = _one_value(neuron.threshold, number, "thresholds")
    if threshold >= EXACT_THRESHOLD:
        raise _no_block(number, f"vThMant {threshold}", f"vThMant below {EXACT_THRESHOLD}")
    projection = layer.projections[0]
    if projection.weight_exponent:
        raise _no_block(number, "a weight exponent", "weight exponent 0")
    block = cuba.Dense(
        {
            "threshold": threshold / fixed.WEIGHT_SCALE,
            "current_decay": 0.0,
            "voltage_decay": 0.0,
        },
        projection.synapses.n_sources,
        layer.n_neurons,
    )
    # Set as integers: SLAYER stores decays times 4096 and accepts one per neuron.
    block.neuron.current_decay.data = torch.tensor(neuron.current_decay, dtype=torch.float32)
    block.neuron.voltage_decay.data = torch.tensor(neuron.voltage_decay, dtype=torch.float32)
    _set_weights(block.synapse, [projection.synapses.weights])
    return block


def _set_weights(synapse: torch.nn.Module, parts: list[np.ndarray]) -> None:
    weights = torch.from_numpy(np.concatenate(parts) / fixed.WEIGHT_SCALE).float()
    synapse.weight.data = weights.reshape(synapse.weight.shape)


def _fixed_delay(delays: np.ndarray) -> AxonalDelay:
    module = AxonalDelay(delays.size)
    module.delay.data = torch.from_numpy(delays.astype(np.float32))
    return module


def _one_value(values: np.ndarray, number: int, name: str) -> int:
    if np.any(values != values[0]):
        raise _no_block(number, f"{name} that differ between neurons", "one value per layer")
    return int(values[0])


def _no_block(number: int, value: str, limit: str) -> KipukaError:
    return KipukaError(
        "the layer has no counterpart among the training blocks",
        where=f"layer {number}, backend torch",
        limit=limit,
        value=value,
        remedy="verify the network with the backends reference and lava",
    )


def _bool(x: torch.Tensor) -> np.ndarray:
    return x.numpy() > 0


def _int32(x: torch.Tensor) -> np.ndarray:
    return np.rint(x.numpy()).astype(np.int32)
