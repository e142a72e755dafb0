"""SLAYER's leaky integrator on a GPU, in one Triton kernel per pass.

lava-dl compiles CUDA sources of its own for it on first use, which takes a minute and a CUDA
toolkit, and its integers there have 32 bits. Without a GPU the kernels run in Triton's
interpreter, which is how they are tested.
"""

from __future__ import annotations

from typing import Any

import torch
import triton

from kipuka.train.cuba import triton_kernels as kernels

ROWS_TOGETHER = 128
"""Rows of a program, one per lane of four warps."""

SETTINGS: dict[str, Any] = {"BLOCK": ROWS_TOGETHER, "num_warps": 4, "enable_fp_fusion": False}


class TritonIntegrator(torch.autograd.Function):
    """`kipuka.train.cuba.integrator.CompiledIntegrator` on a GPU, with the same bits."""

    @staticmethod
    def forward(
        ctx: Any,
        given: torch.Tensor,
        decay: torch.Tensor,
        state: torch.Tensor,
        threshold: float,
        scale: int,
    ) -> torch.Tensor:
        """Integrate an input (batch, ..., time), in units, from a state (batch, ...) on."""
        rows = _time_first(given)
        out = torch.empty_like(rows)
        n_steps, n_rows = rows.shape
        with torch.cuda.device_of(rows):
            kernels.integrate[(triton.cdiv(n_rows, ROWS_TOGETHER),)](
                rows,
                state.detach().contiguous(),
                decay.detach(),
                out,
                n_steps,
                n_rows,
                float(scale),
                1 / scale,
                float(threshold) * scale,
                SPIKING=threshold > 0,
                **SETTINGS,
            )
        ctx.save_for_backward(out, decay)
        return _time_last(out, given.shape)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[Any, ...]:
        """Gradients of the input and of the decay; that a reset cuts them off is left out."""
        (grad,) = grad_outputs
        out, decay = ctx.saved_tensors
        rows = _time_first(grad)
        back = torch.empty_like(rows)
        n_steps, n_rows = rows.shape
        with torch.cuda.device_of(rows):
            kernels.leak_back[(triton.cdiv(n_rows, ROWS_TOGETHER),)](
                rows, decay, back, n_steps, n_rows, **SETTINGS
            )
        grad_decay = None
        if ctx.needs_input_grad[1]:
            # In the order of memory that the sum has on the CPU.
            products = (back[1:] * out[:-1]).T.flatten()
            grad_decay = products.sum(0, keepdim=True)
        return _time_last(back, grad.shape), grad_decay, None, None, None


def _time_first(values: torch.Tensor) -> torch.Tensor:
    """Steps of all neurons (time, rows), contiguous."""
    return values.detach().movedim(-1, 0).contiguous().reshape(values.shape[-1], -1)


def _time_last(rows: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    return rows.reshape(shape[-1], *shape[:-1]).movedim(0, -1)
