"""Compiled delivery of spikes over delay taps; `kipuka.train.delays.axonal` defines it.

Spikes come as the list that `kipuka.train.products.spikes.Spikes` is, since they are few.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numba import float32, float64

from kipuka.compiling import kept_on_disk

compiled = kept_on_disk([Path(__file__)])


@compiled
def send(spikes: Any, first: Any, shares: Any, out: Any) -> None:
    """Add what arrives of spikes to an output of zeros.

    Parameters
    ----------
    spikes : Spikes
    first : int64 array (neurons,)
        First delay that has a share.
    shares : float32 array (neurons, taps)
        From there on.
    out : float32 array (time, batch, neurons)
    """
    n_steps, n_batch, _ = out.shape
    # From the last step on, so that what arrives together is added by the length of its delay.
    for row in range(n_steps * n_batch - 1, -1, -1):
        step, sample = row // n_batch, row % n_batch
        for k in range(spikes.begins[row], spikes.begins[row + 1]):
            j = spikes.sources[k]
            for tap in range(shares.shape[1]):
                at = step + first[j] + tap
                if at < n_steps:
                    out[at, sample, j] += spikes.values[k] * shares[j, tap]


@compiled
def bring_back(grad: Any, delays: Any, taps: Any, out: Any) -> None:
    """Set ``out[t]`` to the sum of ``grad[t + delays[k]] * taps[k]``, in the order of delays.

    Parameters
    ----------
    grad, out : float32 array (time, batch, neurons)
    delays : int64 array (taps,)
    taps : float32 array (taps, neurons)
    """
    n_steps, n_batch, n = grad.shape
    for step in range(n_steps):
        for sample in range(n_batch):
            row = out[step, sample]
            row[:] = 0
            for k in range(delays.shape[0]):
                at = step + delays[k]
                if at < n_steps:
                    given, share = grad[at, sample], taps[k]
                    for j in range(n):
                        row[j] += given[j] * share[j]


@compiled
def bring_back_whole(grad: Any, delays: Any, shares: Any, out: Any) -> None:
    """As `bring_back`, where all of a neuron's signal arrives after one delay.

    Parameters
    ----------
    grad, out : float32 array (time, batch, neurons)
    delays : int64 array (neurons,)
    shares : float32 array (neurons,)
    """
    n_steps, n_batch, n = grad.shape
    for step in range(n_steps):
        for sample in range(n_batch):
            row = out[step, sample]
            for j in range(n):
                at = step + delays[j]
                row[j] = grad[at, sample, j] * shares[j] if at < n_steps else float32(0)


@compiled
def sum_slopes(spikes: Any, grad: Any, first: Any, slopes: Any, later: Any, out: Any) -> None:
    """Add to ``out[j]`` what the gradient of neuron j's delay is, in float64.

    Parameters
    ----------
    spikes : Spikes
        As they were sent.
    grad : float32 array (time, batch, neurons)
        Gradient of what arrived.
    first : int64 array (neurons,)
    slopes : float32 array (neurons, taps)
        By how much each share changes, as `send` has the shares.
    later : int
        Steps that spikes take even without a delay.
    out : float64 array (neurons,)
    """
    n_steps, n_batch, _ = grad.shape
    for row in range(n_steps * n_batch):
        step, sample = row // n_batch + later, row % n_batch
        for k in range(spikes.begins[row], spikes.begins[row + 1]):
            j = spikes.sources[k]
            for tap in range(slopes.shape[1]):
                at = step + first[j] + tap
                if at < n_steps:
                    slope = float64(spikes.values[k]) * float64(slopes[j, tap])
                    out[j] += slope * float64(grad[at, sample, j])
