"""Energy of counted work: prices of operations, as bounds and as cases that hold together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kipuka.deploy.costs.core_activity import CoreActivity
from kipuka.hardware_profiles import SiBounds

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

SYNAPTIC_OPERATIONS, UPDATES, MESSAGES, HOPS = (
    "synaptic operations",
    "neuron updates",
    "spike messages",
    "hops between routers",
)
KINDS = (SYNAPTIC_OPERATIONS, UPDATES, MESSAGES, HOPS)

Case = tuple[float, float, float, float, float]
"""J per synaptic operation, active update, inactive update, message and hop."""


@dataclass(frozen=True)
class Prices:
    """Energy of operations in J.

    Attributes
    ----------
    low, typical : Case or None
        None where a number that nothing published stands for is needed.
    high : tuple of Case
        The bound of a total is its maximum over these; empty where it is not published. Where a
        profile has cases that hold together, they are these cases, because the bounds of the
        single operations never occur together.
    left_out : tuple of str
    unpublished : tuple of str
        Kinds whose price is not published.
    """

    low: Case | None
    typical: Case | None
    high: tuple[Case, ...]
    left_out: tuple[str, ...]
    unpublished: tuple[str, ...]

    def bounds(self, parts: np.ndarray) -> SiBounds:
        """Bounds of one part: array (cases,) in the order low, typical, high cases."""
        low = float(parts[0]) if self.low else None
        typical = float(parts[1]) if self.typical else None
        high = float(parts[2:].max()) if self.high else None
        return SiBounds(low, typical, high, unit="J")


def prices_of(hardware: HardwareProfile) -> Prices:
    """Prices of a profile's operations; what is not published costs nothing and is named."""
    energy = hardware.energy
    passes = energy.dendrite_updates_per_neuron_update.in_si()
    bounds = [
        energy.synaptic_operation.in_si(),
        energy.neuron_update.in_si(),
        energy.neuron_update_inactive.in_si(),
        energy.spike.in_si(),
        energy.hop.in_si(),
    ]
    left_out = [
        f"energy of {name}: not published"
        for name, one in (("a spike message", bounds[3]), ("a hop between routers", bounds[4]))
        if one.typical is None
    ]
    unpublished = tuple(
        kind for kind, one in ((MESSAGES, bounds[3]), (HOPS, bounds[4])) if one.typical is None
    )
    if bounds[2].typical is None:
        left_out.append("savings of inactive neurons: every update is priced as active")
        bounds[2] = bounds[1]
    bounds = [
        SiBounds(0.0, 0.0, 0.0) if k > 2 and b.typical is None else b for k, b in enumerate(bounds)
    ]
    cases = [_case(bounds, passes, which) for which in range(3)]
    joint = tuple(
        _joint(bounds, passes, one.synaptic_operation.in_si(), one.neuron_update.in_si())
        for one in hardware.energy_cases
    )
    high = joint or ((cases[2],) if cases[2] else ())
    return Prices(cases[0], cases[1], high, tuple(left_out), unpublished)


def energy_of(
    activity: CoreActivity, cores: slice, prices: Prices, n_samples: int
) -> dict[str, np.ndarray]:
    """Energy of some cores per sample by kind: float arrays (2 + high cases,) in J.

    Parameters
    ----------
    activity : CoreActivity
    cores : slice
    prices : Prices
    n_samples : int
    """
    active = int(activity.active_updates[cores].sum())
    inactive = int(activity.updates[cores].sum()) - active
    counts = {
        SYNAPTIC_OPERATIONS: ((0, int(activity.synaptic_operations[cores].sum())),),
        UPDATES: ((1, active), (2, inactive)),
        MESSAGES: ((3, int(activity.messages[cores].sum())),),
        HOPS: ((4, int(activity.hops[cores].sum())),),
    }
    nothing: Case = (0.0, 0.0, 0.0, 0.0, 0.0)
    table = np.array([prices.low or nothing, prices.typical or nothing, *prices.high])
    return {
        kind: sum((table[:, column] * count for column, count in parts), np.zeros(len(table)))
        / n_samples
        for kind, parts in counts.items()
    }


def total_of(by_kind: dict[str, np.ndarray], prices: Prices) -> SiBounds:
    """Add the kinds up, case by case, and take the bounds of the sums."""
    return prices.bounds(sum(by_kind.values(), np.zeros(2 + len(prices.high))))


def _case(bounds: list[SiBounds], passes: SiBounds, which: int) -> Case | None:
    chosen = [one[which] for one in bounds]
    n_passes = passes[which] if passes[which] is not None else passes.typical
    if any(one is None for one in chosen) or n_passes is None:
        return None
    a, b, c, d, e = (float(one or 0.0) for one in chosen)
    return a, b * n_passes, c * n_passes, d, e


def _joint(bounds: list[SiBounds], passes: SiBounds, operation: SiBounds, update: SiBounds) -> Case:
    """Case of a profile; the passes are those with which its energies were derived."""
    n_passes = passes.typical or 1.0
    spike, hop = ((b.typical if b.high is None else b.high) or 0.0 for b in bounds[3:])
    once = (update.typical or 0.0) * n_passes
    return operation.typical or 0.0, once, once, spike, hop
