"""Gates of a spiking GRU: hard sigmoids out of two or three neurons each.

``clip(2048 + 16 x, 0, 4096) = 2048 + 16 (x - o) + 2048 (p - n)``, where the graded message ``o`` is
`x` outside the window and 0 inside (a ``GradedVec`` with ``vth`` 128), and the spikes ``p`` and
``n`` say on which side. `x` itself arrives from the activation. Where `x` never exceeds the window,
nothing tells ``p``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.arrivals import Bounds
from kipuka.deploy.lowered.cells.cell import CellBuilder
from kipuka.deploy.lowered.graph import CLOSING, GRADED_BITS

HALF_WIDTH = fixed.GATE_OFFSET // fixed.GATE_SLOPE
"""The gate is 0 below ``-HALF_WIDTH`` and 4096 above ``HALF_WIDTH``, in weight units."""

SLOPE = fixed.GATE_SLOPE
SIGNS = (-1, 1)
"""Of what is below the window and of what is above it, the blocks of the population that tells."""

AT_ONCE_BELOW = fixed.UNITY
"""Magnitude of an activation below which a ``LIF`` that compares it keeps less than one weight unit
of it. Sums of weights are even, so that a threshold which is odd is then met by nothing else."""


@dataclass(frozen=True)
class Activation:
    """How far the activations of one kind get over all neurons of a layer, in weight units.

    Attributes
    ----------
    low, high : int
        With the bias, while a sample lasts.
    low_after, high_after : int
        Of spikes alone, which still arrive after the last step.
    """

    low: int
    high: int
    low_after: int
    high_after: int

    @classmethod
    def of(cls, arriving: Bounds, bias: np.ndarray) -> Activation:
        """From what spikes can bring in one step."""
        low, high = arriving
        ends = (low + bias).min(), (high + bias).max(), low.min(), high.max()
        return cls(*(int(end) for end in ends))

    def widened(self, by: int) -> Activation:
        """With something else that arrives, of at most that magnitude."""
        return Activation(self.low - by, self.high + by, self.low_after - by, self.high_after + by)

    @property
    def constant(self) -> bool:
        """Whether nothing arrives at any neuron."""
        return self.low_after == self.high_after == 0

    @property
    def magnitude(self) -> int:
        """Largest, while a sample lasts."""
        return max(abs(self.low), abs(self.high))

    @property
    def shut(self) -> int:
        """Inhibition that shuts a gate, whatever spikes arrive after the last step."""
        return self.high_after + HALF_WIDTH

    @property
    def reach(self) -> int:
        """Largest magnitude, also while a gate is being shut."""
        return max(self.magnitude, self.shut - self.low_after)


@dataclass(frozen=True)
class Gate:
    """One gate, of which populations are added to a cell that has its activation.

    Attributes
    ----------
    cell : CellBuilder
    name : str
        ``reset`` or ``update``; the populations' roles start with it.
    block : int
        Of the population ``activation``.
    activation : Activation
    at_once : bool
        Whether the ends are wanted a hardware step earlier, if that can be had.
    """

    cell: CellBuilder
    name: str
    block: int
    activation: Activation
    at_once: bool

    @property
    def _signs(self) -> Sequence[int]:
        """Of the ends that are told; below always, because the cell closes with it."""
        return SIGNS if self.activation.high > HALF_WIDTH else SIGNS[:1]

    @property
    def _wide(self) -> bool:
        """Whether sums at the product would pass through more than a message's bits."""
        return 2 * SLOPE * self.activation.reach >= 1 << (GRADED_BITS - 1)

    def build(self) -> None:
        """Add the populations."""
        cell, outside, ends = self.cell, f"{self.name} outside", f"{self.name} ends"
        reach = self.activation.reach
        cell.add(outside, "GradedVec", 1, (-reach, reach), vth=HALF_WIDTH)
        cell.feed("activation", outside, [(0, self.block, 1)])
        signs = self._signs
        if self.at_once and self.activation.magnitude < AT_ONCE_BELOW:
            cell.add_forgetful(ends, len(signs), vth=HALF_WIDTH + 1)
            cell.feed("activation", ends, [(k, self.block, s) for k, s in enumerate(signs)])
        else:
            # Silent most of the time, and indifferent to the size of what is outside.
            cell.add_forgetful(ends, len(signs), vth=1)
            compared = [(k, 0, s) for k, s in enumerate(signs)]
            cell.feed(outside, ends, compared, shift_right=fixed.STATE_SHIFT)
        if self._wide:
            inside = f"{self.name} inside"
            cell.add(inside, "GradedVec", 1, (-HALF_WIDTH, HALF_WIDTH), vth=0)
            cell.feed("activation", inside, [(0, self.block, 1)])
            cell.feed(outside, inside, [(0, 0, -1)])

    def feed(
        self, target: str, port: str, beside: Sequence[int] = (), complement: bool = False
    ) -> None:
        """Wire the gate to a port, 4096 for one that is open; 0 arrives while the cell closes.

        Parameters
        ----------
        target, port : str
            The gate goes to the first block.
        beside : sequence of int
            Constants of the blocks behind it.
        complement : bool
            Whether 4096 minus the gate is sent, 0 while the cell closes all the same.
        """
        cell, half, turn = self.cell, fixed.GATE_OFFSET, -1 if complement else 1
        if self._wide:
            cell.feed(f"{self.name} inside", target, [(0, 0, turn * SLOPE)], port)
        else:
            cell.feed("activation", target, [(0, self.block, turn * SLOPE)], port)
            cell.feed(f"{self.name} outside", target, [(0, 0, -turn * SLOPE)], port)
        ends = [(0, k, turn * half * sign) for k, sign in enumerate(self._signs)]
        cell.feed(f"{self.name} ends", target, ends, port)
        cell.constant(target, [half, *beside], port)
        # The gate itself is shut then, its complement open by what is taken off here.
        cell.constant(target, [turn * half, *(0 for _ in beside)], port, CLOSING)
