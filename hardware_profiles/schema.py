"""What a hardware profile may say: quantities with unit, source, confidence and bounds."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

UNITS: dict[str, tuple[str, str]] = {
    "J": ("J", "1"),
    "mJ": ("J", "1e-3"),
    "uJ": ("J", "1e-6"),
    "nJ": ("J", "1e-9"),
    "pJ": ("J", "1e-12"),
    "s": ("s", "1"),
    "ms": ("s", "1e-3"),
    "us": ("s", "1e-6"),
    "ns": ("s", "1e-9"),
    "W": ("W", "1"),
    "mW": ("W", "1e-3"),
    "uW": ("W", "1e-6"),
    "bytes": ("bytes", "1"),
    "KiB": ("bytes", "1024"),
    "bits": ("bits", "1"),
    "axons": ("axons", "1"),
    "chips": ("chips", "1"),
    "cores": ("cores", "1"),
    "groups": ("groups", "1"),
    "neurons": ("neurons", "1"),
    "slots": ("slots", "1"),
    "steps": ("steps", "1"),
    "synapses": ("synapses", "1"),
    "synops": ("synops", "1"),
    "updates": ("updates", "1"),
    "words": ("words", "1"),
    "synops/s": ("synops/s", "1"),
    "updates/s": ("updates/s", "1"),
    "ratio": ("ratio", "1"),
}
"""Every unit a profile may use: its base unit and the exact factor to it, as decimal text."""

Confidence: TypeAlias = Literal[
    "measured",
    "published spec",
    "pre-silicon simulation",
    "derived",
    "plot reading",
    "script comment",
]

_CITATION = re.compile(r"\[([^\[\]]+)\]")


class SiBounds(NamedTuple):
    """Low, typical and high value in the base unit (J, s, W, bytes, or a plain count).

    ``None`` stands for a number that nobody has published: it is neither zero nor the typical
    value, and whoever computes with it decides in the open what to do.
    """

    low: float | None
    typical: float | None
    high: float | None


def _refusal(what: str, *, limit: str, found: object, remedy: str) -> PydanticCustomError:
    """Build a violation that carries the parts of a `KipukaError` beside its message."""
    context = {"limit": limit, "found": str(found), "remedy": remedy}
    return PydanticCustomError("profile_rule", "{what}", {"what": what, **context})


def _known_unit(unit: str) -> str:
    """Return `unit` if it stands in `UNITS`."""
    if unit not in UNITS:
        raise _refusal(
            "The unit is not one that profiles use",
            limit=f"one of {', '.join(UNITS)}",
            found=repr(unit),
            remedy="convert the number to one of these units",
        )
    return unit


def _cited(source: str) -> str:
    """Return `source` if it has a citation key and a place within that source."""
    if not _CITATION.search(source) or not _CITATION.sub("", source).strip(" ,;."):
        raise _refusal(
            "The source does not say where the number stands",
            limit="a key in square brackets and a table, page or file, as in '[Davies18] Table 2'",
            found=repr(source),
            remedy="cite one of the references of the profile, with the place in it",
        )
    return source


def _to_si(number: float | None, unit: str) -> float | None:
    """Convert through decimal digits, so that 23.6 pJ is the float nearest to 23.6e-12."""
    if number is None:
        return None
    return float(Decimal(repr(number)) * Decimal(UNITS[unit][1]))


def _measured_in(base_unit: str) -> AfterValidator:
    """Make a validator that refuses a quantity of another dimension than `base_unit`."""
    allowed = [unit for unit, (base, _) in UNITS.items() if base == base_unit]

    def check(quantity: "Quantity") -> "Quantity":
        if quantity.unit not in allowed:
            raise _refusal(
                "The unit does not fit this quantity",
                limit=f"one of {', '.join(allowed)}",
                found=repr(quantity.unit),
                remedy="give the number in a unit of the right kind, or move it to its own key",
            )
        return quantity

    return AfterValidator(check)


# Strict, because a lax float would take the text '23.6' or the switch 'yes' for a number.
Number: TypeAlias = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Unit: TypeAlias = Annotated[str, AfterValidator(_known_unit)]
Source: TypeAlias = Annotated[str, AfterValidator(_cited)]
Text: TypeAlias = Annotated[str, Field(min_length=1, pattern=r"\S")]


class _Strict(BaseModel):
    """Immutable, and closed: a mistyped key is an error instead of a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Strict):
    """A source that a profile cites.

    Parameters
    ----------
    key : str
        Citation key, written in square brackets where it is cited.
    citation : str
        Authors, title, year and identifier, enough to find the source.
    """

    key: Annotated[str, Field(pattern=r"^[^\[\]]+$")]
    citation: Text


