"""The dense spiking GRU block, a sibling of SLAYER's ``cuba`` blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from kipuka.convert import fixed
from kipuka.convert.netx_keys import SPIKING_GRU
from kipuka.errors import KipukaError
from kipuka.train.delays import AxonalDelay, no_delay
from kipuka.train.gru_sequence import Cell, GruStates, Surrogate, run_sequence
from kipuka.train.slayer import DenseSynapse, step_delay
from kipuka.train.slayer import Neuron as SlayerNeuron


class Neuron(SlayerNeuron):  # type: ignore[misc]
    """Parameters of the spiking GRU neuron with SLAYER's quantization hook and surrogate.

    Parameters
    ----------
    threshold : float
        Firing threshold in nominal units, quantized to 1/64.
    tau_grad, scale_grad : float
        Width and height of the spike surrogate, as in SLAYER.
    """

    def __init__(self, threshold: float, tau_grad: float = 1, scale_grad: float = 1) -> None:
        super().__init__(
            threshold=threshold,
            tau_grad=tau_grad,
            scale_grad=scale_grad,
            p_scale=fixed.UNITY,
            w_scale=fixed.WEIGHT_SCALE,
            s_scale=fixed.STATE_SCALE,
        )
        if not 1 <= self.v_th_mant <= fixed.GRU_THRESHOLD_MAX:
            raise KipukaError(
                "the threshold cannot be reached by an 18-bit membrane",
                where="SpikingGRU, key threshold",
                limit=f"1/{fixed.WEIGHT_SCALE} to {fixed.GRU_THRESHOLD_MAX / fixed.WEIGHT_SCALE}",
                value=threshold,
                remedy="choose a threshold near 1 and scale the weights with it",
            )

    @property
    def device_params(self) -> dict[str, Any]:
        """Parameters as they stand in a `.net` file."""
        return {"type": SPIKING_GRU, "vThMant": self.v_th_mant}


class SpikingGRU(torch.nn.Module):
    """Dense spiking GRU with learnable axonal delays on its recurrence and on its output.

    The forward pass is the integer network bit for bit (`kipuka.convert.neurons`); gradients pass
    the roundings straight through and the spikes by SLAYER's surrogate.

    Parameters
    ----------
    neuron_params : dict
        ``threshold``, ``tau_grad``, ``scale_grad``; see `Neuron`.
    in_neurons, out_neurons : int
        Sources and neurons of the layer.
    weight_scale : float
        Factor on the initial weights.
    weight_norm : bool
        Weight normalization on both synapses, as SLAYER offers it.
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
        Reach of the delay gradient in steps; see `kipuka.train.delays.finite_difference_taps`.
    count_log : bool
        Return the mean spike rate as well.

    Attributes
    ----------
    overshoot : tensor (batch,)
        Of the last forward pass; see `kipuka.train.gru_sequence.GruStates`.
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
    ) -> None:
        super().__init__()
        self.neuron = Neuron(**neuron_params)
        self.neuron.shape = torch.Size([out_neurons])
        hook = pre_hook_fx or self.neuron.quantize_8bit
        settings = {
            "out_neurons": 3 * out_neurons,
            "weight_scale": weight_scale,
            "weight_norm": weight_norm,
            "pre_hook_fx": hook,
        }
        self.input_synapse = DenseSynapse(in_neurons=in_neurons, **settings)
        self.recurrent_synapse = DenseSynapse(in_neurons=out_neurons, **settings)
        self.bias = torch.nn.Parameter(torch.zeros(3 * out_neurons))
        delays = {"init_steps": delay_init_steps, "reach_steps": delay_reach_steps}
        self.delay = AxonalDelay(out_neurons, **delays) if delay else None  # type: ignore[arg-type]
        # Without learning the recurrence still has its one step, so the delays are fixed at zero.
        self.delay_rec = AxonalDelay(out_neurons, **delays) if delay_rec else None  # type: ignore[arg-type]
        self.delay_shift = delay_shift
        self.count_log = count_log
        self.overshoot = torch.zeros(0)

    def dynamics(self, x: torch.Tensor) -> tuple[torch.Tensor, GruStates]:
        """Spikes in the step of their emission, and the states.

        Parameters
        ----------
        x : float tensor (batch, in_neurons, time)
            Input spikes.

        Returns
        -------
        spikes : float tensor (batch, out_neurons, time)
        states : GruStates
            int64 tensors (time, batch, out_neurons).
        """
        weight = _quantized(self.recurrent_synapse)
        learned = self.delay_rec
        delay = learned.delay if learned else self.bias.new_zeros(self.neuron.shape)
        taps = learned.taps() if learned else no_delay(len(delay), like=delay)
        surrogate = Surrogate(self.neuron.tau_rho, self.neuron.scale_rho)
        spikes, states = run_sequence(
            # Time first; every sum of quantized weights is exact, so its order is free.
            x.permute(2, 0, 1) @ _quantized(self.input_synapse).T,
            weight,
            self.recurrent_synapse.pre_hook_fx(self.bias),
            delay,
            Cell(taps, self.neuron.v_th_mant, surrogate),
        )
        self.overshoot = states.overshoot
        return spikes.permute(1, 2, 0), states

    def forward(self, x: torch.Tensor) -> Any:
        """Spikes (batch, out_neurons, time) as the next layer receives them."""
        spikes, _ = self.dynamics(x)
        if self.delay_shift:
            spikes = step_delay(self, spikes)
        if self.delay is not None:
            spikes = self.delay(spikes)
        return (spikes, torch.mean((spikes > 0).to(spikes.dtype))) if self.count_log else spikes

    @property
    def shape(self) -> torch.Size:
        """Shape of the block."""
        shape: torch.Size = self.neuron.shape
        return shape


def _quantized(synapse: Any) -> torch.Tensor:
    """Weights (targets, sources) as the synapse would use them in a forward pass of its own."""
    # Weight normalization writes the weight in a pre-hook of that pass, which never comes.
    for prepare in synapse._forward_pre_hooks.values():
        prepare(synapse, None)
    weight: torch.Tensor = synapse.pre_hook_fx(synapse.weight)
    return weight.reshape(weight.shape[:2])
