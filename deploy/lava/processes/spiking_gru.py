"""The Lava process of a group of spiking GRU neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var


class SpikingGRU(AbstractProcess):  # type: ignore[misc]
    """Spiking GRU neurons, fused into one process.

    Parameters
    ----------
    shape : tuple of int
        Shape of the group; flat neurons only, ``(neurons,)``.
    vth : int array (neurons,)
        ``vThMant`` in weight units.
    bias : int array (3, neurons)
        Biases of current, reset gate and update gate, in weight units.

    Attributes
    ----------
    a_in : InPort (3 * neurons,)
        Activations of current, reset gate and update gate, one block after the other.
    c_in : InPort (neurons,)
        Weighted currents of the step before, for the update gate; left unconnected where spikes
        alone feed it.
    s_out : OutPort (neurons,)
        Spikes.
    c_out : OutPort (neurons,)
        Currents as graded messages.
    i, v, s : Var (neurons,)
        Current, membrane (state units) and last spike.
    """

    def __init__(
        self, *, shape: tuple[int, ...], vth: np.ndarray, bias: np.ndarray, **kwargs: Any
    ) -> None:
        super().__init__(shape=shape, **kwargs)
        self.a_in = InPort(shape=(3 * shape[0],))
        self.c_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.c_out = OutPort(shape=shape)
        self.i = Var(shape=shape, init=0)
        self.v = Var(shape=shape, init=0)
        self.s = Var(shape=shape, init=0)
        self.vth = Var(shape=shape, init=vth)
        self.bias = Var(shape=(3, *shape), init=bias)
