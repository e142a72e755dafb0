"""The part of a run's settings that says how its data are read; nothing here loads torch."""

from __future__ import annotations

from kipuka.convert.formats.guarded.event_files import ArrayNames
from kipuka.train.datasets import DataOptions, Splits
from kipuka.train.runs.config import TrainConfig


def data_options(config: TrainConfig) -> DataOptions:
    """Return the part of the settings that says how the data are read."""
    return DataOptions(
        data_dir=config.data_dir,
        bin_ms=config.bin_ms,
        steps=config.steps,
        channels=config.channels,
        validation=config.validation,
        download=config.download,
        splits=Splits(**config.splits.model_dump()),
        arrays=ArrayNames(**config.arrays.model_dump()),
        time_unit=config.time_unit,
        groups_from=config.groups_from,
    )
