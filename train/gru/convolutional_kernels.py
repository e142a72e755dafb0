"""Compiled loops of the convolutional spiking GRU; `kipuka.train.gru.sequence` defines them.

A position of the image is to them what a sample is to the dense loops: arrays are [time, batch x
positions, channels], and neurons advance and retreat with the code of `kipuka.train.gru.kernels`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import float32, int32

from kipuka.compiling import inlined
from kipuka.train.gru.kernels import (
    ACTIVATION_SCALE,
    ROOM,
    SAMPLES_TOGETHER,
    SHARES,
    TAP_BITS,
    advance,
    compiled,
    retreat,
)
from kipuka.train.products.row_kernels import multiply


class Grid(NamedTuple):
    """Where a spike goes: by kernel element, how far along height and width, and the image."""

    moves: np.ndarray  # int64 (elements, 2)
    height: int
    width: int


@compiled
def forward(given: Any, grid: Any, threshold: Any, out: Any, begin: Any, end: Any) -> None:
    """Run samples `begin` to `end` from zero state; weights are (elements, sources, targets)."""
    n_steps, _, rows = given.activations.shape
    n, n_pixels = rows // 3, grid.height * grid.width
    length = n_steps + 1 + given.first.max() + given.window.shape[1]
    delay_buffer = np.empty((length, n_pixels, n), np.int32)
    sums = np.empty((n_pixels, rows), np.int32)
    for sample in range(begin, end):
        delay_buffer[:] = 0
        for step in range(n_steps):
            _receive(given, grid, delay_buffer[step], sums, step, sample)
            for pixel in range(n_pixels):
                row = sample * n_pixels + pixel
                arrived = out.arrived[step, row]
                for j in range(n):
                    arrived[j] = float32(delay_buffer[step, pixel, j]) * float32(1 / SHARES)
                advance(given.bias, threshold, sums[pixel], out, step, row)
                spikes = out.spikes[step, row]
                for j in range(n):
                    if spikes[j] != 0:
                        for k in range(given.window.shape[1]):
                            at = step + 1 + given.first[j] + k
                            delay_buffer[at, pixel, j] += given.window[j, k]


@inlined
def _receive(given: Any, grid: Any, mail: Any, sums: Any, step: Any, sample: Any) -> None:
    """Sum what arrives in a step at every position, and round to weight units."""
    n_pixels, rows = sums.shape
    for pixel in range(n_pixels):
        activations = given.activations[step, sample * n_pixels + pixel]
        target = sums[pixel]
        for c in range(rows):
            target[c] = int32(activations[c] * ACTIVATION_SCALE)
    for y in range(grid.height):
        for x in range(grid.width):
            sent = mail[y * grid.width + x]
            for j in range(sent.shape[0]):
                times = sent[j]
                if times != 0:
                    for k in range(grid.moves.shape[0]):
                        to_y, to_x = y + grid.moves[k, 0], x + grid.moves[k, 1]
                        if 0 <= to_y < grid.height and 0 <= to_x < grid.width:
                            target, weights = sums[to_y * grid.width + to_x], given.weights[k, j]
                            for c in range(rows):
                                target[c] = int32(target[c] + int32(times * weights[c]))
    for pixel in range(n_pixels):
        target = sums[pixel]
        for c in range(rows):
            target[c] = int32(target[c] + int32(SHARES // 2)) >> int32(TAP_BITS)


@compiled
def backward(saved: Any, ways: Any, grad: Any, begin: Any, end: Any) -> None:
    """Go back through samples `begin` to `end`, some of them at a time.

    Weights are (elements x 3 channels, channels), `in_columns`; what arrived is (batch, time,
    positions, channels and what fills the last column). Sums go from the first element to the last,
    and for each from the first of its 3 x channels rows.
    """
    n_batch, n_steps, n_pixels, width = grad.arrived.shape
    n = saved.i.shape[2]
    size = 3 * n
    carry_i = np.empty((SAMPLES_TOGETHER * n_pixels, n), np.float32)
    carry_v = np.empty((SAMPLES_TOGETHER * n_pixels, n), np.float32)
    room = np.empty((ROOM, n), np.float32)
    pieces = np.empty((ways.targets.shape[0], 2), np.int64)
    for k in range(pieces.shape[0]):
        pieces[k, 0], pieces[k, 1] = ways.targets[k] * size, ways.elements[k] * size
    for start in range(begin, end, SAMPLES_TOGETHER):
        stop = min(start + SAMPLES_TOGETHER, end)
        carry_i[:] = 0
        carry_v[:] = 0
        for step in range(n_steps - 1, -1, -1):
            for row in range((stop - start) * n_pixels):
                back = grad.arrived[start + row // n_pixels, :, row % n_pixels]
                place = start * n_pixels + row
                retreat(saved, grad, back, carry_i[row], carry_v[row], room, step, place)
            source = (step * n_batch + start) * n_pixels * size
            for pixel in range(n_pixels):
                here = pieces[ways.begins[pixel] : ways.begins[pixel + 1]]
                target = ((start * n_steps + step) * n_pixels + pixel) * width
                multiply(
                    grad.activations, source, here, size, saved.weights, grad.arrived, target,
                    stop - start, n_pixels * size, n_steps * n_pixels * width,
                )  # fmt: skip
