"""The Lava process of a group of spiking minimal gated units."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var


class SpikingMGU(AbstractProcess):  # type: ignore[misc]
    """Spiking minimal gated units, fused into one process.

    Parameters
    ----------
    shape : tuple of int
        Shape of the group; flat neurons only, ``(neurons,)``.
    vth : int array (neurons,)
        ``vThMant`` in weight units.
    bias : int array (2, neurons)
        Biases of current and gate, in weight units.

    Attributes
    ----------
    a_in : InPort (2 * neurons,)
        Activations of current and gate, one block after the other.
    s_out : OutPort (neurons,)
        Spikes.
    i, v, s : Var (neurons,)
        Current, membrane (state units) and last spike.
    """

    def __init__(
        self, *, shape: tuple[int, ...], vth: np.ndarray, bias: np.ndarray, **kwargs: Any
    ) -> None:
        super().__init__(shape=shape, **kwargs)
        self.a_in = InPort(shape=(2 * shape[0],))
        self.s_out = OutPort(shape=shape)
        self.i = Var(shape=shape, init=0)
        self.v = Var(shape=shape, init=0)
        self.s = Var(shape=shape, init=0)
        self.vth = Var(shape=shape, init=vth)
        self.bias = Var(shape=(2, *shape), init=bias)
