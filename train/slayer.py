"""The parts of lava-dl that training builds on, imported once and without its chatter.

lava-dl prints on import what concerns other parts of it; every module of this folder takes SLAYER
from here.
"""

from __future__ import annotations

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    from lava.lib.dl.slayer.axon import Delay
    from lava.lib.dl.slayer.block import cuba
    from lava.lib.dl.slayer.block.base import step_delay
    from lava.lib.dl.slayer.neuron.base import Neuron
    from lava.lib.dl.slayer.neuron.cuba import SCALE_RHO_MULT, TAU_RHO_MULT
    from lava.lib.dl.slayer.neuron.dynamics import leaky_integrator
    from lava.lib.dl.slayer.neuron.norm import MeanOnlyBatchNorm
    from lava.lib.dl.slayer.spike import Spike
    from lava.lib.dl.slayer.synapse.layer import Conv as ConvSynapse
    from lava.lib.dl.slayer.synapse.layer import Dense as DenseSynapse

__all__ = [
    "SCALE_RHO_MULT",
    "TAU_RHO_MULT",
    "ConvSynapse",
    "Delay",
    "DenseSynapse",
    "MeanOnlyBatchNorm",
    "Neuron",
    "Spike",
    "cuba",
    "leaky_integrator",
    "step_delay",
]
