"""What the dense and the convolutional spiking GRU blocks share: neurons, delays, forward pass."""

from __future__ import annotations

from typing import Any, Literal

import torch

from kipuka.convert import fixed
from kipuka.convert.formats.net.writer import write_block
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.errors import KipukaError
from kipuka.train.delays.axonal import AxonalDelay, no_delay
from kipuka.train.gru.cell import Cell, GruStates, Surrogate
from kipuka.train.gru.gates import GateNames, gates_of
from kipuka.train.gru.mixing import Mixing
from kipuka.train.gru.neuron import neuron_from
from kipuka.train.gru.sequence import run_sequence
from kipuka.train.silence import SilenceRule, warn_if_silent
from kipuka.train.steps import expect_steps

MAX_SIZE = (1 << 31) - 1
"""Neurons, or channels, that a block may be asked for."""

UpdateGateInput = Literal["spikes", "current"]


def check_update_gate_input(name: str, where: str) -> None:
    """Refuse what is no input of an update gate.

    Raises
    ------
    KipukaError
    """
    if name not in ("spikes", "current"):
        raise KipukaError(
            "the update gate has no such input",
            where=f"{where}, key update_gate_input",
            limit="spikes or current",
            value=name,
            remedy="choose one of them; spikes is the default",
        )


class GruBlock(torch.nn.Module):
    """Spiking GRU neurons with what feeds them; subclasses add the synapses.

    The forward pass is the integer network bit for bit (`kipuka.convert.neurons`); gradients pass
    the roundings straight through and the spikes by SLAYER's surrogate.

    Parameters
    ----------
    neuron_params : dict
        See `kipuka.train.gru.neuron.neuron_from`.
    channels : int
        Neurons of a dense layer, channels of a convolutional one.
    delay_shift, count_log : bool
    update_gate_input : {"spikes", "current"}
        See `kipuka.train.SpikingGRU`, likewise `gates`.
    gates : {"both", "shared", "update"}

    Attributes
    ----------
    input_synapse, recurrent_synapse : torch.nn.Module
        Rows, or output channels, of what `gates` feeds one after the other: current, reset gate and
        update gate. With ``update_gate_input="current"`` the input synapse has no rows of the
        update gate.
    current_synapse : torch.nn.Module or None
        From the own current to the update gate.
    mixing : Mixing
        How the weights of the last two act.
    overshoot : tensor (batch,)
        Of the last forward pass; see `kipuka.train.gru.cell.GruStates`.
    name : str
        What messages call the block; whoever puts it into a network may give it another one.
    silence : SilenceRule
        When a warning names the block that stays silent in training, and what it advises.
    """

    input_synapse: Any
    recurrent_synapse: Any
    current_synapse: Any
    mixing: Mixing

    def __init__(
        self,
        neuron_params: dict[str, Any],
        channels: int,
        delay_shift: bool,
        update_gate_input: UpdateGateInput,
        count_log: bool,
        gates: GateNames,
    ) -> None:
        super().__init__()
        check_update_gate_input(update_gate_input, type(self).__name__)
        self.gates = gates_of(gates, update_gate_input, type(self).__name__)
        self.channels = channels
        self.neuron = neuron_from(neuron_params, type(self).__name__)
        self.neuron.model = self.gates.model
        self.bias = torch.nn.Parameter(torch.zeros(len(self.gates.biased) * channels))
        self.delay: AxonalDelay | None = None
        self.delay_rec: AxonalDelay | None = None
        self.delay_shift = delay_shift
        self.count_log = count_log
        self.update_gate_input = update_gate_input
        self.overshoot = torch.zeros(0)
        self.name = f"{type(self).__name__} of {channels}"
        self.silence = SilenceRule()
        self.input_shape: tuple[int, ...] = ()

    def add_delays(
        self,
        output: bool,
        recurrence: bool,
        init_steps: tuple[float, float],
        reach_steps: int,
        recurrent_min_steps: int,
    ) -> None:
        """Make the delays of output and recurrence learnable, one per channel."""
        channels = self.channels
        self.delay = AxonalDelay(channels, init_steps, reach_steps=reach_steps) if output else None
        # Without learning the recurrence still has its one step, so the delays are fixed at zero.
        self.delay_rec = None
        if recurrence:
            self.delay_rec = AxonalDelay(
                channels, init_steps, reach_steps=reach_steps, min_delay=recurrent_min_steps
            )
        elif recurrent_min_steps:
            raise KipukaError(
                "delays that are not there have no lower limit",
                where=f"{type(self).__name__}, key delay_rec_min_steps",
                limit="0 without delay_rec",
                value=recurrent_min_steps,
                remedy="give delay_rec=True as well, or leave the limit out",
            )

    @property
    def fed_gates(self) -> int:
        """Activations that the input synapse feeds; none an update gate that sees the current."""
        return len(self.gates.fed) - (self.update_gate_input == "current")

    def weighted_sum(self, x: torch.Tensor) -> torch.Tensor:
        """Input part of the activations (time, batch, 3 channels, ...), from spikes with time last.

        What the input synapse gives, but time first, as the sequence takes it.
        """
        activations = self._dropped(self.fed_activations(x.movedim(-1, 0)))
        if self.update_gate_input == "current":
            gate = torch.zeros_like(activations[:, :, : activations.shape[2] // 2])
            activations = torch.cat([activations, gate], dim=2)
        return self.gates.activations(activations, 2)

    def _dropped(self, activations: torch.Tensor) -> torch.Tensor:
        """Leave out, for all of a sequence, what reaches the neurons that are dropped."""
        if self.neuron.drop is None or not self.training:
            return activations
        n_batch, rows, *extent = activations.shape[1:]
        neurons = activations.new_ones(n_batch, rows // self.fed_gates, *extent, 1)
        kept = self.neuron.drop(neurons)[..., 0]
        dropped = activations * kept.repeat(1, self.fed_gates, *[1] * len(extent))
        # What is left is scaled up and put back on the grid of the sums, which gradients pass.
        grid = fixed.WEIGHT_SCALE / fixed.WEIGHT_STEP
        return dropped + (torch.round(dropped * grid) / grid - dropped).detach()

    def fed_activations(self, x: torch.Tensor) -> torch.Tensor:
        """Weighted sums of the input's spikes (time, batch, fed gates x channels, ...)."""
        raise NotImplementedError

    def dynamics(self, x: torch.Tensor) -> tuple[torch.Tensor, GruStates]:
        """Spikes in the step of their emission, and the states.

        Parameters
        ----------
        x : float tensor (batch, sources, time) or (batch, channels, height, width, time)
            Input spikes.

        Returns
        -------
        spikes : float tensor (batch, neurons, time) or (batch, channels, height, width, time)
        states : GruStates
            int64 tensors (time, batch, neurons) or (time, batch, channels, height, width).

        Raises
        ------
        KipukaError
            If there is no step; there may be no sample.
        """
        expect_steps(x, self.name)
        learned = self.delay_rec
        delay = learned.delay if learned else self.bias.new_zeros(self.channels)
        taps = learned.taps() if learned else no_delay(len(delay), like=delay)
        current = (
            None if self.current_synapse is None else self.quantized_weight(self.current_synapse)
        )
        surrogate = Surrogate(self.neuron.tau_rho, self.neuron.scale_rho)
        spikes, states = run_sequence(
            self.weighted_sum(x),
            self.gates.activations(self.quantized_weight(self.recurrent_synapse), 0),
            self.gates.biases(self.recurrent_synapse.pre_hook_fx(self.bias)),
            delay,
            Cell(taps, self.neuron.v_th_mant, surrogate, self.mixing),
            current,
        )
        self.overshoot = states.overshoot
        self.neuron.shape = torch.Size(spikes.shape[2:])
        return spikes.movedim(0, -1), states

    def forward(self, x: torch.Tensor) -> Any:
        """Spikes (batch, neurons or channels x height x width, time) as the next layer has them."""
        spikes, _ = self.dynamics(x)
        self.input_shape = tuple(x.shape[1:-1])
        warn_if_silent(self, self.name, self.silence, x, spikes)
        if self.delay_shift:
            spikes = _one_step_later(spikes)
        if self.delay is not None:
            spikes = _by_channel(self.delay, spikes)
        return (spikes, torch.mean((spikes > 0).to(spikes.dtype))) if self.count_log else spikes

    @property
    def shape(self) -> torch.Size:
        """Shape of the block; of a convolution once it has seen data."""
        shape: torch.Size = self.neuron.shape
        return shape

    @property
    def synapse(self) -> Any:
        """Synapse from the layer before, by the name that SLAYER's feed-forward blocks have for it.

        What goes through a network's blocks for ``synapse.grad_norm``, or for the weights, finds it
        here too.
        """
        return self.input_synapse

    def export_hdf5(self, handle: Any) -> None:
        """Write the layer as SLAYER's blocks write theirs, for a network's own ``export_hdf5``.

        `kipuka.convert.load_net` reads a file in which such layers and SLAYER's stand together.

        Parameters
        ----------
        handle : h5py.Group
            Empty group of the layer, ``layer/N``.

        Raises
        ------
        KipukaError
            If the block is a convolution that has not seen data, so that its size is not known, or
            has no exact integer form.
        """
        write_block(handle, program_from_blocks([self], input_shape=self.input_shape or None))

    def quantized_weight(self, synapse: Any) -> torch.Tensor:
        """Weights of a SLAYER synapse as its hook leaves them, in the shape of `weight_shape`."""
        # Weight normalization writes the weight in a pre-hook of a forward pass that never comes.
        for prepare in synapse._forward_pre_hooks.values():
            prepare(synapse, None)
        weight: torch.Tensor = synapse.pre_hook_fx(synapse.weight)
        return weight.reshape(self.weight_shape(weight))

    def rows(self, synapse: Any, weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Weights of a SLAYER synapse by activation: views (groups, channels / groups, sources)."""
        gates = self.fed_gates if synapse is self.input_synapse else len(self.gates.fed)
        return tuple(weight.reshape(gates, 1, self.channels, -1))

    def weight_shape(self, weight: torch.Tensor) -> tuple[int, ...]:
        """Shape in which `mixing` takes the weights of a SLAYER synapse."""
        raise NotImplementedError


def _one_step_later(spikes: torch.Tensor) -> torch.Tensor:
    """Spikes (..., time) as the next layer sees them, in the order of memory they are in."""
    in_memory = spikes.movedim(-1, 0).movedim(2, -1)
    later = torch.cat([torch.zeros_like(in_memory[:1]), in_memory[:-1]])
    return later.movedim(-1, 2).movedim(0, -1)


def _by_channel(delay: AxonalDelay, spikes: torch.Tensor) -> torch.Tensor:
    """Delay spikes (batch, channels, ..., time), all neurons of a channel alike."""
    moved = spikes.movedim(1, -2)
    delayed: torch.Tensor = delay(moved.flatten(0, -3))
    return delayed.reshape(moved.shape).movedim(-2, 1)
