"""Delivery of spikes over delay taps on a GPU; `kipuka.train.delays.axonal.spread` defines it."""

from __future__ import annotations

import torch
import triton

from kipuka.train.delays import triton_kernels as kernels

BLOCK = 1024
"""Neurons of a step that a program takes."""


def spread_on_gpu(signal: torch.Tensor, delays: list[int], taps: torch.Tensor) -> torch.Tensor:
    """Send signals (time, batch, neurons) on over those of the taps (neurons, all delays)."""
    signal = signal.contiguous()
    n_steps, n_batch, n = signal.shape
    out = torch.empty_like(signal)
    with torch.cuda.device_of(signal):
        kernels.spread_time_first[(n_steps, triton.cdiv(n_batch * n, BLOCK))](
            signal,
            torch.tensor(delays, device=signal.device, dtype=torch.int64),
            taps.T[delays].contiguous(),
            out,
            len(delays),
            n_batch,
            n,
            BLOCK=BLOCK,
            num_warps=4,
            # A product and the sum after it are rounded one by one, as on the CPU.
            enable_fp_fusion=False,
        )
    return out
