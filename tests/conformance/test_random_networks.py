"""Random networks: Lava gives the reference, and a file gives back what was written.

``KIPUKA_RANDOM_NETWORKS=200 pytest tests/conformance/test_random_networks.py`` runs 200 of them
in Lava, ``KIPUKA_RANDOM_SEED`` draws others.
"""

import importlib.util
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kipuka.commands.backends import BACKENDS, run_jobs
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.deploy.verification import verify
from kipuka_cases import random_inputs
from kipuka_random import random_network

NETWORKS = int(os.environ.get("KIPUKA_RANDOM_NETWORKS", "16"))
FIRST_SEED = int(os.environ.get("KIPUKA_RANDOM_SEED", "0"))
STEPS = 70
"""Longer than the longest delay."""


def drawn(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    return network, random_inputs(rng, network, 1, STEPS, 0.3)


@pytest.mark.lava
@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_lava_gives_the_reference():
    seeds = range(FIRST_SEED, FIRST_SEED + NETWORKS)
    jobs = [drawn(seed) for seed in seeds]
    for seed, (network, inputs), trace in zip(seeds, jobs, run_jobs("lava", jobs), strict=True):
        traces = {"reference": BACKENDS["reference"](network, inputs), "lava": trace}
        assert verify(network, traces).mismatches == (), f"seed {seed}"


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_file_gives_back_the_network(tmp_path_factory, seed):
    network, inputs = drawn(seed)
    path = tmp_path_factory.mktemp("net") / "x.net"
    save_net(path, network)
    again = load_net(path)
    traces = {
        "written": BACKENDS["reference"](network, inputs),
        "read": BACKENDS["reference"](again, inputs),
    }
    assert verify(network, traces).mismatches == ()
    assert (again.numbers, again.reset, again.encoder) == (
        network.numbers,
        network.reset,
        network.encoder,
    )
