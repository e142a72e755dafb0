"""What a profile of a chip or a system holds: energies, times, static power and limits."""

from collections.abc import Iterator
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from kipuka.display import Shown, Table
from kipuka.errors import expect
from kipuka.hardware_profiles.architecture import (
    Abilities,
    AxonQuantity,
    BitQuantity,
    CoreQuantity,
    HostInput,
    Mesh,
    Packing,
    SecondQuantity,
)
from kipuka.hardware_profiles.quantity import Quantity, Reference, Strict, Text, measured_in
from kipuka.hardware_profiles.refused import refuse_unsourced_energies
from kipuka.hardware_profiles.units import CITATION, refusal


def states_boundary(quantity: Quantity) -> Quantity:
    """Refuse a static power that does not say which rails, chips and board it covers."""
    if quantity.note is None or "boundary:" not in quantity.note.lower():
        raise refusal(
            "Static power does not state its boundary",
            limit="a note with the word 'Boundary:' and the rails, chips and board it covers",
            found=f"note {quantity.note!r}",
            remedy="say in the note what was inside the measurement",
        )
    return quantity


JouleQuantity: TypeAlias = Annotated[Quantity, measured_in("J")]
ByteQuantity: TypeAlias = Annotated[Quantity, measured_in("bytes")]
NeuronQuantity: TypeAlias = Annotated[Quantity, measured_in("neurons")]
StaticPower: TypeAlias = Annotated[Quantity, measured_in("W"), AfterValidator(states_boundary)]


class Energy(Strict):
    """Dynamic energy of single operations; static power is kept apart from it.

    Parameters
    ----------
    synaptic_operation : Quantity
        J per synapse that a spike reaches.
    neuron_update : Quantity
        J per dendrite update, which is one pass over one neuron; a whole neuron update costs
        `dendrite_updates_per_neuron_update` of them.
    neuron_update_inactive : Quantity
        J per dendrite update of a neuron that has nothing to do.
    spike : Quantity
        J per spike message within a tile.
    hop : Quantity
        J per spike message and hop between neighbouring tiles.
    dendrite_updates_per_neuron_update : Quantity
        Dendrite updates, in updates, that the chip counts for one neuron in one step.
    """

    synaptic_operation: JouleQuantity
    neuron_update: JouleQuantity
    neuron_update_inactive: JouleQuantity
    spike: JouleQuantity
    hop: JouleQuantity
    dendrite_updates_per_neuron_update: Annotated[Quantity, measured_in("updates")]


class Latency(Strict):
    """Time that single operations occupy the unit that does them.

    Parameters
    ----------
    synaptic_operation : Quantity
        s per synapse that a spike reaches, on one core.
    neuron_update, neuron_update_inactive : Quantity
        s per dendrite update on one core, active and with nothing to do.
    spike : Quantity
        s per spike message within a tile.
    hop : Quantity
        s per spike message and hop between neighbouring tiles.
    barrier : Quantity
        s per step that the synchronization of all cores of one chip takes.
    synaptic_memory_read : Quantity
        s per word of synaptic memory that a core reads.
    link_message : Quantity
        s per spike message on a directed link between two routers.
    chip_link_message : Quantity
        s per binary spike message on a directed link between two chips.
    barrier_of_chips : Quantity, optional
        s per step that the synchronization of several chips takes; where it is absent, that of one.
    """

    synaptic_operation: SecondQuantity
    neuron_update: SecondQuantity
    neuron_update_inactive: SecondQuantity
    spike: SecondQuantity
    hop: SecondQuantity
    barrier: SecondQuantity
    synaptic_memory_read: SecondQuantity
    link_message: SecondQuantity
    chip_link_message: SecondQuantity
    barrier_of_chips: SecondQuantity | None = None


