"""Spiking GRU networks out of processes that Lava already has on Loihi 2."""

from kipuka.deploy.lowered.graph import StockGraph
from kipuka.deploy.lowered.interpreter import StockRun, run_stock
from kipuka.deploy.lowered.lowering import lower

__all__ = ["StockGraph", "StockRun", "lower", "run_stock"]
