"""The dense spiking GRU block, a sibling of SLAYER's ``cuba`` blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from kipuka.convert.operands import whole_number
from kipuka.train.gru.block import MAX_SIZE, GruBlock, UpdateGateInput
from kipuka.train.gru.gates import GateNames
from kipuka.train.gru.mixing import MatrixProduct
from kipuka.train.products.spikes import weighted_sums
from kipuka.train.slayer import DenseSynapse


class SpikingGRU(GruBlock):
    """Dense spiking GRU with learnable axonal delays on its recurrence and on its output.

    The forward pass is the integer network bit for bit (`kipuka.convert.neurons`); gradients pass
    the roundings straight through and the spikes by SLAYER's surrogate.

    Parameters
    ----------
    neuron_params : dict
        ``threshold``, ``tau_grad``, ``scale_grad`` and ``dropout``, with or without the keys that
        the CUBA blocks of the network need besides; see `kipuka.train.gru.neuron.neuron_from`.
    in_neurons, out_neurons : int
        Sources and neurons of the layer.
    weight_scale : float
        Factor on the initial weights.
    weight_norm : bool
        Weight normalization on all synapses, as SLAYER offers it.
    pre_hook_fx : callable, optional
        Quantization of weights and biases; SLAYER's 8-bit hook if not given.
    delay : bool
        Learnable delay on the output.
    delay_rec : bool
        Learnable delay on the recurrence.
    delay_shift : bool
        One step of propagation to the next layer, as in SLAYER.
    delay_init_steps : tuple of float
        Range of the initial delays in steps.
    delay_reach_steps : int
        Reach of the delay gradient in steps; see `kipuka.train.delays.axonal`.
    count_log : bool
        Return the mean spike rate as well.
    update_gate_input : {"spikes", "current"}
        What the update gate sees beside the delayed own spikes: the input spikes, which costs
        nothing while they are silent, or in each step the layer's own currents of the step before,
        as in CS-GRU.
    delay_rec_min_steps : int
        Least recurrent delay in steps. From 4 on the gates' way is hidden behind it when the block
        is lowered to Lava's own processes; see docs/loihi2.md.
    gates : {"both", "shared", "update"}
        What is learned: reset gate and update gate; one gate in the place of both, the minimal
        gated unit of Zhou et al. (arXiv:1603.09420), whose update gate is open as far as the reset
        gate is shut; or the update gate alone, beside a reset gate that is constant for each
        neuron, as in the light GRU of Ravanelli et al. (arXiv:1803.10225), which has none. The
        last two have two thirds of the weights; see docs/semantics.md.
    """

    def __init__(
        self,
        neuron_params: dict[str, Any],
        in_neurons: int,
        out_neurons: int,
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
        delay_rec_min_steps: int = 0,
        gates: GateNames = "both",
    ) -> None:
        in_neurons = whole_number(in_neurons, 1, MAX_SIZE, "SpikingGRU, in_neurons")
        out_neurons = whole_number(out_neurons, 1, MAX_SIZE, "SpikingGRU, out_neurons")
        super().__init__(
            neuron_params, out_neurons, delay_shift, update_gate_input, count_log, gates
        )
        self.neuron.shape = torch.Size([out_neurons])
        self.mixing = MatrixProduct()
        settings = {
            "weight_scale": weight_scale,
            "weight_norm": weight_norm,
            "pre_hook_fx": pre_hook_fx or self.neuron.quantize_8bit,
        }

        def synapse(sources: int, rows: int) -> Any:
            return DenseSynapse(sources, rows * out_neurons, **settings)

        self.input_synapse = synapse(in_neurons, self.fed_gates)
        self.recurrent_synapse = synapse(out_neurons, len(self.gates.fed))
        self.current_synapse = synapse(out_neurons, 1) if update_gate_input == "current" else None
        self.add_delays(delay, delay_rec, delay_init_steps, delay_reach_steps, delay_rec_min_steps)

    def fed_activations(self, x: torch.Tensor) -> torch.Tensor:
        """Weighted sums of spikes (time, batch, fed gates x neurons)."""
        return weighted_sums(x, self.quantized_weight(self.input_synapse))

    def weight_shape(self, weight: torch.Tensor) -> tuple[int, ...]:
        """Targets and sources."""
        return tuple(weight.shape[:2])