class Limits(Strict):
    """What fits. Where ``low`` is given, the value is the ceiling and ``low`` is safe to plan with.

    Parameters
    ----------
    cores_per_chip, embedded_cpus_per_chip : Quantity
        Neuro cores and embedded processors, in cores.
    neurons_per_core, neurons_per_chip : Quantity
        Neurons (compartments).
    synapses_per_chip : Quantity
        Synapses.
    input_axons_per_core, output_axons_per_core : Quantity
        Axons.
    neuron_groups_per_core : Quantity
        Groups of neurons with shared parameters, in groups.
    memory_per_core, synaptic_memory_per_core : Quantity
        Memory of one core, and the part of it that may hold synapses, in bytes.
    synaptic_words_per_core : Quantity
        Words of synaptic memory that the compiler fills at most, in words.
    neuron_state : Quantity
        State of one neuron, in bytes.
    delay_steps : Quantity
        Largest axonal delay, in steps.
    delay_slots_per_core : Quantity
        Delay slots times neurons on one core, in slots.
    weight_bits, spike_payload_bits : Quantity
        Width of a stored weight, and of what a graded spike carries, in bits.
    """

    cores_per_chip: CoreQuantity
    embedded_cpus_per_chip: CoreQuantity
    neurons_per_core: NeuronQuantity
    neurons_per_chip: NeuronQuantity
    synapses_per_chip: Annotated[Quantity, measured_in("synapses")]
    input_axons_per_core: AxonQuantity
    output_axons_per_core: AxonQuantity
    neuron_groups_per_core: Annotated[Quantity, measured_in("groups")]
    memory_per_core: ByteQuantity
    synaptic_memory_per_core: ByteQuantity
    synaptic_words_per_core: Annotated[Quantity, measured_in("words")]
    neuron_state: ByteQuantity
    delay_steps: Annotated[Quantity, measured_in("steps")]
    delay_slots_per_core: Annotated[Quantity, measured_in("slots")]
    weight_bits: BitQuantity
    spike_payload_bits: BitQuantity


class EnergyCase(Strict):
    """Energies that hold together, where one measured total was shared out among operations.

    Parameters
    ----------
    name : str
        How the total was shared out.
    synaptic_operation, neuron_update : Quantity
        As in `Energy`.
    """

    name: Text
    synaptic_operation: JouleQuantity
    neuron_update: JouleQuantity


