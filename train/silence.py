"""A warning for layers that do not spike: they learn slowly, and nothing behind them does."""

from __future__ import annotations

import warnings
import weakref
from dataclasses import dataclass

import torch

PATIENCE = 20
"""Batches within which many a good training finds its first spikes."""

_SAID: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
"""Blocks that were named already."""

_SILENT: weakref.WeakKeyDictionary[torch.nn.Module, int] = weakref.WeakKeyDictionary()
"""Batches in a row that a block had spikes to see in and sent none."""


class SilentLayerWarning(UserWarning):
    """A layer had a spike to see in every step, on average, and sent none in batch after batch."""


@dataclass(frozen=True)
class SilenceRule:
    """When a block is named that stays silent, and what helps.

    Attributes
    ----------
    batches : int
        So many in a row; training changes the weights after each.
    remedy : str
        What whoever made the block can change.
    """

    batches: int = PATIENCE
    remedy: str = "raise its weight_scale, or lower its threshold"


def warn_if_silent(
    block: torch.nn.Module,
    name: str,
    rule: SilenceRule,
    given: torch.Tensor,
    spikes: torch.Tensor,
) -> None:
    """Name a block once if it has an input spike per step or more, on average, and sends none.

    Fewer may well be too few for any spike, whatever the weights; such batches do not count.

    Parameters
    ----------
    block : torch.nn.Module
    name : str
        What the message calls it.
    rule : SilenceRule
    given, spikes : tensor
        Its input and output, a whole batch of training.
    """
    if block in _SAID or not block.training:
        return
    # The largest of all, since `any` takes far longer on numbers; a batch may have no sample.
    if spikes.numel() and spikes.detach().amax() > 0:
        _SILENT.pop(block, None)
        return
    arrived = int(given.count_nonzero())
    if arrived < max(1, given.shape[0] * given.shape[-1]):
        return
    _SILENT[block] = _SILENT.get(block, 0) + 1
    if _SILENT[block] < rule.batches:
        return
    _SAID.add(block)
    warnings.warn(
        f"{name} emitted no spike in {rule.batches} batches one after the other; the last had "
        f"{arrived} input spikes for it. To wake it up: {rule.remedy}",
        SilentLayerWarning,
        stacklevel=2,
    )
