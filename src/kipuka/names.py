"""Names of networks, data sets and settings, apart from what builds them: none needs torch."""

from __future__ import annotations

import os
import re
from pathlib import Path

from kipuka.errors import KipukaError, choose
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
    *("time_unit", "groups_from"),
    *("hidden", "layout", "update_gate_input", "start_sha256", "epochs", "batch_size"),
    *("learning_rate", "spike_gain", "label_smoothing", "proven_ranges", "gradient_clip"),
    *("selection", "train_on_validation", "tensorboard", "device", "seed"),
    *("splits.test", "splits.validation", "splits.seed"),
    *("arrays.times", "arrays.units", "arrays.n_steps", "arrays.samples", "arrays.labels"),
    *("arrays.groups", "arrays.parts"),
    *("delays.learning_rate", "delays.rule", "delays.init_steps", "delays.width_steps"),
    "delays.recurrent_min_steps",
    *("augmentation.input_drop", "augmentation.time_stretch", "augmentation.time_shift_steps"),
    "augmentation.channel_shift",
    *("penalties.rate", "penalties.rate_low", "penalties.rate_high", "penalties.overshoot"),
)
"""Settings of a training run, as `kipuka.train.runs.config.setting_fields` has them with their
ranges, which take half a second to load."""

NETWORK_FILE = "model.net"
"""Network of a run folder."""

REPORT_FILE = "report.html"
"""Report that stands beside it."""

HDF5_FILES, EVENT_FILES = (".h5", ".hdf5"), (".npz",)
"""How names of one's own recordings end."""


def is_own(name: str) -> bool:
    """Whether a name means own data: a file, a folder, or ``module:Class``."""
    return _is_path(name) or _is_class(name) or exists(name)


def check_data(name: str) -> None:
    """Check that there is a data set of this name, or something at this path.

    Raises
    ------
    KipukaError
        If there is neither; of a class only the class's loading tells.
    """
    if name in DATASET_NAMES or _is_class(name) or exists(name):
        return
    if _is_path(name):
        raise KipukaError(
            "the data cannot be read: there is no such file or folder",
            where=f"setting or option data, {name}",
            limit=f"a file or folder of recordings, or a data set: {', '.join(DATASET_NAMES)}",
            value=name,
            remedy="check the path, which starts from the current folder",
        )
    other = ", or give the path of your own data: no file or folder here has that name"
    choose(dict.fromkeys(DATASET_NAMES), name, "data set", "setting or option data", other)


def _is_path(name: str) -> bool:
    """Whether a name can only be one of a file or folder, even if there is none."""
    known = Path(name).suffix in (*HDF5_FILES, *EVENT_FILES)
    return known or "/" in name or os.sep in name or name in (".", "..", "~")


def _is_class(name: str) -> bool:
    return bool(re.fullmatch(r".+:[A-Za-z_]\w*", name))
