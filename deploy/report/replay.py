"""Sentences about time: what a latency bounds; a replay beside real time and input of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kipuka.deploy.costs.cost import Cost
from kipuka.deploy.costs.real_time import (
    from_host_s,
    in_real_time,
    static_power_w,
)
from kipuka.hardware_profiles import SiBounds
from kipuka.hardware_profiles.numbers import bounds_text, count, si, si_bounds

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

REPLAY = "static energy and latency are those of a replay at full speed, with the input preloaded"
"""What the figures of a `Cost` stand for, unless its input comes from a host."""

FROM_HOST = "with input that a program on the host sends step by step"


def latency_text(latency_s: SiBounds) -> str:
    """Say what each bound of a latency is a bound of.

    Parameters
    ----------
    latency_s : SiBounds

    Examples
    --------
    >>> latency_text(SiBounds(1e-4, 2e-4, 5e-4)).replace("\u00a0", " ")[:58]
    '200 µs at typical times of the operations, 100 µs at the s'
    """
    if None in (latency_s.low, latency_s.high):
        typical, between = si_bounds(latency_s, "s")
        return f"{typical} at typical times of the operations ({between})"
    low, typical, high = (si(one, "s") for one in latency_s)
    return (
        f"{typical} at typical times of the operations, {low} at the shortest published; "
        f"{high} at the longest if nothing overlaps"
    )


def real_time_text(cost: Cost, step_s: float | None) -> str:
    """Say what static energy a sample takes that lasts as long as it was recorded.

    Parameters
    ----------
    cost : Cost
    step_s : float or None
        What a step stands for; None if nobody said.
    """
    if step_s is None:
        power = bounds_text(static_power_w(cost), "W")
        return (
            f"in real time the static power, {power}, is drawn as long as a sample lasts "
            "(--step-ms says how long that is)"
        )
    real = in_real_time(cost, step_s)
    return (
        f"in real time ({si(real.duration_s, 's')} in steps of {si(real.step_s, 's')}) static "
        f"energy is {bounds_text(real.static_energy_j, 'J')}"
    )


def time_view(cost: Cost, hardware: HardwareProfile, step_s: float | None) -> dict[str, Any]:
    """Figures and sentences of a page about time and static energy.

    Parameters
    ----------
    cost : Cost
    hardware : HardwareProfile
        With which it was priced.
    step_s : float or None
    """
    host = from_host_s(cost, hardware)
    dynamic, static = cost.dynamic_energy_j.typical, cost.static_energy_j.typical
    return {
        "static": si_bounds(cost.static_energy_j, "J"),
        "together": bounds_text(cost.total_energy_j, "J"),
        "times": count(float(f"{static / dynamic:.2g}")) if static and dynamic else None,
        "latency": latency_text(cost.latency_s),
        "replayed": not cost.host_input,
        "real": real_time_text(cost, step_s),
        "host": None if host.typical is None else bounds_text(host, "s"),
    }
