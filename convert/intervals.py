"""Intervals of a fraction: of independent samples, and of samples that come in groups."""

from __future__ import annotations

import math

import numpy as np

LEVEL_95 = 0.95
DEVIATIONS_95 = 1.959963984540054
"""Standard deviations to either side that hold 95 % of a normal distribution."""


def wilson_interval(correct: float, samples: float) -> tuple[float, float]:
    """Return the 95 % interval of a fraction by its score (Wilson, J. Am. Stat. Assoc. 22, 1927).

    Parameters
    ----------
    correct, samples : float
        `samples` is at least 1; fractions are those of samples that count for less than one.

    Examples
    --------
    >>> low, high = wilson_interval(9, 10)
    >>> f"{low:.3f} to {high:.3f}"
    '0.596 to 0.982'
    """
    square = DEVIATIONS_95**2
    found = correct / samples
    middle = found + square / (2 * samples)
    reach = DEVIATIONS_95 * math.sqrt(
        found * (1 - found) / samples + square / (4 * samples * samples)
    )
    scale = 1 + square / samples
    # Both ends of the range are met exactly, which rounding would miss.
    low = (middle - reach) / scale if correct else 0.0
    high = (middle + reach) / scale if correct < samples else 1.0
    return low, high


def interval_over_groups(right: np.ndarray, group_of: np.ndarray) -> tuple[float, float] | None:
    """Return the 95 % interval of a fraction on new groups of the same kind.

    The score interval (Wilson) of as many independent samples as the groups are worth: the
    variance of the fraction between groups, as a ratio of sums (Cochran, Sampling Techniques, 3rd
    edition, 1977, section 3.12), and t in place of the normal distribution because groups are few
    (Korn and Graubard, Survey Methodology 24, 1998). If all samples are right, or all wrong,
    nothing tells how much those of a group resemble each other, and they count as independent.

    Parameters
    ----------
    right : bool array (samples,)
    group_of : array (samples,)
        Group of each sample.

    Returns
    -------
    low, high : float
        None for a single group, from which nothing can be said about others.

    Examples
    --------
    >>> right = np.array([True] * 10 + [False] * 10)
    >>> low, high = interval_over_groups(right, np.repeat([0, 1, 2, 3], 5))
    >>> f"{low:.2f} to {high:.2f}"
    '0.07 to 0.93'
    """
    names, number = np.unique(group_of, return_inverse=True)
    if len(names) < 2:
        return None
    samples, correct = len(right), int(np.count_nonzero(right))
    fraction, worth = correct / samples, float(samples)
    if 0 < correct < samples:
        sizes, sums = np.bincount(number), np.bincount(number, weights=right)
        squares = float(((sums - fraction * sizes) ** 2).sum())
        variance = squares * len(names) / (len(names) - 1) / samples**2
        few = (t_quantile(samples - 1) / t_quantile(len(names) - 1)) ** 2
        independent = fraction * (1 - fraction)
        # Groups that differ less than chance would have it do not count for more than they are.
        if variance * samples > independent * few:
            worth = independent / variance * few
    return wilson_interval(fraction * worth, worth)


def t_quantile(freedom: int) -> float:
    """Return what 95 % of Student's t distribution lie within, to either side.

    Parameters
    ----------
    freedom : int
        Degrees of freedom, at least 1.

    Examples
    --------
    >>> f"{t_quantile(1):.3f} {t_quantile(5):.3f} {t_quantile(100):.3f}"
    '12.706 2.571 1.984'
    """
    low, high = 0.0, 16.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _share_within(middle, freedom) < LEVEL_95 else (low, middle)
    return high


def _share_within(t: float, freedom: int) -> float:
    """Share of the distribution from -t to t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    total, term = 0.0, cosine if odd else 1.0
    for k in range(odd, freedom - 1, 2):
        total += term
        term *= (k + 1) / (k + 2) * cosine**2
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
