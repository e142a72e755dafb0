"""Names of networks, data sets and settings, apart from what builds them: none needs torch."""

from __future__ import annotations

import re
from pathlib import Path

from kipuka.strangers import exists

NETWORK_NAMES = (
    "sgru",
    "sgru-delay",
    "sgru-delay-2l",
    "smgu-delay",
    "slgru-delay",
    "csgru",
    "csgru-delay",
    "csgru-delay-2l",
    "decoupled",
    "cuba-ff-delay",
    "cuba-recurrent",
    "cuba-recurrent-delay",
    "sdnn",
    "sdnn-delay",
)
"""Each is built by the function of `kipuka.train.networks` of that name, with underscores."""

DATASET_NAMES = ("digits", "ntidigits", "shd", "ssc")
"""Each is loaded by the function of `kipuka.train.datasets.DATASETS` of that name."""

SETTING_NAMES = (
    *("network", "data", "data_dir", "bin_ms", "steps", "channels", "validation", "download"),
    *("hidden", "layout", "update_gate_input", "start_sha256", "epochs", "batch_size"),
    *("learning_rate", "spike_gain", "label_smoothing", "proven_ranges", "gradient_clip"),
    *("selection", "train_on_validation", "tensorboard", "device", "seed"),
    *("splits.test", "splits.validation", "splits.seed"),
    *("delays.learning_rate", "delays.rule", "delays.init_steps", "delays.width_steps"),
    "delays.recurrent_min_steps",
    *("augmentation.input_drop", "augmentation.time_stretch", "augmentation.time_shift_steps"),
    "augmentation.channel_shift",
    *("penalties.rate", "penalties.rate_low", "penalties.rate_high", "penalties.overshoot"),
)
"""Settings of a training run, as `kipuka.train.runs.config.setting_fields` has them with their
ranges, which take half a second to load."""

HDF5_FILES, EVENT_FILES = (".h5", ".hdf5"), (".npz",)
"""How names of one's own recordings end."""


def is_own(name: str) -> bool:
    """Whether a name means own data: a file, a folder, or ``module:Class``."""
    known = Path(name).suffix in (*HDF5_FILES, *EVENT_FILES)
    return known or bool(re.fullmatch(r".+:[A-Za-z_]\w*", name)) or exists(name)
