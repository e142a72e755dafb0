"""What runs or costs a Program: simulators, Lava graphs, verification, profiles, reports.

What deploys and draws is loaded on first use: a command that only simulates need not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kipuka.deploy.fast import COUNTERS, EVERYTHING, Events, Record, simulate, simulate_each
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.inputs import load_inputs, save_spikes
from kipuka.deploy.profile import Profile, profile
from kipuka.deploy.reference import Simulation, simulate_reference
from kipuka.deploy.verify import Verification, verify
from kipuka.lazy import loaded_on_use

if TYPE_CHECKING:
    from kipuka.deploy.boards import dry_run
    from kipuka.deploy.lava_run import run_lava
    from kipuka.deploy.report import ReportContents, write_report
    from kipuka.deploy.stock import lower
    from kipuka.deploy.stock.streaming import plan_stream

_MODULES = {
    "ReportContents": "report",
    "dry_run": "boards",
    "lower": "stock",
    "plan_stream": "stock.streaming",
    "run_lava": "lava_run",
    "write_report": "report",
}

__all__ = [
    "COUNTERS",
    "EVERYTHING",
    "Events",
    "Profile",
    "Record",
    "ReportContents",
    "Simulation",
    "Verification",
    "dry_run",
    "golden_vectors",
    "load_inputs",
    "lower",
    "plan_stream",
    "profile",
    "run_lava",
    "save_spikes",
    "simulate",
    "simulate_each",
    "simulate_reference",
    "verify",
    "write_report",
]

__getattr__ = loaded_on_use(__name__, _MODULES)
