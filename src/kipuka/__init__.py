"""Kipuka: spiking networks with axonal delays and a spiking GRU, exact from training to Loihi 2."""

from __future__ import annotations

import importlib
from typing import Any

from kipuka.lava_door import open_door

__version__ = "0.2.0"

_PACKAGES = {
    "convert": "kipuka.convert",
    "deploy": "kipuka.deploy",
    "hardware_profiles": "kipuka.hardware_profiles",
    "plot": "kipuka.deploy.report.axes",
    "train": "kipuka.train",
}
"""What a person reaches from here, loaded when it is asked for."""

__all__ = [*_PACKAGES]

open_door()


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(_PACKAGES[name])
    raise AttributeError(f"module 'kipuka' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
