"""What a sample costs on a chip that waits for it: in real time, or for a program on the host.

Latency and static energy of a `Cost` are those of a replay: the input is on the chip already, and
its steps follow one another as fast as the chip can. A sensor gives its steps when they happen, and
for so long the chip draws its static power.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kipuka.deploy.costs.cost import Cost
from kipuka.hardware_profiles import SiBounds

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile


@dataclass(frozen=True)
class RealTime:
    """A sample as long as it was recorded.

    Attributes
    ----------
    step_s, duration_s : float
        Of a step, and of a sample.
    static_energy_j : SiBounds
        Static power of the chips in use for that long.
    """

    step_s: float
    duration_s: float
    static_energy_j: SiBounds


def static_power_w(cost: Cost) -> SiBounds:
    """Static power of the chips in use, by which static energy and latency go together.

    Parameters
    ----------
    cost : Cost
    """
    pairs = zip(cost.static_energy_j, cost.latency_s, strict=True)
    return SiBounds(*(None if e is None or not t else e / t for e, t in pairs), unit="W")


def in_real_time(cost: Cost, step_s: float) -> RealTime:
    """Static energy of a sample whose steps come as they were recorded.

    Parameters
    ----------
    cost : Cost
    step_s : float
        What a step stands for.
    """
    duration_s = step_s * cost.steps
    power = static_power_w(cost)
    energy = SiBounds(*(None if w is None else w * duration_s for w in power), unit="J")
    return RealTime(step_s, duration_s, energy)


def from_host_s(cost: Cost, hardware: HardwareProfile) -> SiBounds:
    """Time of a sample whose input a program on the host sends step by step.

    Parameters
    ----------
    cost : Cost
    hardware : HardwareProfile
        With which it was priced.

    Returns
    -------
    SiBounds
        Published wall times of such steps, times their number; None where nothing is published.
    """
    step = hardware.host_input.step_from_host.in_si()
    return SiBounds(*(None if s is None else s * cost.steps for s in step), unit="s")
