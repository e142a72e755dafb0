"""CPU model of the Lava process `SpikingMGU`, bit-accurate, tag ``fixed_pt``."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from kipuka.convert.fixed import as_int64
from kipuka.convert.neurons.spiking_gru import SpikingGruState
from kipuka.convert.neurons.spiking_mgu import (
    SpikingMguActivations,
    SpikingMguParameters,
    spiking_mgu_step,
)
from kipuka.deploy.lava.processes.spiking_mgu import SpikingMGU


@implements(proc=SpikingMGU, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PySpikingMguModelFixed(PyLoihiProcessModel):  # type: ignore[misc]
    """Calls `kipuka.convert.neurons.spiking_mgu`, the one statement of the arithmetic."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    i: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=18)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=18)
    s: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=1)
    vth: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=17)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=9)

    def run_spk(self) -> None:
        """One algorithmic step: receive activations, advance the neurons, send spikes."""
        activations = SpikingMguActivations(*as_int64(self.a_in.recv()).reshape(2, -1))
        parameters = SpikingMguParameters(as_int64(self.vth), *as_int64(self.bias))
        state = SpikingGruState(as_int64(self.i), as_int64(self.v), as_int64(self.s))
        state, spikes, _ = spiking_mgu_step(parameters, state, activations)
        self.i[:], self.v[:], self.s[:] = state.i, state.v, state.s
        self.s_out.send(spikes.astype(np.int32))
