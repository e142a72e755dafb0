"""What runs or costs a Program: simulators, Lava graphs, verification, profiles, reports."""

from kipuka.deploy.boards import dry_run
from kipuka.deploy.fast import COUNTERS, EVERYTHING, Events, Record, simulate, simulate_each
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.inputs import load_inputs, save_spikes
from kipuka.deploy.lava_run import run_lava
from kipuka.deploy.profile import Profile, profile
from kipuka.deploy.reference import Simulation, simulate_reference
from kipuka.deploy.report import ReportContents, write_report
from kipuka.deploy.stock import lower
from kipuka.deploy.stock.streaming import plan_stream
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
