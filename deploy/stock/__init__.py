"""Spiking GRU networks out of processes that Lava already has on Loihi 2."""

from kipuka.deploy.stock.graph import StockGraph
from kipuka.deploy.stock.interpreter import StockRun, run_stock
from kipuka.deploy.stock.lowering import lower

__all__ = ["StockGraph", "StockRun", "lower", "run_stock"]
