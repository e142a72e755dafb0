"""Compiled loops of SLAYER's leaky integrator; `cuba.integrator` says what they compute."""

from __future__ import annotations

from typing import Any

from numba import float32, int64

from kipuka.compiling import inlined
from kipuka.convert import fixed
from kipuka.train.gru.kernels import compiled

UNITY_BITS = fixed.UNITY_BITS
shift_toward_zero = inlined(fixed.shift_toward_zero)


@compiled
def integrate(given: Any, state: Any, kept: Any, scale: Any, threshold: Any, out: Any) -> None:
    """Run rows of steps from their states on.

    Parameters
    ----------
    given, out : float32 arrays (rows, time)
        In units; what is kept of them is whole steps of ``1 / scale``.
    state : int64 array (rows,)
        Before the first step, in whole steps.
    kept : int
        Factor of the state from step to step, of `fixed.UNITY`.
    threshold : float
        In whole steps; a state that reaches it starts again from zero. None does if not positive.
    """
    spiking, level = threshold > 0, float32(threshold)
    for row in range(given.shape[0]):
        now = state[row]
        for step in range(given.shape[1]):
            leaked = shift_toward_zero(now * kept, UNITY_BITS)
            now = leaked + int64(float32(scale) * given[row, step])
            out[row, step] = float32(now) / float32(scale)
            if spiking and float32(now) >= level:
                now = int64(0)


@compiled
def leak_back(given: Any, kept: Any, out: Any) -> None:
    """Set ``out[t] = given[t] + kept * out[t + 1]`` for rows of steps, all float32."""
    n_steps = given.shape[1]
    for row in range(given.shape[0]):
        later = float32(0)
        for step in range(n_steps - 1, -1, -1):
            later = float32(given[row, step] + float32(kept * later))
            out[row, step] = later
