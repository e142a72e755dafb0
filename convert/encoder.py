"""From a real-valued input to the activation of a network's first layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.errors import KipukaError

EIGHT_BIT_WEIGHTS = fixed.WEIGHT_SCALE // fixed.WEIGHT_STEP
"""What divides weights whose products with any 8-bit input are whole activations."""

BEYOND = 8.0
"""Magnitude of an input beyond those that 8-bit inputs can have."""


@dataclass(frozen=True)
class Encoder:
    """How a real-valued input becomes the activation of the first layer's neurons.

    ``a = trunc(weight x + bias)`` in every step, as the users of lava-dl's NetX set it as the
    neurons' bias in whole weight units. With `eight_bit`, ``a = weight q / 64 + bias``, as SLAYER's
    input block computes: ``q`` is ``64 x``, in float32, rounded to the nearest even integer of
    8 bits, -256 to 254.

    Attributes
    ----------
    weight, bias : int
        In weight units; with `eight_bit` the weight is a multiple of `EIGHT_BIT_WEIGHTS`.
    eight_bit : bool
    """

    weight: int
    bias: int
    eight_bit: bool = False

    def activation(self, values: Any, where: str = "input") -> np.ndarray:
        """Activation in weight units, int32, of input values of the same shape.

        Parameters
        ----------
        values : array of real numbers
        where : str
            For messages.

        Raises
        ------
        KipukaError
            If a value is no number, or an activation has more than 32 bits.
        """
        numbers = _numbers(values, where)
        if self.eight_bit:
            # Far beyond what 8 bits hold; so are numbers that float32 lacks.
            inside = np.clip(numbers.astype(np.float64), -BEYOND, BEYOND).astype(np.float32)
            halves = np.rint(inside / np.float32(2 / fixed.WEIGHT_SCALE))
            units = np.clip(halves * fixed.WEIGHT_STEP, fixed.WEIGHT_MIN, fixed.WEIGHT_MAX)
            return (units.astype(np.int32) * self.weight // fixed.WEIGHT_SCALE + self.bias).astype(
                np.int32
            )
        self._refuse_overflow(numbers, where)
        exact: np.ndarray = np.trunc(numbers.astype(np.float64) * self.weight + self.bias)
        return exact.astype(np.int32)

    def _refuse_overflow(self, numbers: np.ndarray, where: str) -> None:
        limit = (fixed.INT32_MAX - abs(self.bias)) / max(abs(self.weight), 1)
        largest = max(abs(float(numbers.min())), abs(float(numbers.max()))) if numbers.size else 0
        if largest > limit:
            raise KipukaError(
                "the input is too large for the encoder",
                where=where,
                limit=f"magnitudes up to {limit:g}, which make activations of 32 bits",
                value=largest,
                remedy="scale the input down",
            )


def _numbers(values: Any, where: str) -> np.ndarray:
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "biuf":
        raise KipukaError(
            "the input is no array of real numbers",
            where=where,
            limit="bool, integers or floats",
            value=numbers.dtype,
            remedy="convert it, for example with numpy.asarray(values, float)",
        )
    if numbers.dtype.kind == "b":
        # A view of other bytes may hold more than 0 and 1.
        numbers = np.ascontiguousarray(numbers).view(np.uint8) != 0
    wrong = ~np.isfinite(numbers)
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise KipukaError(
            "the input has values that are not numbers",
            where=f"{where}, index {index}",
            limit="finite numbers",
            value=numbers[index],
            remedy="remove them",
        )
    return numbers
