"""Names of networks and data sets, apart from what builds them: to know one needs no torch."""

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

HDF5_FILES, EVENT_FILES = (".h5", ".hdf5"), (".npz",)
"""How names of one's own recordings end."""


def is_own(name: str) -> bool:
    """Whether a name means own data: a file, a folder, or ``module:Class``."""
    known = Path(name).suffix in (*HDF5_FILES, *EVENT_FILES)
    return known or bool(re.fullmatch(r".+:[A-Za-z_]\w*", name)) or exists(name)
