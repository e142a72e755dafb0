"""Whether kernels written in Triton run here; it comes with torch for GPUs."""

from __future__ import annotations

import functools
import importlib.metadata

import torch

VERSION_MIN = 3
"""Triton before it reads globals and indices otherwise."""

CAPABILITY_MIN = (8, 0)
"""NVIDIA GPUs from which on tensor cores take TF32."""


@functools.lru_cache(maxsize=1)
def takes_triton() -> bool:
    """Whether there is a GPU that can run the kernels, and Triton to compile them."""
    if torch.version.cuda is None or not torch.cuda.is_available():
        return False
    if torch.cuda.get_device_capability() < CAPABILITY_MIN:
        return False
    try:
        version = importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        return False
    return int(version.split(".")[0]) >= VERSION_MIN
