"""Rasters, membranes, delays and cores on matplotlib axes of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kipuka.lazy import loaded_on_use

if TYPE_CHECKING:
    from kipuka.deploy.report.axes import core_map, delays, membranes, raster

__all__ = ["core_map", "delays", "membranes", "raster"]

__getattr__, __dir__ = loaded_on_use(
    "kipuka.deploy.report", dict.fromkeys(__all__, "axes"), __all__
)