class SystemProfile(Strict):
    """A board or system: so many chips, and what is known of them together.

    Parameters
    ----------
    name : str
        Short name, as in `load_profile`.
    system : str
        Name for people.
    chip_profile : str
        Name of the bundled profile of its chip.
    description : str
    chips : Quantity
        Chips, in chips.
    cores : Quantity, optional
        Neuro cores of all chips that can be used, if fewer than the chips have.
    static_power : Quantity, optional
        Power of the idle system in W with its boundary in the note; absent where the chip's own
        figure was measured on this system.
    board_power : Quantity, optional
        Most that the whole system draws, in W; no part of an estimate.
    references : tuple of Reference
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    system: Text
    chip_profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: Text
    chips: Annotated[Quantity, measured_in("chips")]
    cores: CoreQuantity | None = None
    static_power: StaticPower | None = None
    board_power: Annotated[Quantity, measured_in("W")] | None = None
    references: tuple[Reference, ...]

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """Yield every quantity that the file gives, with its key."""
        for name in ("chips", "cores", "static_power", "board_power"):
            quantity = getattr(self, name)
            if quantity is not None:
                yield name, quantity

    @model_validator(mode="after")
    def _citations_resolve(self) -> "SystemProfile":
        """Require a reference for every citation key that a quantity uses."""
        check_citations(self.quantities(), self.references)
        return self


class HardwareProfile(Shown, Strict):
    """Everything known about one chip.

    Parameters
    ----------
    name : str
        Short name, as in `load_profile`.
    chip : str
        Name for people.
    description : str
        What kind of numbers the profile holds.
    energy : Energy
        Dynamic energy per operation.
    latency : Latency
        Time per operation.
    static_power : Quantity
        Power of one idle chip, in W; its note states the boundary.
    limits : Limits
        Capacity of cores and chip.
    mesh : Mesh
    packing : Packing
    abilities : Abilities
    host_input : HostInput
    references : tuple of Reference
        The sources that the quantities cite.
    energy_cases : tuple of EnergyCase
        Energies of `energy` that hold together; bounds of a sum are taken over the cases. Empty
        where the energies of the operations are independent.
    system : SystemProfile or None
        The system whose chips these are; None for a chip by itself. No key of a chip's file.
    taken_over : tuple of str
        Groups that the file does not have and that are those of a bundled profile. No key either.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    chip: Text
    description: Text
    energy: Energy
    latency: Latency
    static_power: StaticPower
    limits: Limits
    mesh: Mesh
    packing: Packing
    abilities: Abilities
    host_input: HostInput
    references: tuple[Reference, ...]
    energy_cases: tuple[EnergyCase, ...] = ()
    system: SystemProfile | None = Field(default=None, exclude=True)
    taken_over: tuple[str, ...] = Field(default=(), exclude=True)

    def _line(self) -> str:
        return f"{self.title}: {sum(1 for _ in self.quantities())} quantities"

    __str__ = Shown.__repr__

    def _table(self) -> Table:
        rows = [
            (
                key,
                quantity.value,
                "" if quantity.low is None else quantity.low,
                "" if quantity.high is None else quantity.high,
                quantity.unit,
                quantity.confidence or "",
                quantity.source,
            )
            for key, quantity in self.quantities()
        ]
        columns = ["quantity", "value", "low", "high", "unit", "confidence", "source"]
        return Table(columns, rows)

    @property
    def title(self) -> str:
        """Chip or system for people, with the profile's own name."""
        return f"{self.chip if self.system is None else self.system.system} ({self.name})"

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """Yield every quantity with its dotted key, such as ``energy.hop``, in file order."""
        groups = ("energy", "latency", "static_power", "limits", "mesh", "packing", "host_input")
        for group_name in groups:
            group = getattr(self, group_name)
            if isinstance(group, Quantity):
                yield group_name, group
                continue
            for name in type(group).model_fields:
                if getattr(group, name) is not None:
                    yield f"{group_name}.{name}", getattr(group, name)
        for number, case in enumerate(self.energy_cases):
            yield f"energy_cases.{number}.synaptic_operation", case.synaptic_operation
            yield f"energy_cases.{number}.neuron_update", case.neuron_update
        if self.system is not None:
            for name, quantity in self.system.quantities():
                if name != "static_power":
                    yield f"system.{name}", quantity

    @model_validator(mode="after")
    def _citations_resolve(self) -> "HardwareProfile":
        """Require a reference for every citation key that a quantity or an ability uses."""
        check_citations(self.quantities(), self.references)
        for name, ability in self.abilities.each():
            _check_sources(f"abilities.{name}", ability.source, self.references)
        return self

    @model_validator(mode="after")
    def _energies_have_a_source(self) -> "HardwareProfile":
        """Refuse figures that circulate as Loihi 2 energies without a source."""
        if "loihi 2" in self.chip.lower() or "loihi2" in self.name:
            refuse_unsourced_energies(self.quantities())
        return self


def check_citations(
    quantities: Iterator[tuple[str, Quantity]], references: tuple[Reference, ...]
) -> None:
    """Refuse quantities with a citation key that `references` lacks."""
    for name, quantity in quantities:
        _check_sources(name, " ".join(quantity.sources()), references)


def _check_sources(name: str, sources: str, references: tuple[Reference, ...]) -> None:
    known = [reference.key for reference in references]
    for key in CITATION.findall(sources):
        if key not in known:
            raise refusal(
                f"{name} cites a source that the profile does not list",
                limit=f"one of {', '.join(known)}",
                found=f"[{key}]",
                remedy="add the source to references, or correct the key",
                key=name,
            )


def expect_profile(hardware: object) -> None:
    """Refuse what is no profile, such as the name of a chip.

    Raises
    ------
    KipukaError
        If it is none.
    """
    named = 'kipuka.hardware_profiles.load_profile("loihi2") reads one'
    expect(hardware, HardwareProfile, "argument hardware", named)
