"""The spiking GRU neuron, or minimal gated unit, out of ``GradedVec``, ``ProdNeuron`` and ``LIF``.

States live in flight: a product that a neuron sends in one algorithmic step reaches it in the next,
and sums form where messages arrive. What Lava's own processes lack is made of what they have:

- Current. ``i = P + 64 a`` with the product ``P = (i of the step before * r) >> 12``, so whoever
  needs `i` receives `P` and the activation, the product itself included: one wire leads around it.
- Membrane. ``v = i + Q - 64 T s`` with the product ``Q = ((v of the step before - i) z) >> 12``.
- Saturation, where it cannot be ruled out. A ``GradedVec`` sends what it receives if its magnitude
  exceeds ``vth``. With ``vth = C`` and inputs not below ``-C``, ``max(y, 0)`` is what one sends
  that receives ``2 y + C``, minus what one sends that receives ``y + C``. ``clip(y, -L, L) =
  y - max(y - L, 0) + max(-y - L, 0)``; the membrane lies between `i` and `v` before the reset, so
  it only saturates downwards.
- Current to the update gate, where a layer has it: ``i >> 6`` is sent, in 12 bits, through the
  gate's weights in the next algorithmic step.
- Threshold. ``v > 64 T`` is ``(v + 63) >> 6 > T``, in 12 bits instead of 18. The shift needs `Q`
  and `i` from one population, so that a third product sends ``i + 63`` beside `Q`. The sum arrives
  twice, so that the little that a ``LIF`` keeps of its membrane never decides.

After a sample's last step the closing constants inhibit the gates as strongly as spikes that are
still under way can excite them: all products vanish, no neuron spikes, and once the last spike has
arrived the cell is empty. A gate that nothing reaches is a constant, and vanishes with it.

A minimal gated unit has one gate: the reset product receives it, the update product its complement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.analysis.arrivals import activation_bounds, largest_fan_in
from kipuka.convert.program import Layer, Projection, Target
from kipuka.deploy.lowered.cells.cell import Cell, CellBuilder, Part, Senders
from kipuka.deploy.lowered.cells.gates import Activation, Gate
from kipuka.deploy.lowered.graph import CLOSING, LayerReadings, Wire
from kipuka.deploy.lowered.wiring import projections
from kipuka.errors import KipukaError

LIMIT = fixed.GRU_STATE_LIMIT
STATE = 1 << fixed.STATE_SHIFT
ROUND_UP = STATE - 1
"""Added before the shift to weight units, so that the shift rounds up."""

SHARED: Target = "f"
"""The one gate of a minimal gated unit."""

GATES: tuple[Target, ...] = ("r", "z", SHARED)

MESSAGE_SHIFT = fixed.WEIGHT_SCALE.bit_length() - 1
"""Right shift of weighted messages of the current."""

COPIES = 2
"""Times that the membrane reaches the spike maker, whose threshold then lies between two values:
what it keeps of a membrane within 18 bits is less than one weight unit, half of their distance."""


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
        self.neuron = layer.neuron
        self.senders, self.may = senders, may
        self.biases: dict[Target, np.ndarray] = {
            target: getattr(layer.neuron, f"bias_{target}") for target in layer.targets
        }
        arriving = activation_bounds(layer)
        self.activations = {t: Activation.of(arriving[t], b) for t, b in self.biases.items()}
        # Present only in programs with update_gate_input="current".
        self.of_current: Projection | None = layer.of_current
        if self.of_current is not None:
            strongest = self._message_reach() * largest_fan_in(self.of_current)
            more = (strongest >> MESSAGE_SHIFT) + 1
            self.activations["z"] = self.activations["z"].widened(more)
        self._check()
        # Largest magnitude of the current before it saturates.
        self.current_reach = LIMIT + STATE * self.activations["i"].magnitude
        self.resets = STATE * int(self.neuron.threshold.max())
        self.blocks = {t: k for k, t in enumerate(t for t in self.biases if self._arrives(t))}
        """Activations that have neurons of their own, and which; other gates are constants."""

    def _gate(self, target: Target) -> Target:
        """Return the gate of that name, or the one in its place."""
        return target if target in self.biases else SHARED

    def _arrives(self, target: Target) -> bool:
        return target not in GATES or not self.activations[target].constant

    def _message_reach(self) -> int:
        return max(LIMIT >> fixed.STATE_SHIFT, self.activations["i"].magnitude) + 1

    def _check(self) -> None:
        limit = fixed.THRESHOLD_MAX // 2
        reach = self.activations["i"].magnitude
        if reach >= limit:
            raise KipukaError(
                "the current of a spiking GRU layer can receive too much in one step",
                where=f"{self.name}, activation of i",
                limit=f"less than {limit} weight units with all weights of one sign",
                value=reach,
                remedy="use smaller weights, fewer synapses, or the fused form",
            )

    def build(self) -> Cell:
        """Return the whole cell."""
        self._activation()
        self._reset_product()
        if self.may.current:
            self._current_excess()
        if self.of_current is not None:
            self._message(self.of_current)
        self._update_product()
        if self.may.membrane:
            self._membrane_excess()
        self._spikes()
        states = {"i": self.reading(self._current_parts()), "v": self.reading(self._state_parts())}
        readings = LayerReadings(self.role("spikes"), states)
        idles = self.may.current or self.may.membrane
        return Cell(tuple(self.nodes), tuple(self.wires), readings, 2 if idles else 1)

    def _activation(self) -> None:
        """Activations in weight units, with biases; those of the gates shut them at the end."""
        shut = [self.activations[t].shut if t in GATES else 0 for t in self.blocks]
        reach = max(self.activations[t].reach for t in self.blocks)
        self.add("activation", "GradedVec", len(self.blocks), (-reach, reach), vth=0)
        role = self.role("activation")
        self.wires += projections(self.layer, self.senders, role, self.blocks)
        self.constant("activation", [self.biases[t] for t in self.blocks])
        self.constant("activation", [-inhibition for inhibition in shut], source=CLOSING)

    def _feed_gate(
        self, name: str, target: Target, at_once: bool, port: str, beside: Sequence[int] = ()
    ) -> None:
        """Give a product its gate, and further blocks of it constants; see `Gate`."""
        product, complement = f"{name} product", target == SHARED and name == "update"
        if target not in self.blocks:
            constant = fixed.gate(self.biases[target] * (-1 if complement else 1))
            self.constant(product, [constant, *beside], port)
            return
        populations = "reset" if complement else name
        gate = Gate(self, populations, self.blocks[target], self.activations[target], at_once)
        if not complement:
            gate.build()
        gate.feed(product, port, beside, complement)

    def _current_parts(self) -> list[Part]:
        """What adds up to the current, saturated."""
        parts = [Part("reset product", 0, 1), Part("activation", 0, STATE)]
        if self.may.current:
            parts += [Part("current excess", k, f) for k, f in enumerate((-1, 1, 1, -1))]
        return parts

    def _membrane_parts(self) -> list[Part]:
        """What adds up to the membrane before it saturates."""
        resets = Part("spikes", 0, -STATE * self.neuron.threshold, 1)
        return [*self._current_parts(), Part("update product", 0, 1), resets]

    def _state_parts(self) -> list[Part]:
        """What adds up to the membrane, saturated."""
        excess = [Part("membrane excess", k, f) for k, f in enumerate((1, -1))]
        return self._membrane_parts() + (excess if self.may.membrane else [])

    def _reset_product(self) -> None:
        """``(i of the step before * r) >> 12``."""
        self.add("reset product", "ProdNeuron", 1, (-LIMIT, LIMIT), vth=0, exp=fixed.UNITY_BITS)
        # The membrane waits for the current, and the current for this gate.
        self._feed_gate("reset", self._gate("r"), True, "a_in2")
        self.feed_sum(self._current_parts(), "reset product", [1], "a_in1", steps=1)

    def _current_excess(self) -> None:
        """By how much the current leaves its range."""
        reach = self.current_reach
        window, doubled = 2 * reach, (2, 1, -2, -1)
        bounds = (0, 2 * (reach - LIMIT) + window)
        self.add("current excess", "GradedVec", 4, bounds, either_half=True, vth=window)
        self.feed_sum(self._current_parts()[:2], "current excess", doubled)
        self.constant("current excess", [window - abs(f) * LIMIT for f in doubled])

    def _message(self, projection: Projection) -> None:
        """``i >> 6`` to the update gate of the next step: ``(W (i >> 6)) >> 6``."""
        reach = self._message_reach()
        if self.may.current:
            bounds = (-self.current_reach, self.current_reach)
            self.add("saturated current", "GradedVec", 1, bounds, vth=0)
            self.feed_sum(self._current_parts(), "saturated current", [1])
        self.add("message", "GradedVec", 1, (-reach, reach), vth=0)
        source = "saturated current" if self.may.current else "reset product"
        self.feed(source, "message", [(0, 0, 1)], shift_right=fixed.STATE_SHIFT)
        if not self.may.current:
            # The rest of the current is whole weight units.
            self.feed("activation", "message", [(0, self.blocks["i"], 1)])
        entries = projection.synapses.entries()
        self.wires.append(
            Wire(
                self.role("message"),
                self.role("activation"),
                entries.targets + self.n * self.blocks[projection.target],
                entries.sources,
                entries.weights,
                np.ones_like(entries.weights),
                exponent=-MESSAGE_SHIFT,
            )
        )

    def _update_product(self) -> None:
        """``((v of the step before - i) * z) >> 12``, and beside it ``(i + 63) * 4096 >> 12``.

        The second block carries the current to the step in which the product is sent, so that both
        are summed before the shift to weight units.
        """
        bounds = (-2 * LIMIT, 2 * LIMIT)
        self.add("update product", "ProdNeuron", 2, bounds, vth=0, exp=fixed.UNITY_BITS)
        # Graded messages are not even, and where a reset gate comes first there is time.
        at_once = "r" not in self.blocks and self.of_current is None
        self._feed_gate("update", self._gate("z"), at_once, "a_in2", beside=[fixed.UNITY])
        self.feed_sum(self._current_parts(), "update product", [-1, 1], "a_in1")
        self.constant("update product", [0, ROUND_UP], "a_in1")
        self.feed_sum(self._state_parts(), "update product", [1], "a_in1", steps=1)

    def _membrane_excess(self) -> None:
        """By how much the membrane leaves its range downwards."""
        window, doubled = 2 * (self.current_reach + self.resets), (-2, -1)
        self.add("membrane excess", "GradedVec", 2, (0, 2 * self.resets + window), vth=window)
        self.feed_sum(self._membrane_parts(), "membrane excess", doubled)
        self.constant("membrane excess", [window + f * LIMIT for f in doubled])

    def _spikes(self) -> None:
        """Spikes; the reset of the last one is whole weight units."""
        threshold = self.neuron.threshold
        highest = int(threshold.max())
        self.add_forgetful("spikes", 1, vth=COPIES * highest + COPIES - 1)
        for _ in range(COPIES):
            both = [(0, 0, 1), (0, 1, 1)]
            self.feed("update product", "spikes", both, shift_right=fixed.STATE_SHIFT)
        self.feed("spikes", "spikes", [(0, 0, -COPIES * threshold)], steps=1)
        self.constant("spikes", [COPIES * (highest - threshold)])
