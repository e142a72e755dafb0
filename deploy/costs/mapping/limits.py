"""What a neuro core and a chip hold, as the mapper plans with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile, Quantity

NEURONS, AXONS_IN, AXONS_OUT, AXON_MAP = "neurons", "input axons", "output axons", "axon map"
SYNAPTIC_MEMORY, MEMORY, DELAY_SLOTS = "synaptic memory", "memory", "delay slots"
NAMES = (NEURONS, SYNAPTIC_MEMORY, AXONS_IN, AXONS_OUT, AXON_MAP, DELAY_SLOTS, MEMORY)
"""Limits of a core in the order in which tables show them."""

SYNAPSES = "synapses"
"""Of a whole chip: what a single core must not exceed either."""

UNITS = {
    NEURONS: "neurons",
    AXONS_IN: "axons",
    AXONS_OUT: "axons",
    AXON_MAP: "words",
    SYNAPTIC_MEMORY: "words",
    MEMORY: "words",
    DELAY_SLOTS: "slots x neurons",
    SYNAPSES: "synapses",
}

Bound = Literal["low", "typical", "high"]


class Packing(NamedTuple):
    """How synapses fill words: see `kipuka.hardware_profiles.architecture.Packing`; all in bits.

    ``list_synapses`` and ``kernel_axons`` are counts, and None where there is no such limit.
    """

    word: int
    synapse_index: int
    sparse_index: int
    list_header: int
    list_synapses: int | None
    kernel_header: int
    kernel_stride: int
    kernel_axons: int | None
    synapse_delay: int


class Mesh(NamedTuple):
    """Columns and rows of routers on a chip, and cores at each."""

    columns: int
    rows: int
    cores_per_router: int


@dataclass(frozen=True)
class CoreLimits:
    """Limits to plan with; None is not published and not checked.

    Attributes
    ----------
    per_core : mapping of str to int or None
        Each of `NAMES`, and `SYNAPSES`; memories in words.
    cores_per_chip, chips : int or None
        ``chips`` is None for a chip profile: as many as the network needs.
    neurons_per_chip, synapses_per_chip : int or None
    weight_bits, payload_bits, delay_steps : int or None
    packing : Packing
    mesh : Mesh
    """

    per_core: dict[str, int | None]
    cores_per_chip: int | None
    chips: int | None
    neurons_per_chip: int | None
    synapses_per_chip: int | None
    weight_bits: int | None
    payload_bits: int | None
    delay_steps: int | None
    packing: Packing
    mesh: Mesh


def core_limits(
    hardware: HardwareProfile, packing: Bound = "typical", cautious: bool = False
) -> CoreLimits:
    """Limits of a profile: the lower figure, where there are two, is the safe one to plan with.

    Parameters
    ----------
    hardware : HardwareProfile
    packing : {"low", "typical", "high"}
        Which end of the packing's numbers to plan with.
    cautious : bool
        Whether to stop filling the synaptic memory where the compiler was seen to stop, and not at
        its ceiling.
    """
    limits, own = hardware.limits, hardware.packing
    word = _typical(own.word) or 1
    ceiling = limits.synaptic_words_per_core
    known = [
        _planned(ceiling) if cautious else _typical(ceiling),
        _in_words(limits.synaptic_memory_per_core, word),
    ]
    neurons_per_chip = _planned(limits.neurons_per_chip)
    synapses_per_chip = _planned(limits.synapses_per_chip)
    return CoreLimits(
        per_core={
            NEURONS: _least(_planned(limits.neurons_per_core), neurons_per_chip),
            SYNAPTIC_MEMORY: _least(*known),
            AXONS_IN: _planned(limits.input_axons_per_core),
            AXONS_OUT: _planned(limits.output_axons_per_core),
            AXON_MAP: _typical(own.axon_map),
            DELAY_SLOTS: _planned(limits.delay_slots_per_core),
            MEMORY: _least(_in_words(limits.memory_per_core, word), _typical(own.total)),
            SYNAPSES: synapses_per_chip,
        },
        cores_per_chip=_planned(limits.cores_per_chip),
        # A board has the chips that its maker says; a lower figure elsewhere is no limit of a core.
        chips=None if hardware.system is None else _typical(hardware.system.chips),
        neurons_per_chip=neurons_per_chip,
        synapses_per_chip=synapses_per_chip,
        weight_bits=_typical(limits.weight_bits),
        payload_bits=_typical(limits.spike_payload_bits),
        delay_steps=_typical(limits.delay_steps),
        packing=_packing(hardware, packing),
        mesh=_mesh(hardware),
    )


def _packing(hardware: HardwareProfile, bound: Bound) -> Packing:
    def bits(quantity: Quantity) -> int:
        return _at(quantity, bound) or 0

    own = hardware.packing
    return Packing(
        word=_typical(own.word) or 1,
        synapse_index=bits(own.synapse_index),
        sparse_index=bits(own.sparse_index),
        list_header=bits(own.list_header),
        list_synapses=_typical(own.list_synapses),
        kernel_header=bits(own.kernel_header),
        kernel_stride=bits(own.kernel_stride),
        kernel_axons=_at(own.kernel_axons, bound),
        synapse_delay=bits(own.synapse_delay),
    )


def _mesh(hardware: HardwareProfile) -> Mesh:
    mesh = hardware.mesh
    sizes = (mesh.columns, mesh.rows, mesh.cores_per_router)
    return Mesh(*(max(_typical(size) or 1, 1) for size in sizes))


def _least(*values: int | None) -> int | None:
    known = [value for value in values if value is not None]
    return min(known) if known else None


def _planned(quantity: Quantity) -> int | None:
    return _at(quantity, "low")


def _typical(quantity: Quantity) -> int | None:
    return _at(quantity, "typical")


def _at(quantity: Quantity, bound: Bound) -> int | None:
    """Number at a bound; the typical one where that bound is not published."""
    bounds = quantity.in_si()
    value = getattr(bounds, bound)
    value = bounds.typical if value is None else value
    return None if value is None else int(value)


def _in_words(quantity: Quantity, word_bits: int) -> int | None:
    n_bytes = _planned(quantity)
    return None if n_bytes is None else n_bytes * 8 // word_bits
