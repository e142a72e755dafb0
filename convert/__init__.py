"""Networks in integers: arithmetic, the Program, quantization and `.net` files."""

from kipuka.convert.analysis.summary import LayerSummary, inspect
from kipuka.convert.formats.net.file import GoldenVector, load_golden, load_net, save_net
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.program import Layer, Program, Projection, Readout
from kipuka.convert.trace import LayerTrace, Trace, decide

__all__ = [
    "GoldenVector",
    "Layer",
    "LayerSummary",
    "LayerTrace",
    "Program",
    "Projection",
    "Readout",
    "Trace",
    "decide",
    "inspect",
    "load_golden",
    "load_net",
    "program_from_blocks",
    "save_net",
]
