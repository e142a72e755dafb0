"""The spiking GRU neuron out of ``GradedVec``, ``ProdNeuron`` and ``LIF``.

States live in flight: a graded message that a neuron sends in one algorithmic step reaches it in
the next. What the stock processes lack is made of what they have:

- Rectifier. A ``GradedVec`` sends what it receives if its magnitude exceeds ``vth``. With
  ``vth = C`` and inputs not below ``-C``, ``max(y, 0)`` is what one sends that receives
  ``2 y + C``, minus what one sends that receives ``y + C``: both are silent for ``y <= 0``.
- Gate. ``clip(2048 + 16 x, 0, 4096) = 16 max(x + 128, 0) - 16 max(x - 128, 0)``.
- Saturation. ``clip(y, -L, L) = y - max(y - L, 0) + max(-y - L, 0)``. The membrane
  ``i + (v - i) z - 64 T s`` lies between `i` and `v` before the reset, so it only saturates
  downwards.
- Current to the update gate, where a layer has it: ``i`` is put together, shifted to 12 bits, and
  sent through the gate's weights in the next algorithmic step.
- Threshold. ``v > 64 T`` is ``(v + 63) >> 6 > T``, in 12 bits instead of 18; so the membrane is
  sent with 63 added.

Without the constants, after a sample's last step, no rectifier sends anything and the ``LIF``,
whose threshold they help to reach, cannot fire: the cell falls silent and empties itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.arrivals import activation_bounds, largest_fan_in
from kipuka.convert.neurons.spiking_gru import SpikingGruParameters
from kipuka.convert.program import Layer, Projection
from kipuka.deploy.lowered.cells.cell import Cell, CellBuilder, Senders, power_above
from kipuka.deploy.lowered.graph import LayerReadings, Reading, Term, Wire
from kipuka.deploy.lowered.schedule import MEMORYLESS
from kipuka.deploy.lowered.wiring import projections
from kipuka.errors import KipukaError

LIMIT = fixed.GRU_STATE_LIMIT
STATE = 1 << fixed.STATE_SHIFT
ROUND_UP = STATE - 1
"""Added before the shift to weight units, so that the shift rounds up."""

HALF_WIDTH = fixed.GATE_OFFSET // fixed.GATE_SLOPE
"""The gate is 0 below ``-HALF_WIDTH`` and 4096 above ``HALF_WIDTH``, in weight units."""

SLOPE = fixed.GATE_SLOPE
MESSAGE_SHIFT = fixed.WEIGHT_SCALE.bit_length() - 1
"""Right shift of weighted messages of the current."""

RESET_GATE, UPDATE_GATE = 0, 4
"""First of the four blocks of rectifiers that make up each gate."""


@dataclass(frozen=True)
class Saturating:
    """Which states of a layer may saturate, as far as nobody can prove otherwise."""

    current: bool = True
    membrane: bool = True


class GruCell(CellBuilder):
    """Builds the cell, one population per method.

    Parameters
    ----------
    layer, position, name
        See `CellBuilder`.
    senders : Senders
    may : Saturating
        Rectifiers that keep a state within 18 bits are left out where it cannot leave them.
    """

    def __init__(
        self, layer: Layer, position: int, name: str, senders: Senders, may: Saturating
    ) -> None:
        super().__init__(layer, position, name)
        self.neuron = SpikingGruParameters(*layer.neuron)
        self.senders, self.may = senders, may
        biases = (self.neuron.bias_i, self.neuron.bias_r, self.neuron.bias_z)
        sums = activation_bounds(layer)
        self.reach = [
            int(max(np.abs(end + b).max() for end in (*sums[t], np.zeros_like(b))))
            for t, b in zip(layer.targets, biases, strict=True)
        ]
        self.biases = biases
        # Present only in programs with update_gate_input="current".
        self.of_current: Projection | None = layer.of_current
        if self.of_current is not None:
            self.message_reach = max(LIMIT >> fixed.STATE_SHIFT, self.reach[0]) + 1
            strongest = self.message_reach * largest_fan_in(self.of_current)
            self.reach[2] += (strongest >> MESSAGE_SHIFT) + 1
        self._check()
        # Largest magnitude of the current before it saturates.
        self.current_reach = LIMIT + STATE * self.reach[0]

    def _check(self) -> None:
        limit = fixed.THRESHOLD_MAX // 2
        if self.reach[0] >= limit:
            raise KipukaError(
                "the current of a spiking GRU layer can receive too much in one step",
                where=f"{self.name}, activation of i",
                limit=f"less than {limit} weight units with all weights of one sign",
                value=self.reach[0],
                remedy="use smaller weights, fewer synapses, or the fused form",
            )

    def build(self) -> Cell:
        """Return the whole cell."""
        self._activation()
        self._gates()
        self._reset_product()
        self._current()
        if self.of_current is not None:
            self._message(self.of_current)
        self._update_product()
        self._membrane()
        self._spikes()
        return Cell(tuple(self.nodes), tuple(self.wires), self._readings())

    def _activation(self) -> None:
        """Activations of current, reset gate and update gate, in weight units, with biases."""
        reach = max(self.reach)
        self.add("activation", "GradedVec", 3, (-reach, reach), vth=0)
        self.wires += projections(self.layer, self.senders, self.role("activation"))
        self.constant("activation", self.biases)

    def _gates(self) -> None:
        """Rectifiers of both gates: above -128 and above 128, in two blocks each."""
        reach = max(self.reach[1:]) + HALF_WIDTH
        window = 2 * reach
        self.add("gates", "GradedVec", 8, (0, 2 * reach + window), vth=window)
        doubled = [(block, 1 + block // 4, 2 - block % 2) for block in range(8)]
        self.feed("activation", "gates", doubled)
        above = (HALF_WIDTH, -HALF_WIDTH)
        self.constant(
            "gates",
            [factor * above[block // 2 % 2] + window for block, _, factor in doubled],
        )

    def _feed_gate(self, target: str, first: int) -> None:
        factors = (SLOPE, -SLOPE, -SLOPE, SLOPE)
        self.feed("gates", target, [(0, first + k, f) for k, f in enumerate(factors)], "a_in2")

    def _feed_current(self, target: str, sign: int = 1, **where: object) -> None:
        """Add the saturated current, or subtract it."""
        self.feed("current", target, [(0, 0, sign)], **where)  # type: ignore[arg-type]
        if self.may.current:
            excess = [(0, k, sign * f) for k, f in enumerate((-1, 1, 1, -1))]
            self.feed("current excess", target, excess, **where)  # type: ignore[arg-type]

    def _reset_product(self) -> None:
        """``(i of the step before * r) >> 12``."""
        self.add("reset product", "ProdNeuron", 1, (-LIMIT, LIMIT), vth=0, exp=fixed.UNITY_BITS)
        self._feed_gate("reset product", RESET_GATE)
        self._feed_current("reset product", port="a_in1", steps=1)

    def _current(self) -> None:
        """``i`` before saturation, and at the same time by how much it leaves its range."""
        reach = self.current_reach
        self.add("current", "GradedVec", 1, (-reach, reach), vth=0)
        self.feed("reset product", "current", [(0, 0, 1)])
        self.feed("activation", "current", [(0, 0, STATE)])
        if self.may.current:
            window = 2 * reach
            above = 2 * (reach - LIMIT) + window
            self.add("current excess", "GradedVec", 4, (0, above), either_half=True, vth=window)
            doubled = (2, 1, -2, -1)
            self.feed("reset product", "current excess", [(k, 0, f) for k, f in enumerate(doubled)])
            scaled = [(k, 0, STATE * f) for k, f in enumerate(doubled)]
            self.feed("activation", "current excess", scaled)
            self.constant("current excess", [window - abs(f) * LIMIT for f in doubled])

    def _message(self, projection: Projection) -> None:
        """``i >> 6`` to the update gate of the next step: ``(W (i >> 6)) >> 6``."""
        source = "current"
        if self.may.current:
            source = "saturated current"
            self.add(source, "GradedVec", 1, (-self.current_reach, self.current_reach), vth=0)
            self._feed_current(source)
        reach = self.message_reach
        self.add("message", "GradedVec", 1, (-reach, reach), vth=0)
        self.feed(source, "message", [(0, 0, 1)], shift_right=fixed.STATE_SHIFT)
        entries = projection.synapses.entries()
        self.wires.append(
            Wire(
                self.role("message"),
                self.role("activation"),
                entries.targets + self.n * self.layer.targets.index(projection.target),
                entries.sources,
                entries.weights,
                np.ones_like(entries.weights),
                exponent=-MESSAGE_SHIFT,
            )
        )

    def _update_product(self) -> None:
        """``((v of the step before - i) * z) >> 12``."""
        bound = 2 * LIMIT
        self.add("update product", "ProdNeuron", 1, (-bound, bound), vth=0, exp=fixed.UNITY_BITS)
        self._feed_gate("update product", UPDATE_GATE)
        if self.may.current:
            self._feed_current("update product", sign=-1, port="a_in1")
        else:
            # The current's own inputs come a hardware step earlier than the current.
            self.feed("reset product", "update product", [(0, 0, -1)], "a_in1")
            self.feed("activation", "update product", [(0, 0, -STATE)], "a_in1")
        self.feed("membrane", "update product", [(0, 0, 1)], "a_in1", steps=1)
        if self.may.membrane:
            excess = [(0, 0, 1), (0, 1, -1)]
            self.feed("membrane excess", "update product", excess, "a_in1", steps=1)
        self.constant("update product", [-ROUND_UP], "a_in1", steps=1)

    def _membrane(self) -> None:
        """``v + 63`` before saturation, and by how much `v` leaves its range downwards."""
        resets = STATE * int(self.neuron.threshold.max())
        low, high = -LIMIT - resets, LIMIT + ROUND_UP
        self.add("membrane", "GradedVec", 1, (low, high), vth=0)
        self.feed("update product", "membrane", [(0, 0, 1)])
        self._feed_current("membrane")
        self.feed("spikes", "membrane", [(0, 0, -STATE * self.neuron.threshold)], steps=1)
        self.constant("membrane", [ROUND_UP])
        if self.may.membrane:
            # It only reaches a product whose other factor is silent with the constants.
            window = 2 * LIMIT + STATE
            self.add("membrane excess", "GradedVec", 2, (0, 2 * resets + window), vth=window)
            self.feed("membrane", "membrane excess", [(0, 0, -2), (1, 0, -1)])
            self.constant("membrane excess", [window + f * (ROUND_UP - LIMIT) for f in (2, 1)])

    def _spikes(self) -> None:
        """Spikes, which are possible only together with the constants."""
        help_needed = power_above(self.reach[0] + 2)
        self.add(
            "spikes", "LIF", 1, (0, 1), vth=help_needed, du=MEMORYLESS["du"], dv=MEMORYLESS["dv"]
        )
        self.feed("membrane", "spikes", [(0, 0, 1)], shift_right=fixed.STATE_SHIFT)
        self.constant("spikes", [help_needed - self.neuron.threshold])

    def _readings(self) -> LayerReadings:
        each = np.arange(self.n)

        def term(role: str, block: int, factor: int) -> Term:
            return Term(self.role(role), each + block * self.n, factor)

        current, membrane = [term("current", 0, 1)], [term("membrane", 0, 1)]
        if self.may.current:
            current += [term("current excess", k, f) for k, f in enumerate((-1, 1, 1, -1))]
        if self.may.membrane:
            membrane += [term("membrane excess", k, f) for k, f in enumerate((1, -1))]
        none = np.zeros(self.n, dtype=np.int64)
        states = {
            "i": Reading(none, tuple(current)),
            "v": Reading(none - ROUND_UP, tuple(membrane)),
        }
        return LayerReadings(self.role("spikes"), states)