class Basis(_Strict):
    """Where a number comes from and how far to trust it.

    Parameters
    ----------
    source : str
        Citation key in square brackets with table, page or file.
    confidence : str
        One of `Confidence`.
    secondary : bool
        The number was taken from a transcription; check the source before printing it.
    """

    source: Source
    confidence: Confidence
    secondary: bool = False


class FormulaInput(Basis):
    """A number that a formula of a derived quantity uses.

    Parameters
    ----------
    name : str
        Name of the number in the formula.
    value : float
        The number, in `unit`.
    unit : str
        One of `UNITS`.
    note : str, optional
        What the number counts.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    value: Number
    unit: Unit
    note: Text | None = None

    def in_si(self) -> float:
        """Return the number in the base unit of its unit (J, s, W, bytes, or a count)."""
        return float(Decimal(repr(self.value)) * Decimal(UNITS[self.unit][1]))


class Quantity(_Strict):
    """One number of a profile, with everything needed to judge it.

    Parameters
    ----------
    value : float or None
        Typical value in `unit`; ``None`` where nothing is published, and `note` says so.
    unit : str
        One of `UNITS`.
    low, high : float, optional
        Bounds in `unit`; absent means that no bound is published.
    source : str
        Citation key in square brackets with table, page or file. For a number that is not
        published: the source that would be expected to have it.
    confidence : str, optional
        One of `Confidence`; required unless the value is ``None``.
    secondary : bool
        The number was taken from a transcription; check the source before printing it.
    low_basis, high_basis : Basis, optional
        Origin of a bound that does not come from where the value comes from.
    formula : str, optional
        Assignments to ``low``, ``value`` and ``high``, separated by semicolons, over the names in
        `inputs`, all in base units. Required for each number whose confidence is 'derived'.
    inputs : tuple of FormulaInput
        The numbers in the formula.
    note : str, optional
        What the number means, and what it does not include.
    """

    value: Number | None
    unit: Unit
    low: Number | None = None
    high: Number | None = None
    source: Source
    confidence: Confidence | None = None
    secondary: bool = False
    low_basis: Basis | None = None
    high_basis: Basis | None = None
    formula: Text | None = None
    inputs: tuple[FormulaInput, ...] = ()
    note: Text | None = None

    def in_si(self) -> SiBounds:
        """Return (low, typical, high) in J, s, W, bytes or counts; ``None`` is not published."""
        return SiBounds(
            *(_to_si(number, self.unit) for number in (self.low, self.value, self.high))
        )

    def sources(self) -> tuple[str, ...]:
        """Return the source of the value, of each bound and of each input of the formula."""
        others = (self.low_basis, self.high_basis, *self.inputs)
        return (self.source, *(basis.source for basis in others if basis is not None))

    @model_validator(mode="after")
    def _null_is_explained(self) -> "Quantity":
        """Allow an absent value only where the note says that it is not published."""
        if self.value is None:
            if "not published" not in (self.note or ""):
                raise _refusal(
                    "A value is null without saying why",
                    limit="null only with a note that says 'not published'",
                    found=f"note {self.note!r}",
                    remedy="give the value, or a note with the words 'not published'",
                )
            if (self.low, self.high, self.confidence) != (None, None, None):
                raise _refusal(
                    "A number that is not published has bounds or a confidence",
                    limit="no low, high or confidence beside a null value",
                    found=f"low {self.low}, high {self.high}, confidence {self.confidence}",
                    remedy="give a value too, or remove them",
                )
        elif self.confidence is None:
            raise _refusal(
                "A value has no confidence",
                limit="a confidence beside every value",
                found="no confidence",
                remedy="add the key confidence",
            )
        return self

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> "Quantity":
        """Require low <= value <= high, and a bound wherever its basis is given."""
        present = [number for number in (self.low, self.value, self.high) if number is not None]
        if present != sorted(present):
            raise _refusal(
                "The bounds of a quantity do not enclose its value",
                limit="low <= value <= high",
                found=f"low {self.low}, value {self.value}, high {self.high} {self.unit}",
                remedy="correct or remove the bound that is wrong",
            )
        for name, bound, basis in (
            ("low", self.low, self.low_basis),
            ("high", self.high, self.high_basis),
        ):
            if basis is not None and bound is None:
                raise _refusal(
                    f"{name}_basis belongs to a bound that is not there",
                    limit=f"{name}_basis only beside {name}",
                    found=f"{name} null",
                    remedy=f"give {name}, or remove {name}_basis",
                )
        return self

    @model_validator(mode="after")
    def _derived_has_formula(self) -> "Quantity":
        """Require an assignment, and inputs, for each derived number."""
        derived = {"value"} if self.confidence == "derived" else set()
        for name, bound, basis in (
            ("low", self.low, self.low_basis),
            ("high", self.high, self.high_basis),
        ):
            confidence = self.confidence if basis is None else basis.confidence
            if bound is not None and confidence == "derived":
                derived.add(name)
        assigned = {part.split("=")[0].strip() for part in (self.formula or "").split(";")}
        if not derived <= assigned or (derived and not self.inputs):
            raise _refusal(
                "A derived number does not say how it was derived",
                limit=f"inputs, and a formula that assigns {', '.join(sorted(derived))}",
                found=f"formula {self.formula!r} with {len(self.inputs)} inputs",
                remedy="add formula, as in 'value = a / b', and its inputs",
            )
        return self


def _states_boundary(quantity: Quantity) -> Quantity:
    """Refuse a static power that does not say which rails, chips and board it covers."""
    if quantity.note is None or "boundary:" not in quantity.note.lower():
        raise _refusal(
            "Static power does not state its boundary",
            limit="a note with the word 'Boundary:' and the rails, chips and board it covers",
            found=f"note {quantity.note!r}",
            remedy="say in the note what was inside the measurement",
        )
    return quantity


JouleQuantity: TypeAlias = Annotated[Quantity, _measured_in("J")]
SecondQuantity: TypeAlias = Annotated[Quantity, _measured_in("s")]
ByteQuantity: TypeAlias = Annotated[Quantity, _measured_in("bytes")]
BitQuantity: TypeAlias = Annotated[Quantity, _measured_in("bits")]
AxonQuantity: TypeAlias = Annotated[Quantity, _measured_in("axons")]
CoreQuantity: TypeAlias = Annotated[Quantity, _measured_in("cores")]
NeuronQuantity: TypeAlias = Annotated[Quantity, _measured_in("neurons")]


class Energy(_Strict):
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
    dendrite_updates_per_neuron_update: Annotated[Quantity, _measured_in("updates")]


class Latency(_Strict):
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
        s per step that the synchronization of all cores takes.
    """

    synaptic_operation: SecondQuantity
    neuron_update: SecondQuantity
    neuron_update_inactive: SecondQuantity
    spike: SecondQuantity
    hop: SecondQuantity
    barrier: SecondQuantity


