"""Weighted sums of spikes, and gradients of their weights, from a list of the spikes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from kipuka.compiling_notice import announce_compiling
from kipuka.convert import fixed
from kipuka.train.products import spike_kernels as kernels
from kipuka.train.threads import on_threads

announce_compiling()

SHARE_MAX = 1 / 8
"""Share of sources that spike up to which a list is surely faster than the library's product."""

USUAL = 16
"""One source in so many, or fewer, spikes in most networks; a longer list is seldom needed."""

ROWS_AT_ONCE = 256
COLUMNS_AT_ONCE = 64
"""What a thread takes at a time: rows of sums, or columns of a gradient."""


class Spikes(NamedTuple):
    """Spikes of all rows, one row for each step of each sample, by step and then by sample.

    Attributes
    ----------
    begins : int64 array (rows + 1,)
        Where the spikes of a row begin in the lists that follow.
    sources : int32 array
    values : float32 array
        1, or a share of it.
    """

    begins: np.ndarray
    sources: np.ndarray
    values: np.ndarray


def spikes_of(signal: torch.Tensor) -> Spikes:
    """List the spikes of a signal (time, batch, sources), float32 on the CPU."""
    for room in (signal.numel() // USUAL, signal.numel()):
        spikes = _listed(signal, room)
        if spikes is not None:
            break
    assert spikes is not None
    return spikes


def _listed(signal: torch.Tensor, room: int) -> Spikes | None:
    """Spikes of a signal, or None if they are more than there is room for."""
    n_steps, n_batch, _ = signal.shape
    row_strides, source_strides = (n_batch, 1, 0), (0, 0, 1)
    in_memory = signal.detach()
    if signal.movedim(0, -1).is_contiguous():
        in_memory = in_memory.movedim(0, -1)
        row_strides, source_strides = (1, 0, n_batch), (0, 1, 0)
    rows, sources, values = (np.empty(room, kind) for kind in (np.int32, np.int32, np.float32))
    found = kernels.find_spikes(
        in_memory.contiguous().numpy(), row_strides, source_strides, rows, sources, values
    )
    if found < 0:
        return None
    begins = np.zeros(n_steps * n_batch + 1, np.int64)
    spikes = Spikes(begins, np.empty(found, np.int32), np.empty(found, np.float32))
    kernels.sort_spikes(rows[:found], sources[:found], values[:found], *spikes)
    return spikes


def few_spikes(signal: torch.Tensor, weight: torch.Tensor) -> Spikes | None:
    """Spikes of a signal (time, batch, sources) whose sums with weights a list gives faster.

    None if there are many, or the signal is something else, or the sums would not be exact.
    """
    if not _are_exact(signal, weight):
        return None
    spikes = _listed(signal, int(signal.numel() * SHARE_MAX))
    return spikes if spikes is not None and _are_shares(spikes.values) else None


def weight_gradient(spikes: Spikes, grad: torch.Tensor, n_sources: int) -> torch.Tensor:
    """Gradient of weights (targets, sources) from that of their sums (time, batch, targets).

    Each is summed over the spikes from the first step to the last, within a step from the first
    sample to the last.
    """
    rows = grad.detach().reshape(-1, grad.shape[-1]).contiguous().numpy()
    out = np.empty((n_sources, rows.shape[1]), np.float32)
    on_threads(
        rows.shape[1],
        COLUMNS_AT_ONCE,
        lambda begin, end: kernels.outer_products(spikes, rows, out, begin, end),
    )
    return torch.from_numpy(out).T.contiguous()


def spike_sums(signal: torch.Tensor, weight: torch.Tensor) -> torch.Tensor | None:
    """Sums (time, batch, targets) of few spikes (time, batch, sources) with weights.

    The same numbers as those of `torch.nn.functional.linear`: sums of whole weight units and of
    shares of spikes are exact in any order.

    Parameters
    ----------
    signal : float tensor (time, batch, sources)
    weight : float tensor (targets, sources)
        Quantized, nominal units.

    Returns
    -------
    tensor or None
        None if the signal is something else than few spikes in float32 on the CPU, or the weights
        are no whole units.
    """
    spikes = few_spikes(signal, weight)
    if spikes is None:
        return None
    sums: torch.Tensor = _SpikeProduct.apply(signal, weight, spikes)  # type: ignore[no-untyped-call, unused-ignore]
    return sums


def weighted_sums(signal: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """As `spike_sums`, of any signal."""
    sums = spike_sums(signal, weight)
    return torch.nn.functional.linear(signal, weight) if sums is None else sums


def _are_exact(signal: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether weights and signal have the kernels' type, and the weights are whole units."""
    given = (signal, weight)
    if any(x.device.type != "cpu" or x.dtype != torch.float32 for x in given):
        return False
    units = weight.detach() * fixed.WEIGHT_SCALE
    return torch.equal(units, units.round())


def _are_shares(values: np.ndarray) -> bool:
    """Whether all are spikes, or shares of them that delays made."""
    shares = values * fixed.WEIGHT_SCALE
    return bool(((values > 0) & (values <= 1) & (shares == np.floor(shares))).all())


class _SpikeProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, signal: torch.Tensor, weight: torch.Tensor, spikes: Spikes
    ) -> torch.Tensor:
        ctx.save_for_backward(weight)
        ctx.spikes = spikes
        n_steps, n_batch, _ = signal.shape
        by_source = weight.detach().T.contiguous().numpy()
        out = np.empty((n_steps * n_batch, len(weight)), np.float32)
        on_threads(
            len(out),
            ROWS_AT_ONCE,
            lambda begin, end: kernels.weighted_sums(spikes, by_source, out, begin, end),
        )
        return torch.from_numpy(out).reshape(n_steps, n_batch, len(weight))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        (grad,) = grad_outputs
        (weight,) = ctx.saved_tensors
        needs_signal, needs_weight, _ = ctx.needs_input_grad
        grad_signal = None
        if needs_signal:
            grad_signal = (grad.contiguous().flatten(0, 1) @ weight).unflatten(0, grad.shape[:2])
        grad_weight = weight_gradient(ctx.spikes, grad, weight.shape[1]) if needs_weight else None
        return grad_signal, grad_weight, None
