"""Latency of a run: what each step's terms take, alone or one after the other.

The low and the typical time are the lower bound of Timcheck, Pierro and Shrestha (arXiv:2601.10035,
eq. 1), ``T_step = max(synaptic operations of the busiest core, its neuron updates, messages on the
busiest link, on the busiest link between chips, barrier)``, each times its own time: everything
overlaps. The high time is their sum: nothing does. Where input comes from a program on the host,
the wall time of a step that was published of such runs is one more term. A term whose time is not
published is left out, and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kipuka.deploy.costs.core_activity import CoreActivity
from kipuka.deploy.costs.mapping import Mapping
from kipuka.deploy.costs.mapping.limits import NEURONS
from kipuka.display import Shown
from kipuka.hardware_profiles import SiBounds

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

TERMS = (
    "synaptic operations",
    "neuron updates",
    "links",
    "links between chips",
    "barrier",
    "host input",
)
"""What can bound a step, in the order of the rows of `Timing.terms_s`."""

Terms = list[tuple[SiBounds, np.ndarray]]
"""Time of one unit of each term, and units of it in each step."""


class Laid(NamedTuple):
    """A run laid over one mapping."""

    mapping: Mapping
    activity: CoreActivity


@dataclass(frozen=True, eq=False)
class Timing(Shown):
    """When the run's steps end.

    Attributes
    ----------
    latency_s : SiBounds
        Per sample, mean over samples.
    step_s : float array (samples, steps)
        Typical time of each step.
    bottleneck : int64 array (samples, steps)
        Index into `TERMS` of what bounds each step in the typical case.
    terms_s : float array (terms, samples, steps)
        Typical time that each term alone would take.
    left_out : tuple of str
    """

    latency_s: SiBounds
    step_s: np.ndarray
    bottleneck: np.ndarray
    terms_s: np.ndarray
    left_out: tuple[str, ...]


def timing_of(
    planned: Laid,
    others: tuple[Laid, ...],
    hardware: HardwareProfile,
    *,
    host_input: bool = False,
) -> Timing:
    """Time every step of a run.

    Parameters
    ----------
    planned : Laid
        Over the mapping that the typical time is of.
    others : tuple of Laid
        Over mappings that the compiler may choose instead, which widen the bounds.
    hardware : HardwareProfile
    host_input : bool
        Whether spikes come from a program on the host in each step; else they are preloaded.

    Returns
    -------
    Timing
    """
    terms = terms_of(planned, hardware, host_input)
    missing = [
        f"time on {name}: not published"
        for name, (price, _) in zip(TERMS, terms, strict=True)
        if price.typical is None
    ]
    if hardware.latency.synaptic_memory_read.in_si().typical is None:
        missing.append("time of reading synaptic memory: not published")
    missing.append("congestion on the mesh")
    typical = np.stack([counts * (price.typical or 0.0) for price, counts in terms])
    every = [terms, *(terms_of(other, hardware, host_input) for other in others)]
    lows, highs = [_low_s(one) for one in every], [_high_s(one) for one in every]
    step_s = typical.max(axis=0)
    return Timing(
        latency_s=SiBounds(
            None if None in lows else min(x for x in lows if x is not None),
            float(step_s.sum(axis=1).mean()),
            None if None in highs else max(x for x in highs if x is not None),
            unit="s",
        ),
        step_s=step_s,
        bottleneck=typical.argmax(axis=0),
        terms_s=typical,
        left_out=tuple(missing),
    )


def terms_of(laid: Laid, hardware: HardwareProfile, host_input: bool = False) -> Terms:
    """Give time and number of what is done in each step, in the order of `TERMS`."""
    latency, (mapping, activity) = hardware.latency, laid
    passes = hardware.energy.dendrite_updates_per_neuron_update.in_si()
    neurons = int(mapping.needs(NEURONS).max(initial=0))
    updates = np.full(activity.busiest_operations.shape, neurons, dtype=np.int64)
    barrier = latency.barrier
    if mapping.n_chips > 1 and latency.barrier_of_chips is not None:
        barrier = latency.barrier_of_chips
    return [
        (latency.synaptic_operation.in_si(), activity.busiest_operations),
        (_times(latency.neuron_update.in_si(), passes), updates),
        (latency.link_message.in_si(), activity.busiest_link),
        (latency.chip_link_message.in_si(), activity.busiest_chip_link),
        (barrier.in_si(), np.ones_like(updates)),
        (
            hardware.host_input.step_from_host.in_si() if host_input else SiBounds(0.0, 0.0, 0.0),
            np.full_like(updates, int(host_input)),
        ),
    ]


def _low_s(terms: Terms) -> float | None:
    """Time of a sample if all terms overlap, each at its lowest."""
    steps = _bound(terms, "low")
    return None if steps is None else float(steps.max(axis=0).sum(axis=1).mean())


def _high_s(terms: Terms) -> float | None:
    """Time of a sample if no terms overlap, each at its highest."""
    steps = _bound(terms, "high")
    return None if steps is None else float(steps.sum(axis=(0, 2)).mean())


def _bound(terms: Terms, bound: str) -> np.ndarray | None:
    """Time of each term in each step; None if one has no such bound and is not idle."""
    times = []
    for price, counts in terms:
        value = getattr(price, bound)
        if price.typical is None:
            continue
        # Links never bound a step that sends nothing, whatever their price.
        if value is None and counts.any():
            return None
        times.append(counts * (value or 0.0))
    return np.stack(times)


def _times(a: SiBounds, b: SiBounds) -> SiBounds:
    pairs = zip(a, b, strict=True)
    return SiBounds(*(None if x is None or y is None else x * y for x, y in pairs))
