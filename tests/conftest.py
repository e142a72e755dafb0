"""Shared fixtures, markers given by place, and how the tests are shared out over processes.

Modules that need the lava extra skip themselves where it is missing.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from kipuka_errors import check_error

# Kernels for GPUs run in Triton's interpreter here. Triton reads this when it is imported, which
# newer versions of torch do as soon as they are.
os.environ["TRITON_INTERPRET"] = "1"

LAVA_FOLDER = Path(__file__).parent / "deploy" / "lava"
PROCESSES_AT_MOST = 4
"""Lava starts as many processes again for each."""

LONGEST_FIRST = (
    "conformance/test_backends.py",
    "train/runs/test_timing_task.py",
    "deploy/lowered/test_lava_cells.py",
    "deploy/lowered/test_lowering.py",
    "test_fuzz.py",
    "commands/test_cli.py",
    "deploy/fast/test_fast.py",
    "commands/test_hostile_options.py",
    "conformance/test_random_networks.py",
    "faults/test_kills.py",
)
"""Files that take longest, in the order in which processes begin them: the first compiles all
kernels of the simulator and the second those of training, which are kept on disk; those that follow
need none of the simulator's, so that no second process compiles them at the same time."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Share whole folders out over processes, file by file, unless ``-n`` says otherwise.

    Files named one by one run in this process, where a debugger and ``-s`` work.
    """
    option = config.option
    chosen = getattr(option, "numprocesses", 0) is not None or option.usepdb or option.collectonly
    here = all(Path(name.partition("::")[0]).suffix == ".py" for name in config.args)
    n_processes = min(len(os.sched_getaffinity(0)), PROCESSES_AT_MOST)
    if not (chosen or here or hasattr(config, "workerinput")) and n_processes > 1:
        option.numprocesses, option.dist = n_processes, "loadfile"
        option.loadscopereorder = False
        # A processor for each process: threads beside them would wait for each other.
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Give the markers that follow from the place of a test, or from another marker.

    Processes that share the files begin with the longest.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)
    for item in items:
        if item.path.is_relative_to(LAVA_FOLDER):
            item.add_marker("lava")
        if item.get_closest_marker("fuzz"):
            item.add_marker("slow")


def _turn(item):
    name = str(item.path.relative_to(Path(__file__).parent))
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


@pytest.fixture
def rng():
    return np.random.default_rng(20260501)


@pytest.fixture(scope="session", name="check_error")
def check_error_fixture():
    return check_error
