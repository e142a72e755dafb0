"""SLAYER's shift in time on a GPU, where lava-dl would compile CUDA sources of its own for it."""

from __future__ import annotations

import torch


def shift(given: torch.Tensor, by: torch.Tensor | float, sampling_time: float = 1) -> torch.Tensor:
    """Shift an input in time, as lava-dl does on the CPU; what enters is silent.

    Parameters
    ----------
    given : tensor (batch, ..., time)
    by : float or tensor
        Later by so much, in the unit of `sampling_time`, for all or for each neuron; the number of
        steps is rounded towards zero.
    sampling_time : float
    """
    n_steps = given.shape[-1]
    steps = torch.as_tensor(by, device=given.device) / sampling_time
    source = torch.arange(n_steps, device=given.device) - steps.trunc().to(torch.int64)[..., None]
    inside = (source >= 0) & (source < n_steps)
    neurons = given.reshape(len(given), -1, n_steps)
    source = source.clamp(0, n_steps - 1).reshape(-1, n_steps).expand(neurons.shape)
    shifted: torch.Tensor = neurons.gather(-1, source) * inside.reshape(-1, n_steps)
    return shifted.reshape(given.shape)
