"""Triton loops of the dense spiking GRU over a sequence; `triton_dense` calls them.

One program takes a tile of samples through all steps, so that a pass is one launch. What a program
reads of earlier steps it has written itself, with a barrier between the steps.

Products are exact: weights have 8 bits, shares of a spike 7, and gradients are cut into three
parts that TF32 holds. Sums of the forward pass stay below 2**24 and are therefore exact too; those
of the backward pass are float32, in the order of the tensor cores. Elsewhere floats are added and
multiplied as in `kipuka.train.gru.kernels`, which needs ``enable_fp_fusion=False`` at the launch.
"""

import triton
import triton.language as tl

from kipuka.convert import fixed
from kipuka.train.delays.axonal import TAP_UNITY
from kipuka.train.gru.cell import OVERSHOOT_MARGIN

UNITY_BITS = tl.constexpr(fixed.UNITY_BITS)
STATE_SHIFT = tl.constexpr(fixed.STATE_SHIFT)
WEIGHT_STEP = tl.constexpr(fixed.WEIGHT_STEP)
NOMINAL_STEP = tl.constexpr(fixed.WEIGHT_STEP / fixed.WEIGHT_SCALE)
LIMIT = tl.constexpr(fixed.GRU_STATE_LIMIT)
MARGIN = tl.constexpr(OVERSHOOT_MARGIN)
GATE_OFFSET, GATE_SLOPE = tl.constexpr(fixed.GATE_OFFSET), tl.constexpr(fixed.GATE_SLOPE)
GATE_REACH = tl.constexpr(fixed.GATE_OFFSET // fixed.GATE_SLOPE)
GATE_STORED = tl.constexpr(fixed.GATE_OFFSET // fixed.GATE_SLOPE + 1)
SHARE_BITS, HALF_A_UNIT = tl.constexpr(TAP_UNITY.bit_length() - 1), tl.constexpr(TAP_UNITY // 2)
ACTIVATION_SCALE = tl.constexpr(float(fixed.WEIGHT_SCALE * TAP_UNITY))
STATE_STEP, GATE_STEP = tl.constexpr(1 / fixed.STATE_SCALE), tl.constexpr(1 / fixed.UNITY)
GATE_DERIVATIVE = tl.constexpr(fixed.GATE_SLOPE * fixed.WEIGHT_SCALE / fixed.UNITY)
TF32_BITS = tl.constexpr(-(1 << 13))
"""Mask of a float32's sign, its exponent and the 10 bits of its fraction that TF32 keeps."""


@triton.jit
def _limited(x, limit):
    x = tl.where(x > limit, limit, x)
    return tl.where(x < -limit, -limit, x)


@triton.jit
def _gate(x):
    return _limited(x, GATE_REACH) * GATE_SLOPE + GATE_OFFSET


@triton.jit
def _weight_units(nominal, shares, bias):
    """Round what arrives, in shares of a weight unit, to weight units, and add the bias."""
    total = (nominal * ACTIVATION_SCALE).to(tl.int32) + shares.to(tl.int32) * WEIGHT_STEP
    return ((total + HALF_A_UNIT) >> SHARE_BITS) + bias


# Sizes that change from batch to batch are no part of what is compiled, which takes seconds.
per_size = triton.jit(do_not_specialize=["n_steps", "n_batch"])


@per_size
def forward(
    activations,  # float32 (time, batch, 3 n), nominal units
    weights,  # int8 (3 n, n), in steps of two weight units
    bias,  # int32 (3 n,), weight units
    first,  # int64 (n,)
    window,  # int8 (n, TAPS), shares
    arrived,  # int8 (time and more, batch, n), shares; zero
    spikes,  # float32 (time, batch, n), as all below
    i_states,  # int32
    v_states,  # int32
    saturated,  # int8
    gates,  # int16 (time, batch, 2 n), cut off just outside the gate's slope
    n_steps,
    n_batch,
    n,
    level,  # threshold in state units
    TAPS: tl.constexpr,
    TILE: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """Run all samples from zero state."""
    row = (tl.program_id(0) * TILE + tl.arange(0, TILE))[:, None]
    plane = n_batch * n
    # Where the step's plane begins; all of them together may have more than 32 bits count.
    now = tl.program_id(0).to(tl.int64) * 0
    for _step in range(n_steps):
        for begin in range(0, WIDTH, BLOCK):
            col = (begin + tl.arange(0, BLOCK))[None, :]
            known = col < n
            inside = (row < n_batch) & known
            shares_i = tl.zeros((TILE, BLOCK), tl.float32)
            shares_r = tl.zeros((TILE, BLOCK), tl.float32)
            shares_z = tl.zeros((TILE, BLOCK), tl.float32)
            for k in range(0, n, CHUNK):
                terms = k + tl.arange(0, CHUNK)
                source, synapse_source = terms[None, :], terms[:, None]
                there = (row < n_batch) & (source < n)
                mail = tl.load(arrived + now + row * n + source, mask=there, other=0)
                mail = mail.to(tl.float32)
                synapse = weights + col * n + synapse_source
                there = known & (synapse_source < n)
                w = tl.load(synapse, mask=there, other=0)
                shares_i += tl.dot(mail, w.to(tl.float32))
                w = tl.load(synapse + n * n, mask=there, other=0)
                shares_r += tl.dot(mail, w.to(tl.float32))
                w = tl.load(synapse + 2 * n * n, mask=there, other=0)
                shares_z += tl.dot(mail, w.to(tl.float32))

            given = activations + 3 * now + row * (3 * n) + col
            bias_i = tl.load(bias + col, mask=known, other=0)
            bias_r = tl.load(bias + n + col, mask=known, other=0)
            bias_z = tl.load(bias + 2 * n + col, mask=known, other=0)
            a_i = tl.load(given, mask=inside, other=0.0)
            a_r = tl.load(given + n, mask=inside, other=0.0)
            a_z = tl.load(given + 2 * n, mask=inside, other=0.0)
            a_i = _weight_units(a_i, shares_i, bias_i)
            a_r = _weight_units(a_r, shares_r, bias_r)
            a_z = _weight_units(a_z, shares_z, bias_z)

            here = now + row * n + col
            began = inside & (here >= plane)
            i_before = tl.load(i_states + here - plane, mask=began, other=0)
            v_before = tl.load(v_states + here - plane, mask=began, other=0)
            spiked = tl.load(spikes + here - plane, mask=began, other=0.0)
            exact_i = ((i_before * _gate(a_r)) >> UNITY_BITS) + (a_i << STATE_SHIFT)
            i = _limited(exact_i, LIMIT)
            exact_v = i + (((v_before - i) * _gate(a_z)) >> UNITY_BITS)
            exact_v = tl.where(spiked > 0, exact_v - level, exact_v)
            v = _limited(exact_v, LIMIT)
            spike = v > level
            tl.store(i_states + here, i, mask=inside)
            tl.store(v_states + here, v, mask=inside)
            tl.store(spikes + here, spike.to(tl.float32), mask=inside)
            clipped = (i != exact_i).to(tl.int8) + (v != exact_v).to(tl.int8)
            tl.store(saturated + here, clipped, mask=inside)
            gate = gates + 2 * now + row * (2 * n) + col
            tl.store(gate, _limited(a_r, GATE_STORED).to(tl.int16), mask=inside)
            tl.store(gate + n, _limited(a_z, GATE_STORED).to(tl.int16), mask=inside)

            delay = tl.load(first + col, mask=known, other=0)
            target = arrived + here + (1 + delay) * plane
            for k in range(TAPS):
                share = tl.load(window + col * TAPS + k, mask=known, other=0)
                sends = inside & spike & (share > 0)
                if TAPS > 1:
                    share = share + tl.load(target + k * plane, mask=sends, other=0)
                tl.store(target + k * plane, share, mask=sends)
        now += plane
        tl.debug_barrier()


@triton.jit
def _beyond_margin(state):
    return (state > MARGIN).to(tl.float32) - (state < -MARGIN).to(tl.float32)


@triton.jit
def _gate_slope(raw):
    inside = (raw <= GATE_REACH) & (raw >= -GATE_REACH)
    return tl.where(inside, GATE_DERIVATIVE, 0.0)


@triton.jit
def _as_tf32(x):
    """Leading part of float32 that TF32 holds exactly."""
    return (x.to(tl.int32, bitcast=True) & TF32_BITS).to(tl.float32, bitcast=True)


@per_size
def backward(
    i_states,  # these five as the forward pass left them
    v_states,
    saturated,
    gates,
    first,
    window,  # float32 (n, TAPS), of unity 1
    weights,  # int8 (n, 3 n): transposed
    slopes,  # float32, by membrane
    pull,  # float32 (batch,)
    grad_spikes,  # float32 (time, batch, n), from later layers
    grad_a,  # float32 (time, batch, 3 n)
    grad_arrived,  # float32 (time, batch, n)
    carry_i,  # float32 (batch, n), zero
    carry_v,
    n_steps,
    n_batch,
    n,
    TAPS: tl.constexpr,
    TILE: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """Go back through all samples."""
    row = (tl.program_id(0) * TILE + tl.arange(0, TILE))[:, None]
    plane = n_batch * n
    now = (tl.program_id(0).to(tl.int64) * 0 + plane) * (n_steps - 1)
    for steps_after in range(n_steps):
        for begin in range(0, WIDTH, BLOCK):
            col = (begin + tl.arange(0, BLOCK))[None, :]
            known = col < n
            inside = (row < n_batch) & known
            here = now + row * n + col
            grad_s = tl.load(grad_spikes + here, mask=inside, other=0.0)
            # The latest arrival first, as the plain path adds them.
            for k in range(TAPS):
                delay = tl.load(first + col, mask=known, other=0) + (TAPS - 1 - k)
                share = tl.load(window + col * TAPS + (TAPS - 1 - k), mask=known, other=0.0)
                comes = inside & (delay < steps_after)
                back = tl.load(grad_arrived + here + (1 + delay) * plane, mask=comes, other=0.0)
                grad_s += share * back

            i = tl.load(i_states + here, mask=inside, other=0)
            v = tl.load(v_states + here, mask=inside, other=0)
            # Before the first step all states are zero.
            began = inside & (here >= plane)
            i_before = tl.load(i_states + here - plane, mask=began, other=0)
            v_before = tl.load(v_states + here - plane, mask=began, other=0)
            gate = gates + 2 * now + row * (2 * n) + col
            raw_r = tl.load(gate, mask=inside, other=0).to(tl.int32)
            raw_z = tl.load(gate + n, mask=inside, other=0).to(tl.int32)
            r = _gate(raw_r).to(tl.float32) * GATE_STEP
            z = _gate(raw_z).to(tl.float32) * GATE_STEP
            clipped = tl.load(saturated + here, mask=inside, other=0)
            passes = (clipped == 0).to(tl.float32)
            pulls = tl.load(pull + row, mask=row < n_batch, other=0.0)
            carried = row * n + col
            carried_i = tl.load(carry_i + carried, mask=inside, other=0.0)
            carried_v = tl.load(carry_v + carried, mask=inside, other=0.0)
            slope = tl.load(slopes + v + LIMIT, mask=inside, other=0.0)

            # The reset is not differentiated, as in SLAYER's own neurons.
            grad_v = (grad_s * slope + carried_v) * passes + pulls * _beyond_margin(v)
            grad_i = (grad_v * (1.0 - z) + carried_i) * passes + pulls * _beyond_margin(i)
            behind_i = i_before.to(tl.float32) * STATE_STEP
            behind_v = v_before.to(tl.float32) * STATE_STEP - i.to(tl.float32) * STATE_STEP
            grad_r = grad_i * behind_i * _gate_slope(raw_r)
            grad_z = grad_v * behind_v * _gate_slope(raw_z)
            given = grad_a + 3 * now + row * (3 * n) + col
            tl.store(given, grad_i, mask=inside)
            tl.store(given + n, grad_r, mask=inside)
            tl.store(given + 2 * n, grad_z, mask=inside)
            tl.store(carry_v + carried, grad_v * z, mask=inside)
            tl.store(carry_i + carried, grad_i * r, mask=inside)
        tl.debug_barrier()
        for begin in range(0, WIDTH, BLOCK):
            col = (begin + tl.arange(0, BLOCK))[None, :]
            total = tl.zeros((TILE, BLOCK), tl.float32)
            for k in range(0, 3 * n, CHUNK):
                terms = k + tl.arange(0, CHUNK)
                source, synapse_source = terms[None, :], terms[:, None]
                there = (row < n_batch) & (source < 3 * n)
                g = grad_a + 3 * now + row * (3 * n) + source
                g = tl.load(g, mask=there, other=0.0)
                there = (col < n) & (synapse_source < 3 * n)
                w = tl.load(weights + col * (3 * n) + synapse_source, mask=there, other=0)
                w = w.to(tl.float32)
                high = _as_tf32(g)
                rest = g - high
                middle = _as_tf32(rest)
                total += tl.dot(high, w)
                total += tl.dot(middle, w)
                total += tl.dot(rest - middle, w)
            inside = (row < n_batch) & (col < n)
            tl.store(grad_arrived + now + row * n + col, total * NOMINAL_STEP, mask=inside)
        now -= plane
        tl.debug_barrier()
