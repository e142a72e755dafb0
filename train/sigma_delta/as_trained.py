"""What sigma-delta blocks send in their own forward pass, on the time of the deployed network.

SLAYER's blocks pass a message on within a step, the chip takes one more for each layer; with that
taken into account the two can be compared layer by layer
(`kipuka.deploy.deviation.deployment_deviation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.blocks import Block, find_blocks, unsupported
from kipuka.convert.formats.slayer.evaluation import evaluated
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.train.sigma_delta.blocks import SIGMA_DELTA_BLOCKS
from kipuka.train.slayer import sigma_delta

STOCK = (
    sigma_delta.Input,
    sigma_delta.Dense,
    sigma_delta.Conv,
    sigma_delta.Pool,
    sigma_delta.Output,
)
"""SLAYER's blocks, from which Kipuka's inherit."""

PAYLOADS = fixed.STATE_SCALE
STATES = fixed.STATE_SCALE << fixed.STATE_SHIFT
"""Units of a payload and of a state in a nominal unit."""


def trace_as_trained(blocks: Any | Iterable[Any], values: np.ndarray) -> Trace:
    """Run sigma-delta blocks, SLAYER's or Kipuka's, on real values and record what they send.

    Parameters
    ----------
    blocks : torch.nn.Module or iterable of them
        ``sigma_delta`` blocks, from an ``Input`` on; they are run in evaluation and left as they
        were.
    values : float array (samples, *input shape, steps)
        As the forward pass takes them, in nominal units.

    Returns
    -------
    Trace
        Payloads, and the states that have a counterpart in training, rounded to whole units:
        ``act``, or of a decoder ``sigma``. Each in the step in which the deployed network has it.

    Raises
    ------
    KipukaError
        If there is another block.
    """
    modules = [blocks] if hasattr(blocks, "_modules") else list(blocks)
    x = torch.from_numpy(np.asarray(values, dtype=np.float32))
    layers: list[LayerTrace] = []
    late = 0
    with evaluated(modules):
        for block in find_blocks(modules):
            if isinstance(block.module, sigma_delta.Flatten):
                x = block.module(x)
                continue
            _check(block)
            trace, x = _run(block.module, x, late)
            layers.append(trace)
            # Kipuka's blocks take the step to the next layer themselves.
            late += not isinstance(block.module, SIGMA_DELTA_BLOCKS)
    return Trace(tuple(layers))


def _check(block: Block) -> None:
    if not isinstance(block.module, STOCK) or getattr(block.module, "neuron", None) is None:
        limit = "sigma_delta.Input, Dense, Conv, Pool, Flatten and Output"
        raise unsupported(block.where, block.kind, limit)


def _run(module: Any, x: torch.Tensor, late: int) -> tuple[LayerTrace, torch.Tensor]:
    if isinstance(module, sigma_delta.Output):
        x = module(x)
        sums = _later(x, late, STATES)
        return LayerTrace(sums, {"sigma": sums}), x
    with _calls(module.neuron.delta) as calls:
        x = module(x)
    ((act, sent),) = calls
    return LayerTrace(_later(sent, late, PAYLOADS), {"act": _later(act, late, STATES)}), x


@contextmanager
def _calls(module: torch.nn.Module) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Record what a module takes and gives."""
    calls: list[tuple[torch.Tensor, torch.Tensor]] = []
    hook = module.register_forward_hook(lambda _, taken, given: calls.append((taken[0], given)))
    try:
        yield calls
    finally:
        hook.remove()


def _later(x: torch.Tensor, steps: int, units: int) -> np.ndarray:
    """Whole units (samples, neurons, steps) of nominal values, so many steps later."""
    whole = np.rint(x.flatten(1, -2).double().numpy() * units).astype(np.int32)
    moved = np.zeros_like(whole)
    moved[..., steps:] = whole[..., : whole.shape[-1] - steps]
    return moved
