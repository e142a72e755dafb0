"""Compiled loops of the spiking GRU over a sequence; `kipuka.train.gru.sequence` defines them.

Integers are 32 bits wide, which 18-bit states allow: no product exceeds 2**30. Floats are summed
in the order of the loops, without reordering and without fused multiply-add.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import float32, int32, uintp

from kipuka.compiling import inlined, kept_on_disk
from kipuka.convert import fixed
from kipuka.convert.neurons.compiled import (
    GATE_REACH,
    SOURCES,
    gate,
    limited,
    spiking_gru_step,
)
from kipuka.train.delays.axonal import TAP_UNITY
from kipuka.train.gru.cell import OVERSHOOT_MARGIN as MARGIN
from kipuka.train.products.row_kernels import ROWS, WHOLE_ROWS, multiply

SAMPLES_TOGETHER = 2 * ROWS
"""Samples of a backward pass that share each column of weights while it is near."""

ROOM = 2
"""Rows of a number for each neuron that a step of the backward pass works in."""

STATE_SHIFT = fixed.STATE_SHIFT
LIMIT = fixed.GRU_STATE_LIMIT
SHARES, TAP_BITS = TAP_UNITY, TAP_UNITY.bit_length() - 1
ACTIVATION_SCALE = np.float32(fixed.WEIGHT_SCALE * SHARES)
STATE_STEP = np.float32(1 / fixed.STATE_SCALE)
GATE_STEP = np.float32(1 / fixed.UNITY)
GATE_DERIVATIVE = np.float32(fixed.GATE_SLOPE * fixed.WEIGHT_SCALE / fixed.UNITY)


class Given(NamedTuple):
    """What a forward pass reads: activations in nominal units, all else in whole units."""

    activations: np.ndarray  # float32 (time, batch, 3 neurons)
    weights: np.ndarray  # int32 (sources, 3 neurons)
    bias: np.ndarray  # int32 (3 neurons,)
    first: np.ndarray  # int64 (neurons,)
    window: np.ndarray  # int32 (neurons, taps)


class Forward(NamedTuple):
    """What a forward pass writes, (time, batch, neurons); gates hold ``a_r`` and ``a_z``."""

    spikes: np.ndarray  # float32
    i: np.ndarray  # int32
    v: np.ndarray  # int32
    saturated: np.ndarray  # int8
    gates: np.ndarray  # int16, 2 neurons, cut off just outside the gate's slope
    arrived: np.ndarray  # float32
    beyond: np.ndarray  # int64 (batch,)


class SavedTensors(NamedTuple):
    """What a backward pass reads."""

    i: np.ndarray
    v: np.ndarray
    saturated: np.ndarray
    gates: np.ndarray
    weights: np.ndarray  # float32 (3 neurons, sources), `in_columns`
    slopes: np.ndarray  # float32, by membrane
    first: np.ndarray
    window: np.ndarray  # float32 (taps, neurons)
    pull: np.ndarray  # float32 (batch,)
    grad_spikes: np.ndarray  # float32 (time, batch, neurons), what later layers sent back


class Gradients(NamedTuple):
    """What a backward pass writes."""

    activations: np.ndarray  # float32 (time, batch, 3 neurons)
    arrived: np.ndarray  # float32 (batch, time, neurons and what fills the last column of weights)


compiled = kept_on_disk([*Path(__file__).parent.parent.glob("*/*kernels.py"), *SOURCES])
"""Decorator of functions that Python calls."""


@compiled
def forward(given: Any, threshold: Any, out: Any, begin: Any, end: Any) -> None:
    """Run samples `begin` to `end` from zero state."""
    n_steps, _, rows = given.activations.shape
    n = rows // 3
    longest = given.first.max() + given.window.shape[1]
    delay_buffer = np.empty((n_steps + 1 + longest, n), np.int32)
    sums = np.empty(rows, np.int32)
    sources = np.empty(n, np.int64)
    for sample in range(begin, end):
        delay_buffer[:] = 0
        for step in range(n_steps):
            _receive(given, delay_buffer[step], sources, sums, step, sample)
            arrived = out.arrived[step, sample]
            for j in range(n):
                arrived[j] = float32(delay_buffer[step, j]) * float32(1 / SHARES)
            advance(given.bias, threshold, sums, out, step, sample)
            spikes = out.spikes[step, sample]
            for j in range(n):
                if spikes[j] != 0:
                    for k in range(given.window.shape[1]):
                        delay_buffer[step + 1 + given.first[j] + k, j] += given.window[j, k]


@inlined
def _receive(given: Any, mail: Any, sources: Any, sums: Any, step: Any, sample: Any) -> None:
    """Sum what arrives in a step, in shares of a weight unit, and round to weight units."""
    activations = given.activations[step, sample]
    rows = sums.shape[0]
    for c in range(rows):
        sums[c] = int32(activations[c] * ACTIVATION_SCALE)
    n_sources = 0
    for j in range(mail.shape[0]):
        if mail[j] != 0:
            sources[n_sources] = j
            n_sources += 1
    k = 0
    # Two rows at a time, so that the sums are loaded and stored half as often.
    while k + 2 <= n_sources:
        first, second = given.weights[sources[k]], given.weights[sources[k + 1]]
        times, again = mail[sources[k]], mail[sources[k + 1]]
        for c in range(rows):
            sums[c] = int32(sums[c] + int32(times * first[c]) + int32(again * second[c]))
        k += 2
    if k < n_sources:
        last, times = given.weights[sources[k]], mail[sources[k]]
        for c in range(rows):
            sums[c] = int32(sums[c] + int32(times * last[c]))
    for c in range(rows):
        sums[c] = int32(sums[c] + int32(SHARES // 2)) >> int32(TAP_BITS)


@inlined
def advance(bias: Any, threshold: Any, sums: Any, out: Any, step: Any, sample: Any) -> None:
    """One step of the neurons, as `kipuka.convert.neurons.compiled` has it."""
    n = sums.shape[0] // 3
    level = int32(threshold << STATE_SHIFT)
    i_now, v_now = out.i[step, sample], out.v[step, sample]
    spikes, saturated = out.spikes[step, sample], out.saturated[step, sample]
    gates = out.gates[step, sample]
    before = step - 1 if step else step
    i_before, v_before = out.i[before, sample], out.v[before, sample]
    spiked = out.spikes[before, sample]
    if step == 0:
        # There is no step before the first; its own rows stand in for it.
        for j in range(n):
            i_now[j] = 0
            v_now[j] = 0
            spikes[j] = 0
    beyond = 0
    for j in range(n):
        raw_r = int32(sums[n + j] + bias[n + j])
        raw_z = int32(sums[2 * n + j] + bias[2 * n + j])
        gates[j] = limited(raw_r, GATE_REACH + 1)
        gates[n + j] = limited(raw_z, GATE_REACH + 1)
        spent = int32(level * int32(spiked[j]))
        a_i = int32(sums[j] + bias[j])
        i, v, clipped = spiking_gru_step(i_before[j], v_before[j], a_i, raw_r, raw_z, spent)
        i_now[j] = i
        v_now[j] = v
        spikes[j] = float32(1 if v > level else 0)
        saturated[j] = clipped
        beyond += max(abs(i) - MARGIN, 0) + max(abs(v) - MARGIN, 0)
    out.beyond[sample] += beyond


@compiled
def backward(saved: Any, grad: Any, begin: Any, end: Any) -> None:
    """Go back through samples `begin` to `end`, some of them at a time."""
    n_steps, n_batch, n = saved.i.shape
    width = grad.arrived.shape[2]
    carry_i = np.empty((SAMPLES_TOGETHER, n), np.float32)
    carry_v = np.empty((SAMPLES_TOGETHER, n), np.float32)
    room = np.empty((ROOM, n), np.float32)
    for start in range(begin, end, SAMPLES_TOGETHER):
        stop = min(start + SAMPLES_TOGETHER, end)
        carry_i[:] = 0
        carry_v[:] = 0
        for step in range(n_steps - 1, -1, -1):
            for sample in range(start, stop):
                row, back = sample - start, grad.arrived[sample]
                retreat(saved, grad, back, carry_i[row], carry_v[row], room, step, sample)
            source, target = (step * n_batch + start) * 3 * n, (start * n_steps + step) * width
            multiply(
                grad.activations, source, WHOLE_ROWS, 3 * n, saved.weights, grad.arrived, target,
                stop - start, 3 * n, n_steps * width,
            )  # fmt: skip


@inlined
def retreat(
    saved: Any, grad: Any, back: Any, carry_i: Any, carry_v: Any, room: Any, step: Any, sample: Any
) -> None:
    """Gradients of one step's activations, and what is carried to the step before.

    `back` has the gradients of what arrived in later steps.

    Each loop writes to one array: with more of them, LLVM gives up on testing whether they overlap,
    and on vectors with it.
    """
    n = carry_i.shape[0]
    i, v = saved.i[step, sample], saved.v[step, sample]
    before = step - 1 if step else step
    # Before the first step all states are zero.
    there = float32(1 if step else 0)
    i_before, v_before = saved.i[before, sample], saved.v[before, sample]
    saturated, gates = saved.saturated[step, sample], saved.gates[step, sample]
    grad_a = grad.activations[step, sample]
    grad_i, grad_r, grad_z = grad_a[:n], grad_a[n : 2 * n], grad_a[2 * n :]
    grad_v, opened = room[0], room[1]
    pull = saved.pull[sample]
    _came_back(saved, back, grad_v, step, sample)
    for j in range(n):
        grad_v[j] = grad_v[j] * saved.slopes[uintp(v[j] + LIMIT)]
    for j in range(n):
        grad_v[j] = (grad_v[j] + carry_v[j]) * _passes(saturated[j]) + pull * _beyond_margin(v[j])
    for j in range(n):
        opened[j] = float32(gate(int32(gates[n + j]))) * GATE_STEP
    for j in range(n):
        passed = (grad_v[j] * (float32(1) - opened[j]) + carry_i[j]) * _passes(saturated[j])
        grad_i[j] = passed + pull * _beyond_margin(i[j])
    for j in range(n):
        carry_v[j] = grad_v[j] * opened[j]
    for j in range(n):
        behind = float32(v_before[j]) * STATE_STEP * there
        grad_z[j] = grad_v[j] * (behind - float32(i[j]) * STATE_STEP) * _gate_slope(gates[n + j])
    for j in range(n):
        behind = float32(i_before[j]) * STATE_STEP * there
        grad_r[j] = grad_i[j] * behind * _gate_slope(gates[j])
    for j in range(n):
        carry_i[j] = grad_i[j] * (float32(gate(int32(gates[j]))) * GATE_STEP)


@inlined
def _came_back(saved: Any, back: Any, total: Any, step: Any, sample: Any) -> None:
    """Gradient of a step's spikes: from later layers, and from where the recurrence took them."""
    n_steps, _, n = saved.i.shape
    given = saved.grad_spikes[step, sample]
    for j in range(n):
        total[j] = given[j]
    # What arrives last is met first on the way back.
    for k in range(saved.window.shape[0] - 1, -1, -1):
        shares = saved.window[k]
        for j in range(n):
            at = step + 1 + k + saved.first[j]
            if at < n_steps:
                total[j] += shares[j] * back[uintp(at), j]


@inlined
def _passes(saturated: Any) -> Any:
    return float32(1 if saturated == 0 else 0)


@inlined
def _gate_slope(raw: Any) -> Any:
    return GATE_DERIVATIVE if abs(int32(raw)) <= GATE_REACH else float32(0)


@inlined
def _beyond_margin(state: Any) -> Any:
    return float32((1 if state > MARGIN else 0) - (1 if state < -MARGIN else 0))
