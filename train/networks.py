"""Networks with a name: lists of SLAYER and Kipuka blocks for a number of inputs and classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from kipuka.convert import fixed
from kipuka.convert.operands import whole_number
from kipuka.convert.synapses import Shape3
from kipuka.errors import KipukaError, choose
from kipuka.names import NETWORK_NAMES
from kipuka.train.audio_layout import AudioLayout, audio_shape
from kipuka.train.delays.axonal import AxonalDelay
from kipuka.train.gru.block import MAX_SIZE, UpdateGateInput, check_update_gate_input
from kipuka.train.gru.convolutional import ConvSpikingGRU
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.gru.gates import GateNames
from kipuka.train.sigma_delta import blocks as changes
from kipuka.train.slayer import cuba

SURROGATE = {"tau_grad": 0.01, "scale_grad": 10.0}
GRU_NEURON = {"threshold": 1.0, **SURROGATE}
LEAKY_NEURON = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1, **SURROGATE}
READOUT_NEURON = {
    "threshold": 1.0,
    **SURROGATE,
    # Integrate and fire: unchanged by idle steps, so that it stays exact in the Loihi 2 lowering.
    "current_decay": 1.0,
    "voltage_decay": 0.0,
}
CHANGE_NEURON = {"threshold": 0.125, "activation": torch.nn.functional.relu}
DELAY_INIT_STEPS, DELAY_REACH_STEPS = (0.0, 8.0), 2

NEURONS_PER_CHANNEL = 4
"""A convolutional GRU has this many times fewer channels than a dense layer has neurons."""

FEATURES_PER_CHANNEL = 16
"""The same for a convolution that only extracts features."""

PIXELS_MAX = 100
"""Height x width, as in CS-GRU on SHD, from which on a first convolution takes larger strides."""

KERNEL, LONG_KERNEL = 3, 7
"""Kernel sizes on images, and along a frequency axis alone."""


class Sizes(NamedTuple):
    """What a network is built for.

    Attributes
    ----------
    n_inputs, n_classes : int
    hidden : int
        Neurons of each dense hidden layer.
    shape : tuple of int
        Channels, height and width in which convolutions see the inputs.
    update_gate_input : {"spikes", "current"}
        Of spiking GRU layers; see `kipuka.train.SpikingGRU`.
    recurrent_min_steps : int
        Least recurrent delay of spiking GRU layers that have one.
    """

    n_inputs: int
    n_classes: int
    hidden: int
    shape: Shape3
    update_gate_input: UpdateGateInput = "spikes"
    recurrent_min_steps: int = 0

    @property
    def channels(self) -> int:
        """Channels of each convolutional GRU layer."""
        return max(1, self.hidden // NEURONS_PER_CHANNEL)


Blocks = list[torch.nn.Module]


def sgru(sizes: Sizes) -> Blocks:
    """One spiking GRU layer without delays, and an integrate-and-fire readout."""
    return [_gru(sizes.n_inputs, sizes, delays=False), _readout(sizes.hidden, sizes)]


def sgru_delay(sizes: Sizes) -> Blocks:
    """One spiking GRU layer with delays on recurrence and output, and the same readout."""
    return [_gru(sizes.n_inputs, sizes, delays=True), _readout(sizes.hidden, sizes)]


def sgru_delay_2l(sizes: Sizes) -> Blocks:
    """Two spiking GRU layers with delays on recurrence and output."""
    first = _gru(sizes.n_inputs, sizes, delays=True)
    return [
        first,
        _gru(sizes.hidden, sizes, delays=True),
        _readout(sizes.hidden, sizes),
    ]


def smgu_delay(sizes: Sizes) -> Blocks:
    """As `sgru_delay`, with one gate in the place of both: a minimal gated unit."""
    gated = _gru(sizes.n_inputs, sizes, delays=True, gates="shared")
    return [gated, _readout(sizes.hidden, sizes)]


def slgru_delay(sizes: Sizes) -> Blocks:
    """As `sgru_delay`, with a constant reset gate: a light GRU."""
    gated = _gru(sizes.n_inputs, sizes, delays=True, gates="update")
    return [gated, _readout(sizes.hidden, sizes)]


def csgru(sizes: Sizes) -> Blocks:
    """One convolutional spiking GRU layer without delays (CS-GRU)."""
    return _convolutional(sizes, n_layers=1, delays=False)


def csgru_delay(sizes: Sizes) -> Blocks:
    """One convolutional spiking GRU layer with delays inside its recurrence and on its output."""
    return _convolutional(sizes, n_layers=1, delays=True)


def csgru_delay_2l(sizes: Sizes) -> Blocks:
    """Two of them."""
    return _convolutional(sizes, n_layers=2, delays=True)


def decoupled(sizes: Sizes) -> Blocks:
    """Convolution, recurrence and delay in layers of their own.

    A convolution without memory of its spikes, a dense spiking GRU without delays, and a
    feed-forward layer with axonal delays.
    """
    shape = sizes.shape
    features = max(1, sizes.hidden // FEATURES_PER_CHANNEL)
    geometry = _geometry(shape)
    convolution = cuba.Conv(
        dict(LEAKY_NEURON), shape[0], features, **geometry._asdict(), weight_scale=2
    )
    n_features = features * geometry.output_pixels(shape)
    return [
        AudioLayout(shape),
        convolution,
        cuba.Flatten(),
        _gru(n_features, sizes, delays=False),
        _delayed(cuba.Dense(dict(LEAKY_NEURON), sizes.hidden, sizes.hidden, weight_scale=2)),
        _readout(sizes.hidden, sizes),
    ]


def cuba_ff_delay(sizes: Sizes) -> Blocks:
    """Two of SLAYER's dense layers with axonal delays."""
    return [
        _delayed(cuba.Dense(dict(LEAKY_NEURON), n, sizes.hidden, weight_scale=2))
        for n in (sizes.n_inputs, sizes.hidden)
    ] + [_readout(sizes.hidden, sizes)]


