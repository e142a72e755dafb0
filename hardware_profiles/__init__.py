"""Hardware as data: one YAML file per chip, every number with unit, source and uncertainty.

The files hold what has been published about a chip, and estimates that say so. `load_profile`
reads one of them and refuses whatever the schema does not allow.

Examples
--------
>>> from kipuka.hardware_profiles import load_profile
>>> load_profile("loihi2").energy.synaptic_operation.confidence
'derived'
"""

from kipuka.hardware_profiles.loading import load_profile, profile_names
from kipuka.hardware_profiles.schema import (
    UNITS,
    Basis,
    Confidence,
    Energy,
    FormulaInput,
    HardwareProfile,
    Latency,
    Limits,
    Quantity,
    Reference,
    SiBounds,
)

__all__ = [
    "UNITS",
    "Basis",
    "Confidence",
    "Energy",
    "FormulaInput",
    "HardwareProfile",
    "Latency",
    "Limits",
    "Quantity",
    "Reference",
    "SiBounds",
    "load_profile",
    "profile_names",
]
