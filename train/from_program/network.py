"""The training network as a backend: blocks from a Program, and their trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.formats.slayer import block_values
from kipuka.convert.formats.slayer.blocks import Block, find_blocks
from kipuka.convert.neurons import handler
from kipuka.convert.operands import as_activations, as_numbers, as_spikes
from kipuka.convert.program import PREVIOUS, Program, expect_program, needs_flatten
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.errors import KipukaError
from kipuka.train.audio_layout import AudioLayout
from kipuka.train.from_program.layers import BLOCKS, arriving_delays, block_of, place
from kipuka.train.from_program.sigma_delta import trace_block
from kipuka.train.from_program.values import no_block
from kipuka.train.gru.block import GruBlock
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.sigma_delta.blocks import SIGMA_DELTA_BLOCKS
from kipuka.train.slayer import cuba, sigma_delta, step_delay

FLAT = (cuba.Dense, cuba.Recurrent, cuba.Affine, SpikingGRU)
"""Blocks that take units in a row."""


def blocks_from_program(program: Program) -> torch.nn.ModuleList:
    """Build SLAYER and Kipuka blocks that compute what the Program says.

    The blocks are for evaluation: biases stand in normalizations that no longer learn.

    Parameters
    ----------
    program : Program

    Returns
    -------
    torch.nn.ModuleList
        Called one after the other on tensors (samples, *input shape, steps).

    Raises
    ------
    KipukaError
        If a layer has no counterpart among the training blocks.
    """
    expect_program(program)
    for position, layer in enumerate(program.layers):
        handler(BLOCKS, layer.model, "torch", place(program, position))
    if program.reset:
        raise no_block("network, backend torch", "a reset within samples", "no reset")
    blocks: list[torch.nn.Module] = []
    if len(program.input_shape) > 1 and not program.encoder:
        shape = cuba.Input(delay_shift=False)
        shape.input_shape = torch.Size(program.input_shape)
        blocks.append(shape)
    for position, layer in enumerate(program.layers):
        where = place(program, position)
        if layer.sources not in ((PREVIOUS,), ()):
            raise no_block(where, "a skip connection", "spikes from the layer before")
        if position == 0 and layer.sources and np.any(arriving_delays(layer, where)):
            raise no_block(where, "delays on the network's input", "no input delays")
        if needs_flatten(program, position):
            blocks.append(cuba.Flatten())
        blocks.append(block_of(program, position))
    if program.readout.population > 1:
        blocks.append(cuba.Average(program.n_classes))
    return torch.nn.ModuleList(blocks)


def trace_blocks(
    blocks: Any | Iterable[Any], inputs: np.ndarray, input_shape: tuple[int, ...] | None = None
) -> Trace:
    """Run SLAYER and Kipuka blocks from zero state and record every spike and state.

    Parameters
    ----------
    blocks : torch.nn.Module or iterable of them
        Modules that `program_from_blocks` takes; the blocks are run in evaluation mode and left as
        they were. A ``cuba.Input`` block without neurons only gives the shape of the input.
    inputs : array (samples, units, steps) or (samples, channels, height, width, steps)
        Spikes as bool; for a ``cuba.Input`` block with neurons activations as int32, as
        `Encoder.activation` gives them. Either form goes with any network, as everywhere.
    input_shape : tuple of int, optional
        As for `program_from_blocks`: channels, height and width of units in a row.

    Returns
    -------
    Trace
    """
    found = find_blocks(blocks)
    modules = [one.module for one in found]
    x = torch.from_numpy(_checked(found, inputs).astype(np.float32))
    if input_shape is not None:
        x = x.reshape(len(x), *input_shape, x.shape[-1])
    if isinstance(modules[0], FLAT):
        x = x.flatten(1, -2)
    units = _input_units(found[0])
    layers = []
    with torch.no_grad():
        for module in modules:
            trace, x = _run(module, x, units)
            layers += [] if trace is None else [trace]
    return Trace(tuple(layers))


def _run(block: Any, x: torch.Tensor, units: int) -> tuple[LayerTrace | None, torch.Tensor]:
    """Trace of a block, None of one without neurons, and what it gives to the next one.

    Parameters
    ----------
    block : torch.nn.Module
    x : tensor (samples, ..., steps)
        What arrives; of an input block with neurons in `units`.
    units : int
        See `_input_units`.
    """
    if isinstance(block, cuba.Input):
        x = x.reshape(len(x), *(block.shape or x.shape[1:-1]), x.shape[-1])
    if isinstance(block, GruBlock):
        with _evaluated(block):
            return _trace_gru(block, x), _spikes_of(block(x))
    if isinstance(block, SIGMA_DELTA_BLOCKS):
        with _evaluated(block):
            return trace_block(block, x)
    if getattr(block, "neuron", None) is not None:
        with _at_rest(block):
            return _trace_cuba(block, x, units)
    if isinstance(block, AudioLayout):
        x = block(x.flatten(1, -2))
    elif isinstance(block, cuba.Flatten | sigma_delta.Flatten):
        x = x.reshape(len(x), -1, x.shape[-1])
    return None, x


def _checked(blocks: Sequence[Block], inputs: Any) -> np.ndarray:
    """Return spikes, or activations for input neurons, of samples with time last."""
    numbers = as_numbers(inputs, "input")
    if numbers.ndim < 3 or 0 in numbers.shape:
        raise KipukaError(
            "the input does not fit the blocks",
            where="input",
            limit="samples x units x steps, none of them 0",
            value=f"shape {numbers.shape}",
            remedy="put the samples first and time last",
        )
    first = blocks[0] if blocks else None
    encoded = first and first.kind == "Input" and first.module.neuron is not None
    return (as_activations if encoded else as_spikes)(numbers, "input")


class _Call(NamedTuple):
    """Input and output of one call of a module."""

    taken: torch.Tensor
    given: Any


def _trace_gru(block: Any, x: torch.Tensor) -> LayerTrace:
    spikes, states = block.dynamics(x)
    named = {name: getattr(states, name).movedim(0, -1) for name in ("i", "v")}
    return LayerTrace(
        spikes.flatten(1, -2).numpy() > 0,
        {name: _int32(values.flatten(1, -2)) for name, values in named.items()},
    )


def _input_units(block: Block) -> int:
    """Units in a nominal unit that the activations of a network's first block are counted in."""
    if block.kind != "Input" or block.module.neuron is None:
        return fixed.WEIGHT_SCALE
    encoder = getattr(block.module, "encoder", None) or block_values.encoder(block)
    return fixed.STATE_SCALE if encoder.fine else fixed.WEIGHT_SCALE


