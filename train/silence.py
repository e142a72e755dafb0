"""A warning for layers that do not spike: they learn slowly, and nothing behind them does."""

from __future__ import annotations

import warnings
import weakref

import torch

_SAID: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
"""Blocks that were named already."""


class SilentLayerWarning(UserWarning):
    """A layer had a spike to see in every step, on average, and sent none in a whole batch."""


def warn_if_silent(
    block: torch.nn.Module, name: str, given: torch.Tensor, spikes: torch.Tensor
) -> None:
    """Name a block once if it has an input spike per step or more, on average, and sends none.

    Fewer may well be too few for any spike, whatever the weights.

    Parameters
    ----------
    block : torch.nn.Module
    name : str
        What the message calls it.
    given, spikes : tensor
        Its input and output, a whole batch of training.
    """
    if block in _SAID or not block.training or spikes.any():
        return
    arrived = int(given.count_nonzero())
    if arrived < max(1, given.shape[0] * given.shape[-1]):
        return
    _SAID.add(block)
    warnings.warn(
        f"{name} had {arrived} input spikes in a batch and emitted none; raise its "
        "weight_scale or lower its threshold if that lasts",
        SilentLayerWarning,
        stacklevel=2,
    )
