"""Latency of a run as a lower bound: per step the slowest of several terms.

``T_step = max(synaptic operations of the busiest core, its neuron updates, messages on the busiest
link, on the busiest link between chips, barrier)``, each times its own time (Timcheck, Pierro and
Shrestha, arXiv:2601.10035, eq. 1). A term whose time is not published is left out, and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kipuka.deploy.costs.core_activity import Work
from kipuka.deploy.costs.mapping import Mapping
from kipuka.deploy.costs.mapping.limits import NEURONS
from kipuka.hardware_profiles import SiBounds

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile

TERMS = ("synaptic operations", "neuron updates", "links", "links between chips", "barrier")
"""What can bound a step, in the order of the rows of `Timing.terms_s`."""


@dataclass(frozen=True, eq=False)
class Timing:
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


def timing_of(mapping: Mapping, work: Work, hardware: HardwareProfile) -> Timing:
    """Time every step of a run.

    Parameters
    ----------
    mapping : Mapping
    work : Work
    hardware : HardwareProfile

    Returns
    -------
    Timing
    """
    latency = hardware.latency
    passes = hardware.energy.dendrite_updates_per_neuron_update.in_si()
    neurons = int(mapping.needs(NEURONS).max(initial=0))
    updates = np.full(work.busiest_operations.shape, neurons, dtype=np.int64)
    terms = [
        (latency.synaptic_operation.in_si(), work.busiest_operations),
        (_times(latency.neuron_update.in_si(), passes), updates),
        (latency.link_message.in_si(), work.busiest_link),
        (latency.chip_link_message.in_si(), work.busiest_chip_link),
        (latency.barrier.in_si(), np.ones_like(updates)),
    ]
    missing = [
        f"time on {name}: not published"
        for name, (price, _) in zip(TERMS, terms, strict=True)
        if price.typical is None
    ]
    if latency.synaptic_memory_read.in_si().typical is None:
        missing.append("time of reading synaptic memory: not published")
    missing.append("congestion, and whatever terms of a step do not overlap: a lower bound")
    bounds = [_seconds(terms, which) for which in range(3)]
    typical = np.stack([_term(price.typical, counts) for price, counts in terms])
    per_sample = [None if b is None else float(b.sum(axis=1).mean()) for b in bounds]
    return Timing(
        latency_s=SiBounds(*per_sample),
        step_s=typical.max(axis=0),
        bottleneck=typical.argmax(axis=0),
        terms_s=typical,
        left_out=tuple(missing),
    )


def _seconds(terms: list[tuple[SiBounds, np.ndarray]], which: int) -> np.ndarray | None:
    """Time of each step with the low, typical or high prices; None if one has no such bound."""
    times = []
    for price, counts in terms:
        if price.typical is None:
            continue
        # Links never bound a step that sends nothing, whatever their price.
        if price[which] is None and counts.any():
            return None
        times.append(_term(price[which], counts))
    return np.max(times, axis=0)


def _term(price_s: float | None, counts: np.ndarray) -> np.ndarray:
    return counts * (price_s or 0.0)


def _times(a: SiBounds, b: SiBounds) -> SiBounds:
    pairs = zip(a, b, strict=True)
    return SiBounds(*(None if x is None or y is None else x * y for x, y in pairs))
