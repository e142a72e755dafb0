"""CPU model of the Lava process `SpikingGRU`, bit-accurate, tag ``fixed_pt``."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from kipuka.convert.fixed import as_int64
from kipuka.convert.neurons.spiking_gru import (
    SpikingGruActivations,
    SpikingGruParameters,
    SpikingGruState,
    current_activation,
    current_message,
    spiking_gru_step,
)
from kipuka.deploy.lava.processes.spiking_gru import SpikingGRU


@implements(proc=SpikingGRU, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PySpikingGruModelFixed(PyLoihiProcessModel):  # type: ignore[misc]
    """Calls `kipuka.convert.neurons.spiking_gru`, the one statement of the arithmetic."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    c_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=12)
    i: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=18)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=18)
    s: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=1)
    vth: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=17)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=9)

    def run_spk(self) -> None:
        """One algorithmic step: receive activations, advance the neurons, send spikes."""
        activations = SpikingGruActivations(*as_int64(self.a_in.recv()).reshape(3, -1))
        weighted = current_activation(as_int64(self.c_in.recv()))
        activations = activations._replace(z=activations.z + weighted)
        parameters = SpikingGruParameters(as_int64(self.vth), *as_int64(self.bias))
        state = SpikingGruState(as_int64(self.i), as_int64(self.v), as_int64(self.s))
        state, spikes, _ = spiking_gru_step(parameters, state, activations)
        self.i[:], self.v[:], self.s[:] = state.i, state.v, state.s
        self.s_out.send(spikes.astype(np.int32))
        self.c_out.send(current_message(state.i).astype(np.int32))
