"""Networks with a name: lists of SLAYER and Kipuka blocks for a number of inputs and classes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kipuka.errors import choose
from kipuka.train.slayer import cuba
from kipuka.train.spiking_gru import SpikingGRU

GRU_NEURON = {"threshold": 1.0, "tau_grad": 0.01, "scale_grad": 10.0}
READOUT_NEURON = {
    "threshold": 1.0,
    "tau_grad": 0.01,
    "scale_grad": 10.0,
    # Integrate and fire: unchanged by idle steps, so that it stays exact in the Loihi 2 lowering.
    "current_decay": 1.0,
    "voltage_decay": 0.0,
}


def sgru(n_inputs: int, n_classes: int, hidden: int) -> list[torch.nn.Module]:
    """One spiking GRU layer without delays, and an integrate-and-fire readout."""
    return [_gru(n_inputs, hidden, delays=False), _readout(hidden, n_classes)]


def sgru_delay(n_inputs: int, n_classes: int, hidden: int) -> list[torch.nn.Module]:
    """One spiking GRU layer with delays on recurrence and output, and the same readout."""
    return [_gru(n_inputs, hidden, delays=True), _readout(hidden, n_classes)]


def sgru_delay_2l(n_inputs: int, n_classes: int, hidden: int) -> list[torch.nn.Module]:
    """Two spiking GRU layers with delays, and the same readout."""
    layers = [_gru(n_inputs, hidden, delays=True), _gru(hidden, hidden, delays=True)]
    return [*layers, _readout(hidden, n_classes)]


NETWORKS: dict[str, Callable[[int, int, int], list[torch.nn.Module]]] = {
    "sgru": sgru,
    "sgru-delay": sgru_delay,
    "sgru-delay-2l": sgru_delay_2l,
}


def build_network(name: str, n_inputs: int, n_classes: int, hidden: int) -> torch.nn.ModuleList:
    """Build a network by its name, with freshly drawn parameters.

    Raises
    ------
    KipukaError
        If there is none of that name.
    """
    build = choose(NETWORKS, name, what="network", where="option network")
    return torch.nn.ModuleList(build(n_inputs, n_classes, hidden))


def _gru(n_inputs: int, hidden: int, delays: bool) -> SpikingGRU:
    return SpikingGRU(
        GRU_NEURON,
        n_inputs,
        hidden,
        weight_scale=2,
        delay=delays,
        delay_rec=delays,
        delay_init_steps=(0.0, 8.0),
        delay_reach_steps=2,
    )


def _readout(hidden: int, n_classes: int) -> torch.nn.Module:
    # The last block's spikes are counted where they are emitted, without a step to anywhere.
    block: torch.nn.Module = cuba.Dense(READOUT_NEURON, hidden, n_classes, delay_shift=False)
    return block
