"""Training in lava-dl SLAYER: blocks with axonal delays and a spiking GRU, data sets, trainer.

Names are loaded on first use, because torch and lava-dl take seconds to import.
"""

from __future__ import annotations

from kipuka.lava_door import check_installed
from kipuka.lazy import loaded_on_use

check_installed(
    "training needs lava-dl",
    "folder train: kipuka train, convert, demo and the backend torch",
    "torch",
    "lava",
    "safetensors",
    "sklearn",
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
