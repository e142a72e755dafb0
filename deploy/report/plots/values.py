"""What sigma-delta neurons hold: their activation, and what they send of its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kipuka.convert import fixed
from kipuka.convert.program import Layer
from kipuka.convert.trace import LayerTrace
from kipuka.deploy.report.plots.style import ACCENT, DATA, Plot, as_svg, stacked, ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NEURONS = 3
"""Neurons of a layer that are drawn one by one."""

GRADED_UNIT = 1 << (fixed.GRADED_SHIFT + fixed.WEIGHT_SCALE_BITS)
"""State units of a sigma-delta neuron in a nominal unit."""

STATE_UNITS = {"v": fixed.STATE_SCALE, "act": GRADED_UNIT, "sigma": GRADED_UNIT}
"""State units in a nominal unit, by the state that a readout looks at."""


def scale_of(state: str) -> int:
    """Return the state units in a nominal unit."""
    return STATE_UNITS[state]


def plot_activations(number: int, layer: Layer, trace: LayerTrace, sample: int) -> Plot:
    """Draw the activation of a busy, a median and a quiet neuron of the first layer.

    Parameters
    ----------
    number : int
        Of the layer in the file.
    layer : Layer
        Of neurons that send graded spikes.
    trace : LayerTrace
        Trace of that layer.
    sample : int
    """
    sent = trace.spikes[sample] != 0
    state = next(name for name in ("act", "sigma") if name in trace.states)
    values = trace.states[state][sample] / scale_of(state)
    neurons = typical_neurons(sent.sum(axis=1))

    def draw(figure: Figure) -> None:
        axes = stacked(figure, len(neurons))
        for ax, neuron in zip(axes, neurons, strict=True):
            steps = np.flatnonzero(sent[neuron])
            ax.plot(values[neuron], color=DATA, linewidth=1.3, drawstyle="steps-mid")
            ax.plot(steps, values[neuron, steps], color=ACCENT, linestyle="none", marker=".")
            ax.set_ylabel(f"neuron {neuron}")
            ax.xaxis.set_major_locator(ticks(10))
            ax.yaxis.set_major_locator(ticks(4, integer=False))
        axes[-1].set_xlabel("step")

    listed = ", ".join(str(neuron) for neuron in neurons)
    return Plot(
        name="activations",
        title="Activations in the first layer",
        caption=f"Sample {sample}, neurons {listed} of layer {number} ({layer.model}): the "
        "busiest, the median and the quietest of those that send. Activation in nominal units "
        f"({GRADED_UNIT:,} state units = 1) at the end of each step; orange: its change, and what "
        "was left over before, is sent as a graded spike.",
        alt=f"Activation over time of neurons {listed} of layer {number}; "
        f"{int(sent[neurons].sum())} graded spikes in {sent.shape[1]} steps.",
        svg=as_svg("activations", draw, height_in=0.7 + 1.45 * len(neurons)),
    )


def typical_neurons(counts: NDArray[Any]) -> list[int]:
    """Busiest, median and quietest of the neurons that spike, then the first of the others."""
    order = np.argsort(-counts, kind="stable")
    active = order[counts[order] > 0]
    places = np.unique(np.linspace(0, active.size - 1, MAX_NEURONS).astype(int))
    picked = active[places] if active.size else active
    rest = [neuron for neuron in order if neuron not in picked]
    return [int(neuron) for neuron in [*picked, *rest][:MAX_NEURONS]]
