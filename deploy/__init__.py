"""What runs or costs a Program: simulators, Lava graphs, verification, profiles, reports.

Names are loaded on first use: who only simulates need not wait for what deploys and draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kipuka.lazy import loaded_on_use

if TYPE_CHECKING:
    from kipuka.deploy.costs.cost import Cost, profile
    from kipuka.deploy.fast.simulator import (
        COUNTERS,
        EVERYTHING,
        Events,
        Record,
        simulate,
        simulate_each,
    )
    from kipuka.deploy.fidelity import Fidelity, measure_fidelity
    from kipuka.deploy.golden import golden_vectors
    from kipuka.deploy.inputs import load_inputs, save_spikes
    from kipuka.deploy.lava.run import run_lava
    from kipuka.deploy.loihi2 import dry_run
    from kipuka.deploy.lowered import lower
    from kipuka.deploy.lowered.streaming import plan_stream
    from kipuka.deploy.reference import Simulation, simulate_reference
    from kipuka.deploy.report.page import ReportContents, write_report
    from kipuka.deploy.verification import Verification, verify

_MODULES = {
    **dict.fromkeys(("Cost", "profile"), "costs.cost"),
    **dict.fromkeys(("COUNTERS", "EVERYTHING", "Events", "Record"), "fast.simulator"),
    **dict.fromkeys(("simulate", "simulate_each"), "fast.simulator"),
    **dict.fromkeys(("Fidelity", "measure_fidelity"), "fidelity"),
    "golden_vectors": "golden",
    **dict.fromkeys(("load_inputs", "save_spikes"), "inputs"),
    "run_lava": "lava.run",
    "dry_run": "loihi2",
    "lower": "lowered",
    "plan_stream": "lowered.streaming",
    **dict.fromkeys(("Simulation", "simulate_reference"), "reference"),
    **dict.fromkeys(("ReportContents", "write_report"), "report.page"),
    **dict.fromkeys(("Verification", "verify"), "verification"),
}

__all__ = [
    "COUNTERS",
    "EVERYTHING",
    "Cost",
    "Events",
    "Fidelity",
    "Record",
    "ReportContents",
    "Simulation",
    "Verification",
    "dry_run",
    "golden_vectors",
    "load_inputs",
    "lower",
    "measure_fidelity",
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

__getattr__, __dir__ = loaded_on_use(__name__, _MODULES, __all__)