def cuba_recurrent(sizes: Sizes) -> Blocks:
    """One of SLAYER's recurrent layers."""
    return [_recurrent(sizes), _readout(sizes.hidden, sizes)]


def cuba_recurrent_delay(sizes: Sizes) -> Blocks:
    """One of SLAYER's recurrent layers with axonal delays on its output, behind the recurrence."""
    return [_delayed(_recurrent(sizes)), _readout(sizes.hidden, sizes)]


def sdnn(sizes: Sizes) -> Blocks:
    """Sigma-delta: encoder, two dense layers with learned thresholds and biases, and decoder."""
    return [_encoder(sizes), *_changing(sizes), _decoder(sizes)]


def sdnn_delay(sizes: Sizes) -> Blocks:
    """Deliver the same changes with axonal delays on encoder and dense layers."""
    return [*map(_delayed_changes, (_encoder(sizes), *_changing(sizes))), _decoder(sizes)]


NETWORKS: dict[str, Callable[[Sizes], Blocks]] = {
    name: globals()[name.replace("-", "_")] for name in NETWORK_NAMES
}


def build_network(
    name: str,
    n_inputs: int,
    n_classes: int,
    hidden: int,
    *,
    layout: str = "csgru",
    update_gate_input: UpdateGateInput = "spikes",
    shape: tuple[int, ...] = (),
    recurrent_min_steps: int = 0,
) -> torch.nn.ModuleList:
    """Build a network by its name, with freshly drawn parameters.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.
    n_inputs, n_classes : int
    hidden : int
        Neurons of each dense hidden layer; a convolutional GRU gets a quarter as many channels.
    layout : {"csgru", "frequency"}
        How convolutional networks see the inputs; see `kipuka.train.audio_layout.audio_shape`.
    update_gate_input : {"spikes", "current"}
        What the update gates of spiking GRU layers see; ``current`` is CS-GRU as published.
    shape : tuple of int
        Channels, height and width of images, which convolutional networks then see as they are;
        empty for units without places, which `layout` lays out.
    recurrent_min_steps : int
        Least recurrent delay in steps, where spiking GRU layers have delays in their recurrence.

    Raises
    ------
    KipukaError
        If there is no network, layout or input of update gates of that name.
    """
    build = choose(NETWORKS, name, what="network", where="setting or option network")
    # Also of networks that have no use for them, so that no misspelling goes unnoticed.
    n_inputs, n_classes, hidden = (
        whole_number(value, 1, MAX_SIZE, f"network {name}, {what}")
        for value, what in ((n_inputs, "n_inputs"), (n_classes, "n_classes"), (hidden, "hidden"))
    )
    where = f"network {name}, recurrent_min_steps"
    recurrent_min_steps = whole_number(recurrent_min_steps, 0, fixed.DELAY_MAX, where)
    laid_out = audio_shape(n_inputs, layout)
    check_update_gate_input(update_gate_input, f"network {name}")
    image = _image(shape) or laid_out
    sizes = Sizes(n_inputs, n_classes, hidden, image, update_gate_input, recurrent_min_steps)
    return torch.nn.ModuleList(build(sizes))


def _image(shape: tuple[int, ...]) -> Shape3 | None:
    """Channels, height and width; None of units without places."""
    if not isinstance(shape, tuple | list):
        raise KipukaError(
            "the shape of the input is none",
            where="argument shape",
            limit="(channels, height, width), or () for units without places",
            value=repr(shape),
            remedy="leave batch and time out of the shape",
        )
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else None


