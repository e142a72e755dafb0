"""Where a network lies on a chip: its groups on neuro cores, the cores on the mesh of routers."""

from kipuka.deploy.costs.mapping.groups import Bundle, Group, groups_of, with_receivers
from kipuka.deploy.costs.mapping.limits import CoreLimits, core_limits
from kipuka.deploy.costs.mapping.mapping import (
    GroupMapping,
    Mapping,
    map_by_halving,
    map_groups,
    map_program,
)
from kipuka.deploy.costs.mapping.sharing import map_shared
from kipuka.deploy.costs.mapping.spreading import Spread
from kipuka.lazy import listing

__all__ = [
    "Bundle",
    "CoreLimits",
    "Group",
    "GroupMapping",
    "Mapping",
    "Spread",
    "core_limits",
    "groups_of",
    "map_by_halving",
    "map_groups",
    "map_program",
    "map_shared",
    "with_receivers",
]

__dir__ = listing(__all__)
