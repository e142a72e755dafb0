"""Habits of exporters: what their files mean where that is not what NIR's equations say.

Each was read off the exporter's own files and held against the exporter's own forward pass by
`benchmarks/nir_exporters.py`; docs/nir.md names the versions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """How one library's files are read.

    Attributes
    ----------
    dt_s : float or None
        Step that the exporter always writes for; None where it has to be given.
    per_step : frozenset of str
        Kinds of node whose input counts in the step of a spike, whatever the step's length: an
        ``IF`` without ``dt``, a ``CubaLIF`` whose current jumps by ``w_in``.
    exponential : bool
        Whether decays are ``1 - exp(-dt / tau)`` and not forward Euler's ``dt / tau``.
    """

    dt_s: float | None = None
    per_step: frozenset[str] = frozenset()
    exponential: bool = False


PRESETS = {
    "plain": Preset(),
    "norse": Preset(per_step=frozenset({"IF", "CubaLIF"})),
    "sinabs": Preset(dt_s=1.0, per_step=frozenset({"IF"}), exponential=True),
    "snntorch": Preset(dt_s=1e-4),
}
"""Exporters by name; ``plain`` reads a file by NIR's equations."""