class _Geometry(NamedTuple):
    """Geometry of a convolution, along height and width."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def output_pixels(self, shape: tuple[int, int, int]) -> int:
        """Height x width behind it."""
        pixels = 1
        for n, kernel, stride, padding in zip(shape[1:], *self, strict=True):
            pixels *= (n + 2 * padding - kernel) // stride + 1
        return pixels


def _geometry(shape: tuple[int, int, int], stride: bool = True) -> _Geometry:
    """Odd kernels along the axes that are there; strides where an axis is long."""
    sizes = shape[1:]
    kernel = LONG_KERNEL if min(sizes) == 1 and stride else KERNEL
    kernels = tuple(1 if n == 1 else kernel for n in sizes)
    step = 1
    while stride and math.prod(-(-n // step) for n in sizes) > PIXELS_MAX:
        step += 1
    return _Geometry((kernels[0], kernels[1]), (step, step), (kernels[0] // 2, kernels[1] // 2))


def _convolutional(sizes: Sizes, n_layers: int, delays: bool) -> Blocks:
    shape = sizes.shape
    first = _geometry(shape)
    # Further layers, and all recurrences, keep height and width.
    same = _geometry(shape, stride=False)
    blocks: Blocks = [AudioLayout(shape)]
    for number in range(n_layers):
        blocks.append(
            ConvSpikingGRU(
                GRU_NEURON,
                sizes.channels if number else shape[0],
                sizes.channels,
                **(same if number else first)._asdict(),
                kernel_size_rec=same.kernel_size,
                weight_scale=2,
                delay=delays,
                delay_rec=delays,
                delay_init_steps=DELAY_INIT_STEPS,
                delay_reach_steps=DELAY_REACH_STEPS,
                update_gate_input=sizes.update_gate_input,
                delay_rec_min_steps=sizes.recurrent_min_steps if delays else 0,
            )
        )
    n_neurons = sizes.channels * first.output_pixels(shape)
    return [*blocks, cuba.Flatten(), _readout(n_neurons, sizes)]


def _gru(n_inputs: int, sizes: Sizes, delays: bool, gates: GateNames = "both") -> SpikingGRU:
    return SpikingGRU(
        GRU_NEURON,
        n_inputs,
        sizes.hidden,
        weight_scale=2,
        delay=delays,
        delay_rec=delays,
        delay_init_steps=DELAY_INIT_STEPS,
        delay_reach_steps=DELAY_REACH_STEPS,
        update_gate_input=sizes.update_gate_input,
        delay_rec_min_steps=sizes.recurrent_min_steps if delays else 0,
        gates=gates,
    )


def _recurrent(sizes: Sizes) -> Any:
    block = cuba.Recurrent(dict(LEAKY_NEURON), sizes.n_inputs, sizes.hidden, weight_scale=2)
    block.register_forward_pre_hook(_from_rest)
    return block


def _from_rest(block: Any, _: Any) -> None:
    """Forget the last call: SLAYER's recurrent block would go on from where it ended."""
    for name in ("current_state", "voltage_state"):
        setattr(block.neuron, name, getattr(block.neuron, name).new_zeros(1))


def _delayed(block: Any) -> Any:
    """Give a SLAYER block of flat neurons Kipuka's learnable delays on its output."""
    synapse = getattr(block, "synapse", None) or block.recurrent_synapse
    return _with_delays(block, synapse.out_channels)


def _with_delays(block: Any, neurons: int) -> Any:
    block.delay = AxonalDelay(neurons, DELAY_INIT_STEPS, reach_steps=DELAY_REACH_STEPS)
    return block


def _encoder(sizes: Sizes) -> Any:
    """Encoder of spikes as values: 1 in a step with a spike, 0 in one without."""
    block = changes.Input({**CHANGE_NEURON, "threshold": 1 / fixed.WEIGHT_SCALE})
    block.input_shape = block.neuron.shape = torch.Size((sizes.n_inputs,))
    return block


def _changing(sizes: Sizes) -> list[Any]:
    """Two layers of neurons that send changes, from thresholds and biases that learn."""
    neuron = {**CHANGE_NEURON, "requires_grad": True}
    blocks = [
        changes.Dense(neuron, n, sizes.hidden, weight_scale=2)
        for n in (sizes.n_inputs, sizes.hidden)
    ]
    for block in blocks:
        block.neuron.set_bias(torch.zeros(sizes.hidden))
    return blocks


def _delayed_changes(block: Any) -> Any:
    seen = isinstance(block, changes.Input)
    return _with_delays(block, block.shape[0] if seen else block.synapse.out_channels)


def _decoder(sizes: Sizes) -> Any:
    return changes.Output(dict(CHANGE_NEURON), sizes.hidden, sizes.n_classes, weight_scale=2)


def _readout(hidden: int, sizes: Sizes) -> Any:
    # The last block's spikes are counted where they are emitted, without a step to anywhere.
    return cuba.Dense(dict(READOUT_NEURON), hidden, sizes.n_classes, delay_shift=False)
