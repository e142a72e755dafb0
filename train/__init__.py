"""Training in lava-dl SLAYER: blocks with axonal delays and a spiking GRU, data sets, trainer.

Names are loaded on first use, because torch and lava-dl take seconds to import.
"""

from __future__ import annotations

import importlib.util
import sys

from kipuka.errors import KipukaError
from kipuka.lazy import loaded_on_use

_missing = [
    name
    for name in ("torch", "lava", "safetensors", "sklearn")
    if not importlib.util.find_spec(name)
]
if _missing:
    raise KipukaError(
        "training needs lava-dl, which is not installed",
        where="folder train: kipuka train, convert, demo and the backend torch",
        limit="the extra kipuka[lava], on Python 3.10",
        value=f"{sys.version.split()[0]} without {', '.join(_missing)}",
        remedy="install with: pip install 'kipuka[lava]' under Python 3.10",
    )

_MODULES = {
    "AudioLayout": "audio_layout",
    "AxonalDelay": "delays.axonal",
    "ConvSpikingGRU": "gru.convolutional",
    "DataOptions": "datasets",
    "SpikingGRU": "gru.dense",
    "TrainConfig": "runs.config",
    "blocks_from_program": "from_program.network",
    "build_network": "networks",
    "counting_baseline": "runs.counting",
    "load_dataset": "datasets",
    "load_run": "runs.trainer",
    "program_of": "runs.trainer",
    "trace_blocks": "from_program.network",
    "train": "runs.trainer",
}

__all__ = [*_MODULES]

__getattr__ = loaded_on_use(__name__, _MODULES)
