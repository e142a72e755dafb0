"""Checks of arrays against the ranges of the hardware; `rule` heads the message of a refusal."""

from __future__ import annotations

import numpy as np

from kipuka.convert import fixed
from kipuka.errors import KipukaError


def check_range(
    rule: str,
    array: np.ndarray,
    limits: tuple[int, int],
    where: str,
    unit: str,
    remedy: str,
    *,
    step: int = 1,
) -> None:
    """Refuse values outside the limits, which belong to the range, and between steps of 2."""
    low, high = limits
    outside = (array < low) | (array > high)
    if np.any(outside):
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        raise KipukaError(
            f"{rule}: {int(outside.sum())} value(s) out of range",
            where=f"{where}, index {index}",
            limit=f"{low} to {high} ({unit})",
            value=int(array[index]),
            remedy=remedy,
        )
    odd = array % step != 0
    if np.any(odd):
        index = tuple(int(i) for i in np.argwhere(odd)[0])
        raise KipukaError(
            f"{rule}: {int(odd.sum())} odd value(s)",
            where=f"{where}, index {index}",
            limit="even integers",
            value=int(array[index]),
            remedy=remedy,
        )


def check_weights(rule: str, array: np.ndarray, where: str) -> None:
    """Refuse what is no even 8-bit integer."""
    check_range(
        rule,
        array,
        (fixed.WEIGHT_MIN, fixed.WEIGHT_MAX),
        where,
        "even integers, 8 bits",
        "quantize with SLAYER's 8-bit hook, which gives even integers in weight units",
        step=fixed.WEIGHT_STEP,
    )


def check_delays(delays: np.ndarray, where: str) -> None:
    """Refuse what is no whole number of steps within the hardware's limit."""
    if delays.dtype != np.int16:
        raise KipukaError(
            "delays_within_hardware: delays are not int16",
            where=where,
            limit="int16, in steps",
            value=delays.dtype,
            remedy="floor learned delays to integers",
        )
    check_range(
        "delays_within_hardware",
        delays,
        (0, fixed.DELAY_MAX),
        where,
        "steps",
        "train with delays capped at the limit, or spread a longer delay over relay neurons",
    )
