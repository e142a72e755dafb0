"""SLAYER's leaky integrator compiled, where lava-dl goes from step to step in Python.

Current and membrane of a CUBA neuron are a leaky integrator each. The compiled form gives the same
numbers in every bit, forward and backward, and leaves all else to lava-dl's own. On a GPU it is a
Triton kernel (`triton_integrator`), and nothing there waits for lava-dl to compile CUDA sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from kipuka.compiling_notice import announce_compiling
from kipuka.convert import fixed
from kipuka.train.cuba.kernels import integrate, leak_back
from kipuka.train.cuba.time_shift import shift
from kipuka.train.slayer import TimeShift, leaky_integrator
from kipuka.train.triton_support import takes_triton

announce_compiling()


@contextmanager
def compiled_integrator() -> Iterator[None]:
    """Let SLAYER's CUBA neurons run compiled within the block, and shift in time without a build.

    On a GPU this takes Triton, which comes with torch; without it lava-dl stays as it is there.
    """
    places: list[tuple[Any, str, Any]] = [(leaky_integrator, "_LIDynamics", _Chosen)]
    if takes_triton():
        places.append((leaky_integrator.Accelerated, "module", _OnGpu))
        places.append((TimeShift, "module", _OnGpu))
    before = [getattr(place, name) for place, name, _ in places]
    for place, name, ours in places:
        setattr(place, name, ours)
    try:
        yield
    finally:
        for (place, name, _), stock in zip(places, before, strict=True):
            setattr(place, name, stock)


class _Chosen:
    """Stands in for lava-dl's autograd function where a compiled one can."""

    DEBUG = False
    """Set by lava-dl; it concerns CUDA alone."""

    stock = leaky_integrator._LIDynamics

    @classmethod
    def apply(
        cls, given: torch.Tensor, decay: torch.Tensor, state: torch.Tensor, *rest: Any
    ) -> torch.Tensor:
        chosen = cls.stock
        if given.dtype == torch.float32 and decay.numel() == 1:
            chosen = _compiled(given.device.type, scale=rest[1]) or cls.stock
        out: torch.Tensor = chosen.apply(given, decay, state, *rest)
        return out


def _compiled(device: str, scale: int) -> type[torch.autograd.Function] | None:
    """Compiled function of a device, if it has one for states of this scale."""
    if device == "cpu":
        return CompiledIntegrator
    # The kernel multiplies by the scale's inverse, which is exact for a power of two.
    if device == "cuda" and scale & (scale - 1) == 0:
        from kipuka.train.cuba.triton_integrator import TritonIntegrator

        return TritonIntegrator
    return None


class _OnGpu:
    """Stands in for the two modules that lava-dl compiles from CUDA sources."""

    dynamics = _Chosen.apply
    shift = staticmethod(shift)


class CompiledIntegrator(torch.autograd.Function):
    """Leaky integrator with one decay for all neurons, on the CPU in float32."""

    @staticmethod
    def forward(
        ctx: Any,
        given: torch.Tensor,
        decay: torch.Tensor,
        state: torch.Tensor,
        threshold: float,
        scale: int,
    ) -> torch.Tensor:
        """Integrate an input (batch, ..., time), in units, from a state (batch, ...) on.

        Parameters
        ----------
        given, state : float tensor
        decay : float tensor (1,)
            In 1 / 4096 per step.
        threshold : float
            In units; no reset if not positive.
        scale : int
            Whole steps of the state per unit.
        """
        out = torch.empty(given.shape)
        integrate(
            _rows(given),
            (state * scale).detach().to(torch.int64).flatten().numpy(),
            fixed.UNITY - int(decay),
            scale,
            float(threshold) * scale,
            _rows(out),
        )
        ctx.save_for_backward(out, decay)
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        """Gradients of the input and of the decay; that a reset cuts them off is left out."""
        (grad,) = grad_outputs
        out, decay = ctx.saved_tensors
        back = torch.empty(grad.shape)
        leak_back(_rows(grad), np.float32(1 - float(decay) / fixed.UNITY), _rows(back))
        grad_decay = None
        if ctx.needs_input_grad[1]:
            grad_decay = (back[..., 1:] * out[..., :-1]).flatten().sum(0, keepdim=True)
        return back, grad_decay, None, None, None


def _rows(values: torch.Tensor) -> np.ndarray:
    """Steps of all neurons, one row each."""
    rows: np.ndarray = values.detach().contiguous().numpy().reshape(-1, values.shape[-1])
    return rows
