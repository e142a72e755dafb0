"""What a neuro core and a chip hold, as the mapper plans with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile, Quantity


WORD_BITS = 64
"""Synaptic memory is read in words of 64 bits ([Davies18] p. 89, for both generations)."""

NEURONS, AXONS_IN, AXONS_OUT = "neurons", "input axons", "output axons"
SYNAPTIC_MEMORY, MEMORY, DELAY_SLOTS = "synaptic memory", "memory", "delay slots"
NAMES = (NEURONS, SYNAPTIC_MEMORY, AXONS_IN, AXONS_OUT, DELAY_SLOTS, MEMORY)
"""Limits of a core in the order in which tables show them."""

UNITS = {
    NEURONS: "neurons",
    AXONS_IN: "axons",
    AXONS_OUT: "axons",
    SYNAPTIC_MEMORY: "words of 64 bits",
    MEMORY: "words of 64 bits",
    DELAY_SLOTS: "slots x neurons",
}


@dataclass(frozen=True)
class CoreLimits:
    """Limits to plan with; None is not published and not checked.

    Attributes
    ----------
    per_core : mapping of str to int or None
        Each of `NAMES`; memories in words of 64 bits.
    cores_per_chip, chips : int or None
        ``chips`` is None for a chip profile: as many as the network needs.
    neurons_per_chip, synapses_per_chip : int or None
    weight_bits, delay_steps : int or None
    """

    per_core: dict[str, int | None]
    cores_per_chip: int | None
    chips: int | None
    neurons_per_chip: int | None
    synapses_per_chip: int | None
    weight_bits: int | None
    delay_steps: int | None


def core_limits(hardware: HardwareProfile) -> CoreLimits:
    """Limits of a profile: the lower figure, where there are two, is the safe one to plan with."""
    limits = hardware.limits
    words = [_planned(limits.synaptic_words_per_core)]
    words.append(_in_words(limits.synaptic_memory_per_core))
    known = [one for one in words if one is not None]
    return CoreLimits(
        per_core={
            NEURONS: _planned(limits.neurons_per_core),
            AXONS_IN: _planned(limits.input_axons_per_core),
            AXONS_OUT: _planned(limits.output_axons_per_core),
            SYNAPTIC_MEMORY: min(known) if known else None,
            MEMORY: _in_words(limits.memory_per_core),
            DELAY_SLOTS: _planned(limits.delay_slots_per_core),
        },
        cores_per_chip=_planned(limits.cores_per_chip),
        # A board has the chips that its maker says; a lower figure elsewhere is no limit of a core.
        chips=None if hardware.system is None else _typical(hardware.system.chips),
        neurons_per_chip=_planned(limits.neurons_per_chip),
        synapses_per_chip=_planned(limits.synapses_per_chip),
        weight_bits=_typical(limits.weight_bits),
        delay_steps=_typical(limits.delay_steps),
    )


def _planned(quantity: Quantity) -> int | None:
    bounds = quantity.in_si()
    value = bounds.typical if bounds.low is None else bounds.low
    return None if value is None else int(value)


def _typical(quantity: Quantity) -> int | None:
    value = quantity.in_si().typical
    return None if value is None else int(value)


def _in_words(quantity: Quantity) -> int | None:
    n_bytes = _planned(quantity)
    return None if n_bytes is None else n_bytes * 8 // WORD_BITS
