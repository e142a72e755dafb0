"""Training in lava-dl SLAYER: blocks with axonal delays and a spiking GRU, data sets, trainer.

Names are loaded on first use, because torch and lava-dl take seconds to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kipuka.lava_door import TRAINING, check_installed
from kipuka.lazy import loaded_on_use

if TYPE_CHECKING:
    from kipuka.train.audio_layout import AudioLayout
    from kipuka.train.datasets import DataOptions, Dataset, Split, Splits, load_dataset
    from kipuka.train.delays.axonal import AxonalDelay
    from kipuka.train.from_program.network import blocks_from_program, trace_blocks
    from kipuka.train.gru.convolutional import ConvSpikingGRU
    from kipuka.train.gru.dense import SpikingGRU
    from kipuka.train.gru.ranges import keep_in_range
    from kipuka.train.networks import build_network
    from kipuka.train.runs.config import TrainConfig, load_config
    from kipuka.train.runs.counting import counting_baseline
    from kipuka.train.runs.data_settings import read_as_trained
    from kipuka.train.runs.result import TrainingResult, program_of
    from kipuka.train.runs.trainer import load_run, train
    from kipuka.train.script_output import ScriptComparison, compare_script

check_installed(
    "training needs lava-dl",
    "folder train: kipuka train, convert, demo and the backend torch",
    *TRAINING,
)

_MODULES = {
    "AudioLayout": "audio_layout",
    "AxonalDelay": "delays.axonal",
    "ConvSpikingGRU": "gru.convolutional",
    "DataOptions": "datasets",
    "Dataset": "datasets",
    "ScriptComparison": "script_output",
    "SpikingGRU": "gru.dense",
    "Split": "datasets",
    "Splits": "datasets",
    "TrainConfig": "runs.config",
    "TrainingResult": "runs.result",
    "blocks_from_program": "from_program.network",
    "build_network": "networks",
    "compare_script": "script_output",
    "counting_baseline": "runs.counting",
    "keep_in_range": "gru.ranges",
    "load_config": "runs.config",
    "load_dataset": "datasets",
    "load_run": "runs.trainer",
    "program_of": "runs.result",
    "read_as_trained": "runs.data_settings",
    "trace_blocks": "from_program.network",
    "train": "runs.trainer",
}

__all__ = [
    "AudioLayout",
    "AxonalDelay",
    "ConvSpikingGRU",
    "DataOptions",
    "Dataset",
    "ScriptComparison",
    "SpikingGRU",
    "Split",
    "Splits",
    "TrainConfig",
    "TrainingResult",
    "blocks_from_program",
    "build_network",
    "compare_script",
    "counting_baseline",
    "keep_in_range",
    "load_config",
    "load_dataset",
    "load_run",
    "program_of",
    "read_as_trained",
    "trace_blocks",
    "train",
]

__getattr__, __dir__ = loaded_on_use(__name__, _MODULES, __all__)
