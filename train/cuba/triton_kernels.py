"""Triton loops of SLAYER's leaky integrator; `cuba.kernels` has the same for the CPU.

Each lane takes one row of steps. Products and sums after them are rounded one by one, which needs
``enable_fp_fusion=False`` at the launch.
"""

import triton
import triton.language as tl

from kipuka.convert import fixed

UNITY, UNITY_BITS = tl.constexpr(fixed.UNITY), tl.constexpr(fixed.UNITY_BITS)
DECAY_STEP = tl.constexpr(1 / fixed.UNITY)


# Sizes that change from batch to batch are no part of what is compiled.
per_size = triton.jit(do_not_specialize=["n_steps", "n_rows"])


@per_size
def integrate(
    given,  # float32 (time, rows), in units
    state,  # float32 (rows,), in units
    decay,  # float32 (1,), whole, in 1 / UNITY per step
    out,  # float32 (time, rows), in units
    n_steps,
    n_rows,
    scale,  # whole steps of the state per unit, a power of two
    unit,  # its inverse
    level,  # threshold in whole steps
    SPIKING: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Run rows of steps from their states on, as `kipuka.train.cuba.kernels.integrate` does."""
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = row < n_rows
    kept = (tl.load(decay) * -1.0 + UNITY).to(tl.int64)
    now = (tl.load(state + row, mask=inside, other=0.0) * scale).to(tl.int64)
    given += row
    out += row
    for _ in range(n_steps):
        leaked = now * kept
        leaked = tl.where(leaked > 0, leaked >> UNITY_BITS, -((-leaked) >> UNITY_BITS))
        x = tl.load(given, mask=inside, other=0.0)
        now = leaked + (x * scale).to(tl.int64)
        tl.store(out, now.to(tl.float32) * unit, mask=inside)
        if SPIKING:
            now = tl.where(now.to(tl.float32) >= level, 0, now)
        given += n_rows
        out += n_rows


@per_size
def leak_back(
    given,  # float32 (time, rows)
    decay,  # float32 (1,)
    out,  # float32 (time, rows)
    n_steps,
    n_rows,
    BLOCK: tl.constexpr,
):
    """Set ``out[t] = given[t] + kept * out[t + 1]`` for rows of steps."""
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = row < n_rows
    kept = tl.load(decay) * -DECAY_STEP + 1.0
    later = tl.zeros((BLOCK,), tl.float32)
    # Where the step begins; 64 bits, because all steps may have more rows than 32 bits count.
    start = tl.program_id(0).to(tl.int64) * 0 + n_steps
    for _ in range(n_steps):
        start -= 1
        x = tl.load(given + start * n_rows + row, mask=inside, other=0.0)
        later = x + later * kept
        tl.store(out + start * n_rows + row, later, mask=inside)
