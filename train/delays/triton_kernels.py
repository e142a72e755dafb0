"""Triton delivery of spikes over delay taps; `kipuka.train.delays.axonal.spread` defines it."""

import triton
import triton.language as tl


# Sizes that change from batch to batch are no part of what is compiled.
@triton.jit(do_not_specialize=["n_delays", "n_batch"])
def spread_time_first(
    signal,  # float32 (time, batch, neurons)
    delays,  # int64 (taps,)
    taps,  # float32 (taps, neurons)
    out,  # float32 (time, batch, neurons)
    n_delays,
    n_batch,
    n,
    BLOCK: tl.constexpr,
):
    """Set ``out[t]`` to the sum of all ``signal[t - delays[k]] * taps[k]``, first tap first."""
    step = tl.program_id(0)
    plane = n_batch * n
    place = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = place < plane
    now = step.to(tl.int64) * plane
    total = tl.zeros((BLOCK,), tl.float32)
    for k in range(n_delays):
        delay = tl.load(delays + k)
        sent = signal + (now - delay * plane) + place
        there = tl.where(delay <= step, plane, 0)
        sent = tl.load(sent, mask=place < there, other=0.0)
        total += sent * tl.load(taps + k * n + place % n, mask=inside, other=0.0)
    tl.store(out + now + place, total, mask=inside)
