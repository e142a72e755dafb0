"""From the blocks of a trained SLAYER model to a Program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.slayer import block_values, sigma_delta, spiking_gru
from kipuka.convert.formats.slayer.blocks import SUPPORTED, Block, find_blocks, unsupported
from kipuka.convert.formats.slayer.effective import apply_hooks
from kipuka.convert.formats.slayer.evaluation import evaluated
from kipuka.convert.formats.slayer.pool import pooled_shape
from kipuka.convert.formats.slayer.sample import check_sample
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.neurons.sigma_delta import SigmaParameters
from kipuka.convert.program import (
    PREVIOUS,
    RECURRENT,
    Encoder,
    Layer,
    Program,
    Projection,
    Readout,
    ReadoutKind,
    Target,
)
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, Shape3, Synapses
from kipuka.errors import KipukaError


def program_from_blocks(
    blocks: Any | Iterable[Any],
    readout: ReadoutKind = "spike_count",
    metadata: Mapping[str, str] | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> Program:
    """Quantize a SLAYER network.

    Parameters
    ----------
    blocks : torch.nn.Module or iterable of them
        Modules that hold blocks of ``slayer.block.cuba`` or Kipuka's ``SpikingGRU``,
        ``ConvSpikingGRU`` and ``AudioLayout``, registered in the order in which the forward pass
        calls them.
    readout : {"spike_count", "membrane"}
        What decides; after a ``cuba.Affine`` block always the membrane.
    metadata : mapping of str to str, optional
    input_shape : tuple of int, optional
        ``(units,)`` or ``(channels, height, width)``. If left out, what a ``cuba.Input`` block has
        seen, or the size of a first dense block.

    Returns
    -------
    Program
        Exactly the network that the blocks compute in evaluation mode and from rest, up to what
        SLAYER's neurons do not have: a current of 24 bits that wraps, a membrane of 24 bits that
        saturates. Weight and spectral normalization, pruning and parametrizations are in it. One
        sample is sent through blocks and Program and compared; the blocks are left as they were.

    Raises
    ------
    KipukaError
        If a block has no exact counterpart; the message names it by number and class. If the
        module has a forward pass of its own that takes another way than from block to block.
    """
    if isinstance(blocks, type | str | Mapping) or not (
        hasattr(blocks, "_modules") or isinstance(blocks, Iterable)
    ):
        raise unsupported("argument blocks", type(blocks).__name__, "a module, or a list of them")
    modules = [blocks] if hasattr(blocks, "_modules") else list(blocks)
    network = _Assembly(input_shape)
    with evaluated(modules):
        found = find_blocks(modules)
        for block in found:
            apply_hooks(block)
            network.append(block)
        if not network.layers:
            raise unsupported("network", "no blocks with neurons", "at least one block")
        program = Program(
            network.input_shape,
            tuple(network.layers),
            Readout(network.readout or readout, network.delays, network.population),
            metadata or {},
            network.encoder,
        )
        # Sigma-delta blocks of SLAYER's are taken as deployed, which is not what they compute.
        if not any(layer.neuron_model.sends.graded for layer in program.layers):
            check_sample(program, modules, found, network.layer_of)
    return program


class _Assembly:
    """A Program in the making, block by block.

    Attributes
    ----------
    shape : tuple of int
        Of the spikes that the next block receives; empty as long as it is not known.
    delays : int16 array
        Axonal delays of those spikes; empty for the input.
    layer_of : dict of int to int
        Position of the layer by the number of its block.
    """

    def __init__(self, input_shape: tuple[int, ...] | None) -> None:
        whole = input_shape is None or (
            isinstance(input_shape, Sequence) and all(isinstance(n, Integral) for n in input_shape)
        )
        self.input_shape = tuple(int(n) for n in input_shape or ()) if whole else ()
        if not whole or len(self.input_shape) not in (0, 1, 3):
            raise KipukaError(
                "the shape of the input is not one that blocks take",
                where="argument input_shape",
                limit="(units,) or (channels, height, width)",
                value=input_shape,
                remedy="leave batch and time out of the shape",
            )
        self.shape = self.input_shape
        self.delays = np.zeros(0, dtype=np.int16)
        self.layers: list[Layer] = []
        self.encoder: Encoder | None = None
        self.population = 1
        self.affine = False
        self.layer_of: dict[int, int] = {}
        self._last: Block | None = None

    @property
    def readout(self) -> ReadoutKind | None:
        """Readout that the last block leaves no choice about."""
        if self.affine:
            return "membrane"
        return "value" if self.layers[-1].neuron_model.sends.graded else None

    def append(self, block: Block) -> None:
        """Add what a block computes."""
        readers: dict[str, Callable[[Block], None]] = {
            "Input": self._input,
            "Flatten": self._flatten,
            "Average": self._average,
            "Affine": self._affine,
            "Dense": self._dense,
            "Output": self._output,
            "Recurrent": self._recurrent,
            "Conv": self._convolution,
            "Pool": self._pool,
            "SpikingGRU": self._spiking_gru,
            "ConvSpikingGRU": self._conv_spiking_gru,
            "AudioLayout": self._layout,
        }
        if block.kind not in readers:
            raise unsupported(block.where, block.kind, SUPPORTED)
        last = self._last
        if last and last.kind == "Average":
            raise unsupported(last.where, f"a block behind it: {block.where}", "an Average at last")
        readers[block.kind](block)
        if block.kind not in ("Flatten", "AudioLayout") and (block.kind != "Input" or self.encoder):
            self._last = block

    def _input(self, block: Block) -> None:
        if self.layers or self._last:
            raise unsupported(block.where, "a block before it", "an Input block at first")
        seen = tuple(int(n) for n in block.module.shape or ())
        self.input_shape = self.shape = self.input_shape or seen
        if block.module.neuron is None:
            return
        self._know_shape(block)
        self.encoder = block_values.encoder(block)
        self._add(block, sigma_delta.input_neurons(block, self.shape), self.shape, ())

    def _layout(self, block: Block) -> None:
        if self.layers or self._last:
            raise unsupported(block.where, "a block before it", "an AudioLayout block at first")
        shape = block.module.shape
        if self.shape:
            self._check_sources(block, int(np.prod(shape)), int(np.prod(self.shape)))
        self.input_shape = self.shape = shape

    def _flatten(self, block: Block) -> None:
        self.shape = (int(np.prod(self.shape)),) if self.shape else ()

    def _average(self, block: Block) -> None:
        n_classes = block.module.num_outputs
        neurons = int(np.prod(self.shape))
        if not self.layers or neurons % n_classes:
            raise unsupported(block.where, f"{n_classes} classes", f"a divisor of {neurons}")
        self.population = neurons // n_classes

    def _affine(self, block: Block) -> None:
        projection = self._arriving(block, "synapse", "a")
        shape = (projection.synapses.n_targets,)
        if block.module.dynamics:
            neuron = block_values.cuba_neurons(block, shape, fixed.NEVER_SPIKES)
        else:
            # Without dynamics the block gives its activation: a membrane without memory.
            values = (fixed.UNITY, fixed.UNITY, fixed.NEVER_SPIKES, 0)
            neuron = CubaParameters(*(np.full(shape, v, dtype=np.int64) for v in values))
        self._add(block, neuron, shape, (projection,))
        self.affine = True

    def _dense(self, block: Block) -> None:
        projection = self._arriving(block, "synapse", "a")
        shape = (projection.synapses.n_targets,)
        self._add(block, sigma_delta.neurons(block, shape), shape, (projection,))

    def _output(self, block: Block) -> None:
        projection = self._arriving(block, "synapse", "a")
        self._add(block, SigmaParameters(), (projection.synapses.n_targets,), (projection,))

    def _recurrent(self, block: Block) -> None:
        if block.module.bias is not None:
            found = "a bias of the block"
            raise unsupported(block.where, found, "bias = None", "use neuron_params['norm']")
        arriving = self._arriving(block, "input_synapse", "a")
        own = _flat(block_values.weights(block, "recurrent_synapse"))
        shape = (own.shape[0],)
        projections = (arriving, Projection(DenseSynapses(own), RECURRENT, "a", _no_delays(shape)))
        self._add(block, sigma_delta.neurons(block, shape), shape, projections)

    def _spiking_gru(self, block: Block) -> None:
        self._know_sources(block, block.module.input_synapse.in_channels)
        self._add_gru(block, spiking_gru.dense_parts(block))

    def _conv_spiking_gru(self, block: Block) -> None:
        sender = self._channels_height_width(block)
        self._check_sources(block, block.module.input_synapse.in_channels, sender[0])
        self._add_gru(block, spiking_gru.convolutional_parts(block, sender))

    def _add_gru(self, block: Block, parts: spiking_gru.GruParts) -> None:
        arriving = (self._projection(part, target) for target, part in parts.arriving.items())
        self._add(block, parts.neuron, parts.shape, (*arriving, *parts.own))

    def _arriving(self, block: Block, synapse: str, target: Target) -> Projection:
        """Projection from the layer before through a dense synapse."""
        weights = _flat(block_values.weights(block, synapse))
        self._know_sources(block, weights.shape[1])
        return self._projection(DenseSynapses(weights), target)

    def _know_sources(self, block: Block, n_sources: int) -> None:
        if not self.shape:
            self.input_shape = self.shape = (n_sources,)
        self._check_sources(block, n_sources, int(np.prod(self.shape)))

    def _convolution(self, block: Block) -> None:
        sender = self._channels_height_width(block)
        self._check_sources(block, block.module.synapse.in_channels, sender[0])
        weights = block_values.weights(block)[..., 0]
        synapses = block_values.fitted(
            block, block_values.convolution(block.module.synapse, weights, sender)
        )
        self._convolve(block, synapses)

    def _pool(self, block: Block) -> None:
        sender = self._channels_height_width(block)
        kernel = block_values.weights(block)[..., 0]
        kernels = np.repeat(kernel, sender[0], axis=0)
        synapses = block_values.convolution(block.module.synapse, kernels, sender, groups=sender[0])
        output = pooled_shape(synapses)
        if output is None:
            raise unsupported(
                block.where,
                f"kernel {synapses.kernel}, stride {synapses.stride}, padding {synapses.padding}, "
                f"dilation {synapses.dilation} on input {sender}, where SLAYER pools rows of "
                "neighbouring channels together",
                "windows that neither overlap nor straddle the end of a channel's height",
                "crop or pad the input to a multiple of the kernel",
            )
        self._convolve(block, block_values.fitted(block, synapses, output))

    def _convolve(self, block: Block, synapses: ConvSynapses) -> None:
        neuron = sigma_delta.neurons(block, synapses.output_shape)
        projection = self._projection(synapses, "a")
        self._add(block, neuron, synapses.output_shape, (projection,))

    def _projection(self, synapses: Synapses, target: Target) -> Projection:
        delays = self.delays if self.layers else _no_delays(self.shape)
        return Projection(synapses, PREVIOUS, target, delays)

    def _add(
        self,
        block: Block,
        neuron: Any,
        shape: tuple[int, ...],
        projections: tuple[Projection, ...],
    ) -> None:
        last = self._last
        if last and last.kind == "Affine":
            raise unsupported(last.where, f"a block behind it: {block.where}", "an Affine at last")
        # A message of sigma-delta neurons takes a step, whether SLAYER's blocks say so or not.
        stepless = last and not last.module.delay_shift and not sigma_delta.is_sigma_delta(last)
        if last and stepless:
            found = "delay_shift = False before another block"
            raise unsupported(last.where, found, "delay_shift = True, a step to the next layer")
        self.layer_of[block.number] = len(self.layers)
        self.layers.append(Layer(neuron, shape, projections))
        self.shape = shape
        self.delays = block_values.delays(block.module.delay, shape, block.where)

    def _know_shape(self, block: Block) -> None:
        if not self.shape:
            raise KipukaError(
                "the shape of the input is not known",
                where=block.where,
                limit="channels, height and width before a convolution or an input with neurons",
                value="no input_shape, and no Input block that has seen data",
                remedy="pass input_shape, or begin with cuba.Input and run the network once",
            )

    def _channels_height_width(self, block: Block) -> Shape3:
        self._know_shape(block)
        if len(self.shape) != 3:
            found, limit = f"a shape of {self.shape}", "channels, height, width"
            raise unsupported(block.where, found, limit, "remove the Flatten or Dense before it")
        return self.shape[0], self.shape[1], self.shape[2]

    def _check_sources(self, block: Block, expected: int, found: int) -> None:
        if expected != found:
            raise KipukaError(
                "the block does not fit the one before",
                where=block.where,
                limit=f"{expected} inputs or channels",
                value=f"{found}, shape {self.shape}",
                remedy="register the blocks in the order in which forward calls them",
            )


def _flat(weights: np.ndarray) -> np.ndarray:
    """Weights of a dense synapse as (targets, sources)."""
    return weights.reshape(weights.shape[0], -1)


def _no_delays(shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(int(np.prod(shape)), dtype=np.int16)