def _trace_cuba(block: Any, x: torch.Tensor, units: int) -> tuple[LayerTrace, torch.Tensor]:
    """Trace of a block and what it gives to the next one; an input is in `units`."""
    if isinstance(block, cuba.Affine):
        with _calls(block.synapse) as calls:
            x = _spikes_of(block(x))
        activation = calls[0].given
        spikes = torch.zeros_like(activation)
        u, v = _states(block.neuron, activation) if block.dynamics else (activation, activation)
        return _layer_trace(spikes, u, v), x
    with _calls(block.neuron) as calls:
        if isinstance(block, cuba.Input):
            x = block.neuron(x / units)
            x = step_delay(block, x) if block.delay_shift else x
        else:
            x = _spikes_of(block(x))
    # A recurrent block calls its neurons once for every step.
    activation, spikes = (torch.cat(part, dim=-1) for part in zip(*calls, strict=True))
    with _at_rest(block):
        u, v = _states(block.neuron, activation)
    # SLAYER reports the membrane before its reset.
    return _layer_trace(spikes, u, v * (1 - spikes)), x


def _states(neuron: Any, activation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Current and membrane; the current as it is before a normalization adds the bias."""
    if neuron.norm is None:
        u, v = neuron.dynamics(activation)
        return u, v
    with _calls(neuron.norm) as calls:
        _, v = neuron.dynamics(activation)
    return calls[0].taken, v


@contextmanager
def _calls(module: torch.nn.Module) -> Iterator[list[_Call]]:
    """Record each call of a module."""
    calls: list[_Call] = []
    hook = module.register_forward_hook(
        lambda _, taken, given: calls.append(_Call(taken[0], given))
    )
    try:
        yield calls
    finally:
        hook.remove()


@contextmanager
def _evaluated(block: torch.nn.Module) -> Iterator[None]:
    """Evaluation with integer delays; the mode is put back afterwards."""
    training = block.training
    block.eval()
    try:
        yield
    finally:
        block.train(training)


@contextmanager
def _at_rest(block: Any) -> Iterator[None]:
    """Evaluation from zero state, which leaves mode and state of the block as they were."""
    neuron = block.neuron
    before = (block.training, neuron.current_state, neuron.voltage_state)
    buffer = getattr(block, "delay_buffer", None)
    neuron.current_state, neuron.voltage_state = torch.zeros(1), torch.zeros(1)
    block.delay_buffer = None
    block.eval()
    try:
        yield
    finally:
        training, neuron.current_state, neuron.voltage_state = before
        block.delay_buffer = buffer
        block.train(training)


def _spikes_of(output: Any) -> torch.Tensor:
    """Output of a block, which with ``count_log`` comes with a spike rate."""
    spikes: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return spikes


def _layer_trace(spikes: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> LayerTrace:
    def flat(x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), -1, x.shape[-1])

    states = {"u": u, "v": v}
    return LayerTrace(
        flat(spikes).numpy() > 0,
        {name: _int32(flat(x) * fixed.STATE_SCALE) for name, x in states.items()},
    )


def _int32(x: torch.Tensor) -> np.ndarray:
    return np.rint(x.numpy()).astype(np.int32)
