"""Networks in integers: arithmetic, the Program, quantization and `.net` files.

Names are loaded on first use: a command that only checks its settings need not wait for HDF5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kipuka.lazy import loaded_on_use

if TYPE_CHECKING:
    from kipuka.convert.analysis.summary import LayerSummary, inspect
    from kipuka.convert.decisions import (
        Decisions,
        PairedDifference,
        compare_decisions,
        paired_interval,
    )
    from kipuka.convert.formats.net.file import GoldenVector, load_golden, load_net, save_net
    from kipuka.convert.formats.network import load_network, save_network
    from kipuka.convert.formats.nir.file import floats_of, quantized_nir
    from kipuka.convert.formats.slayer.network import program_from_blocks
    from kipuka.convert.program import Layer, Program, Projection, Readout
    from kipuka.convert.trace import LayerTrace, Trace, decide

_MODULES = {
    **dict.fromkeys(("LayerSummary", "inspect"), "analysis.summary"),
    **dict.fromkeys(("Decisions", "PairedDifference"), "decisions"),
    **dict.fromkeys(("compare_decisions", "paired_interval"), "decisions"),
    **dict.fromkeys(("GoldenVector", "load_golden", "load_net", "save_net"), "formats.net.file"),
    **dict.fromkeys(("load_network", "save_network"), "formats.network"),
    **dict.fromkeys(("floats_of", "quantized_nir"), "formats.nir.file"),
    "program_from_blocks": "formats.slayer.network",
    **dict.fromkeys(("Layer", "Program", "Projection", "Readout"), "program"),
    **dict.fromkeys(("LayerTrace", "Trace", "decide"), "trace"),
}

__all__ = [
    "Decisions",
    "GoldenVector",
    "Layer",
    "LayerSummary",
    "LayerTrace",
    "PairedDifference",
    "Program",
    "Projection",
    "Readout",
    "Trace",
    "compare_decisions",
    "decide",
    "floats_of",
    "inspect",
    "load_golden",
    "load_net",
    "load_network",
    "paired_interval",
    "program_from_blocks",
    "quantized_nir",
    "save_net",
    "save_network",
]

__getattr__, __dir__ = loaded_on_use(__name__, _MODULES, __all__)
