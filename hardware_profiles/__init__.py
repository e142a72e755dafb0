"""Hardware as data: a YAML file per chip or system, each number with unit, source, uncertainty.

The files hold what has been published about a chip, and estimates that say so. `load_profile`
reads one of them and refuses whatever the schema does not allow. All but units and bounds is loaded
on first use, because the schema takes a while to build.

Examples
--------
>>> from kipuka.hardware_profiles import load_profile
>>> load_profile("loihi2").energy.synaptic_operation.confidence
'derived'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kipuka.hardware_profiles.numbers import SiBounds
from kipuka.hardware_profiles.units import UNITS
from kipuka.lazy import loaded_on_use

if TYPE_CHECKING:
    from kipuka.hardware_profiles.loading import load_profile, profile_names
    from kipuka.hardware_profiles.quantity import (
        Ability,
        Basis,
        Confidence,
        FormulaInput,
        Quantity,
        Reference,
    )
    from kipuka.hardware_profiles.schema import (
        Energy,
        EnergyCase,
        HardwareProfile,
        Latency,
        Limits,
        SystemProfile,
    )

_MODULES = {
    **dict.fromkeys(("load_profile", "profile_names"), "loading"),
    **dict.fromkeys(
        ("Ability", "Basis", "Confidence", "FormulaInput", "Quantity", "Reference"), "quantity"
    ),
    **dict.fromkeys(("Energy", "EnergyCase", "HardwareProfile"), "schema"),
    **dict.fromkeys(("Latency", "Limits", "SystemProfile"), "schema"),
}

__all__ = [
    "UNITS",
    "Ability",
    "Basis",
    "Confidence",
    "Energy",
    "EnergyCase",
    "FormulaInput",
    "HardwareProfile",
    "Latency",
    "Limits",
    "Quantity",
    "Reference",
    "SiBounds",
    "SystemProfile",
    "load_profile",
    "profile_names",
]

__getattr__, __dir__ = loaded_on_use(__name__, _MODULES, __all__)
