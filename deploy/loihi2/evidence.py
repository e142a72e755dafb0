"""Which Lava processes run on Loihi 2 neuro cores, as far as the public can tell.

The extension that maps processes to the chip is not public. What stands here is what release notes,
pull requests, tutorials and other people's code show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Strength = Literal["strong", "good", "weak", "none"]


@dataclass(frozen=True)
class Evidence:
    """How well it is known that a process runs on the chip, and from where."""

    strength: Strength
    source: str

    @property
    def accepted(self) -> bool:
        """Whether a deployment may rely on it."""
        return self.strength in ("strong", "good")


OWN = Evidence("none", "a process of Kipuka's own; it would need microcode")

EVIDENCE: Mapping[str, Evidence] = MappingProxyType(
    {
        "LIF": Evidence("strong", "lava v0.4.0 release notes; imports in lava-dnf and Fugu"),
        "LIFReset": Evidence("strong", "lava-dl NetX notebooks of PilotNet and MNIST on silicon"),
        "Dense": Evidence("strong", "lava v0.4.0 release notes; lava-optimization solver"),
        "Sparse": Evidence("strong", "lava-optimization solver; lava-dl sparse_fc_layer"),
        "DelayDense": Evidence("strong", "lava PR #693; Fugu; Meszaros et al., arXiv:2510.13757"),
        "GradedVec": Evidence("good", "lava PR #740; lava_va tutorials with Loihi2HwCfg"),
        "ProdNeuron": Evidence("good", "lava PR #740; lava_va tutorials with Loihi2HwCfg"),
        "CyclicBuffer": Evidence("strong", "lava-dl yolo_kp tutorial; public scripts for SHD"),
        "PyToNxAdapter": Evidence("strong", "lava.networks.gradedvecnetwork; many public scripts"),
        "NxToPyAdapter": Evidence("strong", "lava.networks.gradedvecnetwork; many public scripts"),
        "DelaySparse": Evidence("weak", "wording of lava PR #693 only; Fugu keeps it off the chip"),
        "GradedReluVec": Evidence("weak", "lava PR #860; no run on the chip seen"),
        "SpikingGRU": OWN,
        "SpikingMGU": OWN,
    }
)

UNKNOWN = Evidence("none", "no public trace of a run on the chip")


def evidence_of(process: str) -> Evidence:
    """Evidence for a process by Lava's name of it."""
    return EVIDENCE.get(process, UNKNOWN)
