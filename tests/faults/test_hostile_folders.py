"""Commands on folders that a stranger has filled; ``KIPUKA_HOSTILE_SEEDS`` says how many."""

import importlib.util
import os

import pytest

from kipuka_hostile import ready, run_seed

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("KIPUKA_HOSTILE_SEEDS", "60"))
GROUPS = 6


@pytest.fixture(scope="module")
def folders():
    with_training = importlib.util.find_spec("lava") is not None
    with ready(with_training) as (good, root):
        yield good, root, with_training


@pytest.mark.parametrize("group", range(GROUPS))
def test_commands_end_well_or_in_a_paragraph_and_reach_nothing(group, folders):
    ended = {run_seed(seed, *folders) for seed in range(group, SEEDS, GROUPS)}
    assert ended <= {0, 2}


def test_both_ends_are_reached(folders):
    assert {run_seed(seed, *folders) for seed in range(8)} == {0, 2}