class Limits(_Strict):
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
    synapses_per_chip: Annotated[Quantity, _measured_in("synapses")]
    input_axons_per_core: AxonQuantity
    output_axons_per_core: AxonQuantity
    neuron_groups_per_core: Annotated[Quantity, _measured_in("groups")]
    memory_per_core: ByteQuantity
    synaptic_memory_per_core: ByteQuantity
    synaptic_words_per_core: Annotated[Quantity, _measured_in("words")]
    neuron_state: ByteQuantity
    delay_steps: Annotated[Quantity, _measured_in("steps")]
    delay_slots_per_core: Annotated[Quantity, _measured_in("slots")]
    weight_bits: BitQuantity
    spike_payload_bits: BitQuantity


class HardwareProfile(_Strict):
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
    references : tuple of Reference
        The sources that the quantities cite.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    chip: Text
    description: Text
    energy: Energy
    latency: Latency
    static_power: Annotated[Quantity, _measured_in("W"), AfterValidator(_states_boundary)]
    limits: Limits
    references: tuple[Reference, ...]

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """Yield every quantity with its dotted key, such as ``energy.hop``, in file order."""
        for group_name in ("energy", "latency", "static_power", "limits"):
            group = getattr(self, group_name)
            if isinstance(group, Quantity):
                yield group_name, group
                continue
            for name in type(group).model_fields:
                yield f"{group_name}.{name}", getattr(group, name)

    @model_validator(mode="after")
    def _citations_resolve(self) -> "HardwareProfile":
        """Require a reference for every citation key that a quantity uses."""
        known = [reference.key for reference in self.references]
        for name, quantity in self.quantities():
            for key in _CITATION.findall(" ".join(quantity.sources())):
                if key not in known:
                    raise _refusal(
                        f"{name} cites a source that the profile does not list",
                        limit=f"one of {', '.join(known)}",
                        found=f"[{key}]",
                        remedy="add the source to references, or correct the key",
                    )
        return self
