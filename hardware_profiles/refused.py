"""Figures that circulate as energies of Loihi 2 operations and that no source supports."""

from collections.abc import Iterable, Mapping

from kipuka.hardware_profiles.quantity import Quantity
from kipuka.hardware_profiles.units import UNITS, refusal

UNSOURCED_J: Mapping[float, str] = {
    0.23e-12: "0.23 pJ per synaptic operation is repeated without a source",
    0.9e-12: "0.9 pJ is the energy of an adder in a 45 nm process (Horowitz), not of this chip",
    2.1e-12: "2.1 pJ per spike is repeated without a source",
    15e-12: "15 pJ is repeated without a source",
    20e-12: "20 pJ per spike is repeated without a source",
    100e-12: "100 pJ per synaptic operation is repeated without a source",
}
"""Energy in J to the reason why no profile of Loihi 2 may give it."""


def refuse_unsourced_energies(quantities: Iterable[tuple[str, Quantity]]) -> None:
    """Check energies of Loihi 2 against the figures in `UNSOURCED_J`.

    Parameters
    ----------
    quantities : iterable of (str, Quantity)
        Dotted key and quantity.

    Raises
    ------
    PydanticCustomError
        If a value, a bound or an input of a formula is one of them.
    """
    for key, quantity in quantities:
        if UNITS[quantity.unit][0] != "J":
            continue
        numbers = [*quantity.in_si(), *(given.in_si() for given in quantity.inputs)]
        for number in numbers:
            if number is not None and number in UNSOURCED_J:
                raise refusal(
                    "An energy of Loihi 2 has no source behind it",
                    limit="an energy that a measurement, a specification or a formula supports; "
                    + UNSOURCED_J[number],
                    found=f"{number / 1e-12:g} pJ",
                    remedy="take the bundled estimate with its bounds, or measure",
                    key=key,
                )
