"""Which published number moves a result most: each number at its bounds, all others as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kipuka.convert.program import Program
from kipuka.deploy.costs.cost import Cost
from kipuka.deploy.costs.energy import energy_of, prices_of, total_of
from kipuka.deploy.costs.latency import Laid, timing_of
from kipuka.deploy.costs.mapping import groups_of, map_groups
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

ENERGY, LATENCY, CORES = "dynamic energy", "latency", "fewest cores"
"""Results that a number can move, in J, s and cores."""

_GROUPS = {
    "energy": ENERGY,
    "latency": LATENCY,
    "host_input": LATENCY,
    "packing": CORES,
    "limits": CORES,
}
"""Group of a profile's numbers to what they are tried on."""

SMALLEST_MOVE = 0.001
"""Numbers that move their result by less than this share are left out."""


@dataclass(frozen=True)
class Sensitivity:
    """What one number of the profile does to one result.

    Attributes
    ----------
    key : str
        Dotted key of the number in the profile.
    unit : str
    low, value, high : float
        The number's bounds and its typical value, in `unit`.
    result : str
        What it moves: `ENERGY`, `LATENCY` or `CORES`.
    at_low, at_value, at_high : float or None
        The result with the number at these; None where the network does not fit then.
    """

    key: str
    unit: str
    low: float
    value: float
    high: float
    result: str
    at_low: float | None
    at_value: float
    at_high: float | None

    @property
    def move(self) -> float:
        """Span of the result as a share of its typical value; endless if it fits no more."""
        if self.at_low is None or self.at_high is None:
            return math.inf
        known = (self.at_low, self.at_value, self.at_high)
        return (max(known) - min(known)) / self.at_value if self.at_value else 0.0


def sensitivities(
    program: Program, cost: Cost, n_samples: int, hardware: HardwareProfile
) -> tuple[Sensitivity, ...]:
    """Put every number that has bounds to its bounds, one at a time.

    Parameters
    ----------
    program : Program
    cost : Cost
        Of a run of it on this chip.
    n_samples : int
        Samples of that run.
    hardware : HardwareProfile

    Returns
    -------
    tuple of Sensitivity
        The one that moves its result most comes first.
    """
    found = []
    typical = {
        result: _result(program, cost, n_samples, hardware, result)
        for result in (ENERGY, LATENCY, CORES)
    }
    for key, quantity in hardware.quantities():
        group, _, name = key.partition(".")
        bounds = (quantity.low, quantity.value, quantity.high)
        if group not in _GROUPS or quantity.value is None or bounds.count(None) == 2:
            continue
        low, value, high = (quantity.value if bound is None else bound for bound in bounds)
        result = _GROUPS[group]
        now = typical[result]
        if now is None:
            continue
        ends = [
            _result(program, cost, n_samples, _changed(hardware, group, name, number), result)
            for number in (low, high)
        ]
        one = Sensitivity(key, quantity.unit, low, value, high, result, ends[0], now, ends[1])
        found.append(one)
    moving = [one for one in found if one.move >= SMALLEST_MOVE]
    return tuple(sorted(moving, key=lambda one: -one.move))


def _changed(hardware: HardwareProfile, group: str, name: str, number: float) -> HardwareProfile:
    """Profile in which one number is another, and certain."""
    own = getattr(hardware, group)
    quantity = getattr(own, name).model_copy(update={"value": number, "low": None, "high": None})
    return hardware.model_copy(update={group: own.model_copy(update={name: quantity})})


def _result(
    program: Program, cost: Cost, n_samples: int, hardware: HardwareProfile, result: str
) -> float | None:
    """Typical result on a changed chip."""
    if result == CORES:
        try:
            return float(map_groups(groups_of(program), hardware).n_cores)
        except KipukaError:
            return None
    if result == LATENCY:
        return timing_of(
            Laid(cost.mapping, cost.activity), (), hardware, host_input=cost.host_input
        ).latency_s.typical
    prices = prices_of(hardware)
    everything = slice(0, cost.mapping.n_cores)
    return total_of(energy_of(cost.activity, everything, prices, n_samples), prices).typical
