"""A quantity: one number with unit, bounds, source, confidence and the formula behind it."""

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from kipuka.hardware_profiles.numbers import SiBounds
from kipuka.hardware_profiles.units import UNITS, cited, known_unit, refusal, to_si

Confidence: TypeAlias = Literal[
    "measured",
    "published spec",
    "pre-silicon simulation",
    "derived",
    "plot reading",
    "script comment",
    "guess",
]
"""How far a number can be trusted, best first."""

# Strict, because a lax float would take the text '23.6' or the switch 'yes' for a number.
Number: TypeAlias = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Unit: TypeAlias = Annotated[str, AfterValidator(known_unit)]
Source: TypeAlias = Annotated[str, AfterValidator(cited)]
Text: TypeAlias = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Strict(BaseModel):
    """Immutable, and closed: a mistyped key is an error instead of a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(Strict):
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


class Basis(Strict):
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


class Ability(Basis):
    """What a chip can or cannot do.

    Parameters
    ----------
    source, confidence, secondary
        Of every `Basis`.
    able : bool
    note : str, optional
        What this means for a network.
    """

    able: Annotated[bool, Field(strict=True)]
    note: Text | None = None


class FormulaInput(Basis):
    """A number that a formula of a derived quantity uses.

    Parameters
    ----------
    source, confidence, secondary
        Of every `Basis`.
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


class Quantity(Strict):
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
        low, typical, high = (to_si(one, self.unit) for one in (self.low, self.value, self.high))
        return SiBounds(low, typical, high, unit=UNITS[self.unit][0])

    def sources(self) -> tuple[str, ...]:
        """Return the source of the value, of each bound and of each input of the formula."""
        others = (self.low_basis, self.high_basis, *self.inputs)
        return (self.source, *(basis.source for basis in others if basis is not None))

    @model_validator(mode="after")
    def _null_is_explained(self) -> "Quantity":
        """Allow an absent value only where the note says that it is not published."""
        if self.value is None:
            if "not published" not in (self.note or ""):
                raise refusal(
                    "A value is null without saying why",
                    limit="null only with a note that says 'not published'",
                    found=f"note {self.note!r}",
                    remedy="give the value, or a note with the words 'not published'",
                )
            if (self.low, self.high, self.confidence) != (None, None, None):
                raise refusal(
                    "A number that is not published has bounds or a confidence",
                    limit="no low, high or confidence beside a null value",
                    found=f"low {self.low}, high {self.high}, confidence {self.confidence}",
                    remedy="give a value too, or remove them",
                )
        elif self.confidence is None:
            raise refusal(
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
            raise refusal(
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
                raise refusal(
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
            raise refusal(
                "A derived number does not say how it was derived",
                limit=f"inputs, and a formula that assigns {', '.join(sorted(derived))}",
                found=f"formula {self.formula!r} with {len(self.inputs)} inputs",
                remedy="add formula, as in 'value = a / b', and its inputs",
            )
        return self


def measured_in(base_unit: str) -> AfterValidator:
    """Make a validator that refuses a quantity of another dimension than `base_unit`."""
    allowed = [unit for unit, (base, _) in UNITS.items() if base == base_unit]

    def check(quantity: "Quantity") -> "Quantity":
        if quantity.unit not in allowed:
            raise refusal(
                "The unit does not fit this quantity",
                limit=f"one of {', '.join(allowed)}",
                found=repr(quantity.unit),
                remedy="give the number in a unit of the right kind, or move it to its own key",
            )
        return quantity

    return AfterValidator(check)
