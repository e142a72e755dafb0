"""From a real-valued input to the activation of a network's first layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.model import FRACTION
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
    8 bits, -256 to 254. Where that is no whole number for every ``q``, the encoder is `fine`.

    Attributes
    ----------
    weight, bias : int
        In weight units.
    eight_bit : bool
    """

    weight: int
    bias: int
    eight_bit: bool = False

    @property
    def fine(self) -> bool:
        """Whether activations are counted in state units, 1/64 of a weight unit, and not in those.

        SLAYER's neurons take such inputs; those of Lava and of the chip do not.
        """
        return self.eight_bit and self.weight % EIGHT_BIT_WEIGHTS != 0

    def received(self, activation: np.ndarray) -> dict[str, np.ndarray]:
        """Return what neurons receive of an activation: int64, by the names in their step."""
        given = activation.astype(np.int64)
        if not self.fine:
            return {"a": given}
        whole = fixed.shift_floor(given, fixed.STATE_SHIFT)
        return {"a": whole, FRACTION: given - fixed.to_state_units(whole)}

    def activation(self, values: Any, where: str = "input") -> np.ndarray:
        """Activation in weight units, or in state units if `fine`: int32, of the values' shape.

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
            product = units.astype(np.int32) * self.weight
            if self.fine:
                return product + np.int32(fixed.to_state_units(self.bias))
            return (product // fixed.WEIGHT_SCALE + self.bias).astype(np.int32)
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


def need_whole_activations(encoder: Encoder | None, engine: str, where: str) -> None:
    """Refuse an encoder for an engine whose neurons take activations in whole weight units.

    Raises
    ------
    KipukaError
        If the encoder is `Encoder.fine`.
    """
    if encoder is not None and encoder.fine:
        raise KipukaError(
            f"engine {engine} takes no activations that are finer than 1/{fixed.WEIGHT_SCALE}",
            where=f"{where}, weight of the input",
            limit="multiples of 1/2, whose products with 8-bit inputs are whole weight units",
            value=encoder.weight / fixed.WEIGHT_SCALE,
            remedy="freeze the weight at such a multiple and let the threshold learn; the engines "
            "reference, fast and torch run it as it is",
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
