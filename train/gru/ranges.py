"""Weights brought to where no state can saturate, whatever the spikes.

The current of a spiking GRU neuron never exceeds ``M`` in magnitude if ``M r + s 64 a <= M`` for
every input and both signs `s`. The reset gate is ``r = max(1/2 + x / 256, 0)`` at most, with
activations `x` and `a` that are sums over the same spikes. So two sums have to be small enough::

    M (1/2 + b_r / 256) + s 64 b_i + sum over sources of max(M R / 256 + s 64 W, 0) <= M
    s 64 b_i + sum over sources of max(s 64 W, 0) <= M

A source whose spike closes the reset gate a little takes no part in the first one. A membrane lies
between current and old membrane before its reset takes the threshold off, so that with
``M = 2**17 - 1 - 64 T`` both stay within 18 bits. The range analysis of `kipuka.convert` comes to
the same bound or a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from kipuka.convert import fixed
from kipuka.errors import KipukaError, expect
from kipuka.train.gru.block import GruBlock

ROUNDING = 2
"""What a step adds to the bound, in state units: two shifts that round down."""

PASSES_MAX = 50
"""Projections onto the constraints, with the weights rounded in between, before all shrink."""

SHRINK = 0.9
"""Factor on current and reset gate of a channel, where projections do not end."""

CURRENT_STEP = fixed.UNITY << fixed.STATE_SHIFT
"""What a weight unit adds to a current, in units of ``2**-12`` of a state unit."""

CURRENT, RESET = 0, 1


class _Pair(NamedTuple):
    """Weights of current and reset gate from the same sources.

    Attributes
    ----------
    learned : tuple of tensors (groups, channels / groups, sources), float
        Views of the parameters, in nominal units; of the current alone beside a reset gate that is
        constant.
    whole : tuple of tensors of the same shape, int64
        What the integer network has of them, in weight units.
    """

    learned: tuple[torch.Tensor, ...]
    whole: tuple[torch.Tensor, ...]


class _Constraint(NamedTuple):
    """One sum that has to be small enough: its slopes are those of all that adds to it.

    Attributes
    ----------
    sign : int
        Of the current.
    of_reset : int
        Slope of the reset gate's weights and bias; 0 for a gate that is shut.
    """

    sign: int
    of_reset: int


def overrun(block: GruBlock) -> torch.Tensor:
    """By how much each channel misses the proof that it cannot saturate.

    Parameters
    ----------
    block : GruBlock

    Returns
    -------
    int64 tensor (channels,)
        In units of ``2**-12`` of a state unit, negative or 0 where the proof holds.
    """
    with torch.no_grad():
        pairs, biases = _whole(block)
        found = [_excess(block, pairs, biases, one) for one in _constraints(block)]
        return torch.stack(found).amax(0)


def keep_in_range(block: GruBlock) -> None:
    """Change weights and biases by as little as makes the proof hold for every channel.

    What misses it is projected onto it, rounding of the weights is followed. Weights of the update
    gate never change.

    Parameters
    ----------
    block : GruBlock

    Raises
    ------
    KipukaError
        If the weights are normalized, so that others than they learn.
    """
    expect(block, GruBlock, "argument block", "kipuka.train.SpikingGRU(...) makes one")
    with torch.no_grad():
        for _ in range(PASSES_MAX):
            missed = False
            for constraint in _constraints(block):
                pairs, biases = _whole(block)
                excess = _excess(block, pairs, biases, constraint)
                if bool((excess > 0).any()):
                    missed = True
                    _project(block, pairs, constraint, excess)
            if not missed:
                return
        _shrink_into_reach(block)


def _shrink_into_reach(block: GruBlock) -> None:
    while bool(((excess := overrun(block)) > 0).any()):
        _shrink(block, excess > 0)


def _room(block: GruBlock) -> int:
    threshold = int(block.neuron.v_th_mant) << fixed.STATE_SHIFT
    return fixed.GRU_STATE_LIMIT - threshold


def _constraints(block: GruBlock) -> Iterator[_Constraint]:
    for of_reset in (fixed.GATE_SLOPE * _room(block), 0):
        yield _Constraint(1, of_reset)
        yield _Constraint(-1, of_reset)


def _whole(block: GruBlock) -> tuple[list[_Pair], tuple[torch.Tensor, torch.Tensor]]:
    """Weights of all sources and both biases in weight units, as they are rounded."""
    pairs = []
    for synapse in (block.input_synapse, block.recurrent_synapse):
        _check(synapse)
        learned = block.rows(synapse, synapse.weight.detach())
        rounded = block.quantized_weight(synapse).detach() * fixed.WEIGHT_SCALE
        whole = block.rows(synapse, rounded.round().to(torch.int64))
        learns = slice(CURRENT, RESET if block.gates.reset_row is None else RESET + 1)
        pairs.append(_Pair(learned[learns], whole[learns]))
    rounded = block.recurrent_synapse.pre_hook_fx(block.bias).detach() * fixed.WEIGHT_SCALE
    bias_i, bias_r = rounded.round().to(torch.int64).split(block.channels)[:2]
    return pairs, (bias_i, bias_r)


def _check(synapse: Any) -> None:
    if not isinstance(synapse.weight, torch.nn.Parameter):
        raise KipukaError(
            "weights that are normalized cannot be kept in range",
            where="spiking GRU block, key weight_norm",
            limit="weights that are parameters themselves",
            value="weight normalization",
            remedy="build the block without weight_norm, or train without proven_ranges",
        )


def _added(pair: _Pair, constraint: _Constraint) -> torch.Tensor:
    """What each source adds if it spikes."""
    slopes = (constraint.sign * CURRENT_STEP, constraint.of_reset)
    # A constant reset gate has no weights.
    found = [slope * whole for slope, whole in zip(slopes, pair.whole, strict=False)]
    return torch.stack(found).sum(0)


def _excess(
    block: GruBlock,
    pairs: list[_Pair],
    biases: tuple[torch.Tensor, torch.Tensor],
    constraint: _Constraint,
) -> torch.Tensor:
    """By how much each channel exceeds its room, int64 (channels,)."""
    bias_i, bias_r = biases
    total = constraint.sign * CURRENT_STEP * bias_i + constraint.of_reset * bias_r
    for pair in pairs:
        total = total + _added(pair, constraint).clamp(min=0).sum(-1).flatten()
    half_open = fixed.GATE_OFFSET * constraint.of_reset // fixed.GATE_SLOPE
    return total + half_open + fixed.UNITY * (ROUNDING - _room(block))


def _project(
    block: GruBlock, pairs: list[_Pair], constraint: _Constraint, excess: torch.Tensor
) -> None:
    """Go the shortest way to where the sum, linear up to its signs, is small enough."""
    slopes = (constraint.sign * CURRENT_STEP, constraint.of_reset)
    # What can move, the biases first, with the square of how much the sum moves with it.
    reach = torch.full_like(excess, sum(slope**2 for slope in slopes))
    for pair in pairs:
        counted = (_added(pair, constraint) > 0).sum(-1).flatten()
        reach += counted * sum(slope**2 for slope in slopes[: len(pair.learned)])
    # At least as far as a step of one weight goes, or rounding would keep it where it is.
    least = fixed.WEIGHT_STEP * max(map(abs, slopes))
    missing = torch.where(excess > 0, excess.clamp(min=least), 0)
    way = missing / reach / fixed.WEIGHT_SCALE
    for pair in pairs:
        adds = _added(pair, constraint) > 0
        for learned, slope in zip(pair.learned, slopes, strict=False):
            learned.sub_(adds * _like(way * slope, learned))
    for bias, slope in zip(_biases(block), slopes, strict=True):
        bias.sub_(way * slope)


def _shrink(block: GruBlock, missed: torch.Tensor) -> None:
    """Bring current and reset gate of some channels nearer to 0, where the proof always holds."""
    factor = torch.where(missed, SHRINK, 1.0)
    pairs, _ = _whole(block)
    for pair in pairs:
        for learned in pair.learned:
            learned.mul_(_like(factor, learned))
    for bias in _biases(block):
        bias.mul_(factor)


def _biases(block: GruBlock) -> tuple[torch.Tensor, torch.Tensor]:
    """Biases of current and reset gate as they are learned, views."""
    bias_i, bias_r = block.bias.detach().split(block.channels)[:2]
    return bias_i, bias_r


def _like(per_channel: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    return per_channel.reshape(*rows.shape[:-1], 1)
