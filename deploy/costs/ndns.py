"""The power proxy of Intel's N-DNS challenge (Timcheck et al., 2023), which is no energy.

``SynOPS + 10 NeuronOPS``: synaptic operations with a nonzero weight and a nonzero message, and
neuron updates, whether or not anything arrived. The challenge gives operations a second; here they
are of a step and of a sample, and who knows how many steps a second has multiplies by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from kipuka.deploy.costs.cost import Cost

NEURON_OPERATION = 10
"""Synaptic operations that a neuron update counts for."""


@dataclass(frozen=True)
class NdnsProxy:
    """Operations of a run as the challenge counts them, means over samples.

    Attributes
    ----------
    synops_per_step, neuronops_per_step : float
        Of all layers, encoder and decoder included.
    operations_per_step, operations_per_sample : float
        ``SynOPS + 10 NeuronOPS``.
    """

    synops_per_step: float
    neuronops_per_step: float
    operations_per_step: float
    operations_per_sample: float


def ndns_proxy(cost: Cost) -> NdnsProxy:
    """Count what the N-DNS challenge takes for power.

    Parameters
    ----------
    cost : Cost
        Whose counts are taken; the chip and its prices play no part.
    """
    operations = cost.synaptic_operations + NEURON_OPERATION * cost.neuron_updates
    return NdnsProxy(
        synops_per_step=cost.synaptic_operations / cost.steps,
        neuronops_per_step=cost.neuron_updates / cost.steps,
        operations_per_step=operations / cost.steps,
        operations_per_sample=operations,
    )
