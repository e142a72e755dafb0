"""The convolutional spiking GRU block (CS-GRU), a sibling of SLAYER's ``cuba.Conv``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from kipuka.convert.operands import whole_number
from kipuka.errors import KipukaError
from kipuka.train.gru.block import MAX_SIZE, GruBlock, UpdateGateInput
from kipuka.train.gru.gates import GateNames
from kipuka.train.gru.mixing import SameConvolution
from kipuka.train.products.convolution import Geometry, spike_convolution
from kipuka.train.slayer import ConvSynapse

Size = int | tuple[int, int]


class ConvSpikingGRU(GruBlock):
    """Spiking GRU whose input and recurrent weights are 2-D convolutions, one delay per channel.

    The cell of CS-GRU (Abdennadher, Cicciarella and Rossi, arXiv:2510.25696) in fixed point.
    Tensors are [batch, channels, height, width, time]. The recurrence has stride 1 and keeps height
    and width; see `kipuka.train.SpikingGRU` for the cell.

    Parameters
    ----------
    neuron_params : dict
        ``threshold``, ``tau_grad``, ``scale_grad`` and ``dropout``, with or without the keys that
        the CUBA blocks of the network need besides; see `kipuka.train.gru.neuron.neuron_from`.
    in_features, out_features : int
        Channels of the input and of the layer.
    kernel_size, stride, padding, dilation : int or tuple of int
        Of the input convolution, height and width.
    groups : int
        Groups of input channels, each seen by as many of the output channels.
    weight_scale : float
        Factor on the initial weights.
    weight_norm : bool
        Weight normalization on all synapses, as SLAYER offers it.
    pre_hook_fx : callable, optional
        Quantization of weights and biases; SLAYER's 8-bit hook if not given.
    delay, delay_rec : bool
        Learnable delays, one per channel, on the output and on the recurrence.
    delay_shift : bool
        One step of propagation to the next layer, as in SLAYER.
    delay_init_steps : tuple of float
        Range of the initial delays in steps.
    delay_reach_steps : int
        Reach of the delay gradient in steps; see `finite_difference_taps` of
        `kipuka.train.delays.axonal`.
    count_log : bool
        Return the mean spike rate as well.
    update_gate_input : {"spikes", "current"}
        As in the dense block; the weights of the current have the recurrence's kernel size.
    kernel_size_rec, dilation_rec : int or tuple of int
        Of the recurrent convolutions. Height and width are kept by padding on both sides, which
        takes an odd kernel, or a dilation of 2.
    delay_rec_min_steps : int
        As in the dense block.
    gates : {"both", "shared", "update"}
        As in the dense block.

    Raises
    ------
    KipukaError
        If no padding lets the recurrence keep height and width, or groups do not divide channels.
    """

    def __init__(
        self,
        neuron_params: dict[str, Any],
        in_features: int,
        out_features: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        weight_scale: float = 1,
        weight_norm: bool = False,
        pre_hook_fx: Callable[..., torch.Tensor] | None = None,
        delay: bool = False,
        delay_rec: bool = False,
        delay_shift: bool = True,
        delay_init_steps: tuple[float, float] = (0.0, 1.0),
        delay_reach_steps: int = 1,
        count_log: bool = False,
        update_gate_input: UpdateGateInput = "spikes",
        kernel_size_rec: Size = 3,
        dilation_rec: Size = 1,
        delay_rec_min_steps: int = 0,
        gates: GateNames = "both",
    ) -> None:
        in_features = whole_number(in_features, 1, MAX_SIZE, "ConvSpikingGRU, in_features")
        out_features = whole_number(out_features, 1, MAX_SIZE, "ConvSpikingGRU, out_features")
        groups = whole_number(groups, 1, MAX_SIZE, "ConvSpikingGRU, groups")
        super().__init__(
            neuron_params, out_features, delay_shift, update_gate_input, count_log, gates
        )
        if groups < 1 or in_features % groups or out_features % groups:
            raise KipukaError(
                "the groups do not divide the channels",
                where="ConvSpikingGRU, key groups",
                limit=f"a divisor of {in_features} and {out_features}",
                value=groups,
                remedy="choose channels that are multiples of the groups",
            )
        self.groups = groups
        kernel, spread = _pair(kernel_size_rec), _pair(dilation_rec)
        same = SameConvolution(_same_padding(kernel, spread), spread)
        self.mixing = same
        settings = {
            "weight_scale": weight_scale,
            "weight_norm": weight_norm,
            "pre_hook_fx": pre_hook_fx or self.neuron.quantize_8bit,
        }

        def recurrence(rows: int) -> Any:
            geometry = {"padding": same.padding, "dilation": spread}
            return ConvSynapse(out_features, rows * out_features, kernel, **geometry, **settings)

        self.input_synapse = ConvSynapse(
            in_features,
            self.fed_gates * out_features,
            _pair(kernel_size),
            _pair(stride),
            _pair(padding),
            _pair(dilation),
            groups,
            **settings,
        )
        self.recurrent_synapse = recurrence(len(self.gates.fed))
        self.current_synapse = recurrence(1) if update_gate_input == "current" else None
        self.add_delays(delay, delay_rec, delay_init_steps, delay_reach_steps, delay_rec_min_steps)

    def fed_activations(self, x: torch.Tensor) -> torch.Tensor:
        """Weighted sums of spikes (time, batch, fed gates x channels, height, width)."""
        synapse = self.input_synapse
        weight = self.quantized_weight(synapse)
        sizes = (synapse.stride[:2], synapse.padding[:2], synapse.dilation[:2])
        if self.groups == 1:
            kernel = (weight.shape[2], weight.shape[3])
            sums = spike_convolution(x, weight, Geometry((x.shape[3], x.shape[4]), kernel, *sizes))
            if sums is not None:
                return sums
        images = torch.nn.functional.conv2d(x.flatten(0, 1), weight, None, *sizes, self.groups)
        if self.groups > 1:
            # A grouped convolution gives all activations of a group before those of the next one.
            parts = images.unflatten(1, (self.groups, self.fed_gates, -1))
            images = parts.transpose(1, 2).flatten(1, 3)
        return images.unflatten(0, x.shape[:2])

    def rows(self, synapse: Any, weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Weights by activation; a grouped convolution has those of a group side by side."""
        if synapse is not self.input_synapse:
            return super().rows(synapse, weight)
        channels = self.channels // self.groups
        return tuple(weight.reshape(self.groups, self.fed_gates, channels, -1).transpose(0, 1))

    def weight_shape(self, weight: torch.Tensor) -> tuple[int, ...]:
        """Output channels, input channels, height, width."""
        return tuple(weight.shape[:4])


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _same_padding(kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if any(r % 2 for r in reach) or min(kernel) < 1 or min(dilation) < 1:
        raise KipukaError(
            "the recurrence cannot keep height and width",
            where="ConvSpikingGRU, key kernel_size_rec",
            limit="an odd kernel size, or an even dilation_rec",
            value=f"kernel {kernel}, dilation {dilation}",
            remedy="choose odd numbers, such as 3",
        )
    return reach[0] // 2, reach[1] // 2
