"""Compiled delivery of spikes over delay taps; `kipuka.train.delays.axonal.spread` defines it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kipuka.compiling import kept_on_disk


@kept_on_disk([Path(__file__)])
def spread_time_first(signal: Any, delays: Any, taps: Any, out: Any) -> None:
    """Add to ``out[t]`` all ``signal[t - delays[k]] * taps[k]``.

    Parameters
    ----------
    signal, out : float32 array (time, batch, neurons)
    delays : int64 array (taps,)
    taps : float32 array (taps, neurons)
    """
    n_steps, n_batch, n = signal.shape
    for step in range(n_steps):
        for sample in range(n_batch):
            row = out[step, sample]
            row[:] = 0
            for k in range(delays.shape[0]):
                if delays[k] <= step:
                    sent, share = signal[step - delays[k], sample], taps[k]
                    for j in range(n):
                        row[j] += sent[j] * share[j]
