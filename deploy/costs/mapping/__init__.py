"""Where a network lies on a chip: its layers on neuro cores, the cores on the mesh of routers."""

from kipuka.deploy.costs.mapping.limits import CoreLimits, core_limits
from kipuka.deploy.costs.mapping.mapping import LayerMapping, Mapping, map_program
from kipuka.deploy.costs.mapping.spreading import Spread

__all__ = ["CoreLimits", "LayerMapping", "Mapping", "Spread", "core_limits", "map_program"]
