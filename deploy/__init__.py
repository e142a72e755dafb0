"""What runs or costs a Program: simulators, Lava graphs, verification, profiles, reports."""

from kipuka.deploy.fast import COUNTERS, EVERYTHING, Events, Record, simulate, simulate_each
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.inputs import load_inputs, save_spikes
from kipuka.deploy.lava_run import run_lava
from kipuka.deploy.profile import Profile, profile
from kipuka.deploy.reference import Simulation, simulate_reference
from kipuka.deploy.report import ReportContents, write_report
from kipuka.deploy.verify import Verification, verify

__all__ = [
    "COUNTERS",
    "EVERYTHING",
    "Events",
    "Profile",
    "Record",
    "ReportContents",
    "Simulation",
    "Verification",
    "golden_vectors",
    "load_inputs",
    "profile",
    "run_lava",
    "save_spikes",
    "simulate",
    "simulate_each",
    "simulate_reference",
    "verify",
    "write_report",
]
