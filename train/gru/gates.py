"""Which gates a spiking GRU block learns, and how they become the three activations of its cell."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch

from kipuka.convert.neurons import SPIKING_GRU, SPIKING_MGU
from kipuka.convert.program import Target
from kipuka.errors import KipukaError

GateNames = Literal["both", "shared", "update"]


class Gates(NamedTuple):
    """What a block has weights and biases for.

    Attributes
    ----------
    fed : tuple of Target
        Activations that synapses feed, in the order of their rows.
    biased : tuple of Target
        Activations with a bias, in the order of the biases.
    """

    fed: tuple[Target, ...]
    biased: tuple[Target, ...]

    @property
    def model(self) -> str:
        """Name of the neuron model."""
        return SPIKING_MGU if "f" in self.fed else SPIKING_GRU

    @property
    def reset_row(self) -> int | None:
        """Rows of weights that open the reset gate; None where it is constant."""
        return next((k for k, target in enumerate(self.fed) if target in ("r", "f")), None)

    def activations(self, rows: torch.Tensor, dim: int) -> torch.Tensor:
        """Rows of current, reset gate and update gate out of those that are fed, along `dim`."""
        if self.fed == ("i", "z"):
            current, update = rows.chunk(2, dim)
            return torch.cat([current, torch.zeros_like(update), update], dim)
        return self.with_complement(rows, dim)

    def biases(self, values: torch.Tensor) -> torch.Tensor:
        """Biases (3 channels,) of current, reset gate and update gate."""
        return self.with_complement(values, 0)

    def with_complement(self, rows: torch.Tensor, dim: int) -> torch.Tensor:
        """Add the update gate that opens as far as a shared gate is shut: ``gate(-x)``."""
        if "f" not in self.fed:
            return rows
        current, shared = rows.chunk(2, dim)
        return torch.cat([current, shared, -shared], dim)


GATES: dict[GateNames, Gates] = {
    "both": Gates(("i", "r", "z"), ("i", "r", "z")),
    "shared": Gates(("i", "f"), ("i", "f")),
    "update": Gates(("i", "z"), ("i", "r", "z")),
}


def gates_of(name: GateNames, update_gate_input: str, where: str) -> Gates:
    """Gates by their name.

    Raises
    ------
    KipukaError
        If there are none of that name, or they cannot receive the own current.
    """
    known = name in GATES
    if known and (name == "both" or update_gate_input == "spikes"):
        return GATES[name]
    raise KipukaError(
        "an update gate that sees the current has a reset gate beside it"
        if known
        else "a spiking GRU block has no such gates",
        where=f"{where}, key gates",
        limit="both" if known else ", ".join(GATES),
        value=name,
        remedy="choose update_gate_input=spikes" if known else "choose one of them",
    )
