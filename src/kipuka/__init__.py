"""Kipuka: spiking networks with axonal delays and a spiking GRU, exact from training to Loihi 2."""

from __future__ import annotations

import importlib
from typing import Any

from kipuka.errors import KipukaError
from kipuka.lava_door import open_door
from kipuka.lazy import listing

__version__ = "0.2.0"

_PACKAGES = ("convert", "deploy", "hardware_profiles", "plot", "train")
"""What a person reaches from here, loaded when it is asked for."""

__all__ = ["KipukaError", *_PACKAGES]

__dir__ = listing([*__all__, "__version__"])

open_door()


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"kipuka.{name}")
    raise AttributeError(f"module 'kipuka' has no attribute {name!r}")
