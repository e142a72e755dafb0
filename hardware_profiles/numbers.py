"""Bounds of a number, and numbers as people read them: SI prefixes, bounds, grouped counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

NOT_PUBLISHED = "not published"
PREFIXES: Mapping[int, str] = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M"}
# Keep a number and its unit, or groups of three digits, on one line.
SPACE = "\u00a0"
_NARROW_SPACE = "\u202f"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


PREFIXED = ("J", "s", "W")
"""Units that take a prefix."""


class _Bounds(NamedTuple):
    low: float | None
    typical: float | None
    high: float | None


class SiBounds(_Bounds):
    """Low, typical and high value in the base unit (J, s, W, bytes, or a plain count).

    ``None`` stands for a number that nobody has published: it is neither zero nor the typical
    value, and whoever computes with it decides in the open what to do.

    Parameters
    ----------
    low, typical, high : float or None
    unit : str
        For people: what `str` writes behind the numbers. Bounds compare by these alone.
    """

    unit: str = ""

    def __new__(
        cls, low: float | None, typical: float | None, high: float | None, *, unit: str = ""
    ) -> SiBounds:
        """Take the numbers with their unit."""
        made = super().__new__(cls, low, typical, high)
        made.unit = unit
        return made

    def __str__(self) -> str:
        """Write the typical value with its bounds, as a report does.

        Examples
        --------
        >>> print(str(SiBounds(6.1e-7, 1.23e-6, 2.05e-6, unit="J")).replace("\u00a0", " "))
        1.23 µJ (0.610 to 2.05 µJ)
        >>> print(str(SiBounds(None, 62.0, 63.0, unit="steps")).replace("\u00a0", " "))
        62 steps (low not published, high 63)
        """
        if self.unit in PREFIXED:
            return bounds_text(self, self.unit)
        low, typical, high = (NOT_PUBLISHED if x is None else count(x) for x in self)
        if self.typical is None:
            return typical
        return f"{typical}{SPACE}{self.unit}".rstrip() + f" (low {low}, high {high})"


def si(value: float | None, unit: str, exponent: int | None = None) -> str:
    """Write a value with three digits and an SI prefix.

    Parameters
    ----------
    value : float or None
        In the base unit; None prints as 'not published'.
    unit : str
    exponent : int, optional
        Power of ten of the prefix; chosen by the value if absent.

    Examples
    --------
    >>> si(1.234e-6, "J").replace("\u00a0", " ")
    '1.23 µJ'
    """
    if value is None:
        return NOT_PUBLISHED
    exponent = _exponent(value) if exponent is None else exponent
    return f"{_three_digits(value / 10.0**exponent)}{SPACE}{PREFIXES[exponent]}{unit}"


def si_bounds(bounds: SiBounds, unit: str) -> tuple[str, str]:
    """Write a typical value, and its bounds under the same prefix.

    Parameters
    ----------
    bounds : SiBounds
    unit : str
        Base unit of the bounds.

    Returns
    -------
    typical, between : str
        Such as ``1.23 µJ`` and ``0.61 to 2.05 µJ``.
    """
    if bounds.low is None and bounds.high is None:
        return si(bounds.typical, unit), f"low and high {NOT_PUBLISHED}"
    known = [value for value in (bounds.typical, bounds.high, bounds.low) if value is not None]
    exponent = _exponent(known[0])
    low, high = (si(end, unit, exponent) for end in (bounds.low, bounds.high))
    if bounds.low is not None and bounds.high is not None:
        low = low.partition(SPACE)[0]
    prefix = "low " if bounds.low is None else ""
    suffix = "high " if bounds.high is None else ""
    return si(bounds.typical, unit, exponent), f"{prefix}{low} to {suffix}{high}"


def bounds_text(bounds: SiBounds, unit: str) -> str:
    """Write a typical value with its bounds behind it."""
    typical, between = si_bounds(bounds, unit)
    return typical if typical == NOT_PUBLISHED else f"{typical} ({between})"


def count(value: float) -> str:
    """Write a count or a mean of counts: four digits, or whole thousands in groups of three."""
    if value == round(value) and abs(value) < 1e12:
        return f"{round(value):,}".replace(",", _NARROW_SPACE)
    if 1000 <= abs(value) < 1e9:
        return f"{value:,.0f}".replace(",", _NARROW_SPACE)
    mantissa, _, power = f"{value:.4g}".partition("e")
    return f"{mantissa} × 10{str(int(power)).translate(_SUPERSCRIPT)}" if power else mantissa


def _exponent(value: float) -> int:
    if value == 0:
        return 0
    # Rounded first, so that 999.6 nJ becomes 1.00 µJ.
    power = math.floor(math.log10(float(f"{abs(value):.2e}")))
    return min(max(power // 3 * 3, min(PREFIXES)), max(PREFIXES))


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}".replace(",", _NARROW_SPACE)
