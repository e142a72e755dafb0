"""Spiking GRU networks out of processes that Lava already has on Loihi 2."""

from kipuka.deploy.lowered.graph import LoweredGraph
from kipuka.deploy.lowered.interpreter import LoweredRun, run_lowered
from kipuka.deploy.lowered.lowering import lower
from kipuka.lazy import listing

__all__ = ["LoweredGraph", "LoweredRun", "lower", "run_lowered"]

__dir__ = listing(__all__)
